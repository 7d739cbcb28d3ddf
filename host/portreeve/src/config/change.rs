//! `[policy-change]`: how much other policies may change at once.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::read::{FromNode, Reader, Section};
use super::tree::Node;
use super::value::parsed;

/// `[policy-change]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PolicyChangeConfig {
    /// Of all known endpoints, those whose verdict may change at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_changed: Option<Share>,
}

impl PolicyChangeConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let read = Self {
            max_changed: section.optional("max-changed"),
        };
        section.finish();
        read
    }
}

/// A part of a whole, in percent.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Share(f64);

impl Share {
    /// Whether `part` of `whole` is more than this.
    #[expect(
        clippy::cast_precision_loss,
        reason = "no fleet has as many devices as would be needed for that"
    )]
    pub(crate) fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        part as f64 * 100.0 > self.0 * whole as f64
    }
}

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').ok_or("it does not end with `%`")?;
        let number: f64 = number.trim().parse().map_err(|_| "it is no number")?;
        if (0.0..=100.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err("it is not between 0% and 100%")
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}%", self.0)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromNode for Share {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        parsed(node, reader, "share", "write e.g. \"5%\" or \"0.5%\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        for (text, shown) in [
            ("5%", "5%"),
            ("0.5 %", "0.5%"),
            ("0%", "0%"),
            ("100%", "100%"),
        ] {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), shown);
        }
        for text in ["5", "%", "-1%", "101%", "x%", "NaN%"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_exceeded_by_more_than_it() {
        let share: Share = "5%".parse().unwrap();
        assert!(!share.is_exceeded_by(5, 100));
        assert!(share.is_exceeded_by(6, 100));
        assert!(!share.is_exceeded_by(0, 0));
        let none: Share = "0%".parse().unwrap();
        assert!(none.is_exceeded_by(1, 1_000_000));
    }
}
