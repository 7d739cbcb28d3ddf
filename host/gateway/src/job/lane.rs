//! The work at one source: what is due, how much of it at once, when to pause.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::Timestamp;

/// Calls to one source at once; connectors have as many places for actions.
const WIDTH: usize = 4;
/// The first pause when a source does not say how long; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause of our own. A source may ask for more.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// The longest that a source is left alone, whatever it says.
const LONGEST_WISH: Duration = Duration::from_hours(1);

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Task {
    pub(super) due: Timestamp,
    pub(super) job: Arc<str>,
    pub(super) place: usize,
}

/// What is due at one source.
#[derive(Debug, Default)]
pub(super) struct Lane {
    sends: BTreeSet<Task>,
    looks: BTreeSet<Task>,
    under_way: usize,
    resume_at: Option<Timestamp>,
    pauses: u32,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Hand an action over.
    Send(Task),
    /// Ask what became of one.
    Look(Task),
    /// Nothing until then.
    Wait(Option<Timestamp>),
}

impl Lane {
    pub(super) fn send(&mut self, task: Task) {
        self.sends.insert(task);
    }

    pub(super) fn look(&mut self, task: Task) {
        self.looks.insert(task);
    }

    /// What is to be done now. Handing over comes before asking.
    pub(super) fn next(&mut self, now: Timestamp) -> Next {
        if self.under_way >= WIDTH {
            return Next::Wait(None);
        }
        if let Some(resume_at) = self.resume_at {
            if resume_at > now {
                let is_idle = self.sends.is_empty() && self.looks.is_empty();
                return Next::Wait((!is_idle).then_some(resume_at));
            }
            self.resume_at = None;
        }
        let due = |task: Option<&Task>| task.is_some_and(|task| task.due <= now);
        if due(self.sends.first())
            && let Some(task) = self.sends.pop_first()
        {
            self.under_way += 1;
            return Next::Send(task);
        }
        if due(self.looks.first())
            && let Some(task) = self.looks.pop_first()
        {
            self.under_way += 1;
            return Next::Look(task);
        }
        let first = |tasks: &BTreeSet<Task>| tasks.first().map(|task| task.due);
        let both = first(&self.sends).into_iter().chain(first(&self.looks));
        Next::Wait(both.min())
    }

    /// A call is over.
    pub(super) fn over(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// The source answered as it should.
    pub(super) const fn answered(&mut self) {
        self.pauses = 0;
    }

    /// The source wants to be left alone, perhaps for a stated time.
    pub(super) fn pause(&mut self, wish: Option<Duration>, now: Timestamp) {
        let own = backoff(self.pauses);
        self.pauses = self.pauses.saturating_add(1);
        let pause = wish.unwrap_or(own).min(LONGEST_WISH);
        let until = now.plus(pause);
        self.resume_at = Some(self.resume_at.map_or(until, |at| at.max(until)));
    }
}

/// How long to wait before a call is tried again.
pub(super) fn backoff(tries: u32) -> Duration {
    let factor = 1_u32 << tries.min(8);
    FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1000)
    }

    fn task(place: usize, due: u64) -> Task {
        Task {
            due: at(due),
            job: "j".into(),
            place,
        }
    }

    #[test]
    fn so_much_at_once_and_handing_over_first() {
        let mut lane = Lane::default();
        lane.look(task(9, 0));
        for place in 0..WIDTH {
            lane.send(task(place, 0));
        }
        for place in 0..WIDTH {
            assert_eq!(lane.next(at(0)), Next::Send(task(place, 0)));
        }
        assert_eq!(lane.next(at(0)), Next::Wait(None));
        lane.over();
        assert_eq!(lane.next(at(0)), Next::Look(task(9, 0)));
        lane.over();
        lane.look(task(1, 5));
        assert_eq!(lane.next(at(4)), Next::Wait(Some(at(5))));
        assert_eq!(lane.next(at(5)), Next::Look(task(1, 5)));
    }

    #[test]
    fn pauses_are_kept() {
        let mut lane = Lane::default();
        lane.pause(Some(Duration::from_secs(10)), at(0));
        assert_eq!(lane.next(at(0)), Next::Wait(None));
        lane.send(task(0, 0));
        // A shorter wish does not end a longer pause.
        lane.pause(Some(Duration::from_secs(3)), at(0));
        assert_eq!(lane.next(at(4)), Next::Wait(Some(at(10))));
        assert_eq!(lane.next(at(10)), Next::Send(task(0, 0)));
        // Without a word the pause doubles, up to a minute.
        lane.answered();
        for expected in [2, 4, 8, 16, 32, 60, 60] {
            lane.resume_at = None;
            lane.pause(None, at(0));
            assert_eq!(lane.resume_at, Some(at(expected)));
        }
    }
}
