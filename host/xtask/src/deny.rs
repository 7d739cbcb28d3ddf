//! `cargo xtask deny`: licences, sources and bans of all dependencies.

use std::path::Path;
use std::process::Command;

use crate::step::{run_command, step};

/// Pinned, so that a new release of the tool never breaks an old commit.
const VERSION: &str = "0.20.2";

/// Checks both workspaces, installing the tool below `target/` if need be.
///
/// Advisories are left to those who can fetch the database: they change with
/// the day and not with the commit.
pub(crate) fn deny(root: &Path) -> anyhow::Result<()> {
    let tools = root.join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if !program.is_file() {
        step("install cargo-deny", || {
            let mut install = Command::new("cargo");
            install
                .args([
                    "install",
                    "--quiet",
                    "--locked",
                    // It runs for a second, so optimising it costs more.
                    "--debug",
                    "--version",
                    VERSION,
                    "--root",
                ])
                .arg(&tools)
                .arg("cargo-deny");
            run_command(&mut install)
        })?;
    }
    for manifest in ["Cargo.toml", "plugins/Cargo.toml"] {
        step(&format!("check the dependencies of `{manifest}`"), || {
            let mut check = Command::new(&program);
            check
                .arg("--manifest-path")
                .arg(root.join(manifest))
                .arg("--config")
                .arg(root.join("deny.toml"))
                .args(["check", "bans", "licenses", "sources"]);
            run_command(&mut check)
        })?;
    }
    Ok(())
}
