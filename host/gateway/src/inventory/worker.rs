//! The task that keeps one source's picture complete.

use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::progress::Reporter;
use super::read::Reader;
use super::turns::Turns;
use super::{InventorySettings, InventoryState, Phase, Picture, SyncError, pause};
use crate::Source;

/// Failures in a row, without a page between, that one run survives. After
/// that it counts as failed and the next one goes on.
const ATTEMPTS: u32 = 3;

/// Keeps one source's picture complete.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) source: Arc<dyn Source>,
    pub(super) picture: Arc<dyn Picture>,
    pub(super) settings: InventorySettings,
    pub(super) reporter: Reporter,
    pub(super) turns: Turns,
    pub(super) stop: CancellationToken,
    pub(super) clock: fn() -> Timestamp,
}

/// What the worker knows between two runs.
#[derive(Debug, Default)]
struct Memory {
    /// Whether `state` was loaded.
    is_loaded: bool,
    /// Where the last run got to. `None`: nothing was ever read.
    state: Option<InventoryState>,
    /// Failures in a row, without a page between.
    failures: u32,
}

/// Tells whoever waits, however the worker ends.
struct Closing<'a>(&'a Worker);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.turns.close();
        self.0.reporter.stopped();
    }
}

impl Worker {
    /// Works until it is stopped. Dropping the future is as safe as a crash.
    pub(super) async fn serve(&self) {
        let _closing = Closing(self);
        let mut memory = Memory::default();
        // What is known from before is shown before the first run, which loads
        // it again should this fail.
        let _ = self.load(&mut memory).await;
        let mut pause = self.jittered(Duration::ZERO);
        loop {
            self.reporter.scheduled((self.clock)().plus(pause));
            let due = sleep_until(Instant::now() + pause);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.turns.wanted() => {}
                () = due => {}
            }
            let outcome = self.run(&mut memory).await;
            let now = (self.clock)();
            self.reporter.ended(outcome.as_ref().copied(), now);
            pause = match &outcome {
                Ok(()) => {
                    let pause = self.jittered(self.regular_pause(memory.state.as_ref(), now));
                    self.reporter.due(now.plus(pause));
                    pause
                }
                Err(error) => pause::after(memory.failures, error, pause::roll()),
            };
            self.turns.end(outcome);
        }
    }

    fn jittered(&self, pause: Duration) -> Duration {
        pause::spread(pause, self.settings.jitter, pause::roll())
    }

    /// Until the next run, after one that was complete.
    fn regular_pause(&self, state: Option<&InventoryState>, now: Timestamp) -> Duration {
        let InventorySettings {
            interval,
            full_interval,
            ..
        } = self.settings;
        match state {
            // The source cannot tell changes: the next run is a full one.
            Some(state) if state.cursor.is_none() => {
                let due = full_interval.saturating_sub(now.since(state.started_at));
                due.max(interval)
            }
            _ => interval,
        }
    }

    async fn load(&self, memory: &mut Memory) -> Result<(), SyncError> {
        if !memory.is_loaded {
            memory.state = self.picture.load_state().await?;
            memory.is_loaded = true;
            let devices = self.picture.devices();
            self.reporter.loaded(memory.state.as_ref(), devices);
        }
        Ok(())
    }

    /// One run: until everything is read, or until it is no use any more.
    async fn run(&self, memory: &mut Memory) -> Result<(), SyncError> {
        let full_wanted = self.turns.begin();
        if let Err(error) = self.load(memory).await {
            memory.failures = memory.failures.saturating_add(1);
            self.reporter.failed(&error, (self.clock)());
            return Err(error);
        }
        let now = (self.clock)();
        let last = memory.state.as_ref();
        let mut state = InventoryState::plan(last, full_wanted, self.settings.full_interval, now);
        self.turns.is_full(state.phase == Phase::Full);
        self.reporter.begins(&state, now);
        let outcome = self.read_all(&mut state, &mut memory.failures).await;
        memory.state = Some(state);
        outcome
    }

    async fn read_all(
        &self,
        state: &mut InventoryState,
        failures: &mut u32,
    ) -> Result<(), SyncError> {
        let reader = Reader {
            source: &*self.source,
            picture: &*self.picture,
            settings: &self.settings,
            reporter: &self.reporter,
            stop: &self.stop,
            clock: self.clock,
        };
        let mut attempts = 0;
        let mut has_expired = false;
        loop {
            let before = state.clone();
            let outcome = reader.read(state).await;
            if *state != before {
                attempts = 0;
                *failures = 0;
            }
            let Err(error) = outcome else {
                *failures = 0;
                return Ok(());
            };
            match &error {
                SyncError::Stopped => return Err(error),
                SyncError::CursorExpired | SyncError::Stalled(_) => {
                    *state = state.restarted((self.clock)());
                    self.turns.is_full(true);
                }
                _ => {}
            }
            if matches!(error, SyncError::CursorExpired) && !has_expired {
                // To be expected after a long pause. The old picture stays.
                has_expired = true;
                self.reporter.reads(state);
                continue;
            }
            let now = (self.clock)();
            self.reporter.failed(&error, now);
            attempts += 1;
            *failures = failures.saturating_add(1);
            let goes_on = error.is_rate_limit() || (!error.lasts() && attempts < ATTEMPTS);
            if !goes_on {
                return Err(error);
            }
            let pause = pause::after(*failures, &error, pause::roll());
            self.reporter.paused(pause, now.plus(pause));
            if self.stop.run_until_cancelled(sleep(pause)).await.is_none() {
                return Err(SyncError::Stopped);
            }
            self.reporter.reads(state);
        }
    }
}
