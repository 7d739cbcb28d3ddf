//! Keeping each source's picture complete.
//!
//! A question nearly always ends in memory because this engine reads every
//! source as a whole, beside the questions: in full at first and every
//! [`full_interval`], and what changed every [`interval`]. One task per source
//! does it, one run at a time.
//!
//! Every page is applied at once, for its facts are newer than what is there,
//! and is durable together with the [`InventoryState`]: a run that is cut off
//! goes on after the last page that is durable. A device leaves the
//! [`Picture`] when the source says so, or when a full read is complete and has
//! not seen it; never by a read that is half done.
//!
//! It knows neither the cache nor the store: the [`Picture`] is where pages go.
//!
//! [`interval`]: InventorySettings::interval
//! [`full_interval`]: InventorySettings::full_interval

mod error;
mod headway;
mod metrics;
mod pause;
mod picture;
mod progress;
mod read;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod turns;
mod worker;

use std::sync::Arc;

use parking_lot::Mutex;
use portreeve_domain::Timestamp;
use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::error::{RequestError, SyncError};
pub use self::picture::{Change, Picture, PictureError};
pub use self::progress::{Activity, Failure, Progress};
pub use self::settings::InventorySettings;
pub use self::state::{InventoryState, Phase};
pub use self::turns::Ticket;

use self::metrics::Metrics;
use self::progress::Reporter;
use self::turns::Turns;
use self::worker::Worker;
use crate::Source;

/// One source, and where its pages go.
#[derive(Clone, Debug)]
pub struct InventorySource {
    /// Name of the connector instance.
    pub name: Arc<str>,
    /// How to read it.
    pub source: Arc<dyn Source>,
    /// Where its pages go.
    pub picture: Arc<dyn Picture>,
    /// When and how it is read.
    pub settings: InventorySettings,
    /// Whether the operator has the source asked at all.
    pub switched_on: bool,
}

impl InventorySource {
    /// Whether a worker of the other one can go on with this one.
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.source, &other.source)
            && self.settings == other.settings
            && self.switched_on == other.switched_on
    }

    fn check(&self) -> Result<(), RequestError> {
        let name = || Arc::clone(&self.name);
        if !self.settings.enabled {
            return Err(RequestError::Disabled(name()));
        }
        if !self.source.has_inventory() {
            return Err(RequestError::NoInventory(name()));
        }
        if !self.switched_on {
            return Err(RequestError::SwitchedOff(name()));
        }
        Ok(())
    }
}

/// The inventories of all sources.
#[derive(Debug)]
pub struct Inventory {
    /// In the operator's order.
    sources: Mutex<Vec<Kept>>,
    metrics: Metrics,
    tasks: TaskTracker,
    stop: CancellationToken,
    clock: fn() -> Timestamp,
}

#[derive(Debug)]
struct Kept {
    source: InventorySource,
    worker: Result<Arc<Worker>, RequestError>,
    /// Is set once the last worker of this source has ended. Two at once would
    /// not agree about how far it is read.
    ended: watch::Receiver<bool>,
}

impl Inventory {
    /// Starts reading, on the current tokio runtime. Sources without an
    /// inventory, or whose is switched off, are left alone.
    ///
    /// # Errors
    ///
    /// When `registry` has metrics of the same names already.
    pub fn start(
        sources: Vec<InventorySource>,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        Self::with_clock(sources, registry, Timestamp::now)
    }

    fn with_clock(
        sources: Vec<InventorySource>,
        registry: &Registry,
        clock: fn() -> Timestamp,
    ) -> Result<Self, prometheus::Error> {
        let inventory = Self {
            sources: Mutex::default(),
            metrics: Metrics::register(registry)?,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            clock,
        };
        inventory.replace(sources);
        Ok(inventory)
    }

    /// Reads other sources from now on, or the same ones otherwise. A source
    /// that stays as it is goes on; another one begins where the last page of
    /// it was kept.
    pub fn replace(&self, sources: Vec<InventorySource>) {
        let mut kept = self.sources.lock();
        let mut before = std::mem::take(&mut *kept);
        for source in sources {
            let same = before.iter().position(|it| it.source.name == source.name);
            let before = same.map(|place| before.swap_remove(place));
            kept.push(match before {
                Some(before) if before.source.is_same(&source) => before,
                before => self.begin(source, before),
            });
        }
        for gone in &before {
            gone.stop();
        }
    }

    /// Has one source read, or no more. Whether there is one of that name.
    pub fn switch(&self, name: &str, on: bool) -> bool {
        let mut sources = self.sources.lock();
        let Some(place) = sources.iter().position(|kept| *kept.source.name == *name) else {
            return false;
        };
        if sources
            .get(place)
            .is_some_and(|it| it.source.switched_on != on)
        {
            let before = sources.remove(place);
            let source = InventorySource {
                switched_on: on,
                ..before.source.clone()
            };
            let kept = self.begin(source, Some(before));
            sources.insert(place, kept);
        }
        true
    }

    fn begin(&self, source: InventorySource, before: Option<Kept>) -> Kept {
        let before = before.map(|before| {
            before.stop();
            before.ended
        });
        if let Err(error) = source.check() {
            let ended = before.unwrap_or_else(|| watch::channel(true).1);
            return Kept {
                source,
                worker: Err(error),
                ended,
            };
        }
        let reporter = Reporter::new(Arc::clone(&source.name), self.metrics.of(&source.name));
        let worker = Arc::new(Worker {
            source: Arc::clone(&source.source),
            picture: Arc::clone(&source.picture),
            settings: source.settings.clone().bounded(),
            reporter,
            turns: Turns::new(),
            stop: self.stop.child_token(),
            clock: self.clock,
        });
        let (end, ended) = watch::channel(false);
        let serving = Arc::clone(&worker);
        self.tasks.spawn(async move {
            if let Some(mut before) = before {
                // It has ended, too, if it cannot tell any more.
                let _ = before.wait_for(|ended| *ended).await;
            }
            serving.serve().await;
            end.send_replace(true);
        });
        Kept {
            source,
            worker: Ok(worker),
            ended,
        }
    }

    /// Asks for a run of one source's inventory, now: a full one, or whatever
    /// brings the picture up to date. Joins the run under way if that does it.
    ///
    /// A run that waits because its source asked to slow down goes on waiting.
    pub fn request_sync(&self, name: &str, full: bool) -> Result<Ticket, RequestError> {
        Ok(self.worker(name)?.turns.request(full))
    }

    /// How far one source's inventory is, to be watched.
    pub fn progress(&self, name: &str) -> Result<watch::Receiver<Progress>, RequestError> {
        Ok(self.worker(name)?.reporter.watch())
    }

    /// How far one source's inventory is, and how it is read.
    pub(crate) fn standing(
        &self,
        name: &str,
    ) -> Result<(Progress, InventorySettings), RequestError> {
        let worker = self.worker(name)?;
        let progress = worker.reporter.watch().borrow().clone();
        Ok((progress, worker.settings.clone()))
    }

    /// How far every inventory is, in the operator's order. `None` for sources
    /// that have none, or whose is switched off.
    pub fn status(&self) -> Vec<(Arc<str>, Option<Progress>)> {
        let sources = self.sources.lock();
        let status = sources.iter().map(|kept| {
            let worker = kept.worker.as_ref().ok();
            let progress = worker.map(|worker| worker.reporter.watch().borrow().clone());
            (Arc::clone(&kept.source.name), progress)
        });
        status.collect()
    }

    /// Stops reading and waits for the pages that are being kept. To be called
    /// before the store is closed.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn worker(&self, name: &str) -> Result<Arc<Worker>, RequestError> {
        let sources = self.sources.lock();
        let kept = sources.iter().find(|kept| *kept.source.name == *name);
        let kept = kept.ok_or_else(|| RequestError::NoSource(name.into()))?;
        kept.worker.clone()
    }
}

impl Kept {
    fn stop(&self) {
        if let Ok(worker) = &self.worker {
            worker.stop.cancel();
        }
    }
}

impl Drop for Inventory {
    fn drop(&mut self) {
        // Whoever does not wait for the tasks shall not keep them either.
        self.stop.cancel();
    }
}
