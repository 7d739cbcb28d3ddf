//! The hit path: which record an endpoint's identifiers lead to.

use portreeve_domain::{Identifier, MacAddress, Timestamp};

use super::address::mac_tag;
use super::record::identity;
use super::{DeviceCache, Record, SourceId};
use crate::index::Digest;
use crate::packed::{self, EncodedId, PackedId};

/// What is remembered of an endpoint at one source. How old it may be is for
/// [`FreshnessRules`](crate::FreshnessRules) to say.
#[derive(Debug)]
pub enum Remembered<P> {
    /// The source's record.
    Found(Record<P>),
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
struct Hit<P> {
    rank: u8,
    record: Record<P>,
}

impl<P> DeviceCache<P> {
    /// What is remembered of the endpoint that all of `asked` name.
    ///
    /// The most trustworthy identifiers that belong to a record decide
    /// ([`Identifier::rank`]); others are not looked at. A record that
    /// contradicts an even more trustworthy one (another GUID, UDID or serial
    /// number) is another device's, e.g. because both use one docking station,
    /// and is not found.
    ///
    /// Takes no lock that a writer holds and allocates nothing.
    pub fn find(&self, source: SourceId, asked: &[Identifier]) -> Remembered<P> {
        let remembered = self.peek(source, asked);
        match remembered {
            Remembered::Found(_) | Remembered::Unknown { .. } => self.hits.increment(),
            Remembered::Ambiguous | Remembered::Absent => self.misses.increment(),
        }
        remembered
    }

    /// The same for whoever looks at every device: it counts as no look-up.
    pub fn peek(&self, source: SourceId, asked: &[Identifier]) -> Remembered<P> {
        self.find_record(source, asked)
            .or_else(|| self.find_unknown(source, asked))
            .unwrap_or(Remembered::Absent)
    }

    fn find_record(&self, source: SourceId, asked: &[Identifier]) -> Option<Remembered<P>> {
        let mut best: Option<Hit<P>> = None;
        let mut ambiguous = false;
        for identifier in asked {
            let rank = identifier.rank();
            if best.as_ref().is_some_and(|best| best.rank < rank) {
                continue;
            }
            let Some(record) = self.named(source, identifier) else {
                continue;
            };
            match &best {
                Some(best) if best.rank == rank => {
                    ambiguous |= !best.record.is_same_device(&record);
                }
                _ => {
                    ambiguous = false;
                    best = Some(Hit { rank, record });
                }
            }
        }
        let Hit { rank, record } = best?;
        let mut better = asked.iter().filter(|identifier| identifier.rank() < rank);
        if better.any(|identifier| record.contradicts(identifier)) {
            return None;
        }
        Some(if ambiguous {
            Remembered::Ambiguous
        } else {
            Remembered::Found(record)
        })
    }

    fn named(&self, source: SourceId, identifier: &Identifier) -> Option<Record<P>> {
        if let Identifier::Mac(mac) = identifier {
            return self.with_mac(source, *mac);
        }
        let id = EncodedId::new(identifier);
        let record = self.with_name(source, id.as_packed())?;
        record.note_use();
        Some(record)
    }

    fn with_mac(&self, source: SourceId, mac: MacAddress) -> Option<Record<P>> {
        let address = self.macs.address(mac_tag(source, mac)?);
        Record::found(self.macs.get(address))
    }

    /// The record that has this name.
    pub(super) fn with_name(&self, source: SourceId, id: PackedId<'_>) -> Option<Record<P>> {
        if let Some(mac) = id.mac() {
            return self.with_mac(source, mac);
        }
        let digest = self.digests.name(source, id);
        self.names.find(digest, |number| {
            self.at(number).filter(|record| record.has_name(source, id))
        })
    }

    /// The record of the device that `source` calls `key`.
    pub fn get(&self, source: SourceId, key: &str) -> Option<Record<P>> {
        let key = packed::encode_key(key);
        self.names.find(Digest(identity(source, &key)), |number| {
            self.at(number)
                .filter(|record| record.has_key(source, &key))
        })
    }

    /// Only if every identifier is unknown, since the oldest of these answers.
    fn find_unknown(&self, source: SourceId, asked: &[Identifier]) -> Option<Remembered<P>> {
        if self.unknown.len() == 0 {
            return None;
        }
        let mut oldest: Option<Timestamp> = None;
        for identifier in asked {
            let id = EncodedId::new(identifier);
            let said_at = self
                .unknown
                .get(self.unknown_name(source, id.as_packed()))?;
            oldest = Some(oldest.map_or(said_at, |oldest| oldest.min(said_at)));
        }
        oldest.map(|fetched_at| Remembered::Unknown { fetched_at })
    }
}
