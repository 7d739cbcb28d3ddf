//! Bytes of memory for each device.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use portreeve_benches::scripted::{Permits, fill, gateway};

/// What the process grows by, for each device that is asked about once: its
/// record, its identifiers and the decision about it.
pub(crate) async fn per_device(devices: u32) -> anyhow::Result<f64> {
    let gateway = gateway(vec![Arc::new(Permits)])?;
    // What is made on first use is there before.
    fill(&gateway, 1).await;
    let before = resident(&std::fs::read_to_string("/proc/self/smaps_rollup")?)?;
    fill(&gateway, devices).await;
    let after = resident(&std::fs::read_to_string("/proc/self/smaps_rollup")?)?;
    let held = gateway.status().devices;
    ensure!(
        held == usize::try_from(devices)?,
        "{held} of {devices} devices are in memory"
    );
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
    let growth = after.saturating_sub(before) as f64;
    Ok(growth / f64::from(devices))
}

/// Bytes in use, from what `/proc/PID/smaps_rollup` says.
fn resident(rollup: &str) -> anyhow::Result<u64> {
    portreeve_benches::resident_bytes(rollup).context("`smaps_rollup` has no `Rss`")
}
