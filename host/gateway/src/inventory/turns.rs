//! Runs that people ask for.

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::SyncError;

/// Who wants a run, and who waits for one. Runs are numbered from 1.
#[derive(Debug)]
pub(super) struct Turns {
    inner: Mutex<Inner>,
    wake: Notify,
    ended: watch::Sender<Ended>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Runs begun.
    number: u64,
    /// Whether the run under way is a full one.
    running: Option<bool>,
    /// Whether the run that is wanted next has to be a full one.
    wanted: Option<bool>,
    closed: bool,
}

#[derive(Clone, Debug)]
struct Ended {
    number: u64,
    outcome: Result<(), SyncError>,
}

/// A run that was asked for.
#[derive(Debug)]
pub struct Ticket {
    number: u64,
    ended: watch::Receiver<Ended>,
}

impl Ticket {
    /// Waits until the run has ended, pauses and retries included.
    pub async fn ended(mut self) -> Result<(), SyncError> {
        let number = self.number;
        match self.ended.wait_for(|ended| ended.number >= number).await {
            Ok(ended) => ended.outcome.clone(),
            Err(_) => Err(SyncError::Stopped),
        }
    }
}

impl Turns {
    pub(super) fn new() -> Self {
        let nothing = Ended {
            number: 0,
            outcome: Ok(()),
        };
        Self {
            inner: Mutex::default(),
            wake: Notify::new(),
            ended: watch::Sender::new(nothing),
        }
    }

    /// Joins the run under way if it does what is wanted, or asks for the next.
    pub(super) fn request(&self, full: bool) -> Ticket {
        let mut inner = self.inner.lock();
        let serves = inner.running.is_some_and(|running| running || !full);
        let number = if serves || inner.closed {
            inner.number
        } else {
            inner.wanted = Some(full || inner.wanted.unwrap_or(false));
            self.wake.notify_one();
            inner.number + 1
        };
        Ticket {
            number,
            ended: self.ended.subscribe(),
        }
    }

    /// Waits until a run is wanted.
    pub(super) async fn wanted(&self) {
        while self.inner.lock().wanted.is_none() {
            self.wake.notified().await;
        }
    }

    /// A run begins. Whether it has to be a full one.
    pub(super) fn begin(&self) -> bool {
        let mut inner = self.inner.lock();
        let full = inner.wanted.take().unwrap_or(false);
        inner.number += 1;
        inner.running = Some(full);
        full
    }

    /// The run under way turned out to be a full one, or not.
    pub(super) fn is_full(&self, full: bool) {
        self.inner.lock().running = Some(full);
    }

    pub(super) fn end(&self, outcome: Result<(), SyncError>) {
        let number = {
            let mut inner = self.inner.lock();
            inner.running = None;
            inner.number
        };
        self.ended.send_replace(Ended { number, outcome });
    }

    /// No run will begin any more: whoever waits is told.
    pub(super) fn close(&self) {
        self.inner.lock().closed = true;
        self.ended.send_replace(Ended {
            number: u64::MAX,
            outcome: Err(SyncError::Stopped),
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn outcome(ticket: Ticket) -> Option<Result<(), SyncError>> {
        ticket.ended().now_or_never()
    }

    #[test]
    fn a_run_serves_who_wants_no_more_than_it_does() {
        let turns = Turns::new();
        let first = turns.request(false);
        assert!(!turns.begin());
        let joins = turns.request(false);
        let next = turns.request(true);
        let next_too = turns.request(true);
        turns.end(Ok(()));
        assert_eq!(outcome(first), Some(Ok(())));
        assert_eq!(outcome(joins), Some(Ok(())));
        assert_eq!(outcome(next_too), None);
        assert!(turns.wanted().now_or_never().is_some());
        assert!(turns.begin(), "it was asked to be full");
        assert!(turns.wanted().now_or_never().is_none());
        let joins = turns.request(true);
        turns.end(Err(SyncError::CursorExpired));
        assert_eq!(outcome(next), Some(Err(SyncError::CursorExpired)));
        assert_eq!(outcome(joins), Some(Err(SyncError::CursorExpired)));
    }

    #[test]
    fn a_run_that_turns_full_serves_all() {
        let turns = Turns::new();
        assert!(!turns.begin());
        turns.is_full(true);
        let joins = turns.request(true);
        turns.end(Ok(()));
        assert_eq!(outcome(joins), Some(Ok(())));
    }

    #[test]
    fn nobody_waits_for_what_does_not_come() {
        let turns = Turns::new();
        let early = turns.request(true);
        turns.close();
        assert_eq!(outcome(early), Some(Err(SyncError::Stopped)));
        let late = turns.request(true);
        assert_eq!(outcome(late), Some(Err(SyncError::Stopped)));
    }
}
