//! How long to wait.

use std::time::Duration;

use super::SyncError;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(5);
/// After many failures in a row.
const LONGEST: Duration = Duration::from_mins(10);
/// When somebody has to change something first.
const SLOW: Duration = Duration::from_mins(15);
/// The least that a source is left alone when it asks for less.
const SHORTEST_ASKED: Duration = Duration::from_secs(1);
/// The most that a source is left alone when it asks for more. The longest
/// that is known is Intune's: its window of non-compliant devices opens every
/// four hours.
const LONGEST_ASKED: Duration = Duration::from_hours(4);

/// A fresh random number.
pub(super) fn roll() -> u32 {
    // Without one, nothing is spread. That is no reason to stop.
    getrandom::u32().unwrap_or(0)
}

/// `span`, and up to `jitter` more.
pub(super) fn spread(span: Duration, jitter: Duration, roll: u32) -> Duration {
    span.saturating_add(jitter.mul_f64(f64::from(roll) / f64::from(u32::MAX)))
}

/// How long to wait after this many failures in a row, of which `error` was
/// the last.
pub(super) fn after(failures: u32, error: &SyncError, roll: u32) -> Duration {
    let asked = error
        .retry_after()
        .map(|asked| asked.clamp(SHORTEST_ASKED, LONGEST_ASKED));
    if let (true, Some(asked)) = (error.is_rate_limit(), asked) {
        return asked;
    }
    let longest = if error.lasts() {
        SLOW
    } else {
        let doubled = failures.saturating_sub(1).min(16);
        LONGEST.min(FIRST * (1 << doubled))
    };
    // At least half of it: all at once would be as bad as none.
    let pause = spread(longest / 2, longest / 2, roll);
    pause.max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{SourceError, SourceErrorKind};

    fn error(kind: SourceErrorKind, seconds: Option<u64>) -> SyncError {
        SyncError::Source(SourceError {
            kind,
            message: String::new(),
            retry_after: seconds.map(Duration::from_secs),
        })
    }

    #[test]
    fn a_source_is_left_alone_as_long_as_it_asks() {
        use SourceErrorKind::{PluginFault, RateLimited};
        for (kind, asked, expected) in [
            (RateLimited, Some(0), 1),
            (RateLimited, Some(30), 30),
            (RateLimited, Some(3 * 3600), 3 * 3600),
            (RateLimited, Some(u64::MAX), 4 * 3600),
            (RateLimited, None, 5),
            (PluginFault, Some(30), 30),
            (PluginFault, Some(1), 5),
        ] {
            let pause = after(1, &error(kind, asked), u32::MAX);
            assert_eq!(pause, Duration::from_secs(expected), "{kind:?} {asked:?}");
        }
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let unavailable = error(SourceErrorKind::Unavailable, None);
        let seconds = |failures| after(failures, &unavailable, u32::MAX).as_secs();
        let pauses = [0, 1, 2, 3, 7, 8, u32::MAX].map(seconds);
        assert_eq!(pauses, [5, 5, 10, 20, 320, 600, 600]);
        for lasting in [
            error(SourceErrorKind::Misconfigured, None),
            SyncError::CursorExpired,
            SyncError::Stalled(String::new()),
        ] {
            assert_eq!(after(1, &lasting, u32::MAX), SLOW);
        }
    }

    proptest! {
        #[test]
        fn jitter_is_bounded(span in 0_u64..1 << 40, jitter in 0_u64..1 << 40, roll: u32) {
            let (span, jitter) = (Duration::from_millis(span), Duration::from_millis(jitter));
            let waited = spread(span, jitter, roll);
            prop_assert!(span <= waited && waited <= span + jitter + Duration::from_micros(1));
        }

        #[test]
        fn half_of_a_pause_is_kept(failures: u32, roll: u32) {
            let unavailable = error(SourceErrorKind::Unavailable, None);
            let longest = after(failures, &unavailable, u32::MAX);
            let pause = after(failures, &unavailable, roll);
            prop_assert!(longest / 2 <= pause && pause <= longest);
        }
    }
}
