//! From the start of the process to its first answer.

use std::time::Duration;

use anyhow::ensure;

use super::sync;
use crate::effort::Effort;
use crate::product::{self, NO_STORE};
use crate::report::{Report, Spread, Table};
use crate::subject::generated_path;

pub(super) async fn measure(effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    report.section("Start");
    report.paragraph(&format!(
        "From the start of the process to the first answer over a new TLS connection, plugins \
         compiled before: median of {} starts (lowest to highest). Without stored devices the \
         answer has to come from the source.",
        effort.rounds
    ));
    let mut table = Table::new(&["stored devices", "s"]);
    table.row(&["0", &starts(effort, 0).await?]);
    if product::has_store().await? && product::has_sync().await? {
        for devices in effort.devices {
            table.row(&[&devices.to_string(), &starts(effort, *devices).await?]);
        }
        report.table(&table);
    } else {
        report.table(&table);
        report.not_measured("Start with stored devices", NO_STORE);
    }
    Ok(())
}

/// Starts a gateway again and again, with so many devices in its store.
async fn starts(effort: &Effort, devices: u32) -> anyhow::Result<String> {
    let mut stand = product::with_devices(devices.max(1)).start().await?;
    if devices > 0 {
        sync::once(&stand).await?;
    }
    let mut seconds = Vec::new();
    for _ in 0..effort.rounds {
        let (restarted, started) = stand.restart().await?;
        stand = restarted;
        let reply = stand.client.get(&generated_path(0)).await?;
        seconds.push(started.elapsed());
        ensure!(reply.status.is_success(), "the first answer: {reply:?}");
        ensure!(
            devices == 0 || *reply.field("origin") != "fetched",
            "the store did not bring the device back: {reply:?}"
        );
    }
    stand.gateway.stop().await?;
    let spread = Spread::of(seconds.iter().map(Duration::as_secs_f64));
    Ok(spread.map(Spread::readable).unwrap_or_default())
}
