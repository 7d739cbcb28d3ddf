//! What the requests of one run took.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use http::StatusCode;

/// How one request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With status 200.
    Answered,
    /// With status 404: nobody knows the device.
    Unknown,
    /// With status 503: the server has too much to do, and says so.
    Shed,
    /// With another status, or with a broken connection.
    Failed,
    /// Not before the end of the run.
    Missing,
}

impl Ended {
    /// What a status means.
    pub(crate) fn with(status: StatusCode) -> Self {
        match status {
            StatusCode::OK => Self::Answered,
            StatusCode::NOT_FOUND => Self::Unknown,
            StatusCode::SERVICE_UNAVAILABLE => Self::Shed,
            _ => Self::Failed,
        }
    }
}

/// Latencies of all requests, those that failed included.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    /// Nanoseconds from the intended start to the end.
    whole: Histogram<u64>,
    /// Nanoseconds by which a request was sent late though its connection was
    /// free: what the generator itself adds.
    own: Histogram<u64>,
    pub(crate) unknown: u64,
    pub(crate) shed: u64,
    pub(crate) failed: u64,
    pub(crate) missing: u64,
}

/// Three digits, up to two minutes.
fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants that it takes")]
    Histogram::new_with_bounds(1, 120_000_000_000, 3).expect("valid bounds")
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            whole: histogram(),
            own: histogram(),
            unknown: 0,
            shed: 0,
            failed: 0,
            missing: 0,
        }
    }
}

impl Latencies {
    /// Counts a request. The latency is from when it was meant to start.
    pub(crate) fn count(&mut self, intended: Instant, now: Instant, ended: Ended) {
        self.whole.saturating_record(nanoseconds(now - intended));
        match ended {
            Ended::Answered => {}
            Ended::Unknown => self.unknown += 1,
            Ended::Shed => self.shed += 1,
            Ended::Failed => self.failed += 1,
            Ended::Missing => self.missing += 1,
        }
    }

    /// Notes that the generator woke up late for a request.
    pub(crate) fn woke(&mut self, late: Duration) {
        self.own.saturating_record(nanoseconds(late));
    }

    /// Takes in what another connection counted.
    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds, so nothing falls out.
        let _ = self.whole.add(&other.whole);
        let _ = self.own.add(&other.own);
        self.unknown += other.unknown;
        self.shed += other.shed;
        self.failed += other.failed;
        self.missing += other.missing;
    }

    /// How many requests there were.
    pub(crate) fn len(&self) -> u64 {
        self.whole.len()
    }

    /// Microseconds below which this part of the requests ended.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        microseconds(self.whole.value_at_quantile(part))
    }

    /// Microseconds of the slowest.
    pub(crate) fn slowest(&self) -> f64 {
        microseconds(self.whole.max())
    }

    /// Microseconds by which 99 of 100 requests were sent late at most, by the
    /// generator's own fault.
    pub(crate) fn own_p99(&self) -> f64 {
        microseconds(self.own.value_at_quantile(0.99))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 nanoseconds")]
fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_known_set() {
        let mut latencies = Latencies::default();
        let start = Instant::now();
        for micros in 1..=1_000 {
            let now = start + Duration::from_micros(micros);
            latencies.count(start, now, Ended::Answered);
        }
        for (part, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = latencies.quantile(part);
            assert!(
                (found - expected).abs() <= expected / 500.0,
                "{part}: {found}"
            );
        }
        assert!((latencies.slowest() - 1_000.0).abs() < 2.0);
        assert_eq!(latencies.len(), 1_000);
    }

    #[test]
    fn several_connections_make_one_result() {
        let start = Instant::now();
        let mut all = Latencies::default();
        for (ended, millis) in [
            (Ended::Answered, 1),
            (Ended::Unknown, 2),
            (Ended::Shed, 3),
            (Ended::Failed, 4),
            (Ended::Missing, 5),
        ] {
            let mut one = Latencies::default();
            one.count(start, start + Duration::from_millis(millis), ended);
            all.add(&one);
        }
        assert_eq!((all.len(), all.unknown), (5, 1));
        assert_eq!((all.shed, all.failed, all.missing), (1, 1, 1));
        assert!((all.slowest() - 5_000.0).abs() < 5.0);
    }
}
