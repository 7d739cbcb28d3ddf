//! `cargo xtask fuzz`: parsers of foreign input, fed by libFuzzer.
//!
//! The compiler of the stable toolchain puts in the counters that libFuzzer
//! needs. Checkers of memory would need another toolchain; the parsers have no
//! unsafe code, and a panic is found without them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::step::{on_path, run_command, say, step};

/// Where the machine code of the fuzzer's counters comes from.
const COUNTERS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Bytes of one input. What is longer is refused before it is parsed.
const LONGEST: usize = 16 << 10;
/// Seconds for one input; the worst should take milliseconds.
const SLOWEST: u64 = 5;
/// MiB that the process may have.
const MEMORY: u64 = 1024;

#[derive(Args)]
pub(crate) struct Fuzz {
    /// Only these parsers; all when none is given. They are the folders of
    /// `tests/fuzz/corpus`.
    targets: Vec<String>,
    /// How long each of them is fed.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// Feeds each target. Goes on to the next one when one fails, and fails itself
/// in the end.
pub(crate) fn fuzz(root: &Path, arguments: &Fuzz) -> anyhow::Result<()> {
    let corpus = root.join("tests/fuzz/corpus");
    let known = folders(&corpus)?;
    for target in &arguments.targets {
        let names = known.join(", ");
        ensure!(known.contains(target), "`{target}` is none of {names}");
    }
    let targets = match arguments.targets.as_slice() {
        [] => &known,
        chosen => chosen,
    };
    let mut program = PathBuf::new();
    step("build", || {
        program = build(root)?;
        Ok(())
    })?;
    let mut failed = Vec::new();
    for target in targets {
        let fed = step(target, || {
            feed(
                root,
                &program,
                &corpus.join(target),
                target,
                arguments.seconds,
            )
        });
        if let Err(error) = fed {
            say(&format!("   {error:#}"));
            failed.push(target.as_str());
        }
    }
    ensure!(failed.is_empty(), "not clean: {}", failed.join(", "));
    Ok(())
}

/// The names of all targets: each has inputs to begin with.
fn folders(corpus: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(corpus).with_context(|| corpus.display().to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn build(root: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        on_path("c++"),
        "libFuzzer needs a C++ compiler; hint: `apt-get install g++`"
    );
    let triple = host_triple()?;
    let folder = root.join("target/fuzz");
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "--manifest-path"])
        .arg(root.join("tests/fuzz/Cargo.toml"))
        // With a target named, build scripts have no counters.
        .args(["--target", &triple])
        .env("CARGO_TARGET_DIR", &folder)
        .env("CARGO_ENCODED_RUSTFLAGS", COUNTERS.join("\u{1f}"))
        .current_dir(root);
    run_command(&mut command)?;
    Ok(folder.join(triple).join("release/portreeve-fuzz"))
}

/// The machine that the compiler itself runs on.
fn host_triple() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("`rustc -vV` names no host")
}

/// What is found goes on in `target/fuzz/corpus`; the committed inputs stay as
/// they are.
fn feed(
    root: &Path,
    program: &Path,
    committed: &Path,
    target: &str,
    seconds: u64,
) -> anyhow::Result<()> {
    let grown = root.join("target/fuzz/corpus").join(target);
    let found = root.join("target/fuzz/found").join(target);
    fs::create_dir_all(&grown)?;
    fs::create_dir_all(&found)?;
    let mut command = Command::new(program);
    command
        .env("TARGET", target)
        .env("RUST_BACKTRACE", "0")
        .arg(&grown)
        .arg(committed)
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LONGEST}"))
        .arg(format!("-timeout={SLOWEST}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .args(["-print_final_stats=1", "-verbosity=0"])
        .current_dir(root);
    run_command(&mut command).with_context(|| {
        format!(
            "the input is in `{}`; hint: add it to `{}` once it is mended",
            found.display(),
            committed.display()
        )
    })
}
