//! When a secret ends, as its issuer said.

use serde::{Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::problem::Problem;
use super::read::{FromNode, Reader, wrong_kind};
use super::tree::{Node, Value};

const HOW: &str = "write the day, e.g. `2027-01-31`, or a time, e.g. `2027-01-31T12:00:00Z`";

/// The end of a secret; a day alone is its beginning in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expires(pub(crate) OffsetDateTime);

impl FromNode for Expires {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let (Value::Datetime(text) | Value::String(text)) = &node.value else {
            reader.report(wrong_kind(node, "a date").hint(HOW));
            return None;
        };
        let found = moment(text);
        if found.is_none() {
            let message = format!("`{text}` is no date");
            reader.report(Problem::new(&node.place, &node.key, message).hint(HOW));
        }
        found.map(Self)
    }
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(moment);
    }
    let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    Some(day.midnight().assume_utc())
}

impl Serialize for Expires {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.format(&Rfc3339).unwrap_or_default();
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times() {
        for (text, expected) in [
            ("2027-01-31", Some("2027-01-31T00:00:00Z")),
            (
                "2027-01-31T12:00:00+01:00",
                Some("2027-01-31T12:00:00+01:00"),
            ),
            ("2027-13-31", None),
            ("31.1.2027", None),
            ("12:00:00", None),
            ("", None),
        ] {
            let found = moment(text).map(|moment| moment.format(&Rfc3339).unwrap());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
