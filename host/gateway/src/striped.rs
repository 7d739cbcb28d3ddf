//! Counting on the path of a hit: each thread has memory of its own, and the
//! sums are made when somebody asks.
//!
//! The usual counters are one number for all threads. Two processors that count
//! in turns take that number from each other, which costs more than the hit.

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as HistogramValue, LabelPair, Metric, MetricFamily,
    MetricType,
};

/// Threads beyond this share.
const STRIPES: usize = 8;
/// Upper bounds in microseconds: from an answer out of memory to a client at
/// the end of its patience.
const BOUNDS: [u64; 17] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 500_000,
    1_000_000, 3_000_000, 10_000_000,
];

fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    STRIPE.with(|stripe| *stripe)
}

/// A distribution of durations, from 10 µs to 10 s.
#[derive(Debug)]
pub struct Histogram([Stripe; STRIPES]);

/// Wide enough for processors that fetch two cache lines at once.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    /// One for each bound and one for what is above them all.
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// Nanoseconds.
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self(array::from_fn(|_| Stripe::default()))
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // Nearly all are in the first few.
        let place = BOUNDS.iter().take_while(|bound| micros > **bound).count();
        let Some(stripe) = self.0.get(stripe()) else {
            return;
        };
        if let Some(count) = stripe.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        stripe.sum.fetch_add(nanos, Ordering::Relaxed);
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "metrics are floating-point numbers"
    )]
    fn value(&self) -> HistogramValue {
        let mut value = HistogramValue::default();
        let mut cumulative = 0;
        let mut buckets = Vec::with_capacity(BOUNDS.len());
        for place in 0..=BOUNDS.len() {
            let counts = self.0.iter().filter_map(|stripe| stripe.counts.get(place));
            cumulative += counts
                .map(|count| count.load(Ordering::Relaxed))
                .sum::<u64>();
            if let Some(bound) = BOUNDS.get(place) {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(*bound as f64 / 1e6);
                bucket.set_cumulative_count(cumulative);
                buckets.push(bucket);
            }
        }
        let nanos = self
            .0
            .iter()
            .map(|stripe| stripe.sum.load(Ordering::Relaxed));
        value.set_sample_sum(nanos.sum::<u64>() as f64 / 1e9);
        value.set_sample_count(cumulative);
        value.set_bucket(buckets);
        value
    }
}

/// How many of something there are just now, or were so far.
#[derive(Debug)]
pub struct Level([Change; STRIPES]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Change(AtomicI64);

impl Default for Level {
    fn default() -> Self {
        Self(array::from_fn(|_| Change::default()))
    }
}

impl Level {
    /// Counts more, or less.
    pub fn add(&self, change: i64) {
        if let Some(stripe) = self.0.get(stripe()) {
            stripe.0.fetch_add(change, Ordering::Relaxed);
        }
    }

    /// What came in on one thread and left on another evens out in the sum.
    pub fn sum(&self) -> i64 {
        let changes = self.0.iter();
        changes.map(|change| change.0.load(Ordering::Relaxed)).sum()
    }
}

/// All members of one metric, as the registry reads them.
#[derive(Debug)]
pub struct Family<T> {
    description: Desc,
    members: Vec<(Vec<LabelPair>, T)>,
}

impl<T> Family<T> {
    /// The members with the values of their labels. They keep their order.
    pub fn new(
        name: &str,
        help: &str,
        labels: &[&str],
        members: impl IntoIterator<Item = (Vec<&'static str>, T)>,
    ) -> Result<Self, prometheus::Error> {
        let names = labels.iter().map(|name| (*name).to_owned()).collect();
        let description = Desc::new(
            name.to_owned(),
            help.to_owned(),
            names,
            std::collections::HashMap::new(),
        )?;
        let pairs = |values: Vec<&str>| {
            let pairs = labels.iter().zip(values).map(|(name, value)| {
                let mut pair = LabelPair::default();
                pair.set_name((*name).to_owned());
                pair.set_value(value.to_owned());
                pair
            });
            pairs.collect()
        };
        let members = members
            .into_iter()
            .map(|(values, member)| (pairs(values), member));
        Ok(Self {
            description,
            members: members.collect(),
        })
    }

    /// A member by its place.
    pub fn get(&self, place: usize) -> Option<&T> {
        self.members.get(place).map(|(_, member)| member)
    }

    fn family(&self, kind: MetricType, set: impl Fn(&T, &mut Metric)) -> MetricFamily {
        let metrics = self.members.iter().map(|(labels, member)| {
            let mut metric = Metric::from_label(labels.clone());
            set(member, &mut metric);
            metric
        });
        let mut family = MetricFamily::default();
        family.set_name(self.description.fq_name.clone());
        family.set_help(self.description.help.clone());
        family.set_field_type(kind);
        family.set_metric(metrics.collect());
        family
    }
}

/// A family as the registry holds it.
#[derive(Debug)]
pub struct Registered<T>(
    /// The family, which others count in.
    pub Arc<Family<T>>,
    /// What kind of number it is.
    pub MetricType,
);

impl Collector for Registered<Histogram> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let set = |histogram: &Histogram, metric: &mut Metric| {
            metric.set_histogram(histogram.value());
        };
        vec![self.0.family(self.1, set)]
    }
}

impl Collector for Registered<Level> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "metrics are floating-point numbers"
        )]
        let set = |level: &Level, metric: &mut Metric| {
            let value = level.sum() as f64;
            if self.1 == MetricType::COUNTER {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            } else {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        };
        vec![self.0.family(self.1, set)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_buckets() {
        let histogram = Histogram::default();
        for (micros, place) in [
            (0, 0),
            (10, 0),
            (11, 1),
            (1_000, 6),
            (10_000_000, 16),
            (u64::MAX, 17),
        ] {
            let before = histogram.value().get_bucket().to_vec();
            histogram.observe(Duration::from_micros(micros));
            for (number, (before, after)) in before
                .iter()
                .zip(histogram.value().get_bucket())
                .enumerate()
            {
                let more = after.cumulative_count() - before.cumulative_count();
                assert_eq!(
                    more,
                    u64::from(number >= place),
                    "{micros} µs, bucket {number}"
                );
            }
        }
        assert_eq!(histogram.value().get_sample_count(), 6);
    }

    #[test]
    fn all_threads_are_summed_up() {
        let (histogram, level) = (Histogram::default(), Level::default());
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    histogram.observe(Duration::from_millis(1));
                    level.add(2);
                });
            }
        });
        level.add(-40);
        assert_eq!(histogram.value().get_sample_count(), 20);
        assert!((histogram.value().get_sample_sum() - 0.02).abs() < 1e-9);
        assert_eq!(level.sum(), 0);
    }
}
