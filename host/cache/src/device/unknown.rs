//! Identifiers that a source said it does not know.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use portreeve_domain::Timestamp;

use crate::index::Address;

const WAYS: usize = 8;

/// A table of fixed size: a storm of random names only drives other unknown
/// names out of it.
#[derive(Debug)]
pub(super) struct Unknowns {
    /// A lock is held for at most eight comparisons.
    buckets: Box<[Mutex<Bucket>]>,
    entries: AtomicUsize,
}

type Bucket = [Option<Entry>; WAYS];

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: Address,
    said_at: Timestamp,
}

impl Unknowns {
    pub(super) fn new(most: usize) -> Self {
        Self {
            buckets: (0..most / WAYS).map(|_| Mutex::default()).collect(),
            entries: AtomicUsize::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// When the source last said so.
    pub(super) fn get(&self, address: Address) -> Option<Timestamp> {
        let bucket = self.bucket(address)?.lock();
        let entry = bucket.iter().flatten().find(|it| it.address == address);
        entry.map(|entry| entry.said_at)
    }

    /// Remembers it in place of the oldest of its bucket.
    pub(super) fn put(&self, address: Address, said_at: Timestamp) {
        let Some(bucket) = self.bucket(address) else {
            return;
        };
        let mut bucket = bucket.lock();
        let same = |way: &Option<Entry>| way.is_some_and(|entry| entry.address == address);
        let oldest = bucket
            .iter_mut()
            .min_by_key(|way| (!same(way), way.map(|entry| entry.said_at)));
        if let Some(way) = oldest
            && way.replace(Entry { address, said_at }).is_none()
        {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&self, address: Address) {
        let Some(bucket) = self.bucket(address) else {
            return;
        };
        for way in bucket.lock().iter_mut() {
            if way.is_some_and(|entry| entry.address == address) {
                *way = None;
                self.entries.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    fn bucket(&self, address: Address) -> Option<&Mutex<Bucket>> {
        let number = address.place().checked_rem(self.buckets.len())?;
        self.buckets.get(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_oldest_of_a_bucket_makes_room() {
        let unknown = Unknowns::new(WAYS);
        for number in 0..8 {
            unknown.put(Address::new(1, number), at(100 + number));
        }
        unknown.put(Address::new(1, 0), at(200));
        unknown.put(Address::new(1, 8), at(201));
        assert_eq!(unknown.len(), WAYS);
        assert_eq!(unknown.get(Address::new(1, 0)), Some(at(200)));
        assert_eq!(unknown.get(Address::new(1, 1)), None);
        assert_eq!(unknown.get(Address::new(1, 8)), Some(at(201)));
        unknown.remove(Address::new(1, 8));
        assert_eq!(unknown.get(Address::new(1, 8)), None);
        assert_eq!(unknown.len(), WAYS - 1);
    }

    #[test]
    fn none_may_be_kept() {
        let unknown = Unknowns::new(0);
        unknown.put(Address::new(1, 1), at(1));
        assert_eq!(unknown.get(Address::new(1, 1)), None);
    }
}
