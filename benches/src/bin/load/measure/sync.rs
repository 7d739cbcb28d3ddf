//! Reading a whole inventory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use portreeve_harness::Stand;
use tokio::task::JoinSet;

use crate::effort::Effort;
use crate::product::{self, NO_SYNC};
use crate::report::{Report, Table};

/// The longest that one sync may take.
const PATIENCE: Duration = Duration::from_mins(5);

pub(super) async fn measure(effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    report.section("Inventory: how fast devices come in");
    if !product::has_sync().await? {
        report.not_measured("Devices a second", NO_SYNC);
        return Ok(());
    }
    let mut table = Table::new(&["devices", "read", "s", "devices/s"]);
    for devices in effort.devices {
        let stand = product::with_devices(*devices).start().await?;
        for read in ["first", "again"] {
            let seconds = once(&stand).await?.as_secs_f64();
            table.row(&[
                &devices.to_string(),
                read,
                &format!("{seconds:.1}"),
                &format!("{:.0}", f64::from(*devices) / seconds),
            ]);
        }
        stand.gateway.stop().await?;
    }
    report.table(&table);
    Ok(())
}

/// One full read, and how long it took.
pub(super) async fn once(stand: &Stand) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let ended = tokio::time::timeout(PATIENCE, product::sync(stand)?.status()).await;
    let status = ended.context("the sync did not end in time")??;
    ensure!(status.success(), "the sync ended with {status}");
    Ok(started.elapsed())
}

/// Syncs one after the other, until dropped.
pub(super) struct Syncing {
    running: JoinSet<anyhow::Result<()>>,
    ended: Arc<AtomicU32>,
}

impl Syncing {
    /// `None` where the gateway cannot.
    pub(super) async fn start(stand: &Stand) -> anyhow::Result<Option<Self>> {
        if !product::has_sync().await? {
            return Ok(None);
        }
        let ended = Arc::new(AtomicU32::new(0));
        let mut command = product::sync(stand)?;
        let counted = Arc::clone(&ended);
        let mut running = JoinSet::new();
        running.spawn(async move {
            loop {
                let status = command.status().await?;
                ensure!(status.success(), "a sync ended with {status}");
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Some(Self { running, ended }))
    }

    /// Ends it, and says how many came to their end.
    ///
    /// # Errors
    ///
    /// When one of them failed meanwhile: nothing was measured beside it then.
    pub(super) async fn stop(mut self) -> anyhow::Result<u32> {
        if let Some(failed) = self.running.try_join_next() {
            failed??;
        }
        self.running.shutdown().await;
        Ok(self.ended.load(Ordering::Relaxed))
    }
}
