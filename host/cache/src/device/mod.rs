//! Device records, found by any of their identifiers.

mod address;
mod attach;
mod find;
mod record;
mod restore;
mod sweep;
#[cfg(test)]
mod tests;
mod unknown;
mod write;

use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use portreeve_domain::Device;

pub use self::attach::Weighed;
pub use self::find::Remembered;
pub use self::record::{Attached, Provenance, Record, SourceId};
pub use self::restore::Restoring;
pub use self::sweep::Records;

use self::address::{Digests, mac_tag};
use self::attach::Attachments;
use self::record::Stored;
use self::restore::Restored;
use self::unknown::{UnknownName, Unknowns};
use crate::CacheSettings;
use crate::counter::Counter;
use crate::index::{Index, IndexWriter, Numbers, NumbersWriter, Positions};
use crate::packed::{self, PackedId, Words};
use crate::ring::Ring;
use crate::seats::Seats;

/// Interface addresses and other names, the key included, that devices of
/// common sources have.
const MACS: usize = 2;
const NAMES: usize = 6;

/// What every source said about devices: one for the whole gateway.
///
/// The last answer wins: an identifier belongs to the record that was inserted
/// last with it. `P` is what the caller keeps beside a record
/// ([`DeviceCache::attach`]).
#[derive(Debug)]
pub struct DeviceCache<P = ()> {
    settings: CacheSettings,
    words: Arc<Words>,
    digests: Digests,
    /// All records. The rest says where they sit.
    seats: Arc<Seats<Stored<P>>>,
    /// By interface addresses, the names most asked for: exact and at once.
    macs: Index<Stored<P>>,
    /// By keys and all other names: what is found is compared.
    names: Numbers,
    unknown: Unknowns,
    writer: Mutex<Writer<P>>,
    hits: Counter,
    misses: Counter,
    evictions: AtomicU64,
    // Copies of the writer's figures, for whoever must not wait for it.
    devices: AtomicUsize,
    bytes: AtomicUsize,
    attached_bytes: AtomicUsize,
    taken: AtomicUsize,
}

#[derive(Debug)]
struct Writer<P> {
    macs: IndexWriter<Stored<P>>,
    names: NumbersWriter,
    ring: Ring<Stored<P>>,
    attachments: Attachments,
    /// While the cache is filled, before anybody asks it.
    restored: Option<Restored<P>>,
}

/// Figures for metrics; they may lag behind each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceStatistics {
    /// Records kept.
    pub devices: usize,
    /// Estimated bytes of them, index entries included, attachments not.
    pub bytes: usize,
    /// Identifiers remembered as unknown.
    pub unknown: usize,
    /// Look-ups that found a record or a remembered "unknown".
    pub hits: u64,
    /// Look-ups that found nothing to go on with.
    pub misses: u64,
    /// Records that had to leave because of a bound.
    pub evictions: u64,
    /// Bytes of what callers keep beside records.
    pub attached_bytes: usize,
}

impl<P> DeviceCache<P> {
    /// An empty cache within these bounds, with a dictionary of its own.
    pub fn new(settings: CacheSettings) -> Self {
        Self::with_words(settings, Arc::default())
    }

    /// An empty cache whose packed records use these words.
    pub fn with_words(settings: CacheSettings, words: Arc<Words>) -> Self {
        let (macs, mac_writer) = Index::new(Positions::Keyed(RandomState::new()));
        let (names, name_writer) = Numbers::new();
        // A new record has its seat before an old one leaves.
        let seats = Arc::new(Seats::new(settings.max_devices.saturating_add(1)));
        Self {
            settings,
            words,
            digests: Digests::default(),
            seats: Arc::clone(&seats),
            macs,
            names,
            unknown: Unknowns::new(settings.max_unknown),
            writer: Mutex::new(Writer {
                macs: mac_writer,
                names: name_writer,
                ring: Ring::new(seats),
                attachments: Attachments::default(),
                restored: None,
            }),
            hits: Counter::default(),
            misses: Counter::default(),
            evictions: AtomicU64::new(0),
            devices: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            attached_bytes: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
        }
    }

    /// The dictionary of the packed records.
    pub const fn words(&self) -> &Arc<Words> {
        &self.words
    }

    /// Records kept.
    pub fn len(&self) -> usize {
        self.devices.load(Ordering::Relaxed)
    }

    /// Whether no record is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Figures for metrics.
    pub fn statistics(&self) -> DeviceStatistics {
        DeviceStatistics {
            devices: self.len(),
            bytes: self.bytes.load(Ordering::Relaxed),
            unknown: self.unknown.len(),
            hits: self.hits.sum(),
            misses: self.misses.sum(),
            evictions: self.evictions.load(Ordering::Relaxed),
            attached_bytes: self.attached_bytes.load(Ordering::Relaxed),
        }
    }

    /// Decodes a record of this cache. Allocates, so it is not for hits.
    ///
    /// # Panics
    ///
    /// If the record is one of a cache with other words.
    #[expect(
        clippy::expect_used,
        reason = "packed bytes are checked before they become a record, and words stay"
    )]
    pub fn device(&self, record: &Record<P>) -> Device {
        packed::unpack(record.packed(), &self.words).expect("a record holds a packed device")
    }

    /// Makes room for so many more devices, so that inserting them copies no
    /// tables. More than the bound allows are not counted.
    pub fn reserve(&self, devices: usize) {
        let devices = devices.min(self.settings.max_devices);
        let mut writer = self.writer.lock();
        let writer = &mut *writer;
        self.macs.reserve(&mut writer.macs, devices * MACS);
        self.names.reserve(&mut writer.names, devices * NAMES);
    }

    /// The record on a seat.
    fn at(&self, number: u32) -> Option<Record<P>> {
        Record::found(self.seats.get(usize::try_from(number).ok()?))
    }

    fn unknown_name(&self, source: SourceId, id: PackedId<'_>) -> UnknownName {
        if let Some(tag) = id.mac().and_then(|mac| mac_tag(source, mac)) {
            return UnknownName {
                position: self.macs.address(tag).position(),
                check: tag.get(),
            };
        }
        UnknownName {
            position: self.digests.name(source, id).0,
            check: self.digests.check(source, id),
        }
    }

    fn publish_size(&self, writer: &Writer<P>) {
        self.devices.store(writer.ring.entries(), Ordering::Relaxed);
        self.bytes.store(writer.ring.weight(), Ordering::Relaxed);
        self.taken.store(writer.ring.taken(), Ordering::Relaxed);
        self.attached_bytes
            .store(writer.attachments.bytes, Ordering::Relaxed);
    }
}
