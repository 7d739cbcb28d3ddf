//! What inventories count.

use portreeve_domain::Timestamp;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::SyncError;
use super::progress::Counts;

#[derive(Clone, Debug)]
pub(super) struct Metrics {
    devices_read: IntCounterVec,
    removals: IntCounterVec,
    unusable: IntCounterVec,
    pages: IntCounterVec,
    runs: IntCounterVec,
    failures: IntCounterVec,
    last_success: IntGaugeVec,
    devices: IntGaugeVec,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &["source"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(Self {
            devices_read: counter(
                "portreeve_inventory_devices_total",
                "Devices read from inventories, the same one each time it comes.",
                &["source"],
            )?,
            removals: counter(
                "portreeve_inventory_removals_total",
                "Devices that inventories said are gone.",
                &["source"],
            )?,
            unusable: counter(
                "portreeve_inventory_unusable_total",
                "Records of inventories that were left out because they are unusable.",
                &["source"],
            )?,
            pages: counter(
                "portreeve_inventory_pages_total",
                "Pages of inventories that were read and kept.",
                &["source"],
            )?,
            runs: counter(
                "portreeve_inventory_runs_total",
                "Runs of inventories by how they ended.",
                &["source", "outcome"],
            )?,
            failures: counter(
                "portreeve_inventory_failures_total",
                "Failed attempts to read inventories, those that a run survived too.",
                &["source", "kind"],
            )?,
            last_success: gauge(
                "portreeve_inventory_last_success_timestamp_seconds",
                "When a run of the inventory was last complete.",
            )?,
            devices: gauge("portreeve_inventory_devices", "Devices kept of a source.")?,
        })
    }

    pub(super) fn of(&self, source: &str) -> SourceMetrics {
        SourceMetrics {
            source: source.to_owned(),
            devices_read: self.devices_read.with_label_values(&[source]),
            removals: self.removals.with_label_values(&[source]),
            unusable: self.unusable.with_label_values(&[source]),
            pages: self.pages.with_label_values(&[source]),
            runs: self.runs.clone(),
            failures: self.failures.clone(),
            last_success: self.last_success.with_label_values(&[source]),
            devices: self.devices.with_label_values(&[source]),
        }
    }
}

/// Those of one source.
#[derive(Debug)]
pub(super) struct SourceMetrics {
    source: String,
    devices_read: IntCounter,
    removals: IntCounter,
    unusable: IntCounter,
    pages: IntCounter,
    runs: IntCounterVec,
    failures: IntCounterVec,
    last_success: IntGauge,
    devices: IntGauge,
}

impl SourceMetrics {
    pub(super) fn page(&self, counts: Counts, devices: Option<u64>) {
        self.pages.inc();
        self.devices_read.inc_by(counts.upserts);
        self.removals.inc_by(counts.removals);
        self.unusable.inc_by(counts.unusable);
        self.devices(devices);
    }

    pub(super) fn devices(&self, devices: Option<u64>) {
        if let Some(devices) = devices {
            self.devices.set(i64::try_from(devices).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn failed(&self, error: &SyncError) {
        let labels = [self.source.as_str(), error.as_str()];
        self.failures.with_label_values(&labels).inc();
    }

    pub(super) fn run(&self, outcome: Result<(), &SyncError>, now: Timestamp) {
        let word = outcome.map_or_else(SyncError::as_str, |()| "completed");
        let labels = [self.source.as_str(), word];
        self.runs.with_label_values(&labels).inc();
        if outcome.is_ok() {
            let seconds = i64::try_from(now.as_millis() / 1000).unwrap_or(i64::MAX);
            self.last_success.set(seconds);
        }
    }
}
