//! `cargo xtask test`: everything that must hold before a change may land.

use std::path::Path;
use std::process::Command;

use cargo_metadata::MetadataCommand;

use crate::step::{build_host, on_path, run, run_command, say, step};
use crate::{guests, prerequisites};

/// Formats, lints, unit, integration and black-box tests, guests included.
pub(crate) fn test(root: &Path) -> anyhow::Result<()> {
    let plugins = root.join("plugins");
    step("format", || {
        run(root, "cargo", ["fmt", "--all", "--check"])?;
        run(&plugins, "cargo", ["fmt", "--all", "--check"])
    })?;
    prerequisites::of_tests(root)?;
    step("guests", || {
        guests::print_summary(&guests::build(root, &[])?)
    })?;
    step("lint the host", || {
        let lint = [
            "clippy",
            "--release",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        run(root, "cargo", lint)
    })?;
    step("test the guests natively", || test_guests(root))?;
    // The black-box tests start the programs themselves, so these come first.
    step("build programs and tests", || build_host(root))?;
    step("test the host", || {
        if on_path("cargo-nextest") {
            run(
                root,
                "cargo",
                [
                    "nextest",
                    "run",
                    "--release",
                    "--workspace",
                    "--no-fail-fast",
                ],
            )
        } else {
            say("   cargo-nextest is not installed, `cargo test` runs the same tests");
            let tests = [
                "test",
                "--release",
                "--workspace",
                "--tests",
                "--no-fail-fast",
            ];
            run(root, "cargo", tests)
        }
    })?;
    step("test the examples in the documentation", || {
        run(
            root,
            "cargo",
            ["test", "--release", "--workspace", "--doc", "--quiet"],
        )
    })
}

/// Lints the guests and runs their tests on this machine, one package at a
/// time: the features of the SDK decide which worlds it belongs to.
fn test_guests(root: &Path) -> anyhow::Result<()> {
    let manifest = root.join("plugins/Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(&manifest)
        .no_deps()
        .exec()?;
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command
            .args(arguments)
            .env("CARGO_TARGET_DIR", root.join("target/guests-build"))
            .current_dir(root.join("plugins"));
        run_command(&mut command)
    };
    for package in &metadata.packages {
        let name = package.name.as_str();
        cargo(&[
            "clippy",
            "-q",
            "-p",
            name,
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])?;
        cargo(&["test", "-q", "-p", name])?;
    }
    Ok(())
}
