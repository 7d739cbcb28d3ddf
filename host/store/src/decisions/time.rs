//! Points in time as they are written in the log: RFC 3339, milliseconds, UTC.

use portreeve_domain::Timestamp;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const WRITTEN: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The last millisecond that has a four-digit year.
const LAST: u64 = 253_402_300_799_999;

/// The text is no point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time: expected RFC 3339, e.g. `2026-03-01T08:00:00Z`")]
pub struct InvalidTime(String);

/// A point in time as the log writes it, e.g. `2026-03-01T08:00:00.000Z`. What
/// is later than the year 9999 becomes its end.
pub fn format_time(at: Timestamp) -> String {
    // Cannot fail: the format asks for nothing that the time does not have.
    date(at).format(WRITTEN).unwrap_or_default()
}

/// A point in time from RFC 3339, with any offset. Times before 1970 are none.
pub fn parse_time(text: &str) -> Result<Timestamp, InvalidTime> {
    let invalid = || InvalidTime(text.chars().take(64).collect());
    let date = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid())?;
    let millis = u64::try_from(date.unix_timestamp_nanos() / 1_000_000).map_err(|_| invalid())?;
    if date.unix_timestamp_nanos() < 0 {
        return Err(invalid());
    }
    Ok(Timestamp::from_millis(millis))
}

/// The date behind a time, in UTC.
pub(super) fn date(at: Timestamp) -> OffsetDateTime {
    let nanos = i128::from(at.as_millis().min(LAST)) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The day since 1970 in which a time is.
pub(super) const fn day(at: Timestamp) -> u64 {
    at.as_millis() / 86_400_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_in_any_offset() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-03-01T08:00:00.5Z", Some(1_772_352_000_500)),
            ("2026-03-01T09:00:00+01:00", Some(1_772_352_000_000)),
            ("1969-12-31T23:59:59.9999Z", None),
            ("2026-03-01", None),
            ("yesterday", None),
            ("", None),
        ] {
            let read = parse_time(text).ok().map(Timestamp::as_millis);
            assert_eq!(read, millis, "{text}");
        }
        assert!(
            format_time(Timestamp::from_millis(u64::MAX)).starts_with("9999-12-31T23:59:59.999")
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(millis in 0..=LAST) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(parse_time(&format_time(at)), Ok(at));
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = parse_time(&text);
        }
    }
}
