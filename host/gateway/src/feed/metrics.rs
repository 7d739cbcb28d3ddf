//! What the stream counts.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::standings::Standings;
use super::{Change, Touched};

#[derive(Clone, Debug)]
pub(super) struct Metrics {
    changes: IntCounterVec,
    pub(super) subscribers: IntGauge,
    pub(super) missed: IntCounter,
}

impl Metrics {
    pub(super) fn register(
        registry: &Registry,
        touched: Arc<Touched>,
        standings: Arc<Mutex<Standings>>,
    ) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            changes: IntCounterVec::new(
                Opts::new(
                    "portreeve_feed_changes_total",
                    "Changes told, by what changed: the answer, or facts only.",
                ),
                &["kind"],
            )?,
            subscribers: IntGauge::new("portreeve_feed_subscribers", "Who is told about changes.")?,
            missed: IntCounter::new(
                "portreeve_feed_missed_total",
                "Changes that subscribers were too slow for.",
            )?,
        };
        for kind in ["verdict", "facts"] {
            metrics.changes.with_label_values(&[kind]);
        }
        registry.register(Box::new(metrics.changes.clone()))?;
        registry.register(Box::new(metrics.subscribers.clone()))?;
        registry.register(Box::new(metrics.missed.clone()))?;
        registry.register(Box::new(Figures::new(touched, standings)?))?;
        Ok(metrics)
    }

    pub(super) fn count(&self, change: &Change) {
        let kind = if change.alters_verdict() {
            "verdict"
        } else {
            "facts"
        };
        self.changes.with_label_values(&[kind]).inc();
    }
}

/// How far the stream is behind, read when somebody asks.
#[derive(Debug)]
struct Figures {
    touched: Arc<Touched>,
    standings: Arc<Mutex<Standings>>,
    endpoints: IntGauge,
    waiting: IntGauge,
    lag: Gauge,
}

impl Figures {
    fn new(
        touched: Arc<Touched>,
        standings: Arc<Mutex<Standings>>,
    ) -> Result<Self, prometheus::Error> {
        Ok(Self {
            touched,
            standings,
            endpoints: IntGauge::new(
                "portreeve_feed_endpoints",
                "Endpoints whose verdict is kept up to date.",
            )?,
            waiting: IntGauge::new(
                "portreeve_feed_waiting",
                "Devices that wait to be looked at for changes.",
            )?,
            lag: Gauge::new(
                "portreeve_feed_lag_seconds",
                "How long the first of them has waited.",
            )?,
        })
    }
}

impl Collector for Figures {
    fn desc(&self) -> Vec<&Desc> {
        let gauges: [&dyn Collector; 3] = [&self.endpoints, &self.waiting, &self.lag];
        gauges.into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (waiting, lag) = self.touched.backlog();
        let endpoints = self.standings.lock().len();
        self.endpoints
            .set(i64::try_from(endpoints).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.lag.set(lag.as_secs_f64());
        let gauges: [&dyn Collector; 3] = [&self.endpoints, &self.waiting, &self.lag];
        gauges.into_iter().flat_map(Collector::collect).collect()
    }
}
