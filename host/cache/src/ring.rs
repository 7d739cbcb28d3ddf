//! Who has to leave when a cache is full: CLOCK, an approximation of "least
//! recently used" whose hit costs one flag.

use std::sync::Arc;

use arc_swap::{Guard, RefCnt};

use crate::seats::Seats;

/// So many entries may be spared in one search; the next one must leave even
/// if it was used. Keeps an eviction from walking a whole cache.
const MOST_SPARED: usize = 64;

/// An entry that has a place in a [`Ring`]. Clones are the same entry.
pub(crate) trait Seated: Clone {
    /// Where it sits.
    fn number(&self) -> usize;

    /// What it costs. Never changes.
    fn weight(&self) -> usize;
}

/// All entries of one cache. Readers may look at its seats.
#[derive(Debug)]
pub(crate) struct Ring<E: RefCnt> {
    seats: Arc<Seats<E>>,
    /// Seats that were ever taken.
    taken: usize,
    free: Vec<usize>,
    hand: usize,
    entries: usize,
    weight: usize,
}

impl<E: Seated + RefCnt> Ring<E> {
    pub(crate) const fn new(seats: Arc<Seats<E>>) -> Self {
        Self {
            seats,
            taken: 0,
            free: Vec::new(),
            hand: 0,
            entries: 0,
            weight: 0,
        }
    }

    pub(crate) const fn entries(&self) -> usize {
        self.entries
    }

    pub(crate) const fn weight(&self) -> usize {
        self.weight
    }

    /// A number for an entry that is about to be seated, `None` if all seats
    /// are taken.
    pub(crate) fn reserve(&mut self) -> Option<usize> {
        self.free.pop().or_else(|| {
            let number = self.taken;
            (number < self.seats.most()).then(|| {
                self.taken += 1;
                number
            })
        })
    }

    /// Seats an entry at its number and gives back the one that was there.
    pub(crate) fn seat(&mut self, entry: E) -> Option<E> {
        let number = entry.number();
        self.entries += 1;
        self.weight += entry.weight();
        let previous = self.seats.set(number, Some(entry));
        if let Some(previous) = &previous {
            self.entries -= 1;
            self.weight -= previous.weight();
        }
        previous
    }

    /// Takes an entry out; its number becomes free.
    pub(crate) fn unseat(&mut self, entry: &E) {
        let number = entry.number();
        if let Some(previous) = self.seats.set(number, None) {
            self.entries -= 1;
            self.weight -= previous.weight();
            self.free.push(number);
        }
    }

    /// The entry that should leave, never the one at `kept`. `take_use` says
    /// whether an entry was used since it was asked for it last.
    pub(crate) fn victim(&mut self, kept: usize, take_use: impl Fn(&E) -> bool) -> Option<E> {
        let mut spared = 0;
        // Twice round: the first round may spare every entry.
        for _ in 0..self.taken * 2 {
            let number = self.hand;
            self.hand = (number + 1) % self.taken;
            let entry = self.at(number);
            let Some(seated) = entry.as_ref().filter(|_| number != kept) else {
                continue;
            };
            if spared < MOST_SPARED && take_use(seated) {
                spared += 1;
                continue;
            }
            return Guard::into_inner(entry);
        }
        None
    }

    /// The entry that sits there.
    pub(crate) fn at(&self, number: usize) -> Guard<Option<E>> {
        self.seats.get(number)
    }

    /// Seats that are taken or were.
    pub(crate) const fn taken(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Entry {
        number: usize,
        weight: usize,
        used: AtomicBool,
    }

    fn entry(number: usize, weight: usize) -> Arc<Entry> {
        Arc::new(Entry {
            number,
            weight,
            used: AtomicBool::new(false),
        })
    }

    fn take_use(entry: &Arc<Entry>) -> bool {
        entry.used.swap(false, Ordering::Relaxed)
    }

    fn note_use(ring: &Ring<Arc<Entry>>, number: usize) {
        ring.at(number)
            .as_ref()
            .unwrap()
            .used
            .store(true, Ordering::Relaxed);
    }

    impl Seated for Arc<Entry> {
        fn number(&self) -> usize {
            self.number
        }

        fn weight(&self) -> usize {
            self.weight
        }
    }

    fn ring(count: usize) -> Ring<Arc<Entry>> {
        let mut ring = Ring::new(Arc::new(Seats::new(count)));
        for _ in 0..count {
            let number = ring.reserve().unwrap();
            ring.seat(entry(number, 10));
        }
        ring
    }

    #[test]
    fn what_was_used_is_spared_once() {
        let mut ring = ring(4);
        for number in [0, 2] {
            note_use(&ring, number);
        }
        let mut order = Vec::new();
        while let Some(victim) = ring.victim(usize::MAX, take_use) {
            order.push(victim.number());
            ring.unseat(&victim);
        }
        assert_eq!(order, [1, 3, 0, 2]);
        assert_eq!((ring.entries(), ring.weight()), (0, 0));
    }

    #[test]
    fn the_kept_one_stays_and_numbers_are_reused() {
        let mut ring = ring(1);
        assert!(ring.victim(0, take_use).is_none());
        let only = Guard::into_inner(ring.at(0)).unwrap();
        ring.unseat(&only);
        assert!(ring.at(0).is_none());
        assert_eq!(ring.reserve(), Some(0));
        assert!(ring.seat(entry(0, 3)).is_none());
        assert_eq!(ring.seat(entry(0, 5)).unwrap().weight, 3);
        assert_eq!((ring.entries(), ring.weight()), (1, 5));
    }

    #[test]
    fn a_search_is_short_even_if_everything_was_used() {
        let mut ring = ring(1_000);
        for number in 0..ring.taken() {
            note_use(&ring, number);
        }
        assert_eq!(
            ring.victim(usize::MAX, take_use).unwrap().number(),
            MOST_SPARED
        );
    }
}
