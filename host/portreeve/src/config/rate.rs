//! How often somebody may ask.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use portreeve_faces::RateLimit;
use serde::{Serialize, Serializer};

use super::read::{FromNode, Reader};
use super::tree::Node;
use super::value::parsed;

/// A number of requests in a second, minute or hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    requests: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    const ALL: [(&'static str, Self); 3] =
        [("s", Self::Second), ("m", Self::Minute), ("h", Self::Hour)];

    const fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }
}

impl Rate {
    /// Without `burst` what a second allows may come at once.
    pub(crate) fn limit(self, burst: Option<u32>) -> RateLimit {
        let one_second = (self.requests / self.unit.seconds()).max(1);
        RateLimit {
            requests: self.requests,
            per: Duration::from_secs(self.unit.seconds().into()),
            burst: burst.unwrap_or(one_second),
        }
    }
}

/// The text is no rate.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected a whole number from 1 on, `/`, and `s`, `m` or `h`")]
pub(crate) struct NoRate;

impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        let (requests, unit) = text.split_once('/').ok_or(NoRate)?;
        let requests = requests.trim().parse().map_err(|_| NoRate)?;
        let known = Unit::ALL.into_iter().find(|(word, _)| *word == unit.trim());
        match known {
            Some((_, unit)) if requests > 0 => Ok(Self { requests, unit }),
            _ => Err(NoRate),
        }
    }
}

impl FromNode for Rate {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        parsed(
            node,
            reader,
            "rate",
            "write e.g. `\"100/s\"` or `\"6000/m\"`",
        )
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Unit::ALL.into_iter().find(|(_, unit)| *unit == self.unit);
        let word = known.map_or("", |(word, _)| word);
        write!(formatter, "{}/{word}", self.requests)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, burst: Option<u32>, expected: (u32, u64, u32)) {
        let rate: Rate = text.parse().unwrap();
        assert_eq!(rate.to_string(), text);
        let limit = rate.limit(burst);
        assert_eq!((limit.requests, limit.per.as_secs(), limit.burst), expected);
    }

    #[test]
    fn rates() {
        check("100/s", None, (100, 1, 100));
        check("100/s", Some(7), (100, 1, 7));
        check("6000/m", None, (6000, 60, 100));
        check("10/m", None, (10, 60, 1));
        check("10/h", Some(10), (10, 3600, 10));
        for wrong in ["", "100", "0/s", "-1/s", "100/d", "1.5/s", "100 per s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
