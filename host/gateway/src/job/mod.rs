//! Acting on devices: jobs that survive a restart.
//!
//! A client asks for an action on devices; each becomes a line of a job, and
//! one task hands the lines over to their sources, a few at once, and later
//! asks what became of them. A line is written down as being sent before the
//! source is told, and the source is told a key with it under which it starts
//! the action once: after a crash it is told again, and nothing happens twice.
//!
//! What is not harmless waits for a confirmation, which is not kept: after a
//! restart it has to be asked for again.

mod ask;
mod confirm;
mod error;
mod kept;
mod lane;
mod model;
mod rules;
mod step;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portreeve_store::WriterHandle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::rules::Rules;

pub use self::ask::{JobRequest, PossibleActions, Submitted, Targets};
pub use self::error::JobError;
pub use self::kept::{Restored, restore};
pub use self::model::{DeviceState, Job, JobDevice, JobState};
pub use self::rules::{ActionRules, ConfirmBy};

use self::confirm::Confirmations;
use self::table::Table;

/// All jobs.
#[derive(Debug)]
pub struct Jobs {
    rules: ActionRules,
    /// Where the sources in force are.
    in_force: Arc<ArcSwap<Rules>>,
    writer: Option<WriterHandle>,
    table: Mutex<Table>,
    confirmations: Mutex<Confirmations>,
    /// One job is added at a time: what was asked for once is found.
    turn: tokio::sync::Mutex<()>,
    wake: Notify,
    stop: CancellationToken,
    orphans: Mutex<Vec<String>>,
}

impl Jobs {
    pub(crate) fn new(
        rules: ActionRules,
        in_force: Arc<ArcSwap<Rules>>,
        writer: Option<WriterHandle>,
    ) -> Self {
        let Restored { jobs, orphans } = rules.restored.clone();
        let mut table = Table::default();
        for job in jobs {
            table.add(job, &rules);
        }
        Self {
            rules,
            in_force,
            writer,
            table: Mutex::new(table),
            confirmations: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            stop: CancellationToken::new(),
            orphans: Mutex::new(orphans),
        }
    }

    /// What the operator allows.
    pub const fn rules(&self) -> &ActionRules {
        &self.rules
    }

    /// The job of this name, if `client` asked for it or may see all.
    pub fn get(&self, id: &str, client: Option<&str>) -> Result<Job, JobError> {
        let table = self.table.lock();
        let job = table.job(id).filter(|job| is_visible(job, client));
        job.cloned().ok_or_else(|| JobError::NoSuchJob(id.into()))
    }

    /// The jobs that `client` asked for, or all of them, newest first.
    pub fn list(&self, client: Option<&str>, most: usize) -> Vec<Job> {
        let table = self.table.lock();
        let jobs = table.newest_first().filter(|job| is_visible(job, client));
        jobs.take(most).cloned().collect()
    }

    /// Takes back what was not sent yet. The job as it is then.
    pub async fn cancel(&self, id: &str, client: Option<&str>, by: &str) -> Result<Job, JobError> {
        self.get(id, client)?;
        let cancelled = self.table.lock().cancel(id, by);
        for (place, device) in &cancelled {
            self.keep_device(id, *place, device).await?;
        }
        tracing::info!(
            target: "audit",
            job = id,
            by,
            devices = cancelled.len(),
            outcome = "cancelled",
            "a job was taken back"
        );
        self.get(id, client)
    }

    async fn keep_device(
        &self,
        id: &str,
        place: usize,
        device: &JobDevice,
    ) -> Result<(), JobError> {
        if let Some(writer) = &self.writer {
            let document = kept::device_document(id, place, device);
            writer.set_document(document).await?;
        }
        Ok(())
    }

    /// Nothing more is begun; what is under way ends by its source's time-out.
    pub(crate) fn end(&self) {
        self.stop.cancel();
    }
}

fn is_visible(job: &Job, client: Option<&str>) -> bool {
    client.is_none_or(|client| *job.client == *client)
}
