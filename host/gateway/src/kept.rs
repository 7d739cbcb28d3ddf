//! How well the store and the decision log are kept: for metrics and for
//! readiness.

use parking_lot::Mutex;
use portreeve_store::decisions::DecisionLog;
use portreeve_store::{Status as DiskStatus, WriterHandle};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, Opts};

use crate::{Health, Memory, PartStatus};

/// Store and log, as far as there are any.
pub(crate) fn status(memory: &Memory, log: Option<&DecisionLog>) -> Vec<PartStatus> {
    let part = |name: &str, status| PartStatus {
        name: name.into(),
        health: match status {
            DiskStatus::Ok => Health::Ok,
            DiskStatus::Failing(error) => Health::Failing(error.to_string()),
        },
    };
    let store = memory.writer().map(|writer| part("store", writer.status()));
    let log = log.map(|log| part("decisions", log.status()));
    store.into_iter().chain(log).collect()
}

/// What the store's writer has done, read when somebody asks.
#[derive(Debug)]
pub(crate) struct StoreFigures {
    writer: WriterHandle,
    turn: Mutex<()>,
    failing: IntGauge,
    queued: IntGauge,
    bytes: IntGauge,
    last_commit: Gauge,
    written: IntCounter,
    dropped: IntCounter,
    commits: IntCounter,
    failures: IntCounter,
}

impl StoreFigures {
    pub(crate) fn new(writer: WriterHandle) -> Result<Self, prometheus::Error> {
        Ok(Self {
            writer,
            turn: Mutex::default(),
            failing: IntGauge::new(
                "portreeve_store_failing",
                "1 while the disk takes nothing; answers go on from memory.",
            )?,
            queued: IntGauge::new("portreeve_store_queued", "Changes that wait to be written.")?,
            bytes: IntGauge::new("portreeve_store_bytes", "Bytes of the store's file.")?,
            last_commit: Gauge::new(
                "portreeve_store_last_commit_seconds",
                "How long the last transaction took.",
            )?,
            written: IntCounter::new("portreeve_store_written_total", "Changes written.")?,
            dropped: IntCounter::new(
                "portreeve_store_dropped_total",
                "Devices that found the queue full and are in memory only.",
            )?,
            commits: IntCounter::new("portreeve_store_commits_total", "Durable transactions.")?,
            failures: IntCounter::new(
                "portreeve_store_failures_total",
                "Transactions that failed and were tried again.",
            )?,
        })
    }

    fn metrics(&self) -> [&dyn Collector; 8] {
        [
            &self.failing,
            &self.queued,
            &self.bytes,
            &self.last_commit,
            &self.written,
            &self.dropped,
            &self.commits,
            &self.failures,
        ]
    }
}

impl Collector for StoreFigures {
    fn desc(&self) -> Vec<&Desc> {
        self.metrics()
            .into_iter()
            .flat_map(Collector::desc)
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _turn = self.turn.lock();
        let figures = self.writer.figures();
        self.failing.set(is_failing(&self.writer.status()));
        self.queued.set(signed(figures.queued));
        self.bytes.set(signed(figures.file_bytes));
        self.last_commit.set(figures.last_commit.as_secs_f64());
        set(&self.written, figures.written);
        set(&self.dropped, figures.dropped);
        set(&self.commits, figures.commits);
        set(&self.failures, figures.failures);
        let metrics = self.metrics().into_iter();
        metrics.flat_map(Collector::collect).collect()
    }
}

/// What the decision log has done, read when somebody asks.
#[derive(Debug)]
pub(crate) struct LogFigures {
    log: DecisionLog,
    turn: Mutex<()>,
    failing: IntGauge,
    queued: IntGauge,
    bytes: IntCounter,
    written: IntCounter,
    failures: IntCounter,
    dropped: IntCounterVec,
}

impl LogFigures {
    pub(crate) fn new(log: DecisionLog) -> Result<Self, prometheus::Error> {
        Ok(Self {
            log,
            turn: Mutex::default(),
            failing: IntGauge::new(
                "portreeve_decisions_failing",
                "1 while the disk takes nothing of the decision log.",
            )?,
            queued: IntGauge::new(
                "portreeve_decisions_queued",
                "Decisions that wait to be written.",
            )?,
            bytes: IntCounter::new("portreeve_decisions_bytes_total", "Bytes written.")?,
            written: IntCounter::new("portreeve_decisions_written_total", "Decisions written.")?,
            failures: IntCounter::new(
                "portreeve_decisions_failures_total",
                "Writes that failed and were tried again.",
            )?,
            dropped: IntCounterVec::new(
                Opts::new(
                    "portreeve_decisions_dropped_total",
                    "Decisions that found no room and are not in the log. A gap in it stands for denials.",
                ),
                &["kind"],
            )?,
        })
    }

    fn metrics(&self) -> [&dyn Collector; 6] {
        [
            &self.failing,
            &self.queued,
            &self.bytes,
            &self.written,
            &self.failures,
            &self.dropped,
        ]
    }
}

impl Collector for LogFigures {
    fn desc(&self) -> Vec<&Desc> {
        self.metrics()
            .into_iter()
            .flat_map(Collector::desc)
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _turn = self.turn.lock();
        let figures = self.log.figures();
        self.failing.set(is_failing(&self.log.status()));
        self.queued.set(signed(figures.queued));
        set(&self.bytes, figures.bytes);
        set(&self.written, figures.written);
        set(&self.failures, figures.failures);
        for (kind, dropped) in [
            ("permit", figures.dropped_permits),
            ("denial", figures.dropped_denials),
        ] {
            set(&self.dropped.with_label_values(&[kind]), dropped);
        }
        let metrics = self.metrics().into_iter();
        metrics.flat_map(Collector::collect).collect()
    }
}

/// The sum is somebody else's; it only grows. One at a time.
fn set(counter: &IntCounter, sum: u64) {
    counter.inc_by(sum.saturating_sub(counter.get()));
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn is_failing(status: &DiskStatus) -> i64 {
    i64::from(*status != DiskStatus::Ok)
}
