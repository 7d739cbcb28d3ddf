//! `cargo xtask`: the commands of this project, for people and for CI alike.
//!
//! Everything that is more than one plain `cargo` call is written here in Rust
//! rather than in a shell, so that it runs the same everywhere.

mod bench;
mod demo;
mod deny;
mod fuzz;
mod guests;
mod prerequisites;
mod step;
mod test;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Build, test, demo and release commands of Portreeve.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the plugins and policies as WebAssembly components into
    /// `target/guests/`. What has not changed is not built again.
    Guests {
        /// Only these, by package name; all when none is given.
        names: Vec<String>,
    },
    /// Show the main job running: tenant, gateway, questions and answers.
    Demo(demo::Demo),
    /// Install what the tests need beside the Rust toolchain, and do nothing else.
    Prerequisites,
    /// Format, lint, and run all tests, guests included. Installs what is
    /// missing beside the Rust toolchain (Debian packages, msal clients).
    Test,
    /// Check licences, sources and bans of all dependencies. Installs
    /// `cargo-deny` below `target/` if it is missing.
    Deny,
    /// Feed the parsers of foreign input with what they do not expect, one after
    /// the other. `tests/fuzz/README.md` tells more.
    Fuzz(fuzz::Fuzz),
    /// Run all benches and keep the result in `benches/runs/`, or only some of
    /// them. `benches/README.md` tells more.
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do if even this cannot be written.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let root = workspace_root()?;
    match command {
        Command::Guests { names } => guests::print_summary(&guests::build(&root, &names)?),
        Command::Demo(demo) => demo::demo(&root, &demo),
        Command::Prerequisites => prerequisites::of_tests(&root),
        Command::Test => test::test(&root),
        Command::Deny => deny::deny(&root),
        Command::Fuzz(arguments) => fuzz::fuzz(&root, &arguments),
        Command::Bench(arguments) => bench::bench(&root, &arguments),
    }
}

/// The folder of the workspace that this command belongs to.
fn workspace_root() -> anyhow::Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .context("`host/xtask` lies two folders below the root of the workspace")
}
