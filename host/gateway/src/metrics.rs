//! What the pipeline counts.

use std::sync::Arc;

use portreeve_cache::{DeviceCache, VerdictCache};
use portreeve_domain::{Origin, Outcome, Verdict};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use crate::decide::Decided;

/// Seconds: from a cached answer to a source at the end of its patience.
const BUCKETS: [f64; 16] = [
    0.000_001, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005,
    0.025, 0.1, 0.3, 1.0, 3.0, 10.0,
];

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// Calls to sources by source and outcome.
    pub(crate) source: HistogramVec,
    /// Runs of policies by policy and outcome.
    pub(crate) policy: HistogramVec,
    /// Answers by how they came about.
    answers: Answers,
}

/// Answers by origin.
#[derive(Clone, Debug)]
struct Answers {
    cached: Outcomes,
    evaluated: Outcomes,
    fetched: Outcomes,
}

/// Answers of one origin by outcome.
#[derive(Clone, Debug)]
struct Outcomes {
    permit: IntCounter,
    restrict: IntCounter,
    deny: IntCounter,
    cannot_tell: IntCounter,
}

impl Outcomes {
    fn of(answers: &IntCounterVec, origin: Origin) -> Self {
        let counter = |outcome| answers.with_label_values(&[origin.as_str(), outcome]);
        Self {
            permit: counter("permit"),
            restrict: counter("restrict"),
            deny: counter("deny"),
            cannot_tell: counter("cannot-tell"),
        }
    }
}

impl Metrics {
    /// Counts one answer. Without a look-up of labels: this is on the path of
    /// every question.
    pub(crate) fn count_answer(&self, origin: Origin, outcome: &Outcome) {
        let row = match origin {
            Origin::Cached => &self.answers.cached,
            Origin::Evaluated => &self.answers.evaluated,
            Origin::Fetched => &self.answers.fetched,
        };
        let counter = match outcome {
            Outcome::CannotTell(_) => &row.cannot_tell,
            Outcome::Decided(decision) => match decision.verdict {
                Verdict::Permit => &row.permit,
                Verdict::Restrict => &row.restrict,
                Verdict::Deny | Verdict::Abstain => &row.deny,
            },
        };
        counter.inc();
    }

    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let buckets = BUCKETS.to_vec();
        let source = HistogramVec::new(
            HistogramOpts::new(
                "portreeve_source_seconds",
                "Time a source took to answer a look-up.",
            )
            .buckets(buckets.clone()),
            &["source", "outcome"],
        )?;
        let policy = HistogramVec::new(
            HistogramOpts::new("portreeve_policy_seconds", "Time a policy took to decide.")
                .buckets(buckets),
            &["policy", "outcome"],
        )?;
        let answers = IntCounterVec::new(
            Opts::new(
                "portreeve_answers_total",
                "Answers by how they came about and what they were.",
            ),
            &["origin", "outcome"],
        )?;
        registry.register(Box::new(source.clone()))?;
        registry.register(Box::new(policy.clone()))?;
        registry.register(Box::new(answers.clone()))?;
        let answers = Answers {
            cached: Outcomes::of(&answers, Origin::Cached),
            evaluated: Outcomes::of(&answers, Origin::Evaluated),
            fetched: Outcomes::of(&answers, Origin::Fetched),
        };
        Ok(Self {
            source,
            policy,
            answers,
        })
    }
}

/// How full the caches are and how well they serve, read when somebody asks:
/// the caches count for themselves, off the path of a question.
#[derive(Debug)]
pub(crate) struct CacheFigures {
    devices: Arc<DeviceCache>,
    verdicts: Arc<VerdictCache<Decided>>,
    entries: IntGaugeVec,
    bytes: IntGaugeVec,
    events: IntGaugeVec,
}

impl CacheFigures {
    pub(crate) fn new(
        devices: Arc<DeviceCache>,
        verdicts: Arc<VerdictCache<Decided>>,
    ) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            IntGaugeVec::new(Opts::new(name, help), labels)
        };
        Ok(Self {
            devices,
            verdicts,
            entries: gauge("portreeve_cache_entries", "Entries in memory.", &["cache"])?,
            bytes: gauge(
                "portreeve_cache_bytes",
                "Estimated bytes in memory.",
                &["cache"],
            )?,
            events: gauge(
                "portreeve_cache_events",
                "Look-ups that hit and missed, and entries evicted, since the start.",
                &["cache", "event"],
            )?,
        })
    }
}

impl Collector for CacheFigures {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = [&self.entries, &self.bytes, &self.events];
        gauges.into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let devices = self.devices.statistics();
        let verdicts = self.verdicts.statistics();
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let events = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        for (cache, entries) in [
            ("devices", devices.devices),
            ("unknown", devices.unknown),
            ("verdicts", verdicts.verdicts),
        ] {
            self.entries.with_label_values(&[cache]).set(count(entries));
        }
        self.bytes
            .with_label_values(&["devices"])
            .set(count(devices.bytes));
        for (cache, event, number) in [
            ("devices", "hit", devices.hits),
            ("devices", "miss", devices.misses),
            ("devices", "eviction", devices.evictions),
            ("verdicts", "hit", verdicts.hits),
            ("verdicts", "miss", verdicts.misses),
            ("verdicts", "eviction", verdicts.evictions),
        ] {
            self.events
                .with_label_values(&[cache, event])
                .set(events(number));
        }
        let gauges = [&self.entries, &self.bytes, &self.events];
        gauges.into_iter().flat_map(Collector::collect).collect()
    }
}
