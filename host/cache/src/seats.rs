//! Entries by number, read without locks.

use std::sync::OnceLock;

use arc_swap::{ArcSwapAny, Guard, RefCnt};

use crate::machine::Blocks;

/// Seats that are allocated together.
const PART: usize = 4_096;
/// More than this no cache holds, whatever its settings say.
const MOST: usize = 1 << 26;

/// Places for entries. One writer at a time, any number of readers.
#[derive(Debug)]
pub(crate) struct Seats<E: RefCnt> {
    parts: Box<[OnceLock<Part<E>>]>,
}

type Part<E> = Box<[ArcSwapAny<Option<E>>]>;

impl<E: RefCnt> Seats<E> {
    /// At least so many seats, as far as there can be so many. They take memory
    /// once they are needed.
    pub(crate) fn new(most: usize) -> Self {
        let parts = most.min(MOST) / PART + 1;
        Self {
            parts: (0..parts).map(|_| OnceLock::new()).collect(),
        }
    }

    /// How many there can be.
    pub(crate) fn most(&self) -> usize {
        self.parts.len() * PART
    }

    /// The entry that sits there.
    pub(crate) fn get(&self, number: usize) -> Guard<Option<E>> {
        let part = self.parts.get(number / PART).and_then(OnceLock::get);
        match part.and_then(|part| part.get(number % PART)) {
            Some(seat) => seat.load(),
            None => Guard::from_inner(None),
        }
    }

    /// Notes where the seats are.
    pub(crate) fn note(&self, blocks: &mut Blocks) {
        for part in self.parts.iter().filter_map(OnceLock::get) {
            blocks.note(part);
        }
    }

    /// Seats an entry, or nobody, and gives back the one that was there.
    pub(crate) fn set(&self, number: usize, entry: Option<E>) -> Option<E> {
        let part = self.parts.get(number / PART)?;
        let part = part.get_or_init(|| (0..PART).map(|_| ArcSwapAny::new(None)).collect());
        part.get(number % PART)?.swap(entry)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn seats_are_where_they_were() {
        let seats = Seats::new(10_000);
        assert_eq!(seats.most(), 3 * PART);
        for number in (0..seats.most()).step_by(1_000) {
            assert!(seats.set(number, Some(Arc::new(number))).is_none());
        }
        for number in (0..seats.most()).step_by(1_000) {
            assert_eq!(seats.get(number).as_deref(), Some(&number));
            assert!(seats.get(number + 1).is_none());
        }
        assert_eq!(seats.set(2_000, None).as_deref(), Some(&2_000));
        assert!(seats.get(2_000).is_none());
        // Beyond the last one.
        assert!(seats.set(usize::MAX, Some(Arc::new(1))).is_none());
        assert!(seats.get(usize::MAX).is_none());
    }
}
