//! Times and spans as cases write them.

use serde::{Deserialize, Deserializer, de};

/// A point in time: `now`, `3d ago`, `in 90m`, or milliseconds since the Unix
/// epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before the question, in milliseconds.
    Before(u64),
    /// After the question, in milliseconds.
    After(u64),
    /// Milliseconds since the Unix epoch.
    At(u64),
}

impl Moment {
    /// Milliseconds since the Unix epoch, for a question asked at `now`.
    pub const fn resolve(self, now: u64) -> u64 {
        match self {
            Self::Before(span) => now.saturating_sub(span),
            Self::After(span) => now.saturating_add(span),
            Self::At(time) => time,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "now" {
            return Some(Self::After(0));
        }
        if let Some(span) = text.strip_suffix(" ago") {
            return Span::parse(span).map(|span| Self::Before(span.0));
        }
        let span = text.strip_prefix("in ")?;
        Span::parse(span).map(|span| Self::After(span.0))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Millis(u64),
            Words(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Millis(time) => Ok(Self::At(time)),
            Written::Words(text) => Self::parse(&text).ok_or_else(|| {
                de::Error::custom(format!(
                    "`{text}` is no time; expected `now`, `3d ago`, `in 90m` or milliseconds"
                ))
            }),
        }
    }
}

/// A span of time in milliseconds, written `250ms`, `90s`, `15m`, `8h` or `3d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub u64);

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let unit = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(unit);
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(millis).map(Self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is no span of time; expected e.g. `250ms`, `90s`, `15m`, `8h` or `3d`"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_relative_to_the_question() {
        for (text, expected) in [
            ("now", Some(1_000_000)),
            ("1s ago", Some(999_000)),
            ("in 250ms", Some(1_000_250)),
            ("1d ago", Some(0)),
            ("in 2h", Some(8_200_000)),
            ("2h", None),
            ("in h", None),
            ("in 2 h", None),
            ("-2h ago", None),
            ("99999999999999999999d ago", None),
        ] {
            let read = Moment::parse(text).map(|moment| moment.resolve(1_000_000));
            assert_eq!(read, expected, "{text}");
        }
    }
}
