//! Questions and answers as a table.

use std::fmt::Write as _;

use portreeve_harness::{Reply, member};
use serde_json::Value;

use crate::cases::Case;

const HEAD: [&str; 7] = [
    "device", "asked by", "verdict", "reasons", "source", "origin", "latency",
];

/// One line of the table.
pub(crate) struct Row {
    cells: [String; 7],
    /// What was expected instead, if anything.
    wrong: Option<String>,
}

impl Row {
    pub(crate) fn is_expected(&self) -> bool {
        self.wrong.is_none()
    }
}

/// Reads an answer.
pub(crate) fn row(case: &Case, reply: &Reply) -> Row {
    let body = &reply.body;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let verdict = text(reply.field("verdict"));
    let reasons: Vec<String> = match reply.field("reasons").as_array() {
        Some(reasons) if !reasons.is_empty() => reasons
            .iter()
            .map(|reason| text(member(reason, "code")))
            .collect(),
        _ => vec![text(reply.field("absence"))],
    };
    let stale = *reply.field("stale") == true;
    let source = source(reply, stale);
    let is_expected = verdict == case.verdict
        && reasons.first().is_some_and(|reason| reason == case.reason)
        && stale == case.stale;
    let wrong = (!is_expected).then(|| {
        let stale = if case.stale { ", stale" } else { "" };
        format!(
            "expected {} because {}{stale}; got HTTP {} {body}",
            case.verdict, case.reason, reply.status
        )
    });
    let cells = [
        case.about.to_owned(),
        case.identifier.clone(),
        verdict,
        reasons.join(", "),
        source,
        text(reply.field("origin")),
        format!("{:.2} ms", reply.took.as_secs_f64() * 1_000.0),
    ];
    Row { cells, wrong }
}

/// Which source said what the answer rests on.
fn source(reply: &Reply, stale: bool) -> String {
    let sources = reply
        .field("sources")
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let parts: Vec<String> = sources
        .iter()
        .map(|source| {
            let name = member(source, "name").as_str().unwrap_or("-");
            let outcome = member(source, "outcome").as_str().unwrap_or("-");
            let stale = if stale { ", stale" } else { "" };
            format!("{name}: {outcome}{stale}")
        })
        .collect();
    parts.join("; ")
}

/// The whole table; colour says nothing that the words do not say.
pub(crate) fn render(rows: &[Row], coloured: bool) -> String {
    let mut widths = HEAD.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let line = |cells: [&str; 7]| -> String {
        let cells = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    // Writing into a string cannot fail.
    let _ = writeln!(text, "  {}", line(HEAD));
    for row in rows {
        let mut rendered = line(row.cells.each_ref().map(String::as_str));
        let [_, _, verdict, ..] = &row.cells;
        if coloured {
            let colour = match verdict.as_str() {
                "permit" => 32,
                "restrict" => 33,
                "deny" => 31,
                _ => 35,
            };
            rendered = rendered.replacen(verdict, &format!("\x1b[{colour}m{verdict}\x1b[0m"), 1);
        }
        let mark = if row.is_expected() { ' ' } else { '!' };
        let _ = writeln!(text, "{mark} {rendered}");
        if let Some(wrong) = &row.wrong {
            let _ = writeln!(text, "    {wrong}");
        }
    }
    text.truncate(text.trim_end().len());
    text
}
