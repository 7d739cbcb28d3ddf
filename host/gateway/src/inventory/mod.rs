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
#[derive(Debug)]
pub struct InventorySource {
    /// Name of the connector instance.
    pub name: Arc<str>,
    /// How to read it.
    pub source: Arc<dyn Source>,
    /// Where its pages go.
    pub picture: Arc<dyn Picture>,
    /// When and how it is read.
    pub settings: InventorySettings,
}

/// The inventories of all sources.
#[derive(Debug)]
pub struct Inventory {
    sources: Vec<Kept>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Kept {
    name: Arc<str>,
    worker: Result<Arc<Worker>, RequestError>,
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
        let metrics = Metrics::register(registry)?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let start = |source: InventorySource| {
            let name = source.name;
            let worker = if !source.settings.enabled {
                Err(RequestError::Disabled(Arc::clone(&name)))
            } else if !source.source.has_inventory() {
                Err(RequestError::NoInventory(Arc::clone(&name)))
            } else {
                let worker = Arc::new(Worker {
                    source: source.source,
                    picture: source.picture,
                    settings: source.settings.bounded(),
                    reporter: Reporter::new(Arc::clone(&name), metrics.of(&name)),
                    turns: Turns::new(),
                    stop: stop.clone(),
                    clock,
                });
                let serving = Arc::clone(&worker);
                tasks.spawn(async move { serving.serve().await });
                Ok(worker)
            };
            Kept { name, worker }
        };
        let sources = sources.into_iter().map(start).collect();
        tasks.close();
        Ok(Self {
            sources,
            tasks,
            stop,
        })
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
    ) -> Result<(Progress, &InventorySettings), RequestError> {
        let worker = self.worker(name)?;
        let progress = worker.reporter.watch().borrow().clone();
        Ok((progress, &worker.settings))
    }

    /// How far every inventory is, in the operator's order. `None` for sources
    /// that have none, or whose is switched off.
    pub fn status(&self) -> Vec<(Arc<str>, Option<Progress>)> {
        let status = self.sources.iter().map(|kept| {
            let worker = kept.worker.as_ref().ok();
            let progress = worker.map(|worker| worker.reporter.watch().borrow().clone());
            (Arc::clone(&kept.name), progress)
        });
        status.collect()
    }

    /// Stops reading and waits for the pages that are being kept. To be called
    /// before the store is closed.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }

    fn worker(&self, name: &str) -> Result<&Arc<Worker>, RequestError> {
        let kept = self.sources.iter().find(|kept| *kept.name == *name);
        let kept = kept.ok_or_else(|| RequestError::NoSource(name.into()))?;
        kept.worker.as_ref().map_err(Clone::clone)
    }
}

impl Drop for Inventory {
    fn drop(&mut self) {
        // Whoever does not wait for the tasks shall not keep them either.
        self.stop.cancel();
    }
}
