//! What an approved node may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing that a node may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// Ask `com.cisco.ise.mdm`.
    Mdm,
    /// Subscribe to topics, and ask the services of other nodes.
    Subscribe,
    /// Register services and publish to their topics.
    Publish,
    /// Ask `com.cisco.ise.config.anc`, quarantine endpoints and free them.
    Anc,
}

/// The text is no right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no right; expected `mdm`, `subscribe`, `publish` or `anc`")]
pub(crate) struct RightError(String);

impl Right {
    const ALL: [Self; 4] = [Self::Mdm, Self::Subscribe, Self::Publish, Self::Anc];

    /// The word for it in the store, on the command line and in logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Mdm => "mdm",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Anc => "anc",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl FromStr for Right {
    type Err = RightError;

    fn from_str(text: &str) -> Result<Self, RightError> {
        let found = Self::ALL.into_iter().find(|right| right.as_str() == text);
        found.ok_or_else(|| RightError(crate::text::one_line(text, 40)))
    }
}

/// Several rights. None unless said otherwise.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rights(u8);

impl Rights {
    /// What a node gets that is approved without a further word: reading.
    pub(crate) const READING: Self = Self(Right::Mdm.bit() | Right::Subscribe.bit());

    pub(crate) const fn contain(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    fn each(self) -> impl Iterator<Item = Right> {
        Right::ALL
            .into_iter()
            .filter(move |right| self.contain(*right))
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |set, right| set | right.bit()))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.each().map(Right::as_str);
        formatter.debug_set().entries(words).finish()
    }
}

impl Serialize for Rights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.each().map(Right::as_str))
    }
}

impl<'de> Deserialize<'de> for Rights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        let rights = words.iter().map(|word| word.parse());
        rights
            .collect::<Result<Self, RightError>>()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_and_written() {
        for (text, rest) in [
            (r#"["mdm","subscribe"]"#, Ok(Rights::READING)),
            (r#"["anc"]"#, Ok([Right::Anc].into_iter().collect())),
            ("[]", Ok(Rights::default())),
            (
                r#"["everything"]"#,
                Err("`everything` is no right; expected `mdm`, `subscribe`, `publish` or `anc`"),
            ),
        ] {
            let read = serde_json::from_str::<Rights>(text).map_err(|error| error.to_string());
            match (&read, rest) {
                (Ok(rights), Ok(expected)) => {
                    assert_eq!(*rights, expected, "{text}");
                    assert_eq!(serde_json::to_string(rights).unwrap(), text);
                }
                (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{error}"),
                _ => panic!("{text}: {read:?}"),
            }
        }
    }
}
