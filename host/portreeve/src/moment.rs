//! Points in time as people type them.

use std::str::FromStr;
use std::time::Duration;

use portreeve_domain::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    /// The point in time, seen from `now`.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Ago(span) => {
                let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
                Timestamp::from_millis(now.as_millis().saturating_sub(span))
            }
        }
    }
}

/// A point in time as in RFC 3339, to the second.
pub(crate) fn rfc3339(moment: Timestamp) -> String {
    let seconds = i64::try_from(moment.as_millis() / 1000).unwrap_or(i64::MAX);
    let shown = OffsetDateTime::from_unix_timestamp(seconds);
    let shown = shown.ok().and_then(|moment| moment.format(&Rfc3339).ok());
    shown.unwrap_or_default()
}

/// A span of time, e.g. `1h`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(Moment::Ago(span)) => Ok(span),
        _ => Err(format!("`{text}` is no span of time; write e.g. `1h`")),
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
            let millis = moment.unix_timestamp_nanos() / 1_000_000;
            let millis = u64::try_from(millis).map_err(|_| format!("`{text}` is too early"))?;
            return Ok(Self::At(Timestamp::from_millis(millis)));
        }
        let unit = match text.chars().last() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 24 * 3600,
            _ => return Err(expected(text)),
        };
        let number = text.get(..text.len() - 1).unwrap_or_default();
        let number: u64 = number.parse().map_err(|_| expected(text))?;
        let seconds = number.checked_mul(unit).ok_or_else(|| expected(text))?;
        Ok(Self::Ago(Duration::from_secs(seconds)))
    }
}

fn expected(text: &str) -> String {
    format!("`{text}` is no time; write e.g. `2h`, `7d` or `2026-11-21T06:00:00Z`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written() {
        let moment = Timestamp::from_millis(1_795_852_800_999);
        assert_eq!(rfc3339(moment), "2026-11-28T08:00:00Z");
        assert_eq!(rfc3339(Timestamp::from_millis(u64::MAX)), "");
    }

    #[test]
    fn times_are_read() {
        let now = Timestamp::from_millis(1_000_000_000);
        for (text, expected) in [
            ("30s", Some(999_970_000)),
            ("5m", Some(999_700_000)),
            ("2h", Some(992_800_000)),
            ("1d", Some(913_600_000)),
            ("99999999d", Some(0)),
            ("1970-01-01T00:00:01.5Z", Some(1_500)),
            ("1970-01-01T01:00:01+01:00", Some(1_000)),
            ("2026-11-21", None),
            ("h", None),
            ("2 hours", None),
            ("-1h", None),
            ("", None),
            ("ä", None),
        ] {
            let read = text.parse::<Moment>().ok();
            let read = read.map(|moment| moment.from(now).as_millis());
            assert_eq!(read, expected, "{text}");
        }
    }
}
