//! Names of nodes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name, in bytes (pxGrid's wiki, "Consumer").
const LONGEST: usize = 100;

/// The name of a pxGrid node. It has no case; here it is lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeName(Arc<str>);

/// The text is no name of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {LONGEST} characters of `a-z`, `0-9`, `-`, `_` and `.`")]
pub(crate) struct NodeNameError;

impl NodeName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NodeNameError;

    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(fits) {
            return Err(NodeNameError);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let longest = "n".repeat(100);
        for (text, expected) in [
            ("client1", Some("client1")),
            ("Splunk_SIEM-1.example", Some("splunk_siem-1.example")),
            (&longest, Some(&*longest)),
            ("", None),
            ("a b", None),
            ("~ise-pubsub-x", None),
            ("knöten", None),
            ("a:b", None),
            (&"n".repeat(101), None),
        ] {
            let name = text.parse::<NodeName>();
            assert_eq!(name.as_ref().ok().map(NodeName::as_str), expected, "{text}");
        }
    }
}
