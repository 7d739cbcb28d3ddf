//! Spans of time as the operator writes them.

use serde::de;

/// A span of time, written `90s`, `15m`, `8h` or `14d`.
#[derive(Clone, Debug, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its length in seconds.
    pub seconds: u64,
}

impl Span {
    /// Reads a span: up to nine digits and a unit, not zero.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        if number.is_empty() || number.len() > 9 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let seconds = number.parse::<u64>().ok()? * unit;
        (seconds > 0).then_some(Self { seconds })
    }

    /// Its length in milliseconds.
    pub const fn millis(self) -> u64 {
        self.seconds.saturating_mul(1_000)
    }
}

impl<'de> de::Deserialize<'de> for Span {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom("expected a span of time such as `90s`, `15m`, `8h` or `14d`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("8h", Some(28_800)),
            ("14d", Some(1_209_600)),
            ("999999999d", Some(86_399_999_913_600)),
            ("0d", None),
            ("1234567890s", None),
            ("", None),
            ("d", None),
            ("14", None),
            ("+4d", None),
            ("14 d", None),
            ("14ß", None),
            ("1.5h", None),
        ] {
            let read = Span::parse(text).map(|span| span.seconds);
            assert_eq!(read, seconds, "{text}");
        }
    }
}
