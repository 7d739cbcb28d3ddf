//! How far a source's inventory was read.

use std::time::Duration;

use portreeve_domain::Timestamp;

use crate::InventoryPage;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Reads everything, from the start or from where it was interrupted.
    Full,
    /// Asks for what changed since.
    Delta,
}

/// How far a source's inventory was read. It is stored with every page, so that
/// a run goes on after the last page that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryState {
    /// `Full` until every page of a full read is there.
    pub phase: Phase,
    /// Number of the full read, never zero. Every page that is applied marks
    /// its devices with it; what does not carry it when the read is complete
    /// was not seen.
    pub epoch: u32,
    /// Where the next page begins. `None` before the first page of a full read,
    /// and after a full read of a source that cannot tell changes.
    pub cursor: Option<String>,
    /// When the full read of this epoch began.
    pub started_at: Timestamp,
    /// When the full read of this epoch was complete: what it did not see was
    /// removed. `None` before that.
    pub completed_at: Option<Timestamp>,
    /// Devices read in the full read of this epoch.
    pub read: u64,
    /// How many there are in all, as the source estimated last.
    pub total: Option<u64>,
}

impl InventoryState {
    /// What the next run does. `last` is where the one before got to.
    pub(super) fn plan(
        last: Option<&Self>,
        full_wanted: bool,
        full_interval: Duration,
        now: Timestamp,
    ) -> Self {
        let Some(last) = last else {
            return Self::full(1, now);
        };
        let is_old = now.since(last.started_at) >= full_interval;
        match last.phase {
            // What was read so long ago would hide what was deleted since.
            Phase::Full if is_old => last.restarted(now),
            Phase::Delta if full_wanted || is_old => last.restarted(now),
            Phase::Delta if last.cursor.is_none() && !last.is_to_be_completed() => {
                last.restarted(now)
            }
            Phase::Full | Phase::Delta => last.clone(),
        }
    }

    /// A new full read from the start.
    pub(crate) fn restarted(&self, now: Timestamp) -> Self {
        Self::full(self.epoch.wrapping_add(1).max(1), now)
    }

    const fn full(epoch: u32, now: Timestamp) -> Self {
        Self {
            phase: Phase::Full,
            epoch,
            cursor: None,
            started_at: now,
            completed_at: None,
            read: 0,
            total: None,
        }
    }

    /// Whether every page of a full read is there, but what it did not see is
    /// there, too.
    pub(super) fn is_to_be_completed(&self) -> bool {
        self.phase == Phase::Delta && self.completed_at.is_none()
    }

    /// The same, complete.
    pub(super) fn completed(&self, now: Timestamp) -> Self {
        Self {
            completed_at: Some(now),
            ..self.clone()
        }
    }

    /// Where it stands once this page is applied.
    pub(super) fn after(&self, page: &InventoryPage) -> Self {
        let is_full = self.phase == Phase::Full;
        let has_cursor = !page.cursor.is_empty();
        let read = page.upserts.len() as u64;
        Self {
            phase: if page.more { self.phase } else { Phase::Delta },
            epoch: self.epoch,
            cursor: has_cursor.then(|| page.cursor.clone()),
            started_at: self.started_at,
            completed_at: self.completed_at,
            read: if is_full {
                self.read.saturating_add(read)
            } else {
                self.read
            },
            total: page.total.or(self.total),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    fn state(phase: Phase, cursor: Option<&str>) -> InventoryState {
        InventoryState {
            phase,
            epoch: 7,
            cursor: cursor.map(str::to_owned),
            started_at: at(10),
            completed_at: Some(at(2)),
            read: 5,
            total: Some(9),
        }
    }

    #[test]
    fn the_next_run_goes_on_or_starts_over() {
        let plan = |last: &InventoryState, full, hours| {
            let planned = InventoryState::plan(Some(last), full, DAY, at(hours));
            (planned.phase, planned.epoch, planned.cursor)
        };
        let goes_on = |phase| (phase, 7, Some("c".to_owned()));
        let over = (Phase::Full, 8, None);
        let half = state(Phase::Full, Some("c"));
        assert_eq!(plan(&half, false, 33), goes_on(Phase::Full));
        assert_eq!(plan(&half, true, 33), goes_on(Phase::Full));
        assert_eq!(plan(&half, false, 34), over, "half of it is a day old");
        let complete = state(Phase::Delta, Some("c"));
        assert_eq!(plan(&complete, false, 33), goes_on(Phase::Delta));
        assert_eq!(plan(&complete, true, 11), over);
        assert_eq!(plan(&complete, false, 34), over);
        let mut without = state(Phase::Delta, None);
        assert_eq!(plan(&without, false, 11), over);
        without.completed_at = None;
        let ends = (Phase::Delta, 7, None);
        assert_eq!(plan(&without, false, 11), ends, "it is not complete yet");
        assert_eq!(plan(&without, true, 11), over);
        let first = InventoryState::plan(None, false, DAY, at(1));
        assert_eq!((first.phase, first.epoch), (Phase::Full, 1));
    }

    #[test]
    fn starting_over_forgets_what_was_read() {
        let mut last = state(Phase::Full, Some("c"));
        last.epoch = u32::MAX;
        let over = last.restarted(at(20));
        assert_eq!((over.epoch, over.read, over.total), (1, 0, None));
        assert_eq!((over.started_at, over.completed_at), (at(20), None));
    }

    #[test]
    fn a_page_moves_it_on() {
        let page = |cursor: &str, more| InventoryPage {
            upserts: vec![portreeve_domain::Device::default(); 2],
            cursor: cursor.to_owned(),
            more,
            ..InventoryPage::default()
        };
        let full = InventoryState::full(7, at(10));
        let half = full.after(&page("c1", true));
        assert_eq!((half.phase, half.read), (Phase::Full, 2));
        let whole = half.after(&page("", false));
        assert_eq!((whole.phase, whole.read), (Phase::Delta, 4));
        assert_eq!((&whole.cursor, whole.is_to_be_completed()), (&None, true));
        let complete = whole.completed(at(12));
        assert_eq!(complete.completed_at, Some(at(12)));
        let delta = state(Phase::Delta, Some("d1")).after(&page("d2", false));
        assert_eq!((delta.phase, delta.read), (Phase::Delta, 5));
        assert_eq!(delta.completed_at, Some(at(2)), "changes are no full read");
    }
}
