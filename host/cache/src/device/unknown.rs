//! Identifiers that a source said it does not know.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use portreeve_domain::Timestamp;

const WAYS: usize = 8;

/// A name within one source, by a number that says where it is looked for and
/// one that tells names apart. Both are keyed digests, or the second is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnknownName {
    pub(super) position: u64,
    pub(super) check: u64,
}

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
    name: UnknownName,
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
    pub(super) fn get(&self, name: UnknownName) -> Option<Timestamp> {
        let bucket = self.bucket(name)?.lock();
        let entry = bucket.iter().flatten().find(|it| it.name == name);
        entry.map(|entry| entry.said_at)
    }

    /// Remembers it in place of the oldest of its bucket.
    pub(super) fn put(&self, name: UnknownName, said_at: Timestamp) {
        let Some(bucket) = self.bucket(name) else {
            return;
        };
        let mut bucket = bucket.lock();
        let same = |way: &Option<Entry>| way.is_some_and(|entry| entry.name == name);
        let oldest = bucket
            .iter_mut()
            .min_by_key(|way| (!same(way), way.map(|entry| entry.said_at)));
        if let Some(way) = oldest
            && way.replace(Entry { name, said_at }).is_none()
        {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&self, name: UnknownName) {
        let Some(bucket) = self.bucket(name) else {
            return;
        };
        for way in bucket.lock().iter_mut() {
            if way.is_some_and(|entry| entry.name == name) {
                *way = None;
                self.entries.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    fn bucket(&self, name: UnknownName) -> Option<&Mutex<Bucket>> {
        let number = name.position.checked_rem(self.buckets.len() as u64)?;
        self.buckets.get(usize::try_from(number).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(check: u64) -> UnknownName {
        UnknownName { position: 1, check }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_oldest_of_a_bucket_makes_room() {
        let unknown = Unknowns::new(WAYS);
        for number in 0..8 {
            unknown.put(name(number), at(100 + number));
        }
        unknown.put(name(0), at(200));
        unknown.put(name(8), at(201));
        assert_eq!(unknown.len(), WAYS);
        assert_eq!(unknown.get(name(0)), Some(at(200)));
        assert_eq!(unknown.get(name(1)), None);
        assert_eq!(unknown.get(name(8)), Some(at(201)));
        unknown.remove(name(8));
        assert_eq!(unknown.get(name(8)), None);
        assert_eq!(unknown.len(), WAYS - 1);
    }

    #[test]
    fn none_may_be_kept() {
        let unknown = Unknowns::new(0);
        unknown.put(name(1), at(1));
        assert_eq!(unknown.get(name(1)), None);
    }
}
