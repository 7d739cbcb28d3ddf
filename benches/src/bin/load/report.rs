//! What was measured, as text to keep.

use std::fmt::Write as _;

use crate::generator::Latencies;

/// Sections of Markdown.
#[derive(Debug, Default)]
pub(crate) struct Report(String);

impl Report {
    /// Begins a section.
    pub(crate) fn section(&mut self, title: &str) {
        self.line(&format!("## {title}"));
    }

    pub(crate) fn paragraph(&mut self, text: &str) {
        self.line(text);
    }

    pub(crate) fn table(&mut self, table: &Table) {
        self.line(&table.render());
    }

    /// Says that something could not be measured, rather than nothing.
    pub(crate) fn not_measured(&mut self, what: &str, why: &str) {
        self.line(&format!("{what}: not measured, {why}."));
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(text.trim_end());
        self.0.push_str("\n\n");
    }
}

/// A table of Markdown.
#[derive(Debug)]
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.push(head);
        table.push(&vec!["---"; head.len()]);
        table
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: &[&str]) {
        self.push(cells);
    }

    fn push(&mut self, cells: &[&str]) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.0, "| {} |", cells.join(" | "));
    }

    fn render(&self) -> String {
        self.0.clone()
    }
}

/// The columns of [`latency_cells`].
pub(crate) const LATENCY_HEAD: [&str; 8] = [
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    "max µs",
    "404",
    "503",
    "failed",
    "missing",
];

/// Latencies as cells of a table.
pub(crate) fn latency_cells(latencies: &Latencies) -> [String; 8] {
    [
        format!("{:.0}", latencies.quantile(0.5)),
        format!("{:.0}", latencies.quantile(0.99)),
        format!("{:.0}", latencies.quantile(0.999)),
        format!("{:.0}", latencies.slowest()),
        latencies.unknown.to_string(),
        latencies.shed.to_string(),
        latencies.failed.to_string(),
        latencies.missing.to_string(),
    ]
}

/// The middle and the ends of several figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// `None` without any figure.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: *sorted.get(sorted.len() / 2)?,
            lowest: *sorted.first()?,
            highest: *sorted.last()?,
        })
    }

    /// Each turn against the turn beside it, so that a machine that slows down
    /// for a while slows down both.
    pub(crate) fn of_ratios(ours: &[f64], theirs: &[f64]) -> Option<Self> {
        let turns = ours.iter().zip(theirs);
        Self::of(turns.map(|(ours, theirs)| ours / theirs))
    }

    /// `0.92 (0.90 to 0.95)`
    pub(crate) fn readable(self) -> String {
        let Self {
            median,
            lowest,
            highest,
        } = self;
        format!("{median:.2} ({lowest:.2} to {highest:.2})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads() {
        let spread = |median, lowest, highest| {
            Some(Spread {
                median,
                lowest,
                highest,
            })
        };
        for (figures, expected) in [
            (vec![], None),
            (vec![2.0], spread(2.0, 2.0, 2.0)),
            (vec![3.0, 1.0, 2.0], spread(2.0, 1.0, 3.0)),
            (vec![4.0, 1.0, 3.0, 2.0], spread(3.0, 1.0, 4.0)),
        ] {
            assert_eq!(Spread::of(figures.clone()), expected, "{figures:?}");
        }
    }

    #[test]
    fn ratios_are_taken_turn_by_turn() {
        // The second turn was on a machine half as fast, for both.
        let ratios = Spread::of_ratios(&[90.0, 45.0, 80.0], &[100.0, 50.0, 100.0]).unwrap();
        assert_eq!(ratios.readable(), "0.90 (0.80 to 0.90)");
    }

    #[test]
    fn a_report_is_markdown() {
        let mut report = Report::default();
        report.section("One");
        let mut table = Table::new(&["a", "b"]);
        table.row(&["1", "2"]);
        report.table(&table);
        report.not_measured("Two", "because");
        let expected =
            "## One\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\nTwo: not measured, because.\n\n";
        assert_eq!(report.text(), expected);
    }
}
