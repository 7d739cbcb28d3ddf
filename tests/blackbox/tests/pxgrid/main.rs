//! Real pxGrid clients against the real gateway, see `pxgrid/README.md`.

mod control;
mod pubsub;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use portreeve_harness::{Certificate, Stand, program};
use portreeve_tenant::well_known::{COMPLIANT, NON_COMPLIANT, UNKNOWN};
use serde_json::{Value, json};
use tokio::process::Command;

/// How long a client may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);
const HINT: &str = "hint: `cargo xtask prerequisites` installs the clients";

/// A client of the configuration, and so a node of the same name.
const CERTIFIED: &str = "certified";

/// A gateway that is a controller and has read its tenant's devices.
async fn stand() -> anyhow::Result<(Stand, Certificate)> {
    let stand = Stand::builder()
        .devices(20)
        .inventory("jitter = \"30d\"")
        .store()
        .extra(&format!(
            "[pxgrid]\naccounts = true\n\
             [clients.{CERTIFIED}]\nfaces = [\"pxgrid\"]\n\
             certificate = {{ san = \"urn:example:{CERTIFIED}\" }}\n"
        ))
        .start()
        .await?;
    let uri = format!("urn:example:{CERTIFIED}");
    let certificate = stand.authority.client(stand.directory(), CERTIFIED, &uri)?;
    let synced = stand
        .program(&["connector", "sync", "contoso", "--full"])
        .await?;
    ensure!(synced.code == Some(0), "{synced:?}");
    Ok((stand, certificate))
}

/// What the scripts are told.
fn given(stand: &Stand, certificate: &Certificate) -> anyhow::Result<Value> {
    let port = stand.gateway.origin().rsplit(':').next();
    let port: u16 = port.context("a port")?.parse()?;
    let mac = |mac: portreeve_tenant::device::Mac| mac.separated(':').to_uppercase();
    Ok(json!({
        "port": port,
        "ca": stand.directory().join("ca.pem"),
        "portreeve": program("portreeve")?,
        "config": stand.config(),
        "node": CERTIFIED,
        "certificate": certificate.certificate,
        "key": certificate.key,
        "compliant": mac(COMPLIANT.mac),
        "non_compliant": mac(NON_COMPLIANT.mac),
        "unknown": mac(UNKNOWN.mac),
    }))
}

/// A Python that has the clients.
fn python() -> PathBuf {
    let other = std::env::var_os("PORTREEVE_PXGRID_PYTHON").map(PathBuf::from);
    other.unwrap_or_else(|| {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        top.join("target/clients/pxgrid/bin/python")
    })
}

/// A script of the folder `pxgrid`, to be run.
fn script(name: &str, given: &Value) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pxgrid");
    let mut command = Command::new(python());
    command
        .arg(folder.join(name))
        .arg(given.to_string())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a script to its end and gives its lines.
async fn run(name: &str, given: &Value) -> anyhow::Result<Vec<String>> {
    let output = tokio::time::timeout(PATIENCE, script(name, given).output())
        .await
        .with_context(|| format!("{name} does not end"))?
        .with_context(|| format!("{name} cannot be started; {HINT}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}\n{stdout}{stderr}\n{HINT}");
    Ok(stdout.lines().map(str::to_owned).collect())
}
