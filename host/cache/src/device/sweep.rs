//! All records, one after another.

use std::sync::atomic::Ordering;

use super::{DeviceCache, Record, SourceId};
use crate::machine::Blocks;

/// An iterator over the records of a cache. It takes no lock.
#[derive(Debug)]
pub struct Records<'a, P> {
    cache: &'a DeviceCache<P>,
    next: usize,
}

impl<P> DeviceCache<P> {
    /// All records, in no order. A record that is there from the beginning to
    /// the end is given; one that comes, goes or changes meanwhile may be.
    pub const fn records(&self) -> Records<'_, P> {
        Records {
            cache: self,
            next: 0,
        }
    }

    /// Has the system keep what look-ups read in large pages, as far as it can:
    /// with many devices a look-up waits for memory and for little else. For
    /// when many have come, on a thread that nobody waits for: it goes through
    /// all records, and everybody may have to wait for a fraction of a
    /// millisecond now and then.
    pub fn settle(&self) {
        /// Fewer fit into the processor's own memory.
        const MANY: usize = 50_000;
        if self.len() < MANY {
            return;
        }
        let mut blocks = Blocks::default();
        self.macs.note(&mut blocks);
        self.names.note(&mut blocks);
        self.seats.note(&mut blocks);
        for record in self.records() {
            blocks.note(record.packed());
            if let Some(attached) = &*record.attached_unused() {
                blocks.note(std::slice::from_ref(&**attached));
            }
        }
        blocks.collapse();
    }

    /// Looks at all records of one source, as [`DeviceCache::records`] does.
    pub fn for_each(&self, source: SourceId, mut look: impl FnMut(&Record<P>)) {
        for record in self.records() {
            if record.source() == source {
                look(&record);
            }
        }
    }
}

impl<P> Iterator for Records<'_, P> {
    type Item = Record<P>;

    fn next(&mut self) -> Option<Record<P>> {
        while self.next < self.cache.taken.load(Ordering::Relaxed) {
            let seat = self.cache.seats.get(self.next);
            self.next += 1;
            if let Some(record) = Record::found(seat) {
                return Some(record);
            }
        }
        None
    }
}
