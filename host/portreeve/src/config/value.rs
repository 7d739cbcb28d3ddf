//! Kinds of values: text, numbers with a unit, addresses, files.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::problem::Problem;
use super::read::{FromNode, Reader, listed, nearest, wrong_kind};
use super::tree::{Node, Value};

impl FromNode for String {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        text(node, reader).map(str::to_owned)
    }
}

impl FromNode for bool {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        if let Value::Boolean(value) = node.value {
            return Some(value);
        }
        let problem = wrong_kind(node, "`true` or `false`");
        reader.report(problem.hint("write it without quotes"));
        None
    }
}

impl FromNode for usize {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        whole_number(node, reader).and_then(|value| Self::try_from(value).ok())
    }
}

impl FromNode for u32 {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let value = whole_number(node, reader)?;
        let fitting = Self::try_from(value).ok();
        if fitting.is_none() {
            let problem =
                Problem::new(&node.place, &node.key, format!("`{value}` is out of range"));
            reader.report(problem.hint(format!("the greatest value is {}", Self::MAX)));
        }
        fitting
    }
}

/// A number of at least one: zero connections or entries never mean "none".
fn whole_number(node: &Node, reader: &Reader<'_>) -> Option<u64> {
    let Value::Integer(value) = node.value else {
        reader.report(wrong_kind(node, "a whole number").hint("write it without quotes"));
        return None;
    };
    if value < 1 {
        let problem = Problem::new(&node.place, &node.key, format!("`{value}` is out of range"));
        reader.report(problem.hint("the least value is 1"));
        return None;
    }
    u64::try_from(value).ok()
}

pub(super) fn text<'a>(node: &'a Node, reader: &Reader<'_>) -> Option<&'a str> {
    let Value::String(text) = &node.value else {
        reader.report(wrong_kind(node, "a string").hint("write it in quotes"));
        return None;
    };
    if text.is_empty() {
        let problem = Problem::new(&node.place, &node.key, "must not be empty");
        reader.report(problem.hint("leave the key out for its default"));
        return None;
    }
    Some(text)
}

/// Text that another type reads; `expected` says what it should have been.
pub(super) fn parsed<T>(node: &Node, reader: &Reader<'_>, expected: &str, hint: &str) -> Option<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let text = text(node, reader)?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let message = format!("`{text}` is no {expected}: {error}");
            let problem = Problem::new(&node.place, &node.key, message);
            reader.report(problem.hint(hint));
            None
        }
    }
}

/// One word of a closed set.
pub(super) fn choice<T: Copy>(
    node: &Node,
    reader: &Reader<'_>,
    choices: &[(&'static str, T)],
) -> Option<T> {
    let text = text(node, reader)?;
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let message = format!("`{text}` is none of {}", listed(&words));
    let hint = nearest(text, &words).map_or_else(
        || "write one of these words".to_owned(),
        |word| format!("did you mean `{word}`?"),
    );
    reader.report(Problem::new(&node.place, &node.key, message).hint(hint));
    None
}

/// A span of time, written as a number and a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

const SPAN_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl Span {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromNode for Span {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let millis = quantity(
            node,
            reader,
            &SPAN_UNITS,
            "a span of time",
            "write a whole number and a unit: `\"500ms\"`, `\"30s\"`, `\"5m\"`, `\"4h\"` or `\"1d\"`",
        )?;
        Some(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        display_quantity(millis, &SPAN_UNITS, "", formatter)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A number of bytes, written with a binary unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

const SIZE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl Size {
    /// From interfaces that count memory in `usize`.
    pub(crate) const fn of_bytes(number: usize) -> Self {
        Self(number as u64)
    }

    /// For interfaces that count memory in `usize`.
    pub(crate) fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromNode for Size {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        quantity(
            node,
            reader,
            &SIZE_UNITS,
            "a size",
            "write a whole number and a unit: `\"512 B\"`, `\"64 KiB\"`, `\"8 MiB\"` or `\"1 GiB\"`",
        )
        .map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        display_quantity(self.0, &SIZE_UNITS, " ", formatter)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn quantity(
    node: &Node,
    reader: &Reader<'_>,
    units: &[(&str, u64)],
    kind: &str,
    hint: &str,
) -> Option<u64> {
    let problem = |message: String| {
        reader.report(Problem::new(&node.place, &node.key, message).hint(hint));
        None
    };
    let text = match &node.value {
        Value::String(text) => text,
        Value::Integer(number) => return problem(format!("`{number}` has no unit")),
        other => return problem(format!("expected {kind}, found {}", other.kind())),
    };
    let trimmed = text.trim();
    let end = trimmed
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let factor = units
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()))
        .map(|(_, factor)| *factor);
    let (Ok(number), Some(factor)) = (number.parse::<u64>(), factor) else {
        return problem(format!("`{text}` is not {kind}"));
    };
    match number.checked_mul(factor) {
        Some(0) => problem(format!("`{text}` is too small, it must be more than zero")),
        Some(value) if i64::try_from(value).is_ok() => Some(value),
        _ => problem(format!("`{text}` is too large")),
    }
}

/// In the greatest unit that divides it.
fn display_quantity(
    value: u64,
    units: &[(&str, u64)],
    separator: &str,
    formatter: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (name, factor) in units {
        if value.is_multiple_of(*factor) {
            return write!(formatter, "{}{separator}{name}", value / factor);
        }
    }
    write!(formatter, "{value}")
}

impl FromNode for SocketAddr {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        parsed(
            node,
            reader,
            "address to listen on",
            "write an IP address and a port, e.g. `\"0.0.0.0:8443\"` or `\"[::]:8443\"`",
        )
    }
}

impl FromNode for ipnet::IpNet {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let text = text(node, reader)?;
        // An address alone is the network of this one address.
        if let Ok(address) = text.parse::<std::net::IpAddr>() {
            return Some(address.into());
        }
        parsed(
            node,
            reader,
            "network",
            "write an address and a prefix length, e.g. `\"10.0.0.0/8\"`",
        )
    }
}

impl FromNode for portreeve_egress::HostGrant {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        parsed(
            node,
            reader,
            "host to grant",
            "write `host`, `host:port` or `*.domain`; https is meant unless `http://` stands before it",
        )
    }
}

impl FromNode for portreeve_egress::UrlScope {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        parsed(
            node,
            reader,
            "URL prefix",
            "write where the credential may be sent, e.g. `\"https://graph.microsoft.com/\"`",
        )
    }
}

impl FromNode for url::Url {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        parsed(
            node,
            reader,
            "URL",
            "write it whole, e.g. `\"https://host/path\"`",
        )
    }
}

/// A path, made relative to the file that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilePath(pub(crate) PathBuf);

impl FromNode for FilePath {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        text(node, reader).map(|text| Self(node.place.directory().join(text)))
    }
}

impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.display())
    }
}
