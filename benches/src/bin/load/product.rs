//! What the gateway under load can do already.
//!
//! The benches were written beside the features that they measure. Each
//! function here is the one place that tells whether a feature is there, and
//! how it is used.

use portreeve_harness::{Stand, StandBuilder, program};
use tokio::process::Command;

/// Why the inventory is not measured.
pub(crate) const NO_SYNC: &str = "this gateway has no `connector sync`";
/// Why the store is not measured.
pub(crate) const NO_STORE: &str = "this gateway has no store";

/// Whether a gateway reads inventories: `portreeve connector sync NAME`.
pub(crate) async fn has_sync() -> anyhow::Result<bool> {
    knows(&["connector", "sync"]).await
}

/// Whether a gateway keeps devices over a restart: `portreeve store`.
pub(crate) async fn has_store() -> anyhow::Result<bool> {
    knows(&["store"]).await
}

/// A stand whose tenant has so many devices, with room for all of them. The
/// place for what a store or an inventory needs in the configuration.
pub(crate) fn with_devices(devices: u32) -> StandBuilder {
    Stand::builder()
        .devices(devices)
        .inventory("interval = \"1d\"\nfull-interval = \"1d\"")
        .store()
        .extra("[cache]\nmax-devices = 2000000\nmax-verdicts = 2000000\n")
}

/// Reads the whole inventory of the stand's source into the running gateway,
/// and ends when it is in.
pub(crate) fn sync(stand: &Stand) -> anyhow::Result<Command> {
    let mut command = Command::new(program("portreeve")?);
    command
        .args(["connector", "sync", "contoso", "--full", "--config"])
        .arg(stand.config())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// Whether the program has this command.
async fn knows(command: &[&str]) -> anyhow::Result<bool> {
    let output = Command::new(program("portreeve")?)
        .args(command)
        .arg("--help")
        .output()
        .await?;
    Ok(output.status.success())
}
