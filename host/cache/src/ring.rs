//! Who has to leave when a cache is full: CLOCK, an approximation of "least
//! recently used" whose hit costs one flag.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// So many entries may be spared in one search; the next one must leave even
/// if it was used. Keeps an eviction from walking a whole cache.
const MOST_SPARED: usize = 64;

/// An entry that has a place in a [`Ring`].
pub(crate) trait Seated {
    fn place(&self) -> &Place;
}

/// Where an entry sits and what it costs.
#[derive(Debug)]
pub(crate) struct Place {
    number: usize,
    weight: usize,
    used: AtomicBool,
}

impl Place {
    pub(crate) const fn new(number: usize, weight: usize) -> Self {
        Self {
            number,
            weight,
            used: AtomicBool::new(false),
        }
    }

    pub(crate) const fn number(&self) -> usize {
        self.number
    }

    /// Notes a use. Writes only the first time, so that readers of one entry
    /// do not take its cache line from each other.
    pub(crate) fn note_use(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }
}

/// All entries of one cache.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    seats: Vec<Option<Arc<T>>>,
    free: Vec<usize>,
    hand: usize,
    entries: usize,
    weight: usize,
}

impl<T: Seated> Ring<T> {
    pub(crate) const fn new() -> Self {
        Self {
            seats: Vec::new(),
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

    /// A number for an entry that is about to be seated.
    pub(crate) fn reserve(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() - 1
        })
    }

    /// Seats an entry at its number, in place of the one there.
    pub(crate) fn seat(&mut self, entry: Arc<T>) {
        let Place { number, weight, .. } = *entry.place();
        if let Some(seat) = self.seats.get_mut(number) {
            self.entries += 1;
            self.weight += weight;
            if let Some(previous) = seat.replace(entry) {
                self.entries -= 1;
                self.weight -= previous.place().weight;
            }
        }
    }

    /// Takes an entry out; its number becomes free.
    pub(crate) fn unseat(&mut self, entry: &T) {
        let number = entry.place().number;
        if let Some(previous) = self.seats.get_mut(number).and_then(Option::take) {
            self.entries -= 1;
            self.weight -= previous.place().weight;
            self.free.push(number);
        }
    }

    /// The entry that should leave, never the one at `kept`.
    pub(crate) fn victim(&mut self, kept: usize) -> Option<Arc<T>> {
        let mut spared = 0;
        // Twice round: the first round may spare every entry.
        for _ in 0..self.seats.len() * 2 {
            let number = self.hand;
            self.hand = (number + 1) % self.seats.len();
            let Some(Some(entry)) = self.seats.get(number) else {
                continue;
            };
            if number == kept {
                continue;
            }
            if spared < MOST_SPARED && entry.place().used.swap(false, Ordering::Relaxed) {
                spared += 1;
                continue;
            }
            return Some(Arc::clone(entry));
        }
        None
    }

    /// The entries at `count` numbers from `first` on, `None` past the end.
    pub(crate) fn part(&self, first: usize, count: usize) -> Option<&[Option<Arc<T>>]> {
        let rest = self.seats.get(first..).filter(|rest| !rest.is_empty())?;
        rest.get(..count.min(rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Seated for Place {
        fn place(&self) -> &Place {
            self
        }
    }

    fn ring(count: usize) -> Ring<Place> {
        let mut ring = Ring::new();
        for _ in 0..count {
            let number = ring.reserve();
            ring.seat(Arc::new(Place::new(number, 10)));
        }
        ring
    }

    #[test]
    fn what_was_used_is_spared_once() {
        let mut ring = ring(4);
        for number in [0, 2] {
            ring.seats[number].as_ref().unwrap().note_use();
        }
        let mut order = Vec::new();
        while let Some(victim) = ring.victim(usize::MAX) {
            order.push(victim.number());
            ring.unseat(&victim);
        }
        assert_eq!(order, [1, 3, 0, 2]);
        assert_eq!((ring.entries(), ring.weight()), (0, 0));
    }

    #[test]
    fn the_kept_one_stays_and_numbers_are_reused() {
        let mut ring = ring(1);
        assert!(ring.victim(0).is_none());
        let only = Arc::clone(ring.seats[0].as_ref().unwrap());
        ring.unseat(&only);
        assert_eq!(ring.reserve(), 0);
        ring.seat(Arc::new(Place::new(0, 3)));
        ring.seat(Arc::new(Place::new(0, 5)));
        assert_eq!((ring.entries(), ring.weight()), (1, 5));
    }

    #[test]
    fn a_search_is_short_even_if_everything_was_used() {
        let mut ring = ring(1_000);
        for seat in &ring.seats {
            seat.as_ref().unwrap().note_use();
        }
        assert_eq!(ring.victim(usize::MAX).unwrap().number(), MOST_SPARED);
    }
}
