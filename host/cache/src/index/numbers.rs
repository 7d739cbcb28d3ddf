//! An index that gives numbers of seats, at half the memory of one that gives
//! entries. A number leads to the entry, which the caller compares: a slot
//! holds only a part of the digest.
//!
//! As everywhere here, one writer at a time changes tables in place, and
//! readers take no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::machine::{Blocks, prefetch};

const SEGMENT_BITS: u32 = 7;
/// Slots that a processor fetches at once.
const SLOTS: usize = 8;
const FEWEST_BUCKETS: usize = 2;

/// Bytes of the index for one number, as tables are between 0.78 and 0.875
/// full.
pub(crate) const BYTES_OF_NUMBER: usize = 10;

/// The largest number that can be kept.
pub(crate) const LARGEST_NUMBER: u32 = u32::MAX - 2;

/// An empty slot ends a search.
const EMPTY: u64 = 0;
/// A number was removed: go on searching.
const TOMBSTONE: u64 = 0xffff_ffff;

/// Where a number is looked for: a keyed digest of its name, so that nobody can
/// aim at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) u64);

/// The readers' side.
#[derive(Debug)]
pub(crate) struct Numbers {
    segments: Box<[ArcSwap<Table>]>,
}

/// The right to write, and what only writers need to know.
#[derive(Debug)]
pub(crate) struct NumbersWriter {
    segments: Box<[Segment]>,
}

/// One segment as its writer sees it.
#[derive(Debug)]
struct Segment {
    /// The table that readers get: writers need not ask for it.
    table: Arc<Table>,
    /// Slots that are not empty, tombstones included.
    used: usize,
    /// Slots with a number.
    live: usize,
}

#[derive(Debug)]
struct Table {
    buckets: Box<[Bucket]>,
}

/// Each slot has a part of a digest in its upper half, a number and one in its
/// lower half.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Bucket([AtomicU64; SLOTS]);

impl Digest {
    fn segment(self) -> usize {
        usize::try_from(self.0 >> (u64::BITS - SEGMENT_BITS)).unwrap_or(0)
    }

    /// The part of it that a slot has, which also says where the slot is.
    const fn part(self) -> u64 {
        self.0 << SEGMENT_BITS >> 32
    }

    fn slot(self, number: u32) -> u64 {
        self.part() << 32 | (u64::from(number) + 1)
    }
}

/// The number in a slot of this part of a digest.
fn number_in(slot: u64, part: u64) -> Option<u32> {
    let number = u32::try_from(slot & 0xffff_ffff).ok()?.checked_sub(1)?;
    (slot >> 32 == part && number <= LARGEST_NUMBER).then_some(number)
}

impl Numbers {
    pub(crate) fn new() -> (Self, NumbersWriter) {
        let segments: Box<[_]> = (0..1_usize << SEGMENT_BITS)
            .map(|_| Segment::new(Table::with_room_for(0), 0))
            .collect();
        let shared = segments
            .iter()
            .map(|it| ArcSwap::new(Arc::clone(&it.table)));
        let numbers = Self {
            segments: shared.collect(),
        };
        (numbers, NumbersWriter { segments })
    }

    /// What `take` makes of the first number at `digest` that it takes.
    pub(crate) fn find<T>(&self, digest: Digest, take: impl FnMut(u32) -> Option<T>) -> Option<T> {
        self.segment(digest).load().find(digest, take)
    }

    /// Puts `number` at `digest`, in place of the one that is `same`: that the
    /// same name led to.
    pub(crate) fn put(
        &self,
        writer: &mut NumbersWriter,
        digest: Digest,
        number: u32,
        same: impl Fn(u32) -> bool,
    ) {
        let segment = writer.segment(digest);
        let mut tombstone = None;
        let mut empty = None;
        for slot in segment.table.slots_from(digest.part()) {
            let present = slot.load(Ordering::Relaxed);
            if present == EMPTY {
                empty = Some(slot);
                break;
            }
            if present == TOMBSTONE {
                tombstone = tombstone.or(Some(slot));
            }
            if let Some(present) = number_in(present, digest.part())
                && (present == number || same(present))
            {
                slot.store(digest.slot(number), Ordering::Release);
                return;
            }
        }
        segment.live += 1;
        match (tombstone, empty) {
            (Some(slot), _) => slot.store(digest.slot(number), Ordering::Release),
            (None, Some(slot)) if segment.table.takes(segment.used + 1) => {
                slot.store(digest.slot(number), Ordering::Release);
                segment.used += 1;
            }
            _ => {
                // Copying is cheap, unused slots are not.
                let larger = segment.table.copy(segment.live + segment.live / 8);
                larger.fill(digest.slot(number));
                *segment = Segment::new(larger, segment.live);
                self.publish(digest, segment);
            }
        }
    }

    /// Notes where the tables are.
    pub(crate) fn note(&self, blocks: &mut Blocks) {
        for segment in &self.segments {
            blocks.note(&segment.load().buckets);
        }
    }

    /// Makes room for so many numbers, so that putting them copies no tables.
    pub(crate) fn reserve(&self, writer: &mut NumbersWriter, numbers: usize) {
        // Segments are not equally full; so much more than the mean is rare.
        let mean = numbers / self.segments.len();
        let room = mean + 3 * mean.isqrt();
        for (shared, segment) in self.segments.iter().zip(&mut writer.segments) {
            let room = room.max(segment.live);
            if !segment.table.takes(room) {
                *segment = Segment::new(segment.table.copy(room), segment.live);
                shared.store(Arc::clone(&segment.table));
            }
        }
    }

    fn publish(&self, digest: Digest, segment: &Segment) {
        self.segment(digest).store(Arc::clone(&segment.table));
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the number has as many bits as there are segments"
    )]
    fn segment(&self, digest: Digest) -> &ArcSwap<Table> {
        &self.segments[digest.segment()]
    }
}

impl NumbersWriter {
    /// As [`Numbers::find`], for writers.
    pub(crate) fn find<T>(
        &mut self,
        digest: Digest,
        take: impl FnMut(u32) -> Option<T>,
    ) -> Option<T> {
        self.segment(digest).table.find(digest, take)
    }

    /// Removes `number` from `digest`, if it is there.
    pub(crate) fn remove(&mut self, digest: Digest, number: u32) {
        let segment = self.segment(digest);
        for slot in segment.table.slots_from(digest.part()) {
            let present = slot.load(Ordering::Relaxed);
            if present == EMPTY {
                return;
            }
            if present == digest.slot(number) {
                slot.store(TOMBSTONE, Ordering::Release);
                segment.live -= 1;
                return;
            }
        }
    }

    /// Has the processor fetch where `digest` is looked for. Doing so for
    /// several digests first has it wait for memory only once.
    pub(crate) fn prefetch(&mut self, digest: Digest) {
        let table = &self.segment(digest).table;
        if let Some(bucket) = table.buckets.get(table.start(digest.part())) {
            prefetch(bucket);
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the number has as many bits as there are segments"
    )]
    fn segment(&mut self, digest: Digest) -> &mut Segment {
        &mut self.segments[digest.segment()]
    }
}

impl Segment {
    fn new(table: Table, live: usize) -> Self {
        Self {
            table: Arc::new(table),
            used: live,
            live,
        }
    }
}

impl Table {
    fn with_room_for(numbers: usize) -> Self {
        // The inverse of `takes`.
        let buckets = (numbers * 8).div_ceil(7).div_ceil(SLOTS);
        let buckets = (0..buckets.max(FEWEST_BUCKETS)).map(|_| Bucket::default());
        Self {
            buckets: buckets.collect(),
        }
    }

    /// Whether so many slots may be used. Fuller tables are searched for long,
    /// emptier ones cost memory.
    fn takes(&self, used: usize) -> bool {
        used * 8 <= self.buckets.len() * SLOTS * 7
    }

    fn find<T>(&self, digest: Digest, mut take: impl FnMut(u32) -> Option<T>) -> Option<T> {
        for slot in self.slots_from(digest.part()) {
            let slot = slot.load(Ordering::Acquire);
            if slot == EMPTY {
                break;
            }
            if let Some(found) = number_in(slot, digest.part()).and_then(&mut take) {
                return Some(found);
            }
        }
        None
    }

    /// The bucket where a search begins.
    fn start(&self, part: u64) -> usize {
        let start = (part * self.buckets.len() as u64) >> 32;
        usize::try_from(start).unwrap_or(0)
    }

    fn slots_from(&self, part: u64) -> impl Iterator<Item = &AtomicU64> {
        let start = self.start(part);
        let (before, after) = self
            .buckets
            .split_at_checked(start)
            .unwrap_or((&[], &self.buckets));
        after.iter().chain(before).flat_map(|bucket| &bucket.0)
    }

    /// A table with room for so many numbers that holds the present ones.
    fn copy(&self, room: usize) -> Self {
        let copy = Self::with_room_for(room);
        for slot in self.buckets.iter().flat_map(|bucket| &bucket.0) {
            let slot = slot.load(Ordering::Relaxed);
            if slot != EMPTY && slot != TOMBSTONE {
                copy.fill(slot);
            }
        }
        copy
    }

    /// Fills an empty slot. Nobody reads this table yet.
    fn fill(&self, slot: u64) {
        let mut slots = self.slots_from(slot >> 32);
        if let Some(empty) = slots.find(|slot| slot.load(Ordering::Relaxed) == EMPTY) {
            empty.store(slot, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn found(numbers: &Numbers, digest: u64) -> Vec<u32> {
        let mut found = Vec::new();
        numbers.find(Digest(digest), |number| -> Option<()> {
            found.push(number);
            None
        });
        found
    }

    #[test]
    fn names_with_one_digest_stand_side_by_side() {
        let (numbers, mut writer) = Numbers::new();
        for number in 0..100 {
            numbers.put(&mut writer, Digest(7), number, |_| false);
        }
        let mut all = found(&numbers, 7);
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        // The same name: another number in its place.
        numbers.put(&mut writer, Digest(7), 200, |number| number == 50);
        let all = found(&numbers, 7);
        assert_eq!(all.len(), 100);
        assert!(all.contains(&200) && !all.contains(&50));
    }

    #[test]
    fn tombstones_do_not_make_it_grow() {
        let (numbers, mut writer) = Numbers::new();
        for number in 0..10_000 {
            numbers.put(&mut writer, Digest(5), number, |_| false);
            writer.remove(Digest(5), number);
        }
        assert_eq!(numbers.segments[0].load().buckets.len(), FEWEST_BUCKETS);
        assert_eq!((writer.segments[0].live, writer.segments[0].used), (0, 1));
    }

    #[test]
    fn the_largest_number_can_be_kept() {
        let (numbers, mut writer) = Numbers::new();
        numbers.put(&mut writer, Digest(u64::MAX), LARGEST_NUMBER, |_| false);
        assert_eq!(found(&numbers, u64::MAX), [LARGEST_NUMBER]);
        numbers.put(&mut writer, Digest(0), 0, |_| false);
        assert_eq!(found(&numbers, 0), [0]);
    }

    proptest! {
        #[test]
        fn it_is_a_map(operations in proptest::collection::vec((any::<bool>(), 0_u64..60, 0_u32..1_000), 0..400)) {
            // Few digests, so that names collide all the time; a number is one
            // of its name.
            let digest = |name: u64| Digest((name % 7) << 50);
            let number = |name: u64, number: u32| u32::try_from(name).unwrap() * 1_000 + number;
            let is_named = |name: u64| move |number: u32| u64::from(number) / 1_000 == name;
            let (numbers, mut writer) = Numbers::new();
            let mut model: HashMap<u64, u32> = HashMap::new();
            for (put, name, low) in operations {
                if put {
                    let number = number(name, low);
                    numbers.put(&mut writer, digest(name), number, is_named(name));
                    model.insert(name, number);
                } else if let Some(number) = model.remove(&name) {
                    writer.remove(digest(name), number);
                }
                for name in 0..60 {
                    let found = numbers.find(digest(name), |number| is_named(name)(number).then_some(number));
                    prop_assert_eq!(found, model.get(&name).copied());
                }
            }
        }
    }
}
