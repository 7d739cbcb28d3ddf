//! An open-addressing index that is read without locks.
//!
//! It is cut into segments, each one table behind an `ArcSwap`. One writer at
//! a time changes a table in place; a table that fills up is replaced by a
//! larger copy while readers go on in the old one.
//!
//! INVARIANT: within one table the key of a slot is written once. Removal
//! leaves the key as a tombstone, so a probe never ends too early and a reader
//! that matched a key reads an entry of that key or none.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};

/// Small enough that copying a segment of a million-entry index takes a
/// millisecond or two, so that writers do not wait long for each other.
const SEGMENT_BITS: u32 = 6;
const SMALLEST_TABLE: usize = 16;

/// A 128-bit key: where to look, and what must stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    position: NonZeroU64,
    check: u64,
}

impl Address {
    /// `position` must come from a keyed hash, so that nobody can aim at one
    /// place; `check` tells keys at the same position apart.
    pub(crate) fn new(position: u64, check: u64) -> Self {
        let position = NonZeroU64::new(position).unwrap_or(NonZeroU64::MIN);
        Self { position, check }
    }

    pub(crate) const fn check(self) -> u64 {
        self.check
    }

    /// Any number that depends on the position, for other tables.
    pub(crate) fn place(self) -> usize {
        usize::try_from(self.position.get() & u64::from(u32::MAX)).unwrap_or(0)
    }

    fn segment(self) -> usize {
        usize::try_from(self.position.get() >> (u64::BITS - SEGMENT_BITS)).unwrap_or(0)
    }
}

/// The readers' side.
#[derive(Debug)]
pub(crate) struct Index<T> {
    segments: Box<[ArcSwap<Table<T>>]>,
}

/// The right to write, and what only writers need to know. It belongs into the
/// lock that makes writers take turns.
#[derive(Debug)]
pub(crate) struct IndexWriter {
    fills: Box<[Fill]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Fill {
    /// Slots with a key, tombstones included.
    used: usize,
    /// Slots with an entry.
    live: usize,
}

#[derive(Debug)]
struct Table<T> {
    slots: Box<[Slot<T>]>,
}

#[derive(Debug)]
struct Slot<T> {
    /// Zero while the slot is empty.
    position: AtomicU64,
    check: AtomicU64,
    entry: ArcSwapOption<T>,
}

enum Probe<'a, T> {
    Match(&'a Slot<T>),
    Empty(&'a Slot<T>),
    Full,
}

impl<T> Index<T> {
    pub(crate) fn new() -> (Self, IndexWriter) {
        let segments = (0..1_usize << SEGMENT_BITS)
            .map(|_| ArcSwap::from_pointee(Table::with_capacity(SMALLEST_TABLE)))
            .collect();
        let fills = vec![Fill::default(); 1 << SEGMENT_BITS].into();
        (Self { segments }, IndexWriter { fills })
    }

    /// The entry at `address`.
    pub(crate) fn get(&self, address: Address) -> Guard<Option<Arc<T>>> {
        match self.segment(address).load().probe(address) {
            Probe::Match(slot) => slot.entry.load(),
            Probe::Empty(_) | Probe::Full => Guard::from_inner(None),
        }
    }

    /// Puts `entry` at `address` in place of what was there.
    pub(crate) fn put(&self, writer: &mut IndexWriter, address: Address, entry: Arc<T>) {
        let segment = self.segment(address);
        let fill = writer.fill(address);
        let table = segment.load();
        match table.probe(address) {
            Probe::Match(slot) => {
                if slot.entry.swap(Some(entry)).is_none() {
                    fill.live += 1;
                }
            }
            Probe::Empty(slot) if (fill.used + 1) * 4 <= table.slots.len() * 3 => {
                slot.fill(address, entry);
                fill.used += 1;
                fill.live += 1;
            }
            Probe::Empty(_) | Probe::Full => {
                // At most half full afterwards: the cost is spread over the
                // quarter of its slots that may be taken before the next copy.
                let larger = table.copy(fill.live + 1);
                if let Probe::Empty(slot) = larger.probe(address) {
                    slot.fill(address, entry);
                }
                fill.live += 1;
                fill.used = fill.live;
                segment.store(Arc::new(larger));
            }
        }
    }

    /// Removes the entry at `address` if it is `entry`: it may have been moved
    /// to another one since.
    pub(crate) fn remove(&self, writer: &mut IndexWriter, address: Address, entry: &Arc<T>) {
        let table = self.segment(address).load();
        let Probe::Match(slot) = table.probe(address) else {
            return;
        };
        if slot
            .entry
            .load()
            .as_ref()
            .is_some_and(|present| Arc::ptr_eq(present, entry))
        {
            slot.entry.store(None);
            writer.fill(address).live -= 1;
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the number has as many bits as there are segments"
    )]
    fn segment(&self, address: Address) -> &ArcSwap<Table<T>> {
        &self.segments[address.segment()]
    }
}

impl IndexWriter {
    #[expect(
        clippy::indexing_slicing,
        reason = "the number has as many bits as there are segments"
    )]
    fn fill(&mut self, address: Address) -> &mut Fill {
        &mut self.fills[address.segment()]
    }
}

impl<T> Table<T> {
    fn with_capacity(capacity: usize) -> Self {
        let slots = (0..capacity).map(|_| Slot::default()).collect();
        Self { slots }
    }

    /// A table with room for `live` entries that holds the present ones.
    fn copy(&self, live: usize) -> Self {
        let capacity = (live * 2).next_power_of_two().max(SMALLEST_TABLE);
        let copy = Self::with_capacity(capacity);
        for slot in &self.slots {
            let Some(entry) = slot.entry.load_full() else {
                continue;
            };
            let position = slot.position.load(Ordering::Relaxed);
            let address = Address::new(position, slot.check.load(Ordering::Relaxed));
            if let Probe::Empty(free) = copy.probe(address) {
                free.fill(address, entry);
            }
        }
        copy
    }

    fn probe(&self, address: Address) -> Probe<'_, T> {
        // A power of two.
        let mask = self.slots.len() - 1;
        let start = address.place();
        for step in 0..=mask {
            let Some(slot) = self.slots.get((start + step) & mask) else {
                break;
            };
            let position = slot.position.load(Ordering::Acquire);
            if position == 0 {
                return Probe::Empty(slot);
            }
            if position == address.position.get()
                && slot.check.load(Ordering::Relaxed) == address.check
            {
                return Probe::Match(slot);
            }
        }
        Probe::Full
    }
}

impl<T> Slot<T> {
    fn fill(&self, address: Address, entry: Arc<T>) {
        self.entry.store(Some(entry));
        self.check.store(address.check, Ordering::Relaxed);
        // Last: a reader that sees the position sees the rest as well.
        self.position
            .store(address.position.get(), Ordering::Release);
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            position: AtomicU64::new(0),
            check: AtomicU64::new(0),
            entry: ArcSwapOption::const_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, RandomState};
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;

    fn value(index: &Index<u64>, address: Address) -> Option<u64> {
        index.get(address).as_deref().copied()
    }

    #[test]
    fn keys_that_share_a_position_are_told_apart() {
        let (index, mut writer) = Index::new();
        for check in 0..100 {
            index.put(&mut writer, Address::new(7, check), Arc::new(check));
        }
        for check in 0..100 {
            assert_eq!(value(&index, Address::new(7, check)), Some(check));
        }
        assert_eq!(value(&index, Address::new(7, 100)), None);
        assert_eq!(value(&index, Address::new(0, 0)), None);
    }

    #[test]
    fn tombstones_do_not_make_it_grow() {
        let (index, mut writer) = Index::new();
        for number in 0..10_000 {
            let entry = Arc::new(number);
            index.put(&mut writer, Address::new(5, number), Arc::clone(&entry));
            index.remove(&mut writer, Address::new(5, number), &entry);
        }
        assert_eq!(index.segments[0].load().slots.len(), SMALLEST_TABLE);
    }

    #[test]
    fn readers_never_miss_what_stays() {
        let hasher = RandomState::new();
        let address = |key: u64| Address::new(hasher.hash_one(key), key);
        let (index, mut writer) = Index::new();
        for key in 0..1_000 {
            index.put(&mut writer, address(key), Arc::new(key));
        }
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        while !done.load(Ordering::Relaxed) {
                            for key in 0..1_000 {
                                assert_eq!(value(&index, address(key)), Some(key));
                            }
                        }
                    })
                })
                .collect();
            for key in 1_000..100_000 {
                let entry = Arc::new(key);
                index.put(&mut writer, address(key), Arc::clone(&entry));
                if key % 3 != 0 {
                    index.remove(&mut writer, address(key), &entry);
                }
                // What stays may be replaced.
                index.put(&mut writer, address(key % 1_000), Arc::new(key % 1_000));
            }
            done.store(true, Ordering::Relaxed);
            for reader in readers {
                reader.join().unwrap();
            }
        });
    }

    proptest! {
        #[test]
        fn it_is_a_map(operations in proptest::collection::vec((any::<bool>(), 0_u64..40, any::<u64>()), 0..400)) {
            // Few positions, so that keys collide all the time.
            let address = |key: u64| Address::new(key % 5, key);
            let (index, mut writer) = Index::new();
            let mut model: HashMap<u64, Arc<u64>> = HashMap::new();
            for (put, key, number) in operations {
                if put {
                    let entry = Arc::new(number);
                    index.put(&mut writer, address(key), Arc::clone(&entry));
                    model.insert(key, entry);
                } else if let Some(entry) = model.remove(&key) {
                    index.remove(&mut writer, address(key), &Arc::new(*entry));
                    prop_assert_eq!(value(&index, address(key)), Some(*entry));
                    index.remove(&mut writer, address(key), &entry);
                }
                for key in 0..40 {
                    prop_assert_eq!(value(&index, address(key)), model.get(&key).map(|entry| **entry));
                }
            }
        }
    }
}
