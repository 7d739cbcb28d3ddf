//! What publish-subscribe counts.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::ending::Ending;

/// The handles; cloning shares them.
#[derive(Clone, Debug)]
pub(super) struct PubsubMetrics {
    /// Connections that are open.
    pub(super) connections: IntGauge,
    /// Subscriptions of them.
    pub(super) subscriptions: IntGauge,
    /// Messages that were published.
    pub(super) published: IntCounter,
    /// Messages that were queued for a subscriber.
    pub(super) delivered: IntCounter,
    ended: IntCounterVec,
}

impl PubsubMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let ended = Opts::new(
            "portreeve_pxgrid_connections_ended_total",
            "Connections for publish-subscribe that ended, by the reason.",
        );
        let metrics = Self {
            connections: IntGauge::new(
                "portreeve_pxgrid_connections",
                "Connections for publish-subscribe that are open.",
            )?,
            subscriptions: IntGauge::new(
                "portreeve_pxgrid_subscriptions",
                "Subscriptions to topics.",
            )?,
            published: IntCounter::new(
                "portreeve_pxgrid_published_total",
                "Messages that were published to topics.",
            )?,
            delivered: IntCounter::new(
                "portreeve_pxgrid_delivered_total",
                "Messages queued for subscribers, each counted once for each of them.",
            )?,
            ended: IntCounterVec::new(ended, &["reason"])?,
        };
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.subscriptions.clone()))?;
        registry.register(Box::new(metrics.published.clone()))?;
        registry.register(Box::new(metrics.delivered.clone()))?;
        registry.register(Box::new(metrics.ended.clone()))?;
        for word in Ending::WORDS {
            metrics.ended.with_label_values(&[word]);
        }
        Ok(metrics)
    }

    pub(super) fn count(&self, ending: &Ending) {
        self.ended.with_label_values(&[ending.as_str()]).inc();
    }
}
