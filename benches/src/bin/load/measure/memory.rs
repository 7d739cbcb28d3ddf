//! Memory for each device.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use portreeve_benches::resident_bytes;
use portreeve_harness::{Stand, program};
use tokio::process::Command;

use super::sync;
use crate::effort::Effort;
use crate::product::{self, NO_SYNC};
use crate::report::{Report, Table};

/// The longest that filling a gateway in process may take.
const PATIENCE: Duration = Duration::from_mins(5);

pub(super) async fn measure(effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    report.section("Memory for each device");
    report.paragraph(
        "Growth of the resident memory by the number of devices. In process: a gateway with \
         a scripted source, each device with three identifiers and a remembered decision. As \
         a process: `portreeve serve`, after a sync from the simulated tenant; no decisions.",
    );
    let is_syncing = product::has_sync().await?;
    let mut table = Table::new(&["devices", "in process, bytes", "as a process, bytes"]);
    for devices in effort.devices {
        let alone = in_process(*devices).await?;
        let served = if is_syncing {
            format!("{:.0}", as_a_process(*devices).await?)
        } else {
            "not measured".to_owned()
        };
        table.row(&[&devices.to_string(), &alone, &served]);
    }
    report.table(&table);
    if !is_syncing {
        report.not_measured("Memory of the process", NO_SYNC);
    }
    Ok(())
}

/// A process of its own for each size: freed memory stays with a process.
async fn in_process(devices: u32) -> anyhow::Result<String> {
    let output = Command::new(program("portreeve-hit-path")?)
        .arg("memory")
        .arg(devices.to_string())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await;
    let output = output.context("the gateway was not filled in time")??;
    ensure!(
        output.status.success(),
        "`portreeve-hit-path` ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

async fn as_a_process(devices: u32) -> anyhow::Result<f64> {
    let stand = product::with_devices(devices).start().await?;
    // What is made on first use is there before.
    stand.client.get("/readyz").await?;
    let before = resident(&stand)?;
    sync::once(&stand).await?;
    let after = resident(&stand)?;
    stand.gateway.stop().await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
    let growth = after.saturating_sub(before) as f64;
    Ok(growth / f64::from(devices))
}

/// Bytes that the gateway has in use.
fn resident(stand: &Stand) -> anyhow::Result<u64> {
    let id = stand.gateway.id().context("the gateway has ended")?;
    let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
    resident_bytes(&rollup).context("`smaps_rollup` has no `Rss`")
}
