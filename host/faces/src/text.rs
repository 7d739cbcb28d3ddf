//! Text in forms that protocols want.

use std::fmt;

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
        let moment =
            OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let (hour, minute, second) = moment.to_hms();
        let parts = [
            (3, u64::from(moment.year().unsigned_abs())),
            (6, u64::from(u8::from(moment.month()))),
            (9, u64::from(moment.day())),
            (12, u64::from(hour)),
            (15, u64::from(minute)),
            (18, u64::from(second)),
            (22, millis % 1000),
        ];
        // Digits are written from the last one, which is where the part ends.
        for (end, mut value) in parts {
            for digit in text.iter_mut().take(end + 1).rev() {
                if value == 0 {
                    break;
                }
                *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
                value /= 10;
            }
        }
        text
    }
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
