//! One listener's place in the stream.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Change;
use super::metrics::Metrics;

/// Changes from the moment of [`Gateway::subscribe`](crate::Gateway::subscribe)
/// on, in order, each once.
#[derive(Debug)]
pub struct Subscription {
    changes: Option<Receiver<Arc<Change>>>,
    metrics: Metrics,
}

/// The subscriber was too slow for so many changes, and will not get them. The
/// next one follows; what he knows has to be read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} changes were missed")]
pub struct Missed(pub u64);

impl Subscription {
    pub(super) fn new(changes: Option<Receiver<Arc<Change>>>, metrics: Metrics) -> Self {
        metrics.subscribers.inc();
        Self { changes, metrics }
    }

    /// The next change, `None` at the end. May be dropped while it waits; no
    /// change is lost by that.
    pub async fn next(&mut self) -> Option<Result<Arc<Change>, Missed>> {
        match self.changes.as_mut()?.recv().await {
            Ok(change) => Some(Ok(change)),
            Err(RecvError::Lagged(missed)) => {
                self.metrics.missed.inc_by(missed);
                Some(Err(Missed(missed)))
            }
            Err(RecvError::Closed) => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.metrics.subscribers.dec();
    }
}
