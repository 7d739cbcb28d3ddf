//! How far an inventory is, for people to watch.

use std::sync::Arc;

use parking_lot::Mutex;
use portreeve_domain::Timestamp;
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

use super::metrics::SourceMetrics;
use super::{InventoryState, Phase, SyncError};
use crate::InventoryPage;

/// What is being done about a source's inventory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activity {
    /// The next run is waited for.
    #[default]
    Scheduled,
    /// Pages are read.
    Reading,
    /// A run waits before it goes on: the source asked to slow down, or failed.
    Paused,
    /// Nothing more: the gateway shuts down.
    Stopped,
}

impl Activity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Reading => "reading",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

/// How far a source's inventory is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// What is being done.
    pub activity: Activity,
    /// What the run under way does, or the last one did. `None` before the
    /// first.
    pub phase: Option<Phase>,
    /// Runs begun since the start.
    pub runs: u64,
    /// Devices read: of a full read all of them, before an interruption too;
    /// otherwise the changes of this run.
    pub read: u64,
    /// How many devices there are in all, as the source estimates. Says nothing
    /// about a run that reads changes.
    pub total: Option<u64>,
    /// Pages of this run.
    pub pages: u64,
    /// Devices in a second in this run, its pauses left out.
    pub devices_per_second: f64,
    /// When the run under way, or the last one, began.
    pub started_at: Option<Timestamp>,
    /// When a run was last complete, since the start.
    pub succeeded_at: Option<Timestamp>,
    /// When the run after that is due.
    pub due_at: Option<Timestamp>,
    /// When a full read was last complete, before the start too.
    pub completed_at: Option<Timestamp>,
    /// Devices that the last complete full read did not see any more.
    pub removed: u64,
    /// The last failure, until a run is complete.
    pub last_error: Option<Failure>,
    /// When the next run begins, or a paused one goes on.
    pub resumes_at: Option<Timestamp>,
}

/// A failure as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub error: SyncError,
}

/// Tells whoever watches: people through [`Progress`], and metrics.
#[derive(Debug)]
pub(super) struct Reporter {
    name: Arc<str>,
    progress: watch::Sender<Progress>,
    metrics: SourceMetrics,
    /// Since when pages of this run are read, and how many devices came.
    pace: Mutex<(Instant, u64)>,
}

impl Reporter {
    pub(super) fn new(name: Arc<str>, metrics: SourceMetrics) -> Self {
        Self {
            name,
            progress: watch::Sender::default(),
            metrics,
            pace: Mutex::new((Instant::now(), 0)),
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn scheduled(&self, at: Timestamp) {
        self.progress.send_modify(|progress| {
            progress.activity = Activity::Scheduled;
            progress.resumes_at = Some(at);
        });
    }

    /// A run was complete; the next one is due then.
    pub(super) fn due(&self, at: Timestamp) {
        self.progress
            .send_modify(|progress| progress.due_at = Some(at));
    }

    pub(super) fn stopped(&self) {
        self.progress.send_modify(|progress| {
            progress.activity = Activity::Stopped;
            progress.resumes_at = None;
        });
    }

    pub(super) fn loaded(&self, state: Option<&InventoryState>, devices: Option<u64>) {
        self.metrics.devices(devices);
        let Some(state) = state else { return };
        self.progress
            .send_modify(|progress| progress.completed_at = state.completed_at);
    }

    /// A run begins, at `state`.
    pub(super) fn begins(&self, state: &InventoryState, now: Timestamp) {
        *self.pace.lock() = (Instant::now(), 0);
        self.progress.send_modify(|progress| {
            progress.runs += 1;
            progress.started_at = Some(now);
            progress.pages = 0;
            progress.devices_per_second = 0.0;
        });
        self.reads(state);
        tracing::debug!(
            source = &*self.name,
            full = state.phase == Phase::Full,
            resumed = state.phase == Phase::Full && state.cursor.is_some(),
            "inventory begins"
        );
    }

    /// Pages are read from `state` on.
    pub(super) fn reads(&self, state: &InventoryState) {
        let is_full = state.phase == Phase::Full;
        self.progress.send_modify(|progress| {
            progress.activity = Activity::Reading;
            progress.resumes_at = None;
            if is_full {
                progress.read = state.read;
            } else if progress.pages == 0 {
                progress.read = 0;
            }
            progress.phase = Some(state.phase);
            progress.total = state.total;
        });
    }

    /// A page is durable.
    pub(super) fn applied(&self, counts: Counts, state: &InventoryState, devices: Option<u64>) {
        self.metrics.page(counts, devices);
        let devices_per_second = {
            let mut pace = self.pace.lock();
            pace.1 += counts.upserts;
            rate(pace.1, pace.0.elapsed())
        };
        self.progress.send_modify(|progress| {
            progress.pages += 1;
            progress.read += counts.upserts;
            progress.total = state.total;
            progress.devices_per_second = devices_per_second;
        });
    }

    /// An attempt failed.
    pub(super) fn failed(&self, error: &SyncError, at: Timestamp) {
        tracing::warn!(
            source = &*self.name,
            kind = error.as_str(),
            error = %error,
            "inventory failed"
        );
        self.metrics.failed(error);
        self.progress.send_modify(|progress| {
            let error = error.clone();
            progress.last_error = Some(Failure { at, error });
        });
    }

    /// A run waits before it goes on.
    pub(super) fn paused(&self, pause: Duration, until: Timestamp) {
        self.pace.lock().0 += pause;
        self.progress.send_modify(|progress| {
            progress.activity = Activity::Paused;
            progress.resumes_at = Some(until);
        });
    }

    /// A full read is complete.
    pub(super) fn completed(&self, state: &InventoryState, removed: u64, devices: Option<u64>) {
        self.metrics.devices(devices);
        self.progress.send_modify(|progress| {
            progress.completed_at = state.completed_at;
            progress.removed = removed;
        });
    }

    /// A run ended.
    pub(super) fn ended(&self, outcome: Result<(), &SyncError>, now: Timestamp) {
        self.metrics.run(outcome, now);
        if outcome.is_err() {
            return;
        }
        self.progress.send_modify(|progress| {
            progress.succeeded_at = Some(now);
            progress.last_error = None;
        });
        let progress = self.progress.borrow();
        tracing::info!(
            source = &*self.name,
            full = progress.phase == Some(Phase::Full),
            read = progress.read,
            removed = progress.removed,
            devices_per_second = progress.devices_per_second.round(),
            "inventory is complete"
        );
    }
}

/// What was on one page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) upserts: u64,
    pub(super) removals: u64,
    pub(super) unusable: u64,
}

impl Counts {
    pub(super) const fn of(page: &InventoryPage) -> Self {
        Self {
            upserts: page.upserts.len() as u64,
            removals: page.removals.len() as u64,
            unusable: page.unusable,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate for people; 2^53 devices are never counted"
)]
fn rate(devices: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 {
        devices as f64 / seconds
    } else {
        0.0
    }
}
