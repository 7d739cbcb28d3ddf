//! One table of an index: buckets of slots, a bucket to a cache line.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwapAny, Guard, RefCnt};

use super::{Address, LARGEST_TAG, Positions};
use crate::machine::{Blocks, prefetch};

/// Slots that a processor fetches at once.
const SLOTS: usize = 4;
const FEWEST_BUCKETS: usize = 2;

const EMPTY: u64 = 0;
/// An entry was removed: go on searching.
const TOMBSTONE: u64 = LARGEST_TAG + 1;
/// Beside a tag: the entry was used. Here, because a look-up reads this cache
/// line anyway and no other.
const USED: u64 = 1 << 63;

pub(super) struct Table<E: RefCnt> {
    buckets: Box<[Bucket<E>]>,
    /// How often the slot of one tag was given to another.
    reuses: AtomicU64,
}

#[repr(align(64))]
struct Bucket<E: RefCnt>([Slot<E>; SLOTS]);

pub(super) struct Slot<E: RefCnt> {
    tag: AtomicU64,
    entry: ArcSwapAny<Option<E>>,
}

pub(super) enum Probe<'a, E: RefCnt> {
    Match(&'a Slot<E>),
    Tombstone(&'a Slot<E>),
    Empty(&'a Slot<E>),
    Full,
}

impl<E: RefCnt> Table<E> {
    pub(super) fn with_room_for(entries: usize) -> Self {
        // The inverse of `takes`.
        let buckets = (entries * 8).div_ceil(7).div_ceil(SLOTS);
        let buckets = buckets.max(FEWEST_BUCKETS);
        Self {
            buckets: (0..buckets).map(|_| Bucket::default()).collect(),
            reuses: AtomicU64::new(0),
        }
    }

    /// Whether so many slots may be used. Fuller tables are searched for long,
    /// emptier ones cost memory.
    pub(super) fn takes(&self, used: usize) -> bool {
        used * 8 <= self.slots() * 7
    }

    pub(super) fn slots(&self) -> usize {
        self.buckets.len() * SLOTS
    }

    /// The entry at `address`, and a note that it was used.
    pub(super) fn get(&self, address: Address) -> Guard<Option<E>> {
        self.get_and(address, |tag, slot| {
            // Written only the first time, so that readers of one entry do not
            // take its cache line from each other.
            if tag & USED == 0 {
                slot.tag.fetch_or(USED, Ordering::Relaxed);
            }
        })
    }

    /// The entry at `address`.
    pub(super) fn peek(&self, address: Address) -> Guard<Option<E>> {
        self.get_and(address, |_, _| {})
    }

    fn get_and(&self, address: Address, note: impl Fn(u64, &Slot<E>)) -> Guard<Option<E>> {
        loop {
            let reuses = self.reuses.load(Ordering::Acquire);
            let Some((tag, slot)) = self.search(address) else {
                return Guard::from_inner(None);
            };
            let entry = slot.entry.load();
            note(tag, slot);
            // A slot that was given to another tag meanwhile holds another's
            // entry. Seeing that entry means seeing the count.
            if self.reuses.load(Ordering::Acquire) == reuses {
                return entry;
            }
        }
    }

    pub(super) fn note(&self, blocks: &mut Blocks) {
        blocks.note(&self.buckets);
    }

    /// Has the processor fetch what is read first in search of `address`.
    pub(super) fn prefetch(&self, address: Address) {
        if let Some(bucket) = self.buckets.get(address.place(self.buckets.len())) {
            prefetch(bucket);
        }
    }

    /// Whether the entry at `address` was used since this was asked last.
    pub(super) fn take_use(&self, address: Address) -> bool {
        self.search(address).is_some_and(|(tag, slot)| {
            tag & USED != 0 && slot.tag.fetch_and(!USED, Ordering::Relaxed) & USED != 0
        })
    }

    fn search(&self, address: Address) -> Option<(u64, &Slot<E>)> {
        for bucket in self.buckets_from(address) {
            for slot in &bucket.0 {
                let tag = slot.tag.load(Ordering::Acquire);
                if tag & !USED == address.tag.get() {
                    return Some((tag, slot));
                }
                if tag == EMPTY {
                    return None;
                }
            }
        }
        None
    }

    /// For writers: where the tag is, or where it may go.
    pub(super) fn probe(&self, address: Address) -> Probe<'_, E> {
        let mut tombstone = None;
        for slot in self.buckets_from(address).flat_map(|bucket| &bucket.0) {
            match slot.tag.load(Ordering::Relaxed) & !USED {
                EMPTY => return tombstone.map_or(Probe::Empty(slot), Probe::Tombstone),
                TOMBSTONE => tombstone = tombstone.or(Some(slot)),
                tag if tag == address.tag.get() => return Probe::Match(slot),
                _ => {}
            }
        }
        tombstone.map_or(Probe::Full, Probe::Tombstone)
    }

    /// Gives the slot of a removed entry to another one.
    pub(super) fn reuse(&self, slot: &Slot<E>, address: Address, entry: E) {
        // Before the entry is there to be seen.
        self.reuses.fetch_add(1, Ordering::AcqRel);
        slot.fill(address, entry);
    }

    /// A table with room for so many entries that holds the present ones.
    pub(super) fn copy(&self, room: usize, positions: &Positions) -> Self {
        let mut copy = Self::with_room_for(room);
        for slot in self.buckets.iter().flat_map(|bucket| &bucket.0) {
            let tag = slot.tag.load(Ordering::Relaxed) & !USED;
            if let (Some(tag), Some(entry)) = (NonZeroU64::new(tag), slot.entry.load_full()) {
                copy.put(positions.address(tag), entry);
            }
        }
        copy
    }

    /// Puts `entry` at `address` in a table that nobody reads yet. Whether
    /// nothing was there.
    pub(super) fn put(&mut self, address: Address, entry: E) -> bool {
        let start = address.place(self.buckets.len());
        let (before, after) = self
            .buckets
            .split_at_mut_checked(start)
            .unwrap_or((&mut [], &mut []));
        let slots = after.iter_mut().chain(before);
        for slot in slots.flat_map(|bucket| &mut bucket.0) {
            let present = *slot.tag.get_mut() & !USED;
            if present != EMPTY && present != address.tag.get() {
                continue;
            }
            *slot.tag.get_mut() = address.tag.get();
            let old = std::mem::replace(&mut slot.entry, ArcSwapAny::new(Some(entry)));
            if present == EMPTY {
                // Dropping it would look for readers of nothing, which takes
                // longer than all the rest.
                std::mem::forget(old);
            }
            return present == EMPTY;
        }
        false
    }

    /// How many entries it takes.
    pub(super) fn room(&self) -> usize {
        self.slots() * 7 / 8
    }

    fn buckets_from(&self, address: Address) -> impl Iterator<Item = &Bucket<E>> {
        let start = address.place(self.buckets.len());
        let (before, after) = self
            .buckets
            .split_at_checked(start)
            .unwrap_or((&[], &self.buckets));
        after.iter().chain(before)
    }
}

impl<E: RefCnt> Slot<E> {
    pub(super) fn fill(&self, address: Address, entry: E) {
        self.entry.store(Some(entry));
        // Last: a reader that sees the tag sees the entry as well.
        self.tag.store(address.tag.get(), Ordering::Release);
    }

    pub(super) fn replace(&self, entry: E) {
        self.entry.store(Some(entry));
    }

    pub(super) fn clear(&self) {
        self.entry.store(None);
        self.tag.store(TOMBSTONE, Ordering::Release);
    }

    pub(super) fn is(&self, entry: &E) -> bool {
        let present = self.entry.load();
        present
            .as_ref()
            .is_some_and(|present| E::as_ptr(present) == E::as_ptr(entry))
    }
}

impl<E: RefCnt> Default for Bucket<E> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Slot {
            tag: AtomicU64::new(EMPTY),
            entry: ArcSwapAny::new(None),
        }))
    }
}

impl<E: RefCnt> fmt::Debug for Table<E> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Table")
            .field("slots", &self.slots())
            .finish_non_exhaustive()
    }
}
