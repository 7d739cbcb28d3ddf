//! An open-addressing index that is read without locks.
//!
//! It is cut into segments, each one table behind an `ArcSwap`. One writer at
//! a time changes a table in place; a table that fills up is replaced by a
//! larger copy while readers go on in the old one.
//!
//! INVARIANT: what a reader takes at a tag was put there under that tag. The
//! place of a removed entry may be given to another tag, but then the table's
//! count of such events is another as well, and the reader looks again.

mod numbers;
mod table;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard, RefCnt};

pub(crate) use self::numbers::{BYTES_OF_NUMBER, Digest, LARGEST_NUMBER, Numbers, NumbersWriter};

use self::table::{Probe, Table};
use crate::machine::Blocks;

/// Small enough that copying a segment of a million-entry index takes a
/// millisecond or two, so that writers do not wait long for each other.
const SEGMENT_BITS: u32 = 7;

/// Bytes of the index for one entry, as tables are between 0.7 and 0.875 full.
pub(crate) const BYTES_OF_ENTRY: usize = 20;

/// Larger numbers and zero mean something else to the index.
pub(crate) const LARGEST_TAG: u64 = (1 << 63) - 2;

/// Where an entry is looked for, and what must stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    tag: NonZeroU64,
    position: u64,
}

/// How positions follow from tags.
#[derive(Debug)]
pub(crate) enum Positions {
    /// Tags are keyed digests: nobody can aim at one place with them.
    Tag,
    /// Whoever names things chooses their tags.
    Keyed(RandomState),
}

/// The readers' side.
#[derive(Debug)]
pub(crate) struct Index<E: RefCnt> {
    positions: Positions,
    segments: Box<[ArcSwap<Table<E>>]>,
}

/// The right to write, and what only writers need to know. It belongs into the
/// lock that makes writers take turns.
#[derive(Debug)]
pub(crate) struct IndexWriter<E: RefCnt> {
    segments: Box<[Segment<E>]>,
}

/// One segment as its writer sees it.
#[derive(Debug)]
struct Segment<E: RefCnt> {
    /// The table that readers get: writers need not ask for it.
    table: Arc<Table<E>>,
    /// Slots that are not empty, tombstones included.
    used: usize,
    /// Slots with an entry.
    live: usize,
}

impl Positions {
    pub(crate) fn address(&self, tag: NonZeroU64) -> Address {
        let position = match self {
            Self::Tag => tag.get() << 1,
            Self::Keyed(hasher) => hasher.hash_one(tag.get()),
        };
        Address { tag, position }
    }
}

impl Address {
    /// Any number that depends on the position, for other tables.
    pub(crate) const fn position(self) -> u64 {
        self.position
    }

    /// The segment it belongs to.
    pub(crate) fn segment(self) -> usize {
        usize::try_from(self.position >> (u64::BITS - SEGMENT_BITS)).unwrap_or(0)
    }

    /// The place among so many in the segment.
    fn place(self, places: usize) -> usize {
        let scaled = u128::from(self.position << SEGMENT_BITS) * places as u128;
        usize::try_from(scaled >> u64::BITS).unwrap_or(0)
    }
}

impl<E: RefCnt> Index<E> {
    pub(crate) fn new(positions: Positions) -> (Self, IndexWriter<E>) {
        let segments: Box<[_]> = (0..1_usize << SEGMENT_BITS)
            .map(|_| Segment::new(Table::with_room_for(0), 0))
            .collect();
        let shared = segments
            .iter()
            .map(|it| ArcSwap::new(Arc::clone(&it.table)));
        let index = Self {
            positions,
            segments: shared.collect(),
        };
        (index, IndexWriter { segments })
    }

    pub(crate) fn address(&self, tag: NonZeroU64) -> Address {
        self.positions.address(tag)
    }

    /// The address of what a keyed digest stands for.
    pub(crate) fn address_of_digest(&self, digest: u64) -> Address {
        let tag = (digest >> 1).clamp(1, LARGEST_TAG);
        self.address(NonZeroU64::new(tag).unwrap_or(NonZeroU64::MIN))
    }

    /// The entry at `address`. This counts as a use of it.
    pub(crate) fn get(&self, address: Address) -> Guard<Option<E>> {
        self.segment(address).load().get(address)
    }

    /// Whether the entry at `address` was used since this was asked last.
    pub(crate) fn take_use(&self, address: Address) -> bool {
        self.segment(address).load().take_use(address)
    }

    /// Puts `entry` at `address` in place of what was there.
    pub(crate) fn put(&self, writer: &mut IndexWriter<E>, address: Address, entry: E) {
        let segment = writer.segment(address);
        match segment.table.probe(address) {
            Probe::Match(slot) => slot.replace(entry),
            Probe::Tombstone(slot) => {
                segment.table.reuse(slot, address, entry);
                segment.live += 1;
            }
            Probe::Empty(slot) if segment.table.takes(segment.used + 1) => {
                slot.fill(address, entry);
                segment.used += 1;
                segment.live += 1;
            }
            Probe::Empty(_) | Probe::Full => {
                // Not much larger, for that is memory; the cost of copying is
                // spread over the entries that have room afterwards.
                let live = segment.live + 1;
                let larger = segment.table.copy(live + live / 4, &self.positions);
                if let Probe::Empty(slot) = larger.probe(address) {
                    slot.fill(address, entry);
                }
                *segment = Segment::new(larger, live);
                self.segment(address).store(Arc::clone(&segment.table));
            }
        }
    }

    /// How many segments there are.
    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Puts entries of one segment at their addresses, the last one where there
    /// are several, and lets readers see all of them at once.
    pub(crate) fn fill(
        &self,
        writer: &mut IndexWriter<E>,
        segment: usize,
        entries: Vec<(Address, E)>,
    ) {
        let (Some(shared), Some(segment)) =
            (self.segments.get(segment), writer.segments.get_mut(segment))
        else {
            return;
        };
        let room = segment.live + entries.len();
        // Some more, for those that come later.
        let room = (room + room / 16).max(segment.table.room());
        let mut table = segment.table.copy(room, &self.positions);
        let mut live = segment.live;
        for (address, entry) in entries {
            live += usize::from(table.put(address, entry));
        }
        *segment = Segment::new(table, live);
        shared.store(Arc::clone(&segment.table));
    }

    /// Notes where the tables are.
    pub(crate) fn note(&self, blocks: &mut Blocks) {
        for segment in &self.segments {
            segment.load().note(blocks);
        }
    }

    /// Makes room for so many entries, so that putting them copies no tables.
    pub(crate) fn reserve(&self, writer: &mut IndexWriter<E>, entries: usize) {
        // Segments are not equally full; so much more than the mean is rare.
        let mean = entries / self.segments.len();
        let room = mean + 3 * mean.isqrt();
        for (shared, segment) in self.segments.iter().zip(&mut writer.segments) {
            let room = room.max(segment.live);
            if !segment.table.takes(room) {
                let larger = segment.table.copy(room, &self.positions);
                *segment = Segment::new(larger, segment.live);
                shared.store(Arc::clone(&segment.table));
            }
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the number has as many bits as there are segments"
    )]
    fn segment(&self, address: Address) -> &ArcSwap<Table<E>> {
        &self.segments[address.segment()]
    }
}

impl<E: RefCnt> IndexWriter<E> {
    /// The entry at `address`. This is no use of it.
    pub(crate) fn peek(&mut self, address: Address) -> Guard<Option<E>> {
        self.segment(address).table.peek(address)
    }

    /// Removes the entry at `address` if it is `entry`: it may have been moved
    /// to another one since.
    pub(crate) fn remove(&mut self, address: Address, entry: &E) {
        let segment = self.segment(address);
        if let Probe::Match(slot) = segment.table.probe(address)
            && slot.is(entry)
        {
            slot.clear();
            segment.live -= 1;
        }
    }

    /// Has the processor fetch where `address` is. Doing so for several
    /// addresses first has it wait for memory only once.
    pub(crate) fn prefetch(&mut self, address: Address) {
        self.segment(address).table.prefetch(address);
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the number has as many bits as there are segments"
    )]
    fn segment(&mut self, address: Address) -> &mut Segment<E> {
        &mut self.segments[address.segment()]
    }
}

impl<E: RefCnt> Segment<E> {
    fn new(table: Table<E>, live: usize) -> Self {
        Self {
            table: Arc::new(table),
            used: live,
            live,
        }
    }
}
