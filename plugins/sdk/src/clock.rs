//! Time of day. Connectors only: policies read the time from their subject.

use crate::bindings::connector::wasi::clocks::wall_clock;

/// Milliseconds since the Unix epoch, UTC.
pub fn now_ms() -> u64 {
    let now = wall_clock::now();
    now.seconds
        .saturating_mul(1000)
        .saturating_add(u64::from(now.nanoseconds / 1_000_000))
}

/// Nanoseconds since the Unix epoch, as fine as the host's clock is.
pub fn now_ns() -> u64 {
    let now = wall_clock::now();
    now.seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(now.nanoseconds))
}
