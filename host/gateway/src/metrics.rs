//! What the pipeline counts.

use std::sync::Arc;

use portreeve_cache::VerdictCache;
use portreeve_domain::{Origin, Outcome, Verdict};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::Memory;
use crate::decide::Decided;
use crate::striped::{Family, Level, Registered};

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
    /// What monitored policies said, by policy, outcome and whether it is that
    /// of the chain.
    pub(crate) monitored: IntCounterVec,
    /// When the chains in force were loaded, in seconds since 1970.
    pub(crate) chains_loaded: IntGauge,
    /// Answers by how they came about.
    answers: Arc<Family<Level>>,
}

const ORIGINS: [Origin; 3] = [Origin::Cached, Origin::Evaluated, Origin::Fetched];
const OUTCOMES: [&str; 4] = ["permit", "restrict", "deny", "cannot-tell"];

const fn place_of(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Permit => 0,
        Verdict::Restrict => 1,
        Verdict::Deny | Verdict::Abstain => 2,
    }
}

impl Metrics {
    /// Counts one answer.
    pub(crate) fn count_answer(&self, origin: Origin, outcome: &Outcome) {
        let place = match outcome {
            Outcome::CannotTell(_) => 3,
            Outcome::Decided(decision) => place_of(decision.verdict),
        };
        self.count(origin, place);
    }

    /// Counts one answer that was prepared.
    pub(crate) fn count_hit(&self, verdict: Verdict) {
        self.count(Origin::Cached, place_of(verdict));
    }

    fn count(&self, origin: Origin, outcome: usize) {
        let row = match origin {
            Origin::Cached => 0,
            Origin::Evaluated => 1,
            Origin::Fetched => 2,
        };
        if let Some(answers) = self.answers.get(row * OUTCOMES.len() + outcome) {
            answers.add(1);
        }
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
        let monitored = IntCounterVec::new(
            Opts::new(
                "portreeve_policy_monitored_total",
                "What policies that are only monitored said, and whether the answer was the same.",
            ),
            &["policy", "outcome", "agrees"],
        )?;
        let members = ORIGINS.iter().flat_map(|origin| {
            let outcomes = OUTCOMES.iter();
            outcomes.map(|outcome| (vec![origin.as_str(), *outcome], Level::default()))
        });
        let answers = Arc::new(Family::new(
            "portreeve_answers_total",
            "Answers by how they came about and what they were.",
            &["origin", "outcome"],
            members,
        )?);
        registry.register(Box::new(source.clone()))?;
        registry.register(Box::new(policy.clone()))?;
        registry.register(Box::new(monitored.clone()))?;
        let chains_loaded = IntGauge::new(
            "portreeve_chains_loaded_timestamp_seconds",
            "When the policies in force were loaded, in seconds since 1970.",
        )?;
        registry.register(Box::new(chains_loaded.clone()))?;
        registry.register(Box::new(Registered(
            Arc::clone(&answers),
            MetricType::COUNTER,
        )))?;
        Ok(Self {
            source,
            policy,
            monitored,
            chains_loaded,
            answers,
        })
    }
}

/// How full the caches are and how well they serve, read when somebody asks:
/// the caches count for themselves, off the path of a question.
#[derive(Debug)]
pub(crate) struct CacheFigures {
    memory: Arc<Memory>,
    verdicts: Arc<VerdictCache<Decided>>,
    entries: IntGaugeVec,
    bytes: IntGaugeVec,
    events: IntGaugeVec,
}

impl CacheFigures {
    pub(crate) fn new(
        memory: Arc<Memory>,
        verdicts: Arc<VerdictCache<Decided>>,
    ) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            IntGaugeVec::new(Opts::new(name, help), labels)
        };
        Ok(Self {
            memory,
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
        let devices = self.memory.devices().statistics();
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
