//! `cargo xtask bench`: all benches, written to `benches/runs/`.

mod criterion;
mod instructions;
mod machine;

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::step::{run, run_command, say, step, target_directory};
use crate::{guests, prerequisites};
use machine::{architecture, machine, today};

/// What to measure, and what to compare with.
#[derive(Args, Debug, Default)]
pub(crate) struct Bench {
    /// Only these; everything if nothing is named.
    #[arg(value_enum)]
    names: Vec<Name>,
    /// Few and short rounds: to see that everything works, not for figures to
    /// keep.
    #[arg(long)]
    quick: bool,
    /// Only count the instructions of the hit path, and fail if they are more
    /// than 10 % above `benches/instructions.toml`.
    #[arg(long, conflicts_with_all = ["names", "quick", "accept", "save_baseline", "baseline"])]
    check: bool,
    /// Write the counted instructions to `benches/instructions.toml`.
    #[arg(long)]
    accept: bool,
    /// Keep criterion's results under this name.
    #[arg(long, value_name = "NAME", conflicts_with = "baseline")]
    save_baseline: Option<String>,
    /// Compare criterion's results with those kept under this name.
    #[arg(long, value_name = "NAME")]
    baseline: Option<String>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Throughput of hits over HTTP.
    Http,
    /// Latency of hits at fixed rates.
    Latency,
    /// Latency of hits beside other load.
    Overload,
    /// Devices that are not in memory.
    Miss,
    /// Answers of batches.
    Batch,
    /// Cost by the number of clients.
    Clients,
    /// How fast an inventory comes in.
    Sync,
    /// Memory for each device.
    Memory,
    /// From the start to the first answer.
    Start,
    /// Instructions of the hit path, by callgrind.
    Instructions,
    /// Everything in process, by criterion.
    Criterion,
}

impl Name {
    /// Whether `portreeve-load` measures it, under the same name.
    const fn is_load(self) -> bool {
        !matches!(self, Self::Instructions | Self::Criterion)
    }

    fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Measures, and keeps the result under the day and the machine.
pub(crate) fn bench(root: &Path, arguments: &Bench) -> anyhow::Result<()> {
    let packages = if arguments.check {
        prerequisites::INSTRUCTIONS
    } else {
        prerequisites::BENCHES
    };
    step("Debian packages", || {
        prerequisites::debian_packages(root, packages)
    })?;
    if arguments.check {
        step("build", || build_programs(root))?;
        return step("instructions", || instructions::check(root));
    }
    let all = Name::value_variants();
    let names = match arguments.names.as_slice() {
        [] => all,
        named => named,
    };
    if names.iter().any(|name| *name != Name::Instructions) {
        step("guests", || {
            guests::print_summary(&guests::build(root, &[])?)
        })?;
    }
    step("build", || build_programs(root))?;

    let mut text = format!("# Benches of {}\n\n{}\n", today()?, machine()?);
    let load: Vec<String> = names
        .iter()
        .filter(|name| name.is_load())
        .map(|name| name.word())
        .collect();
    if !load.is_empty() {
        step("load", || {
            let output = target_directory(root).join("load.md");
            let mut program = Command::new(target_directory(root).join("release/portreeve-load"));
            program.args(&load).arg("--output").arg(&output);
            program.args(arguments.quick.then_some("--quick"));
            run_command(program.current_dir(root))?;
            text.push_str(&fs::read_to_string(&output)?);
            Ok(())
        })?;
    }
    if names.contains(&Name::Instructions) {
        step("instructions", || {
            let counted = instructions::count(root)?;
            if arguments.accept {
                instructions::accept(root, &counted)?;
            }
            text.push_str(&instructions::section(&counted));
            Ok(())
        })?;
    }
    if names.contains(&Name::Criterion) {
        step("criterion", || {
            let baseline = match (&arguments.save_baseline, &arguments.baseline) {
                (Some(name), _) => Some(("--save-baseline", name.as_str())),
                (None, Some(name)) => Some(("--baseline", name.as_str())),
                (None, None) => None,
            };
            criterion::run(root, arguments.quick, baseline)?;
            text.push_str(&criterion::section(root)?);
            Ok(())
        })?;
    }

    // Only a whole run is worth keeping.
    let path = if arguments.quick || names.len() < all.len() {
        target_directory(root).join("bench.md")
    } else {
        let name = format!("{}-{}.md", today()?, architecture()?);
        root.join("benches/runs").join(name)
    };
    fs::write(&path, text.trim_end().to_owned() + "\n")?;
    say(&format!("   written to `{}`", path.display()));
    Ok(())
}

/// Builds the programs alone; criterion's benches are built when they run.
fn build_programs(root: &Path) -> anyhow::Result<()> {
    run(
        root,
        "cargo",
        ["build", "--release", "--workspace", "--bins"],
    )
}
