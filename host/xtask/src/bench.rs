//! `cargo xtask bench`: all benches, written to `benches/runs/`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::step::{build_host, run, run_command, say, step, target_directory};
use crate::{guests, prerequisites};

/// Runs everything and keeps the result under the day and the machine.
pub(crate) fn bench(root: &Path) -> anyhow::Result<()> {
    step("Debian packages", || prerequisites::debian_packages(root))?;
    step("guests", || {
        guests::print_summary(&guests::build(root, &[])?)
    })?;
    step("build", || build_host(root))?;
    let target = target_directory(root);
    let load = target.join("load.md");
    step("HTTP load", || {
        let mut program = Command::new(target.join("release/portreeve-load"));
        program.arg("--output").arg(&load).current_dir(root);
        run_command(&mut program)
    })?;
    step("criterion", || {
        run(
            root,
            "cargo",
            [
                "bench",
                "--workspace",
                "--bench",
                "cache",
                "--bench",
                "plugins",
            ],
        )
    })?;
    let mut text = format!(
        "# Benches of {}\n\n{}\n",
        output("date", &["+%F"])?,
        machine()?
    );
    write!(
        text,
        "## HTTP\n\n{}\n## In process\n\n",
        fs::read_to_string(&load)?
    )?;
    text.push_str("Medians of criterion, wall clock.\n\n| bench | median |\n| --- | --- |\n");
    for (name, nanoseconds) in medians(&target.join("criterion"))? {
        writeln!(text, "| {name} | {} |", readable(nanoseconds))?;
    }
    let name = format!(
        "{}-{}.md",
        output("date", &["+%F"])?,
        output("uname", &["-m"])?
    );
    let path = root.join("benches/runs").join(name);
    fs::write(&path, text)?;
    say(&format!("   written to `{}`", path.display()));
    Ok(())
}

/// What ran it, for whoever compares figures later.
fn machine() -> anyhow::Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "{model}, {cores} cores (shared), Linux {}, {}\n",
        output("uname", &["-r"])?,
        output("rustc", &["--version"])?
    ))
}

fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(
        output.status.success(),
        "`{program}` ended with {}",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
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
