//! Instructions of the hit path, counted by callgrind: the same on a machine
//! that does other things meanwhile.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::step::{say, target_directory};

/// Parts of a hit, as `portreeve-hit-path` knows them.
const PARTS: [&str; 2] = ["answer", "parse-and-answer"];
/// Two runs, so that what the start takes is not counted.
const HITS: [u64; 2] = [1_000, 11_000];
/// How much more than the baseline is a regression.
const TOLERATED_PERCENT: u64 = 10;

/// Instructions of one hit, by part.
pub(super) type Counted = BTreeMap<String, u64>;

/// Counts them, with the program that was built before.
pub(super) fn count(root: &Path) -> anyhow::Result<Counted> {
    PARTS
        .into_iter()
        .map(|part| Ok((part.to_owned(), of_one_hit(root, part)?)))
        .collect()
}

/// Counts them, and fails if they are many more than the baseline says.
pub(super) fn check(root: &Path) -> anyhow::Result<()> {
    let baseline = fs::read_to_string(file(root))
        .with_context(|| format!("cannot read `{}`", file(root).display()))?;
    let baseline: Counted = read(&baseline)?;
    compare(&baseline, &count(root)?)
}

/// Makes what was counted the baseline.
pub(super) fn accept(root: &Path, counted: &Counted) -> anyhow::Result<()> {
    Ok(fs::write(file(root), write(counted)?)?)
}

/// What was counted, as Markdown.
pub(super) fn section(counted: &Counted) -> String {
    let mut text =
        "## Instructions of a hit\n\nCounted by callgrind with 1,000 devices in memory, \
                    native source and policy.\n\n| part | instructions |\n| --- | --- |\n"
            .to_owned();
    for (part, instructions) in counted {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "| {part} | {instructions} |");
    }
    text.push('\n');
    text
}

fn file(root: &Path) -> PathBuf {
    root.join("benches/instructions.toml")
}

fn of_one_hit(root: &Path, part: &str) -> anyhow::Result<u64> {
    let [few, many] = HITS;
    let difference = of_run(root, part, many)?.saturating_sub(of_run(root, part, few)?);
    Ok(difference / (many - few))
}

/// All instructions of one run.
fn of_run(root: &Path, part: &str, hits: u64) -> anyhow::Result<u64> {
    let target = target_directory(root);
    let profile = target.join(format!("callgrind.{part}.{hits}"));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(target.join("release/portreeve-hit-path"))
        .args(["hits", part, &hits.to_string()])
        .output()
        .context("cannot start `valgrind`; hint: `apt-get install valgrind`")?;
    ensure!(
        output.status.success(),
        "callgrind ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let profile = fs::read_to_string(&profile)?;
    total(&profile).context("callgrind wrote no total")
}

/// The sum of a profile (Callgrind format specification, `totals`).
fn total(profile: &str) -> Option<u64> {
    let mut lines = profile.lines().rev();
    let total = lines.find_map(|line| line.strip_prefix("totals:"))?;
    total.trim().parse().ok()
}

/// Fails if any part needs many more instructions than it did, and says it if
/// many fewer: then the baseline should follow.
fn compare(baseline: &Counted, counted: &Counted) -> anyhow::Result<()> {
    let mut worse = Vec::new();
    for (part, now) in counted {
        let before = baseline.get(part).with_context(|| {
            format!("no baseline for `{part}`; hint: `cargo xtask bench instructions --accept`")
        })?;
        say(&format!(
            "   {part}: {now} instructions, {before} in the baseline"
        ));
        if now * 100 > before * (100 + TOLERATED_PERCENT) {
            worse.push(format!(
                "`{part}` takes {now} instructions, {before} before"
            ));
        } else if now * 100 < before * (100 - TOLERATED_PERCENT) {
            say("   much better; hint: `cargo xtask bench instructions --accept`");
        }
    }
    ensure!(
        worse.is_empty(),
        "a hit costs over {TOLERATED_PERCENT} % more than it did: {}; hint: if that is what it \
         has to cost, `cargo xtask bench instructions --accept`",
        worse.join(", ")
    );
    Ok(())
}

fn read(text: &str) -> anyhow::Result<Counted> {
    toml::from_str(text).context("the baseline is not `part = instructions` in each line")
}

fn write(counted: &Counted) -> anyhow::Result<String> {
    let head = "# Instructions of one hit, written by `cargo xtask bench instructions --accept`.\n\
                # `cargo xtask bench --check` fails at more than 10 % above.\n";
    Ok(head.to_owned() + &toml::to_string(counted)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(values: &[(&str, u64)]) -> Counted {
        let values = values.iter();
        values
            .map(|(part, count)| ((*part).to_owned(), *count))
            .collect()
    }

    #[test]
    fn totals_of_a_profile() {
        let profile =
            "# callgrind format\nevents: Ir\nsummary: 12\nfn=(1) main\n1 12\ntotals: 12\n";
        assert_eq!(total(profile), Some(12));
        assert_eq!(total("events: Ir\n"), None);
        assert_eq!(total("totals: many\n"), None);
    }

    #[test]
    fn more_than_a_tenth_above_fails() {
        let baseline = counted(&[("answer", 1_000), ("parse", 2_000)]);
        for (answer, parse, passes) in [
            (1_000, 2_000, true),
            (1_100, 2_200, true),
            (1_101, 2_000, false),
            (1_000, 2_201, false),
            (10, 10, true),
        ] {
            let now = counted(&[("answer", answer), ("parse", parse)]);
            assert_eq!(compare(&baseline, &now).is_ok(), passes, "{now:?}");
        }
        assert!(compare(&counted(&[]), &baseline).is_err());
    }

    #[test]
    fn the_baseline_reads_what_was_written() {
        let values = counted(&[("answer", 3_274), ("parse-and-answer", 3_500)]);
        assert_eq!(read(&write(&values).unwrap()).unwrap(), values);
        assert!(read("answer: 12").is_err());
        assert!(read("answer = many").is_err());
    }
}
