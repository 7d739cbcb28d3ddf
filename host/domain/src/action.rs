//! What a client may ask for beside answers.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One kind of action on an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// Make the device report to its management system now.
    Sync,
    /// Lock the screen.
    Lock,
    /// Erase corporate data and end management.
    Retire,
    /// Erase everything.
    Wipe,
    /// Show a message to the user.
    Notify,
    /// One that only some sources have, under the source's own name for it.
    Other(ActionName),
}

/// A source's own name for an action: 1 to 64 ASCII letters, digits, `-` and
/// `_`, and none of the words that every source shares.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActionName(Arc<str>);

/// The text names no kind of action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `sync`, `lock`, `retire`, `wipe`, `notify`, or `other:NAME` with a source's own name \
     of 1 to 64 letters, digits, `-` and `_`"
)]
pub struct NoSuchAction;

impl ActionKind {
    /// Those that have one name for all sources.
    pub const SHARED: [Self; 5] = [
        Self::Sync,
        Self::Lock,
        Self::Retire,
        Self::Wipe,
        Self::Notify,
    ];

    const OTHER: &str = "other:";

    /// Whether it can be taken back or hurts nobody: everything else wants a
    /// confirmation, unless the operator says that it does not.
    pub const fn is_harmless(&self) -> bool {
        matches!(self, Self::Sync | Self::Lock | Self::Notify)
    }

    /// The source's name for it, without `other:`.
    pub fn name(&self) -> &str {
        match self {
            Self::Sync => "sync",
            Self::Lock => "lock",
            Self::Retire => "retire",
            Self::Wipe => "wipe",
            Self::Notify => "notify",
            Self::Other(name) => &name.0,
        }
    }
}

impl ActionName {
    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Other(_) = self {
            formatter.write_str(Self::OTHER)?;
        }
        formatter.write_str(self.name())
    }
}

impl FromStr for ActionKind {
    type Err = NoSuchAction;

    fn from_str(text: &str) -> Result<Self, NoSuchAction> {
        let mut shared = Self::SHARED.into_iter();
        let Some(name) = text.strip_prefix(Self::OTHER) else {
            return shared.find(|kind| kind.name() == text).ok_or(NoSuchAction);
        };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let named = (1..=64).contains(&name.len()) && name.bytes().all(is_word);
        // Nobody gets past a right by another spelling.
        if !named || shared.any(|kind| kind.name().eq_ignore_ascii_case(name)) {
            return Err(NoSuchAction);
        }
        Ok(Self::Other(ActionName(name.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_kinds() {
        for word in [
            "sync",
            "lock",
            "retire",
            "wipe",
            "notify",
            "other:rebootNow",
        ] {
            let kind: ActionKind = word.parse().unwrap();
            assert_eq!(kind.to_string(), word);
        }
        let reboot: ActionKind = "other:rebootNow".parse().unwrap();
        assert_eq!(reboot.name(), "rebootNow");
        assert!(!reboot.is_harmless() && ActionKind::Sync.is_harmless());
    }

    #[test]
    fn other_texts_name_none() {
        let long = format!("other:{}", "x".repeat(65));
        for text in [
            "",
            "Sync",
            "rebootNow",
            "other:",
            "other:wipe",
            "other:WIPE",
            "other:re boot",
            "other:../wipe",
            &long,
        ] {
            assert_eq!(text.parse::<ActionKind>(), Err(NoSuchAction), "{text}");
        }
    }
}
