//! Running other programs, and saying so.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};

/// Builds everything of the host: libraries, programs, tests, benches.
///
/// Always the whole, for `cargo` settles features for what it is told to build,
/// and other features would compile wasmtime once more.
pub(crate) fn build_host(root: &Path) -> anyhow::Result<()> {
    let build = ["build", "--release", "--workspace", "--all-targets"];
    run(root, "cargo", build)
}

/// Announces a step and runs it; tells how long it took.
pub(crate) fn step(title: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    say(&format!("── {title}"));
    let started = Instant::now();
    work().with_context(|| format!("step `{title}` failed"))?;
    say(&format!(
        "   {title}: {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// A line for the person who watches. Nothing depends on it.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Runs a program to its end in `directory`.
pub(crate) fn run<I, S>(directory: &Path, program: &str, arguments: I) -> anyhow::Result<()>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory);
    run_command(&mut command)
}

/// Runs a prepared command to its end.
pub(crate) fn run_command(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot start `{program}`"))?;
    ensure!(status.success(), "`{program}` ended with {status}");
    Ok(())
}

/// Whether a program of this name can be started.
pub(crate) fn on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Where `cargo` puts what it builds for the host.
pub(crate) fn target_directory(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}
