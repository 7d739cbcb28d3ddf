//! When each request is meant to start.

use std::time::{Duration, Instant};

/// A fixed rate for a fixed time, whatever the server does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    start: Instant,
    /// Requests a second.
    rate: u32,
    count: u64,
    /// When what is still missing is given up.
    pub(crate) cutoff: Instant,
}

impl Schedule {
    pub(crate) fn new(start: Instant, rate: u32, length: Duration, grace: Duration) -> Self {
        let count = length.as_nanos() * u128::from(rate) / NANOSECONDS;
        Self {
            start,
            rate,
            count: u64::try_from(count).unwrap_or(u64::MAX),
            cutoff: start + length + grace,
        }
    }

    /// When the request with this number is meant to start. Latency counts from
    /// here, not from when it could be sent: a server that stalls makes those
    /// wait that would have come meanwhile, and not to count them is called
    /// coordinated omission (Gil Tene, "How NOT to Measure Latency").
    pub(crate) fn intended(&self, number: u64) -> Instant {
        let nanoseconds = u128::from(number) * NANOSECONDS / u128::from(self.rate.max(1));
        self.start + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// The numbers that are one connection's share of `connections`.
    pub(crate) fn share(&self, connection: u32, connections: u32) -> impl Iterator<Item = u64> {
        let step = usize::try_from(connections.max(1)).unwrap_or(1);
        (u64::from(connection)..self.count).step_by(step)
    }
}

const NANOSECONDS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: u32, millis: u64) -> Schedule {
        let length = Duration::from_millis(millis);
        Schedule::new(Instant::now(), rate, length, Duration::ZERO)
    }

    #[test]
    fn requests_are_evenly_apart() {
        let schedule = schedule(3, 1_000);
        let starts: Vec<_> = schedule
            .share(0, 1)
            .map(|number| (schedule.intended(number) - schedule.start).as_nanos())
            .collect();
        assert_eq!(starts, [0, 333_333_333, 666_666_666]);
    }

    #[test]
    fn every_request_is_in_one_share() {
        for (rate, millis, connections) in [(1_000, 500, 8), (7, 1_000, 3), (2, 500, 8), (1, 10, 4)]
        {
            let schedule = schedule(rate, millis);
            let mut numbers: Vec<u64> = (0..connections)
                .flat_map(|connection| schedule.share(connection, connections).collect::<Vec<_>>())
                .collect();
            numbers.sort_unstable();
            let expected = u64::from(rate) * millis / 1_000;
            assert_eq!(
                numbers,
                (0..expected).collect::<Vec<_>>(),
                "{rate} {millis}"
            );
        }
    }
}
