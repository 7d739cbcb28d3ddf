//! How old what a source said may be.

use std::time::Duration;

use portreeve_domain::{ComplianceState, Timestamp};

use crate::{Record, apart};

/// How long what one source said may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshnessRules {
    /// A younger record is used as it is.
    pub ttl: Duration,
    /// A younger record of a compliant device is used while it is refreshed.
    pub max_stale_compliant: Duration,
    /// The same for every other state, the grace period included.
    pub max_stale_other: Duration,
    /// How long "the source does not know this device" is repeated.
    pub negative_ttl: Duration,
}

/// What a record's age means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// Use it.
    Fresh,
    /// Use it at once, mark it and refresh it behind.
    Stale,
    /// Do not use it; ask the source.
    Expired,
}

impl FreshnessRules {
    /// What the record's age at `now` means.
    pub fn of<P>(&self, record: &Record<P>, now: Timestamp) -> Freshness {
        self.judge(record.compliance_state(), record.fetched_at(), now)
    }

    /// Whether "unknown", said at `fetched_at`, may be repeated at `now`.
    pub fn repeats_unknown(&self, fetched_at: Timestamp, now: Timestamp) -> bool {
        apart(now, fetched_at) < self.negative_ttl
    }

    fn judge(&self, state: ComplianceState, fetched_at: Timestamp, now: Timestamp) -> Freshness {
        let max_stale = match state {
            ComplianceState::Compliant => self.max_stale_compliant,
            _ => self.max_stale_other,
        };
        let age = apart(now, fetched_at);
        if age < self.ttl {
            Freshness::Fresh
        } else if age < max_stale {
            Freshness::Stale
        } else {
            Freshness::Expired
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Freshness::{Expired, Fresh, Stale};
    use super::*;

    const RULES: FreshnessRules = FreshnessRules {
        ttl: Duration::from_mins(1),
        max_stale_compliant: Duration::from_mins(10),
        max_stale_other: Duration::from_mins(2),
        negative_ttl: Duration::from_secs(10),
    };
    const FETCHED: u64 = 1_000_000;

    #[track_caller]
    fn check(state: ComplianceState, seconds: i64, expected: Freshness) {
        let fetched_at = Timestamp::from_millis(FETCHED);
        let now = Timestamp::from_millis(FETCHED.saturating_add_signed(seconds * 1_000));
        assert_eq!(
            RULES.judge(state, fetched_at, now),
            expected,
            "{state:?} {seconds}"
        );
    }

    #[test]
    fn compliance_has_its_own_patience() {
        use ComplianceState::{Compliant, InGracePeriod, NonCompliant, Unknown};
        for (seconds, compliant, other) in [
            (0, Fresh, Fresh),
            (59, Fresh, Fresh),
            (60, Stale, Stale),
            (119, Stale, Stale),
            (120, Stale, Expired),
            (599, Stale, Expired),
            (600, Expired, Expired),
        ] {
            check(Compliant, seconds, compliant);
            for state in [NonCompliant, InGracePeriod, Unknown] {
                check(state, seconds, other);
            }
        }
    }

    #[test]
    fn a_clock_set_back_keeps_nothing_fresh_for_ever() {
        // A few milliseconds between two threads are nothing.
        check(ComplianceState::Compliant, -1, Fresh);
        check(ComplianceState::Compliant, -61, Stale);
        check(ComplianceState::Compliant, -700, Expired);
        check(ComplianceState::NonCompliant, -130, Expired);
        let said = Timestamp::from_millis(FETCHED);
        assert!(RULES.repeats_unknown(said, said.plus(Duration::from_secs(9))));
        assert!(!RULES.repeats_unknown(said, said.plus(Duration::from_secs(10))));
        assert!(!RULES.repeats_unknown(said, Timestamp::from_millis(FETCHED - 10_000)));
    }
}
