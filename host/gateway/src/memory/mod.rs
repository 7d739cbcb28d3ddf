//! What is known about devices: in memory for questions, in the store over
//! restarts.
//!
//! Questions read memory only. What sources say goes into memory at once and
//! into the store behind, in batches on the store's own thread.

mod picture;
mod room;

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock, mpsc};

use parking_lot::{Mutex, RwLock};
use portreeve_cache::packed::Words;
use portreeve_cache::{CacheSettings, Restoring, SourceId};
use portreeve_domain::{Device, Identifier, Timestamp};
use portreeve_store::{
    DeviceRow, Dictionary, Store, StoreError, Writer, WriterHandle, WriterSettings,
};

use crate::feed::Touched;
use crate::{DeviceCache, Prepared, Record};
pub use picture::SourcePicture;
use room::Room;

/// The epoch of a device that a question brought. A full read that began before
/// leaves it alone, as it was fetched later; the next one has to see it.
const OF_NO_READ: u32 = 0;

/// What is known about devices.
#[derive(Debug)]
pub struct Memory {
    devices: DeviceCache,
    /// Names of the sources; a [`SourceId`] is the place of one. None is ever
    /// taken away or moved.
    sources: RwLock<Vec<Arc<str>>>,
    kept: Option<Kept>,
    /// Whoever wants to know about changes.
    touched: OnceLock<Arc<Touched>>,
    room: Room,
}

/// Where it is kept over restarts.
#[derive(Debug)]
struct Kept {
    store: Arc<Store>,
    writer: WriterHandle,
}

/// What was found in the store at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Devices that are in memory again.
    pub devices: u64,
    /// Devices of sources that are not configured any more. They stay in the
    /// store.
    pub of_others: u64,
}

/// Lets the store know the words that packed devices refer to.
#[derive(Debug)]
struct Vocabulary(Arc<Words>);

impl Dictionary for Vocabulary {
    fn words_from(&self, first: u32) -> Vec<String> {
        self.0.since(usize::try_from(first).unwrap_or(usize::MAX))
    }
}

impl Memory {
    /// Memory that a restart empties.
    pub fn volatile(settings: CacheSettings, sources: Vec<Arc<str>>) -> Self {
        Self {
            devices: DeviceCache::new(settings),
            sources: RwLock::new(sources),
            kept: None,
            touched: OnceLock::new(),
            room: Room::default(),
        }
    }

    /// Memory that is as it was before the restart. The writer is the caller's
    /// to end, after everything that uses the memory has ended.
    pub fn durable(
        settings: CacheSettings,
        sources: Vec<Arc<str>>,
        store: Arc<Store>,
    ) -> Result<(Self, Writer, Restored), StoreError> {
        let words = Arc::new(Words::restore(store.words()?));
        let devices = DeviceCache::with_words(settings, Arc::clone(&words));
        let restored = load(&store, &sources, &devices)?;
        let vocabulary: Arc<dyn Dictionary> = Arc::new(Vocabulary(words));
        let started = Writer::start(
            Arc::clone(&store),
            WriterSettings::default(),
            Some(vocabulary),
        );
        let (handle, writer) = started.map_err(|error| StoreError::Io(error.to_string()))?;
        let kept = Kept {
            writer: handle,
            store,
        };
        let memory = Self {
            devices,
            sources: RwLock::new(sources),
            kept: Some(kept),
            touched: OnceLock::new(),
            room: Room::default(),
        };
        Ok((memory, writer, restored))
    }

    /// The records, for questions.
    pub(crate) const fn devices(&self) -> &DeviceCache {
        &self.devices
    }

    /// Tells of every device that is learnt about from now on. Only the first
    /// one who wants to know is told.
    pub(crate) fn tell(&self, touched: &Arc<Touched>) {
        let _ = self.touched.set(Arc::clone(touched));
    }

    /// Whether devices of a source may not be in memory, for want of room.
    pub(crate) fn is_short(&self, source: SourceId) -> bool {
        self.room
            .is_short(source.0, self.devices.statistics().evictions)
    }

    /// The name of a source.
    pub(crate) fn name_of(&self, source: SourceId) -> Arc<str> {
        self.known_as(source).unwrap_or_default()
    }

    fn known_as(&self, source: SourceId) -> Option<Arc<str>> {
        self.sources.read().get(usize::from(source.0)).cloned()
    }

    /// The names of all sources that there were since the start, by number.
    pub fn sources(&self) -> Vec<Arc<str>> {
        self.sources.read().clone()
    }

    /// The number of a source, a new one for a name that is new. `None` when
    /// there is no number left.
    pub fn number(&self, name: &Arc<str>) -> Option<SourceId> {
        let mut sources = self.sources.write();
        let place = sources.iter().position(|known| known == name);
        let place = u16::try_from(place.unwrap_or(sources.len())).ok()?;
        if usize::from(place) == sources.len() {
            sources.push(Arc::clone(name));
        }
        Some(SourceId(place))
    }

    /// Has the system keep many devices so that they are found quickly, on a
    /// thread that nobody waits for: [`DeviceCache::settle`].
    pub fn settle(&self) {
        self.devices.settle();
    }

    /// Where changes are made durable, for figures and health.
    pub fn writer(&self) -> Option<&WriterHandle> {
        self.kept.as_ref().map(|kept| &kept.writer)
    }

    /// The store itself, for backups.
    pub fn store(&self) -> Option<&Arc<Store>> {
        self.kept.as_ref().map(|kept| &kept.store)
    }

    /// Takes in what a source said when it was asked for one device.
    pub(crate) fn learn(&self, source: SourceId, device: &Device, at: Timestamp) -> Record {
        let record = self.devices.insert(source, device, at);
        if let Some(touched) = self.touched.get() {
            touched.note(&record);
        }
        if let Some((kept, name)) = self.kept_as(source) {
            kept.writer.put_device(&DeviceRow {
                source: &name,
                key: &device.key,
                fetched_at: at,
                epoch: OF_NO_READ,
                device: record.packed(),
            });
        }
        record
    }

    /// Takes in that a source knows no device of these identifiers.
    pub(crate) fn learn_unknown(&self, source: SourceId, asked: &[Identifier], at: Timestamp) {
        let gone = self.devices.insert_unknown(source, asked, at);
        if let Some(touched) = self.touched.get() {
            for record in &gone {
                touched.note(record);
            }
        }
        let Some((kept, name)) = self.kept_as(source) else {
            return;
        };
        for record in gone {
            kept.writer.remove_device(&name, &record.key());
        }
    }

    fn kept_as(&self, source: SourceId) -> Option<(&Kept, Arc<str>)> {
        let kept = self.kept.as_ref()?;
        Some((kept, self.known_as(source)?))
    }
}

/// Rows that are handed over at once while the store is read.
const ROWS: usize = 512;
/// Handfuls of rows that wait to be taken into memory.
const AHEAD: usize = 8;
/// Threads that take them. Beside the one that reads they keep two processors
/// busy, and more would only wait for each other.
const FILLERS: usize = 2;

/// Some rows of the store, in one piece of memory.
#[derive(Default)]
struct Rows {
    bytes: Vec<u8>,
    /// Where a row ends, whose it is, and when it was fetched.
    ends: Vec<(usize, SourceId, Timestamp)>,
}

/// Reads the store on one thread and fills memory on others: a gateway that
/// starts has nothing else to do.
fn load(
    store: &Store,
    sources: &[Arc<str>],
    devices: &DeviceCache,
) -> Result<Restored, StoreError> {
    let counts = sources.iter().map(|source| store.device_count(source));
    let expected: u64 = counts.sum::<Result<u64, StoreError>>()?;
    let devices = devices.restore(usize::try_from(expected).unwrap_or(usize::MAX));
    let (give, take) = mpsc::sync_channel::<Rows>(AHEAD);
    let take = Mutex::new(Some(take));
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || read(store, sources, &give));
        let filling = [(); FILLERS].map(|()| scope.spawn(|| fill(&take, &devices)));
        let mut restored = Restored::default();
        for filled in filling {
            restored.devices += ended(filled.join())?;
        }
        restored.of_others = ended(reading.join())?;
        Ok(restored)
    })
}

/// What a thread came to; one that panicked met rows that make no sense.
fn ended<T>(thread: std::thread::Result<Result<T, StoreError>>) -> Result<T, StoreError> {
    thread.unwrap_or_else(|_| Err(StoreError::Damaged("it could not be read".to_owned())))
}

/// Takes rows into memory until there are no more; how many. After an error
/// nobody takes any more, which ends the reading.
fn fill(
    take: &Mutex<Option<mpsc::Receiver<Rows>>>,
    devices: &Restoring<'_, Prepared>,
) -> Result<u64, StoreError> {
    let mut filled = 0;
    loop {
        let rows = take.lock().as_ref().and_then(|take| take.recv().ok());
        let Some(Rows { bytes, ends }) = rows else {
            return Ok(filled);
        };
        filled += ends.len() as u64;
        let mut start = 0;
        let each = ends.into_iter().map(|(end, source, fetched_at)| {
            let device = bytes.get(start..end).unwrap_or_default();
            start = end;
            (source, device, fetched_at)
        });
        if let Err(error) = devices.insert(each) {
            *take.lock() = None;
            return Err(StoreError::Damaged(format!("a device: {error}")));
        }
    }
}

/// Hands over all rows of these sources; how many are of others.
fn read(
    store: &Store,
    sources: &[Arc<str>],
    give: &mpsc::SyncSender<Rows>,
) -> Result<u64, StoreError> {
    let mut of_others = 0;
    let mut rows = Rows::default();
    store.read_devices(&mut |row| {
        let place = sources.iter().position(|name| **name == *row.source);
        let Some(source) = place.and_then(|place| u16::try_from(place).ok()) else {
            of_others += 1;
            return ControlFlow::Continue(());
        };
        rows.bytes.extend_from_slice(row.device);
        let end = rows.bytes.len();
        rows.ends.push((end, SourceId(source), row.fetched_at));
        if rows.ends.len() < ROWS {
            return ControlFlow::Continue(());
        }
        // Nobody takes them any more after an error.
        match give.send(std::mem::take(&mut rows)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    // The last ones, wanted or not.
    let _ = give.send(rows);
    Ok(of_others)
}
