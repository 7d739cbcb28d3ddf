//! How often a client may ask.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests within [`per`](Self::per), in the long run. At least one.
    pub requests: u32,
    /// The span that they are counted over.
    pub per: Duration,
    /// Requests that may come at once after a pause. At least one.
    pub burst: u32,
}

/// A bucket of tokens, kept as the time when it would be full again: one number
/// that is changed without a lock (the generic cell rate algorithm, ITU-T I.371,
/// in its virtual scheduling form).
#[derive(Debug)]
pub(super) struct Bucket {
    origin: Instant,
    /// Nanoseconds from `origin` to when it is full.
    full_at: AtomicU64,
    /// Nanoseconds for one token.
    interval: u64,
    /// Nanoseconds that the bucket holds, less one token.
    tolerance: u64,
}

impl Bucket {
    pub(super) fn new(limit: RateLimit, origin: Instant) -> Self {
        let interval = nanos(limit.per) / u64::from(limit.requests.max(1));
        let interval = interval.max(1);
        Self {
            origin,
            full_at: AtomicU64::new(0),
            interval,
            tolerance: interval.saturating_mul(u64::from(limit.burst.max(1)) - 1),
        }
    }

    /// Takes a token, or says after what time there is one.
    pub(super) fn take(&self, now: Instant) -> Result<(), Duration> {
        let now = self.elapsed(now);
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let start = full_at.max(now);
            let missing = (start - now).saturating_sub(self.tolerance);
            if missing > 0 {
                return Err(Duration::from_nanos(missing));
            }
            let next = start.saturating_add(self.interval);
            match self.full_at.compare_exchange_weak(
                full_at,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(seen) => full_at = seen,
            }
        }
    }

    /// Takes more tokens for what was admitted, though there may be none: who
    /// comes next waits for them.
    pub(super) fn charge(&self, tokens: u64, now: Instant) {
        let now = self.elapsed(now);
        let cost = self.interval.saturating_mul(tokens);
        let charge = |full_at: u64| Some(full_at.max(now).saturating_add(cost));
        // Never `Err`: the function always gives a value.
        let _ = self
            .full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, charge);
    }

    fn elapsed(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.origin))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(requests: u32, burst: u32, origin: Instant) -> Bucket {
        let limit = RateLimit {
            requests,
            per: Duration::from_secs(1),
            burst,
        };
        Bucket::new(limit, origin)
    }

    #[test]
    fn a_burst_and_then_one_by_one() {
        let origin = Instant::now();
        let bucket = bucket(10, 3, origin);
        let at = |millis| origin + Duration::from_millis(millis);
        for _ in 0..3 {
            assert_eq!(bucket.take(at(0)), Ok(()));
        }
        assert_eq!(bucket.take(at(0)), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(at(60)), Err(Duration::from_millis(40)));
        assert_eq!(bucket.take(at(100)), Ok(()));
        assert_eq!(bucket.take(at(100)), Err(Duration::from_millis(100)));
        for _ in 0..3 {
            assert_eq!(bucket.take(at(5_000)), Ok(()));
        }
        assert!(bucket.take(at(5_000)).is_err());
    }

    #[test]
    fn what_a_batch_cost_is_paid_later() {
        let origin = Instant::now();
        let bucket = bucket(10, 1, origin);
        assert_eq!(bucket.take(origin), Ok(()));
        bucket.charge(9, origin);
        assert_eq!(bucket.take(origin), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(origin + Duration::from_secs(1)), Ok(()));
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_one_burst(
            requests in 1..1_000_u32,
            burst in 1..100_u32,
            pauses in proptest::collection::vec(0..20_000_000_u64, 1..300),
        ) {
            let origin = Instant::now();
            let bucket = bucket(requests, burst, origin);
            let mut now = origin;
            let mut admitted = 0_u64;
            for pause in pauses {
                now += Duration::from_nanos(pause);
                admitted += u64::from(bucket.take(now).is_ok());
            }
            let interval = 1_000_000_000 / u64::from(requests);
            let elapsed = nanos(now - origin);
            prop_assert!(admitted <= u64::from(burst) + elapsed / interval + 1);
        }
    }
}
