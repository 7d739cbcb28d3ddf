//! The key of an action that is under way: all that is needed to find it again.

use super::kind::{Kind, named};

/// An action that Graph has, or may have, taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) kind: &'static Kind,
    /// Milliseconds since the epoch.
    pub(crate) at: u64,
    /// Whether Graph said so.
    pub(crate) sure: bool,
}

impl Started {
    /// As the host keeps it.
    pub(crate) fn key(self) -> String {
        let word = if self.sure { "sent" } else { "begun" };
        format!("1 {} {} {word}", self.kind.name, self.at)
    }

    /// Reads what [`Started::key`] wrote.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let mut words = key.split(' ');
        if words.next() != Some("1") {
            return None;
        }
        let started = Self {
            kind: named(words.next()?)?,
            at: words.next()?.parse().ok()?,
            sure: match words.next()? {
                "sent" => true,
                "begun" => false,
                _ => return None,
            },
        };
        words.next().is_none().then_some(started)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_lead_back() {
        let started = Started {
            kind: named("rebootNow").unwrap(),
            at: 7,
            sure: false,
        };
        assert_eq!(started.key(), "1 rebootNow 7 begun");
        assert_eq!(Started::parse(&started.key()), Some(started));
        for key in [
            "",
            "1",
            "2 sync 7 sent",
            "1 explode 7 sent",
            "1 sync x sent",
            "1 sync 7 perhaps",
            "1 sync 7 sent ",
        ] {
            assert_eq!(Started::parse(key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(key in ".{0,40}") {
            let _ = Started::parse(&key);
        }
    }
}
