//! Criterion's benches, and what it found.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::step::{self, target_directory};

/// All of the workspace, by name: `cargo bench` without names would run the
/// unit tests as well.
const BENCHES: [&str; 4] = ["cache", "gateway", "plugins", "trial"];

/// Runs them. `baseline` is an option of criterion's and its value.
pub(super) fn run(root: &Path, quick: bool, baseline: Option<(&str, &str)>) -> anyhow::Result<()> {
    let mut arguments = vec!["bench", "--workspace"];
    for bench in BENCHES {
        arguments.extend(["--bench", bench]);
    }
    arguments.push("--");
    if quick {
        arguments.push("--quick");
    }
    if let Some((option, name)) = baseline {
        arguments.extend([option, name]);
    }
    step::run(root, "cargo", arguments)
}

/// What it found last.
pub(super) fn section(root: &Path) -> anyhow::Result<String> {
    let mut text = "## In process\n\nMedians of criterion, wall clock.\n\n\
                    | bench | median |\n| --- | --- |\n"
        .to_owned();
    for (name, nanoseconds) in medians(&target_directory(root).join("criterion"))? {
        writeln!(text, "| {name} | {} |", readable(nanoseconds))?;
    }
    text.push('\n');
    Ok(text)
}

/// Criterion's medians in nanoseconds, by name.
fn medians(criterion: &Path) -> anyhow::Result<Vec<(String, f64)>> {
    let mut found = Vec::new();
    let mut folders = vec![criterion.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let estimates = folder.join("new/estimates.json");
        if estimates.is_file() {
            let name = folder.strip_prefix(criterion).unwrap_or(&folder);
            found.push((name.display().to_string(), median(&estimates)?));
        }
        for entry in fs::read_dir(&folder)? {
            let path: PathBuf = entry?.path();
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}

fn median(estimates: &Path) -> anyhow::Result<f64> {
    let estimates: Value = serde_json::from_slice(&fs::read(estimates)?)?;
    let median = estimates.pointer("/median/point_estimate");
    median
        .and_then(Value::as_f64)
        .context("criterion gave no median")
}

fn readable(nanoseconds: f64) -> String {
    match nanoseconds {
        small if small < 1_000.0 => format!("{small:.1} ns"),
        middle if middle < 1_000_000.0 => format!("{:.2} µs", middle / 1_000.0),
        large => format!("{:.2} ms", large / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("find/mac/1000/new");
        fs::create_dir_all(&new).unwrap();
        let estimates = r#"{"mean":{"point_estimate":2.0},"median":{"point_estimate":1500.5}}"#;
        fs::write(new.join("estimates.json"), estimates).unwrap();
        let expected = vec![("find/mac/1000".to_owned(), 1500.5)];
        assert_eq!(medians(folder.path()).unwrap(), expected);
    }

    #[test]
    fn units() {
        for (nanoseconds, expected) in [
            (9.96, "10.0 ns"),
            (1_234.0, "1.23 µs"),
            (2_345_678.0, "2.35 ms"),
        ] {
            assert_eq!(readable(nanoseconds), expected);
        }
    }
}
