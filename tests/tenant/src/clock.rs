//! The tenant's clock, which tests may move forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

/// Wall clock plus an offset: tests move it instead of waiting for tokens to expire.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        i64::try_from(now)
            .unwrap_or(i64::MAX)
            .saturating_add(self.offset_ms.load(Ordering::Relaxed))
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.now_ms() / 1000
    }

    /// Lets the clock run ahead by `step` from now on.
    pub(crate) fn advance(&self, step: Duration) {
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        self.offset_ms.fetch_add(step, Ordering::Relaxed);
    }
}

/// `2026-08-01 10:00:00Z`, the form of Entra's error answers.
pub(crate) fn error_timestamp(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{} {:02}:{:02}:{:02}Z",
        at.date(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// `2026-08-01T10:00:00`, the form of Graph's error answers.
pub(crate) fn graph_timestamp(seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{}T{:02}:{:02}:{:02}",
        at.date(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// `2026-08-01T10:00:00Z`, the form of Graph's dates; `milliseconds` since 1970.
pub(crate) fn iso(milliseconds: i64) -> String {
    format!("{}Z", graph_timestamp(milliseconds.div_euclid(1000)))
}
