//! Filling a cache that nobody asks yet.

use portreeve_domain::Timestamp;

use super::record::Stored;
use super::write::Arriving;
use super::{DeviceCache, NAMES, SourceId, Weighed};
use crate::index::Address;
use crate::packed::{self, PackedError};

/// So many devices further on, memory that a record needs is fetched: the
/// processor then waits for that of several at once.
const AHEAD: usize = 6;

/// A cache that is being filled. Interface addresses lead nowhere until this is
/// dropped: their index is made last, part by part, which takes a fraction of
/// the time that a million changes of what others read take.
#[derive(Debug)]
pub struct Restoring<'a, P: Weighed>(&'a DeviceCache<P>);

/// Entries of the index of interface addresses that is still to be made, by the
/// segment they belong to.
#[derive(Debug)]
pub(super) struct Restored<P> {
    segments: Vec<Vec<(Address, Stored<P>)>>,
    /// Whether some of them may belong to records that left meanwhile.
    pub(super) some_left: bool,
}

impl<P> Restored<P> {
    pub(super) fn push(&mut self, address: Address, entry: Stored<P>) {
        if let Some(segment) = self.segments.get_mut(address.segment()) {
            segment.push((address, entry));
        }
    }
}

impl<P: Weighed> DeviceCache<P> {
    /// Begins to fill the cache with about so many devices.
    pub fn restore(&self, devices: usize) -> Restoring<'_, P> {
        let devices = devices.min(self.settings.max_devices);
        let mut writer = self.writer.lock();
        self.names.reserve(&mut writer.names, devices * NAMES);
        let segments = (0..self.macs.segments()).map(|_| Vec::new());
        writer.restored = Some(Restored {
            segments: segments.collect(),
            some_left: false,
        });
        Restoring(self)
    }
}

impl<P: Weighed> Restoring<'_, P> {
    /// Remembers packed devices, as the store keeps them, all or none. Nothing
    /// is decoded and everything is checked. Several threads may do this at
    /// once: most of the work is done before the writers' lock is taken.
    pub fn insert<'a>(
        &self,
        devices: impl Iterator<Item = (SourceId, &'a [u8], Timestamp)>,
    ) -> Result<(), PackedError> {
        let cache = self.0;
        let arriving = devices.map(|(source, packed, fetched_at)| {
            packed::check(packed, &cache.words)?;
            Ok(cache.arriving(source, packed, fetched_at))
        });
        let arriving: Vec<Arriving<'_>> = arriving.collect::<Result<_, _>>()?;
        let mut writer = cache.writer.lock();
        for (place, one) in arriving.iter().enumerate() {
            if let Some(later) = arriving.get(place + AHEAD) {
                writer.prefetch(later.key, &later.spots);
            }
            cache.remember(&mut writer, one, |record| record.packed() == one.packed);
        }
        Ok(())
    }
}

impl<P: Weighed> Drop for Restoring<'_, P> {
    fn drop(&mut self) {
        let cache = self.0;
        let mut writer = cache.writer.lock();
        let Some(Restored {
            segments,
            some_left,
        }) = writer.restored.take()
        else {
            return;
        };
        for (segment, mut entries) in segments.into_iter().enumerate() {
            if some_left {
                entries.retain(|(_, entry)| {
                    let seated = cache.seats.get(entry.header.header.number());
                    let is_entry = |it: &Stored<P>| it.as_ptr() == entry.as_ptr();
                    seated.as_ref().is_some_and(is_entry)
                });
            }
            cache.macs.fill(&mut writer.macs, segment, entries);
        }
    }
}
