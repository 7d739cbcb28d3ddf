//! Latency of hits at fixed rates, corrected for coordinated omission.

use super::sync::Syncing;
use crate::effort::Effort;
use crate::generator::{Latencies, Paced, Target, Version, one};
use crate::product::{self, NO_SYNC};
use crate::report::{LATENCY_HEAD, Report, Table, latency_cells};
use crate::servers::Bare;
use crate::subject::{Subject, Transport};

const RATES: [u32; 3] = [1_000, 5_000, 10_000];
const CONNECTIONS: u32 = 16;

pub(super) async fn measure(effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    // What a sync beside reads over and over.
    let devices = effort.devices.iter().copied().max().unwrap_or_default();
    let subject = Subject::start(product::with_devices(devices.min(100_000))).await?;
    report.section("HTTP: latency of hits at fixed rates");
    report.paragraph(&format!(
        "{CONNECTIONS} connections, HTTP/1.1, {} s each. Every request has a moment at which it is \
         meant to start; latency counts from there to the last byte of the answer, so a pause of \
         the server counts for all that would have come during it. `sent late` is what the \
         generator itself adds: by how much 99 of 100 requests were sent too late on a free \
         connection. It runs before all other threads (`SCHED_FIFO`), as if it had a machine of \
         its own.",
        effort.paced.as_secs()
    ));
    report.paragraph(
        "The constant answer comes from another process. Beside a sync it shows what the sync \
         costs everybody on these processors, whoever answers.",
    );
    let bare = Bare::start(subject.stand.directory(), &subject.constant).await?;
    let mut head = vec!["beside", "server", "transport", "rate/s"];
    head.extend(LATENCY_HEAD);
    head.push("sent late p99 µs");
    let mut table = Table::new(&head);
    rows(effort, &subject, &bare, "nothing", &mut table).await?;
    if let Some(syncing) = Syncing::start(&subject.stand).await? {
        rows(effort, &subject, &bare, "inventory sync", &mut table).await?;
        let syncs = syncing.stop().await?;
        report.table(&table);
        report.paragraph(&format!("Syncs that ended beside it: {syncs}."));
    } else {
        report.table(&table);
        report.not_measured("Latency while an inventory sync runs", NO_SYNC);
    }
    subject.stand.gateway.stop().await
}

async fn rows(
    effort: &Effort,
    subject: &Subject,
    bare: &Bare,
    beside: &str,
    table: &mut Table,
) -> anyhow::Result<()> {
    for transport in [Transport::Plain, Transport::Tls] {
        for rate in RATES {
            for (server, origins) in [
                ("gateway, hit in memory", &subject.origins),
                ("same stack, constant answer", &bare.origins),
            ] {
                let target = subject.target_of(origins, transport, Version::Http1)?;
                let latencies = at_target(effort, subject, target, rate).await?;
                let cells = latency_cells(&latencies);
                let (rate, late) = (rate.to_string(), format!("{:.0}", latencies.own_p99()));
                let mut row = vec![beside, server, transport.as_str(), &rate];
                row.extend(cells.iter().map(String::as_str));
                row.push(&late);
                table.row(&row);
            }
        }
    }
    Ok(())
}

/// Hits at this rate.
pub(super) async fn at(
    effort: &Effort,
    subject: &Subject,
    transport: Transport,
    rate: u32,
) -> anyhow::Result<Latencies> {
    let target = subject.target(transport, Version::Http1)?;
    at_target(effort, subject, target, rate).await
}

async fn at_target(
    effort: &Effort,
    subject: &Subject,
    target: Target,
    rate: u32,
) -> anyhow::Result<Latencies> {
    let paced = Paced {
        target,
        paths: one(&subject.path),
        connections: CONNECTIONS,
        rate,
        length: effort.paced,
    };
    paced.run().await
}
