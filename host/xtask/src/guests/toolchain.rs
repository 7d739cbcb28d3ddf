//! The Rust toolchain that compiles guests, with its WebAssembly targets.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::Guest;

/// What is set for the workspace of the host and must not reach guests.
const HOST_VARIABLES: [&str; 7] = [
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "RUSTC_WRAPPER",
];

/// The compiler that `cargo` uses here.
pub(super) struct Toolchain {
    version: String,
    libraries: PathBuf,
}

impl Toolchain {
    /// Asks the compiler who it is.
    pub(super) fn probe() -> anyhow::Result<Self> {
        let version = output_of(Command::new("rustc").arg("-vV"))?;
        let sysroot = output_of(Command::new("rustc").args(["--print", "sysroot"]))?;
        Ok(Self {
            version,
            libraries: Path::new(sysroot.trim()).join("lib").join("rustlib"),
        })
    }

    /// One that is never run.
    #[cfg(test)]
    pub(super) fn of_version(version: &str) -> Self {
        Self {
            version: version.to_owned(),
            libraries: PathBuf::new(),
        }
    }

    /// Version with commit and host, for digests.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Adds a target if it is missing.
    pub(super) fn ensure_target(&self, target: &str) -> anyhow::Result<()> {
        if self.libraries.join(target).is_dir() {
            return Ok(());
        }
        let hint = format!(
            "the Rust target `{target}` is missing and could not be added; \
             hint: run `rustup target add {target}`"
        );
        let status = Command::new("rustup")
            .args(["target", "add", target])
            .status()
            .with_context(|| hint.clone())?;
        ensure!(status.success(), hint);
        Ok(())
    }
}

/// Compiles a guest and returns what the compiler wrote.
pub(super) fn compile(root: &Path, guest: &Guest) -> anyhow::Result<Vec<u8>> {
    let target_dir = root.join("target").join("guests-build");
    let target = guest.recipe.target.as_str();
    let mut command = Command::new(cargo());
    command
        .args(["rustc", "--quiet", "--release", "--lib"])
        // Only the component: with a Rust library beside it there would be
        // no link-time optimisation.
        .args(["--crate-type", "cdylib"])
        .args(["--package", &guest.name, "--target", target])
        .arg("--manifest-path")
        .arg(root.join("plugins").join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir);
    if env::var_os("CI").is_some() {
        command.arg("--locked");
    }
    command.args(["--", "-C"]).arg(format!(
        "link-arg=-zstack-size={}",
        guest.recipe.kind.stack_bytes()
    ));
    for variable in HOST_VARIABLES {
        command.env_remove(variable);
    }
    let status = command.status().context("cannot run `cargo`")?;
    ensure!(status.success(), "the compiler refused it, see above");
    let file = target_dir
        .join(target)
        .join("release")
        .join(format!("{}.wasm", guest.library));
    fs::read(&file).with_context(|| format!("the build left no `{}`", file.display()))
}

/// The `cargo` that runs this command.
fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .output()
        .context("cannot run `rustc`; hint: install Rust with `rustup`")?;
    if !output.status.success() {
        bail!(
            "`rustc` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).context("`rustc` answered something unreadable")
}
