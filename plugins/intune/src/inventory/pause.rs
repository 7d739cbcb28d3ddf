//! How long to wait when Graph says "too many" and not how long. The connector
//! itself never waits: it tells its host.

use crate::services::Services;

/// How often in a row, in one byte.
const KEY: &str = "inventory/throttled";
/// After so long without a refusal it is not "in a row" any more.
const IN_A_ROW_MS: u64 = 600_000;
const FIRST_MS: u64 = 2_000;
const LONGEST_MS: u64 = 60_000;

/// The next pause: doubled each time, between half and all of it.
pub(super) fn next<S: Services>(services: &S) -> u64 {
    let times = services
        .recall(KEY)
        .and_then(|bytes| bytes.first().copied())
        .unwrap_or(0);
    services.remember(KEY, &[times.saturating_add(1)], IN_A_ROW_MS);
    let whole = FIRST_MS.saturating_mul(1 << times.min(8)).min(LONGEST_MS);
    // Gateways that were refused together shall not come back together. The
    // clock's last digits differ enough; there is no source of randomness.
    let jitter = services.now_ms().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    whole / 2 + jitter % (whole / 2)
}

/// Graph answered.
pub(super) fn over<S: Services>(services: &S) {
    if services.recall(KEY).is_some() {
        services.forget(KEY);
    }
}
