//! Which decisions are kept.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::entry::Ruling;

/// Which decisions are kept. Denials (`deny` and `cannot-tell`) always are,
/// unless nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Every decision.
    All,
    /// Decisions that differ from the last one about the endpoint, and denials.
    #[default]
    Changes,
    /// Denials.
    Denials,
    /// Nothing.
    None,
}

/// The word stands for no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` says nothing about what to keep: expected `all`, `changes`, `denials` or `none`")]
pub struct UnknownKeep(String);

impl Keep {
    /// Whether a decision is kept. `changed` says that it differs from the last
    /// one about the same endpoint.
    pub const fn wants(self, ruling: Ruling, changed: bool) -> bool {
        match self {
            Self::All => true,
            Self::Changes => changed || ruling.is_denial(),
            Self::Denials => ruling.is_denial(),
            Self::None => false,
        }
    }

    /// The word for it in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Changes => "changes",
            Self::Denials => "denials",
            Self::None => "none",
        }
    }

    pub(super) const ALL: [Self; 4] = [Self::All, Self::Changes, Self::Denials, Self::None];
}

impl fmt::Display for Keep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Keep {
    type Err = UnknownKeep;

    fn from_str(text: &str) -> Result<Self, UnknownKeep> {
        let found = Self::ALL.into_iter().find(|keep| keep.as_str() == text);
        found.ok_or_else(|| UnknownKeep(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_keep_what_they_say() {
        use Ruling::{CannotTell, Deny, Permit, Restrict};
        for (keep, permit, changed_permit, denial) in [
            (Keep::All, true, true, true),
            (Keep::Changes, false, true, true),
            (Keep::Denials, false, false, true),
            (Keep::None, false, false, false),
        ] {
            for ruling in [Permit, Restrict] {
                assert_eq!(keep.wants(ruling, false), permit, "{keep} {ruling}");
                assert_eq!(keep.wants(ruling, true), changed_permit, "{keep} {ruling}");
            }
            for ruling in [Deny, CannotTell] {
                for changed in [false, true] {
                    assert_eq!(keep.wants(ruling, changed), denial, "{keep} {ruling}");
                }
            }
            assert_eq!(keep.as_str().parse(), Ok(keep));
        }
        assert!("some".parse::<Keep>().is_err());
    }
}
