//! Whether memory has room for all devices of a source.
//!
//! Memory that is full evicts records, of any source. Whoever was evicted is
//! back once a full read that began afterwards is complete and nothing more was
//! evicted since it began.

use parking_lot::Mutex;

/// What is known about each source, by its place.
#[derive(Debug, Default)]
pub(super) struct Room(Mutex<Vec<Reading>>);

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    /// The full read under way, and the evictions before its first page.
    begun: Option<(u32, u64)>,
    /// Evictions that the last complete full read made good.
    made_good: u64,
}

impl Room {
    fn with<T>(&self, source: u16, use_it: impl FnOnce(&mut Reading) -> T) -> T {
        let mut readings = self.0.lock();
        let place = usize::from(source);
        if readings.len() <= place {
            readings.resize(place + 1, Reading::default());
        }
        match readings.get_mut(place) {
            Some(reading) => use_it(reading),
            None => use_it(&mut Reading::default()),
        }
    }

    /// The first page of a full read comes.
    pub(super) fn begins(&self, source: u16, epoch: u32, evictions: u64) {
        self.with(source, |reading| reading.begun = Some((epoch, evictions)));
    }

    /// A full read is complete.
    pub(super) fn completed(&self, source: u16, epoch: u32) {
        self.with(source, |reading| {
            if let Some((begun, evictions)) = reading.begun
                && begun == epoch
            {
                reading.made_good = evictions;
            }
        });
    }

    /// Whether some device may not be in memory.
    pub(super) fn is_short(&self, source: u16, evictions: u64) -> bool {
        self.with(source, |reading| reading.made_good < evictions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_read_makes_good_what_was_evicted_before_it() {
        let room = Room::default();
        assert!(!room.is_short(1, 0));
        assert!(room.is_short(1, 3));
        // A read that began before the start makes nothing good.
        room.completed(1, 7);
        assert!(room.is_short(1, 3));
        room.begins(1, 8, 3);
        assert!(room.is_short(1, 3));
        room.completed(1, 8);
        assert!(!room.is_short(1, 3));
        assert!(room.is_short(1, 4));
        assert!(room.is_short(0, 3));
    }
}
