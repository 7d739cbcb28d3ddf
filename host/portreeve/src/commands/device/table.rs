//! Records as a table for people.

use serde_json::Value;

/// The widest that a column gets, in characters.
const WIDEST: usize = 40;

/// The lines of a table: names of columns, then a line for each record.
pub(super) fn lines(columns: &[&str], records: &[Value]) -> Vec<String> {
    let names = columns.iter().map(|name| name.to_uppercase()).collect();
    let rows = records.iter().map(|record| {
        let cells = columns.iter().map(|column| cell(record.get(*column)));
        cells.collect::<Vec<String>>()
    });
    let rows: Vec<Vec<String>> = std::iter::once(names).chain(rows).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|place| {
            let cells = rows.iter().filter_map(|row| row.get(place));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A value in one cell.
pub(super) fn cell(value: Option<&Value>) -> String {
    let text = text(value);
    let text: String = text.chars().map(printable).collect();
    if text.chars().count() <= WIDEST {
        return text;
    }
    let cut: String = text.chars().take(WIDEST - 1).collect();
    format!("{cut}…")
}

/// A value as text.
pub(super) fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Bool(value)) => (if *value { "yes" } else { "no" }).to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => {
            let texts: Vec<String> = values.iter().map(|value| text(Some(value))).collect();
            texts.join(" ")
        }
        Some(other) => other.to_string(),
    }
}

/// Users name devices: no name moves the cursor of a terminal.
pub(super) fn printable(character: char) -> char {
    if character.is_control() {
        ' '
    } else {
        character
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest() {
        let records = [
            json!({"name": "ada's laptop", "stale": false, "mac": ["a", "b"]}),
            json!({"name": "\u{1b}[31m", "stale": true, "mac": null}),
            json!({"name": "x".repeat(50)}),
        ];
        let lines = lines(&["name", "stale", "mac"], &records);
        assert_eq!(
            lines.first().unwrap(),
            &format!("NAME{:36}  STALE  MAC", "")
        );
        assert_eq!(
            lines.get(1).unwrap(),
            &format!("ada's laptop{:28}  no     a b", "")
        );
        assert!(lines.get(2).unwrap().starts_with(" [31m"));
        assert!(
            lines
                .get(3)
                .unwrap()
                .starts_with(&format!("{}…  -      -", "x".repeat(39)))
        );
    }
}
