//! Device records, found by any of their identifiers.

mod address;
mod record;
#[cfg(test)]
mod tests;
mod unknown;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::Guard;
use parking_lot::Mutex;
use portreeve_domain::{Device, Identifier, Timestamp};

pub use self::record::{Record, SourceId};

use self::address::Addresses;
use self::unknown::Unknowns;
use crate::CacheSettings;
use crate::counter::Counter;
use crate::index::{Address, Index, IndexWriter};
use crate::ring::{Place, Ring, Seated};

/// What every source said about devices: one for the whole gateway.
///
/// The last answer wins: an identifier belongs to the record that was inserted
/// last with it.
#[derive(Debug)]
pub struct DeviceCache {
    settings: CacheSettings,
    addresses: Addresses,
    index: Index<Record>,
    unknown: Unknowns,
    writer: Mutex<Writer>,
    hits: Counter,
    misses: Counter,
    evictions: AtomicU64,
    // Copies of the writer's figures, for whoever must not wait for it.
    devices: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Writer {
    index: IndexWriter,
    ring: Ring<Record>,
}

/// What is remembered of an endpoint at one source. How old it may be is for
/// [`FreshnessRules`](crate::FreshnessRules) to say.
#[derive(Clone, Debug)]
pub enum Remembered {
    /// The source's record.
    Found(Arc<Record>),
    /// The source does not know the endpoint.
    Unknown {
        /// When it said so.
        fetched_at: Timestamp,
    },
    /// Equally trustworthy identifiers belong to different records.
    Ambiguous,
    /// Nothing.
    Absent,
}

/// A record that an identifier belongs to.
struct Hit {
    rank: u8,
    identity: u64,
    record: Guard<Option<Arc<Record>>>,
}

/// Figures for metrics; they may lag behind each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceStatistics {
    /// Records kept.
    pub devices: usize,
    /// Estimated bytes of them, index entries included.
    pub bytes: usize,
    /// Identifiers remembered as unknown.
    pub unknown: usize,
    /// Look-ups that found a record or a remembered "unknown".
    pub hits: u64,
    /// Look-ups that found nothing to go on with.
    pub misses: u64,
    /// Records that had to leave because of a bound.
    pub evictions: u64,
}

impl DeviceCache {
    /// An empty cache within these bounds.
    pub fn new(settings: CacheSettings) -> Self {
        let (index, writer) = Index::new();
        Self {
            settings,
            addresses: Addresses::default(),
            index,
            unknown: Unknowns::new(settings.max_unknown),
            writer: Mutex::new(Writer {
                index: writer,
                ring: Ring::new(),
            }),
            hits: Counter::default(),
            misses: Counter::default(),
            evictions: AtomicU64::new(0),
            devices: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// What is remembered of the endpoint that all of `asked` name.
    ///
    /// The most trustworthy identifiers that belong to a record decide
    /// ([`Identifier::rank`]); others are not looked at. A record that
    /// contradicts an even more trustworthy one (another GUID, UDID or serial
    /// number) is another device's, e.g. because both use one docking station,
    /// and is not found.
    pub fn find(&self, source: SourceId, asked: &[Identifier]) -> Remembered {
        let remembered = self
            .find_record(source, asked)
            .or_else(|| self.find_unknown(source, asked))
            .unwrap_or(Remembered::Absent);
        match remembered {
            Remembered::Found(_) | Remembered::Unknown { .. } => self.hits.increment(),
            Remembered::Ambiguous | Remembered::Absent => self.misses.increment(),
        }
        remembered
    }

    fn find_record(&self, source: SourceId, asked: &[Identifier]) -> Option<Remembered> {
        let mut best: Option<Hit> = None;
        let mut ambiguous = false;
        for identifier in asked {
            let rank = identifier.rank();
            if best.as_ref().is_some_and(|best| best.rank < rank) {
                continue;
            }
            let record = self
                .index
                .get(self.addresses.identifier(source, identifier));
            let Some(identity) = record.as_deref().map(Record::identity) else {
                continue;
            };
            match &best {
                Some(best) if best.rank == rank => ambiguous |= best.identity != identity,
                _ => {
                    ambiguous = false;
                    best = Some(Hit {
                        rank,
                        identity,
                        record,
                    });
                }
            }
        }
        let Hit { rank, record, .. } = best?;
        let record = Guard::into_inner(record)?;
        let mut better = asked.iter().filter(|identifier| identifier.rank() < rank);
        if better.any(|identifier| record.contradicts(identifier)) {
            return None;
        }
        record.place().note_use();
        Some(if ambiguous {
            Remembered::Ambiguous
        } else {
            Remembered::Found(record)
        })
    }

    /// Only if every identifier is unknown, since the oldest of these answers.
    fn find_unknown(&self, source: SourceId, asked: &[Identifier]) -> Option<Remembered> {
        let mut oldest: Option<Timestamp> = None;
        for identifier in asked {
            let address = self.addresses.identifier(source, identifier);
            let said_at = self.unknown.get(address)?;
            oldest = Some(oldest.map_or(said_at, |oldest| oldest.min(said_at)));
        }
        oldest.map(|fetched_at| Remembered::Unknown { fetched_at })
    }

    /// Remembers what `source` said about a device.
    ///
    /// A record with the same content is kept with its generation, and is as
    /// young as `fetched_at` from now on. One that is larger than the whole
    /// cache may be is given back, but not kept.
    pub fn insert(&self, source: SourceId, device: Device, fetched_at: Timestamp) -> Arc<Record> {
        let key = self.addresses.key(source, &device.key);
        let addresses = self.addresses_of(source, &device);
        let bytes = record::estimate(&device);
        let mut writer = self.writer.lock();
        let old = Guard::into_inner(self.index.get(key));
        let new = |device, number| {
            let place = Place::new(number, bytes);
            Arc::new(Record::new(source, key.check(), device, fetched_at, place))
        };
        if bytes > self.settings.max_bytes || self.settings.max_devices == 0 {
            // It would drive everything else out first.
            if let Some(old) = &old {
                self.take_out(&mut writer, old);
                self.publish_size(&writer);
            }
            return new(device, usize::MAX);
        }
        let record = match &old {
            Some(old) if **old.device() == device => {
                old.refresh(fetched_at);
                Arc::clone(old)
            }
            _ => {
                let number = match &old {
                    Some(old) => old.place().number(),
                    None => writer.ring.reserve(),
                };
                let record = new(device, number);
                self.index.put(&mut writer.index, key, Arc::clone(&record));
                writer.ring.seat(Arc::clone(&record));
                record
            }
        };
        for &address in &addresses {
            // Writing what is there already would only cost.
            let found = self.index.get(address);
            if !found.as_ref().is_some_and(|it| Arc::ptr_eq(it, &record)) {
                self.index
                    .put(&mut writer.index, address, Arc::clone(&record));
            }
            self.unknown.remove(address);
        }
        if let Some(old) = old.filter(|old| !Arc::ptr_eq(old, &record)) {
            for address in self.addresses_of(source, old.device()) {
                self.index.remove(&mut writer.index, address, &old);
            }
        }
        self.keep_bounds(&mut writer, &record);
        record
    }

    /// Remembers that `source`, asked for all of `asked` at once, knows no such
    /// device. Records that an earlier answer had for any of them are removed.
    pub fn insert_unknown(&self, source: SourceId, asked: &[Identifier], fetched_at: Timestamp) {
        let mut writer = self.writer.lock();
        for identifier in asked {
            let address = self.addresses.identifier(source, identifier);
            if let Some(record) = Guard::into_inner(self.index.get(address)) {
                self.take_out(&mut writer, &record);
            }
            self.unknown.put(address, fetched_at);
        }
        self.publish_size(&writer);
    }

    /// Forgets the device that `source` calls `key`, as when it was deleted
    /// there. Whether there was one.
    pub fn remove(&self, source: SourceId, key: &str) -> bool {
        let mut writer = self.writer.lock();
        let record = Guard::into_inner(self.index.get(self.addresses.key(source, key)));
        if let Some(record) = &record {
            self.take_out(&mut writer, record);
            self.publish_size(&writer);
        }
        record.is_some()
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
        }
    }

    fn addresses_of(&self, source: SourceId, device: &Device) -> Vec<Address> {
        let ids = device.ids.iter();
        ids.map(|identifier| self.addresses.identifier(source, identifier))
            .collect()
    }

    fn take_out(&self, writer: &mut Writer, record: &Arc<Record>) {
        let source = record.source();
        let key = self.addresses.key(source, &record.device().key);
        self.index.remove(&mut writer.index, key, record);
        for address in self.addresses_of(source, record.device()) {
            self.index.remove(&mut writer.index, address, record);
        }
        writer.ring.unseat(record);
    }

    fn keep_bounds(&self, writer: &mut Writer, newest: &Arc<Record>) {
        let too_much = |ring: &Ring<Record>| {
            ring.entries() > self.settings.max_devices || ring.weight() > self.settings.max_bytes
        };
        while too_much(&writer.ring) {
            let Some(victim) = writer.ring.victim(newest.place().number()) else {
                break;
            };
            self.take_out(writer, &victim);
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
        self.publish_size(writer);
    }

    fn publish_size(&self, writer: &Writer) {
        self.devices.store(writer.ring.entries(), Ordering::Relaxed);
        self.bytes.store(writer.ring.weight(), Ordering::Relaxed);
    }
}
