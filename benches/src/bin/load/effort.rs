//! How long everything takes.

use std::time::Duration;

/// Rounds, seconds and sizes: enough for figures to keep, or just enough to see
/// that everything works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Turns of each side of a comparison.
    pub(crate) rounds: usize,
    /// Length of one turn, in whole seconds (wrk has no others).
    pub(crate) turn: Duration,
    /// Length of a run at a fixed rate.
    pub(crate) paced: Duration,
    /// Devices asked for one by one.
    pub(crate) cold: u32,
    /// Numbers of configured clients that are compared.
    pub(crate) clients: &'static [u32],
    /// Numbers of devices that are brought in.
    pub(crate) devices: &'static [u32],
}

impl Effort {
    pub(crate) const FULL: Self = Self {
        rounds: 7,
        turn: Duration::from_secs(3),
        paced: Duration::from_secs(10),
        cold: 500,
        clients: &[1, 100, 10_000],
        devices: &[10_000, 100_000, 1_000_000],
    };

    pub(crate) const QUICK: Self = Self {
        rounds: 2,
        turn: Duration::from_secs(1),
        paced: Duration::from_secs(2),
        cold: 50,
        clients: &[1, 1_000],
        devices: &[10_000],
    };
}
