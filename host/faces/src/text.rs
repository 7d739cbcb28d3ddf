//! Text in forms that protocols want.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use portreeve_domain::Timestamp;
use time::OffsetDateTime;

/// A point in time as in RFC 3339, in UTC with milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rfc3339(pub(crate) Timestamp);

impl Rfc3339 {
    /// The 24 characters, e.g. `2026-11-21T06:47:31.250Z`.
    pub(crate) fn to_bytes(self) -> [u8; 24] {
        const LATEST: i64 = 253_402_300_799;
        let millis = self.0.as_millis();
        let seconds = i64::try_from(millis / 1000).unwrap_or(LATEST).min(LATEST);
        let mut text = midnight(seconds / DAY);
        let second = seconds % DAY;
        let parts = [
            (12, second / 3_600),
            (15, second / 60 % 60),
            (18, second % 60),
        ];
        for (end, value) in parts {
            write_digits(&mut text, end, u64::try_from(value).unwrap_or(0));
        }
        write_digits(&mut text, 22, millis % 1_000);
        text
    }
}

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The beginning of a day that is so many after the first of 1970. Moments of
/// answers are of few days, so each thread keeps the last one.
fn midnight(day: i64) -> [u8; 24] {
    thread_local! {
        static LAST: Cell<(i64, [u8; 24])> = const { Cell::new((0, *b"1970-01-01T00:00:00.000Z")) };
    }
    LAST.with(|last| {
        let (known, text) = last.get();
        if known == day {
            return text;
        }
        let moment = OffsetDateTime::from_unix_timestamp(day.saturating_mul(DAY));
        let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let parts = [
            (3, u64::from(moment.year().unsigned_abs())),
            (6, u64::from(u8::from(moment.month()))),
            (9, u64::from(moment.day())),
        ];
        for (end, value) in parts {
            write_digits(&mut text, end, value);
        }
        last.set((day, text));
        text
    })
}

/// Writes digits from the last one, which is where the part ends.
fn write_digits(text: &mut [u8; 24], end: usize, mut value: u64) {
    for digit in text.iter_mut().take(end + 1).rev() {
        if value == 0 {
            break;
        }
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// A point in time as HTTP writes it (RFC 9110, section 5.6.7). Each thread
/// keeps the last second.
pub(crate) fn http_date(moment: Timestamp) -> [u8; 29] {
    thread_local! {
        static LAST: Cell<(u64, [u8; 29])> =
            const { Cell::new((0, *b"Thu, 01 Jan 1970 00:00:00 GMT")) };
    }
    LAST.with(|last| {
        let second = moment.as_millis() / 1_000;
        let (known, text) = last.get();
        if known == second {
            return text;
        }
        let moment = UNIX_EPOCH + Duration::from_secs(second);
        let written = httpdate::fmt_http_date(moment);
        let text = written.as_bytes().try_into().unwrap_or(text);
        last.set((second, text));
        text
    })
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

/// Makes foreign text fit for one line of a protocol or log: control characters
/// become spaces, and it ends at a character's boundary within `longest` bytes.
pub(crate) fn one_line(text: &str, longest: usize) -> String {
    let mut line = String::with_capacity(text.len().min(longest));
    for character in text.chars() {
        let character = if character.is_control() {
            ' '
        } else {
            character
        };
        if line.len() + character.len_utf8() > longest {
            break;
        }
        line.push(character);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_243_651_250, "2026-11-21T06:47:31.250Z"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.615Z"),
        ] {
            let written = Rfc3339(Timestamp::from_millis(millis)).to_bytes();
            assert_eq!(std::str::from_utf8(&written), Ok(expected));
        }
    }

    #[test]
    fn dates() {
        for (millis, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777_999, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_795_243_651_250, "Sat, 21 Nov 2026 06:47:31 GMT"),
        ] {
            let written = http_date(Timestamp::from_millis(millis));
            assert_eq!(std::str::from_utf8(&written), Ok(expected));
        }
    }

    #[test]
    fn lines() {
        assert_eq!(one_line("a\r\nb\0", 99), "a  b ");
        assert_eq!(one_line("äöü", 5), "äö");
        assert_eq!(one_line("äöü", 6), "äöü");
    }

    proptest! {
        #[test]
        fn moments_are_what_the_calendar_says(millis in 0_u64..253_402_300_799_999) {
            use time::format_description::well_known::Rfc3339 as WellKnown;
            let written = Rfc3339(Timestamp::from_millis(millis)).to_bytes();
            let written = std::str::from_utf8(&written).unwrap();
            let read = OffsetDateTime::parse(written, &WellKnown).unwrap();
            prop_assert_eq!(read.unix_timestamp_nanos(), i128::from(millis) * 1_000_000);
        }

        #[test]
        fn lines_are_short_and_clean(text in any::<String>(), longest in 0_usize..300) {
            let line = one_line(&text, longest);
            prop_assert!(line.len() <= longest);
            prop_assert!(!line.chars().any(char::is_control));
        }
    }
}
