//! Where the things that were built before are.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// A plugin or policy as a component, built by `cargo xtask guests`.
pub fn guest(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::var_os("PORTREEVE_GUESTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"),
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    ensure!(
        path.is_file(),
        "no component `{name}`; hint: run `cargo xtask guests`"
    );
    path.canonicalize().context("the component's path")
}

/// A program of the workspace, built beside the one that is running.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!("no program `{name}`; hint: run `cargo build --release --workspace --bins`")
    })
}
