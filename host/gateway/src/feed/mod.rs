//! One ordered stream of what changes: devices, and what would be answered
//! about them.
//!
//! Whoever learns something about a device notes that it was [`Touched`], and
//! goes on. One worker takes the touched devices one after another, decides
//! about them as the pipeline would (from memory, without a connection), and
//! compares that with what it found before. A difference is a [`Change`].
//!
//! A device that is touched twice before the worker comes to it is looked at
//! once. When too many wait the worker looks at all devices instead: a change
//! may come later, it is never lost. Decisions that hold for a time only, and
//! records that become too old, are looked at again when their time comes.

mod change;
mod endpoint;
mod metrics;
mod settings;
mod standings;
mod subscription;
#[cfg(test)]
mod tests;
mod touched;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portreeve_domain::Connection;
use prometheus::Registry;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::change::is_compliant;
pub use self::change::{Change, Standing};
pub use self::settings::FeedSettings;
pub use self::subscription::{Missed, Subscription};
pub(crate) use self::touched::Touched;

use self::metrics::Metrics;
use self::standings::Standings;
use crate::Gateway;

/// The stream and what it is made from.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) touched: Arc<Touched>,
    pub(crate) standings: Arc<Mutex<Standings>>,
    /// Nobody's: what the gateway would answer without one.
    connection: Arc<Connection>,
    /// `None` after the end.
    changes: Mutex<Option<broadcast::Sender<Arc<Change>>>>,
    metrics: Metrics,
    stop: CancellationToken,
    enabled: bool,
}

impl Feed {
    pub(crate) fn new(
        settings: &FeedSettings,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let touched = Arc::new(Touched::new(settings.most_touched));
        let standings = Arc::<Mutex<Standings>>::default();
        let metrics = Metrics::register(registry, Arc::clone(&touched), Arc::clone(&standings))?;
        let (changes, _) = broadcast::channel(settings.ring.max(1));
        Ok(Self {
            touched,
            standings,
            connection: Arc::default(),
            changes: Mutex::new(Some(changes)),
            metrics,
            stop: CancellationToken::new(),
            enabled: settings.enabled,
        })
    }

    /// Whether anybody needs it.
    pub(crate) const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Begins to work, as long as there is a gateway.
    pub(crate) fn start(self: &Arc<Self>, gateway: &Arc<Gateway>, tasks: &TaskTracker) {
        let feed = Arc::clone(self);
        let memory = Arc::clone(&gateway.memory);
        let gateway = Arc::downgrade(gateway);
        let runtime = Handle::current();
        tasks.spawn_blocking(move || worker::work(&gateway, &feed, &memory, &runtime));
    }

    fn subscribe(&self) -> Subscription {
        let changes = self.changes.lock();
        let changes = changes.as_ref().map(broadcast::Sender::subscribe);
        Subscription::new(changes, self.metrics.clone())
    }

    fn publish(&self, change: Change) {
        self.metrics.count(&change);
        if let Some(changes) = &*self.changes.lock() {
            // Nobody may be listening.
            let _ = changes.send(Arc::new(change));
        }
    }

    /// Waits until everything that was learnt before now is in the standings,
    /// at most for `patience`. Whether it is.
    pub(crate) async fn catch_up(&self, patience: Duration) -> bool {
        let noted = self.touched.noted();
        let mut worked = self.touched.worked();
        let caught_up = worked.wait_for(|worked| *worked >= noted);
        matches!(tokio::time::timeout(patience, caught_up).await, Ok(Ok(_)))
    }

    /// Ends the stream: subscribers get what was published, then the end.
    pub(crate) fn end(&self) {
        self.stop.cancel();
        self.changes.lock().take();
    }
}

impl Gateway {
    /// Joins the stream of changes, from now on. Nothing comes if the settings
    /// say that nobody needs it ([`FeedSettings::enabled`]).
    pub fn subscribe(&self) -> Subscription {
        self.feed.subscribe()
    }
}
