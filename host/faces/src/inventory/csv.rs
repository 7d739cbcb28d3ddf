//! Records as a table of comma-separated values (RFC 4180).

use std::fmt::Write as _;

use portreeve_domain::View;
use portreeve_gateway::query::{Fact, FactValue};
use portreeve_gateway::selection::Row;

use crate::text::Rfc3339;

/// The columns, if nothing is said.
const USUAL: [&str; 16] = [
    "source",
    "name",
    "type",
    "enrollment",
    "compliance",
    "compliance.failing",
    "ownership",
    "os.version",
    "manufacturer",
    "model",
    "serial",
    "mac",
    "guid",
    "user.principal-name",
    "last-seen",
    "fetched-at",
];

/// The columns of somebody who said nothing, as far as he is shown them.
pub(super) fn usual_columns(view: &View) -> Vec<Fact> {
    let facts = USUAL.iter().filter_map(|name| name.parse::<Fact>().ok());
    facts.filter(|fact| fact.is_shown(view)).collect()
}

/// Writes the first line.
pub(super) fn write_names(text: &mut String, columns: &[Fact]) {
    line(text, columns.iter().map(ToString::to_string));
}

/// Writes one record.
pub(super) fn write_row(text: &mut String, row: &Row, columns: &[Fact]) {
    let candidate = row.candidate();
    line(
        text,
        columns.iter().map(|fact| match fact.of(&candidate) {
            None | Some(FactValue::Absent) => String::new(),
            Some(FactValue::Boolean(value)) => (if value { "yes" } else { "no" }).to_owned(),
            Some(FactValue::Integer(number)) => number.to_string(),
            Some(FactValue::Moment(at)) => Rfc3339(at).to_string(),
            Some(FactValue::Text(text)) => harmless(&text),
            Some(FactValue::Texts(texts)) => harmless(&texts.join(" ")),
        }),
    );
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            text.push(',');
        }
        if cell.contains(['"', ',', '\r', '\n']) {
            // Writing to memory does not fail.
            let _ = write!(text, "\"{}\"", cell.replace('"', "\"\""));
        } else {
            text.push_str(&cell);
        }
    }
    text.push_str("\r\n");
}

/// Text that no table program takes for a formula: users name devices, and a
/// name may be one (OWASP, "CSV Injection"). An apostrophe before it says that
/// it is text.
fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']);
    if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text() {
        for (text, expected) in [
            (
                "=HYPERLINK(\"http://evil.example\")",
                "'=HYPERLINK(\"http://evil.example\")",
            ),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("ada's", "ada's"),
            ("", ""),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        let mut text = String::new();
        let cells = ["a", "b,c", "d\"e", "f\ng", ""].map(str::to_owned);
        line(&mut text, cells.into_iter());
        assert_eq!(text, "a,\"b,c\",\"d\"\"e\",\"f\ng\",\r\n");
    }

    #[test]
    fn the_usual_columns_are_facts() {
        assert_eq!(usual_columns(&View::default()).len(), USUAL.len());
        let view = View {
            facts: Some(std::sync::Arc::default()),
            ..View::default()
        };
        let shown: Vec<String> = usual_columns(&view)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "source",
                "enrollment",
                "compliance",
                "compliance.failing",
                "fetched-at"
            ]
        );
    }
}
