//! What the store and the decision log count, read when somebody asks.

use std::collections::HashMap;
use std::sync::Arc;

use portreeve_store::Status;
use portreeve_store::decisions::DecisionLog;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use crate::Memory;

/// The figures of what is kept over restarts.
#[derive(Debug)]
pub(crate) struct KeptFigures {
    memory: Arc<Memory>,
    log: Option<DecisionLog>,
    descriptions: Vec<Desc>,
}

/// One figure: its name, its meaning, its label if it has one, and its value.
type Figure = (&'static str, &'static str, Option<&'static str>, f64);

impl KeptFigures {
    pub(crate) fn new(
        memory: Arc<Memory>,
        log: Option<DecisionLog>,
    ) -> Result<Self, prometheus::Error> {
        let mut figures = Self {
            memory,
            log,
            descriptions: Vec::new(),
        };
        let mut names = Vec::new();
        for (name, help, ..) in figures.read() {
            if !names.contains(&name) {
                names.push(name);
                let labels = Vec::new();
                let description = Desc::new(name.into(), help.into(), labels, HashMap::new())?;
                figures.descriptions.push(description);
            }
        }
        Ok(figures)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "metrics are floating-point numbers"
    )]
    fn read(&self) -> Vec<Figure> {
        let mut figures: Vec<Figure> = Vec::new();
        if let Some(writer) = self.memory.writer() {
            let store = writer.figures();
            let failing = matches!(writer.status(), Status::Failing(_));
            figures.extend([
                (
                    "portreeve_store_queued",
                    "Changes that wait to be written to the store.",
                    None,
                    store.queued as f64,
                ),
                (
                    "portreeve_store_written_total",
                    "Changes written to the store.",
                    None,
                    store.written as f64,
                ),
                (
                    "portreeve_store_dropped_total",
                    "Devices that found the queue full; they are asked for again.",
                    None,
                    store.dropped as f64,
                ),
                (
                    "portreeve_store_commits_total",
                    "Durable transactions of the store.",
                    None,
                    store.commits as f64,
                ),
                (
                    "portreeve_store_failures_total",
                    "Transactions that failed.",
                    None,
                    store.failures as f64,
                ),
                (
                    "portreeve_store_last_commit_seconds",
                    "How long the last transaction took.",
                    None,
                    store.last_commit.as_secs_f64(),
                ),
                (
                    "portreeve_store_bytes",
                    "Bytes of the store's file.",
                    None,
                    store.file_bytes as f64,
                ),
                (
                    "portreeve_store_failing",
                    "1 while the store cannot be written.",
                    None,
                    f64::from(u8::from(failing)),
                ),
            ]);
        }
        if let Some(log) = &self.log {
            let log = log.figures();
            figures.extend([
                (
                    "portreeve_decisions_queued",
                    "Decisions that wait to be written to the log.",
                    None,
                    log.queued as f64,
                ),
                (
                    "portreeve_decisions_written_total",
                    "Decisions written to the log.",
                    None,
                    log.written as f64,
                ),
                (
                    DROPPED,
                    "Decisions that are not in the log because it could not keep up.",
                    Some("permit"),
                    log.dropped_permits as f64,
                ),
                (
                    DROPPED,
                    "Decisions that are not in the log because it could not keep up.",
                    Some("denial"),
                    log.dropped_denials as f64,
                ),
                (
                    "portreeve_decisions_gaps_total",
                    "Lines of the log that say that denials are missing.",
                    None,
                    log.gaps as f64,
                ),
                (
                    "portreeve_decisions_bytes_total",
                    "Bytes written to the log.",
                    None,
                    log.bytes as f64,
                ),
            ]);
        }
        figures
    }
}

const DROPPED: &str = "portreeve_decisions_dropped_total";

impl Collector for KeptFigures {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families: Vec<MetricFamily> = Vec::new();
        for (name, help, label, value) in self.read() {
            let labels = label.map(|kind| {
                let mut pair = LabelPair::default();
                pair.set_name("kind".to_owned());
                pair.set_value(kind.to_owned());
                pair
            });
            let mut metric = Metric::from_label(labels.into_iter().collect());
            let is_counter = name.ends_with("_total");
            if is_counter {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            } else {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            if let Some(family) = families.last_mut().filter(|family| family.name() == name) {
                let mut metrics = family.take_metric();
                metrics.push(metric);
                family.set_metric(metrics);
                continue;
            }
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(if is_counter {
                MetricType::COUNTER
            } else {
                MetricType::GAUGE
            });
            family.set_metric(vec![metric]);
            families.push(family);
        }
        families
    }
}
