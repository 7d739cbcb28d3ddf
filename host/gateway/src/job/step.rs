//! The one task that hands actions over and asks what became of them.

use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::Timestamp;
use portreeve_store::Batch;
use tokio::task::JoinSet;

use super::Jobs;
use super::kept;
use super::lane::{Task, backoff};
use super::model::{DeviceState, JobDevice};
use super::table::Due;
use crate::action::{ActionFailure, ActionState, ActionTicket};
use crate::fetch::Fetcher;
use crate::{SourceError, SourceErrorKind};

/// How often a device is told before it counts as failed.
const MOST_TRIES: u32 = 5;
/// A store that does not take what is to be written is tried again after this.
const STORE_PAUSE: Duration = Duration::from_secs(5);
/// A source that is switched off is tried again after this.
const OFF_PAUSE: Duration = Duration::from_mins(1);
/// The longest time between two looks.
const RAREST_LOOK: Duration = Duration::from_hours(1);
/// After this an action that nobody has done yet is not looked after any more.
const LAST_LOOK: Duration = Duration::from_hours(7 * 24);

/// What came of a step.
#[derive(Debug)]
enum Came {
    /// The device is in this state now.
    To(DeviceState, Option<Arc<str>>, Option<Arc<str>>),
    /// The same again, after a while.
    Again(Duration, Option<Arc<str>>),
    /// The source wants to be left alone.
    Pause(Option<Duration>),
}

impl Jobs {
    /// Works until [`Jobs::end`]. What is under way then is waited for.
    pub(crate) async fn work(self: Arc<Self>) {
        self.clear_orphans().await;
        let mut calls = JoinSet::new();
        while !self.stop.is_cancelled() {
            let now = Timestamp::now();
            let (due, wake) = self.table.lock().next(now);
            for (source, due) in due {
                let jobs = Arc::clone(&self);
                calls.spawn(async move { jobs.step(&source, due).await });
            }
            let pause = async {
                match wake {
                    Some(at) => tokio::time::sleep(at.since(Timestamp::now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.wake.notified() => {}
                Some(_) = calls.join_next(), if !calls.is_empty() => {}
                () = pause => {}
            }
        }
        while calls.join_next().await.is_some() {}
    }

    async fn clear_orphans(&self) {
        let orphans = std::mem::take(&mut *self.orphans.lock());
        let Some(writer) = self.writer.as_ref().filter(|_| !orphans.is_empty()) else {
            return;
        };
        let mut batch = Batch::default();
        for key in &orphans {
            batch.delete_document(kept::NAMESPACE, key);
        }
        if let Err(error) = writer.commit(batch).await {
            tracing::warn!(%error, "what is left of jobs that never were cannot be cleared away");
        }
    }

    async fn step(&self, source: &str, due: Due) {
        let came = if due.is_send {
            self.send(source, &due).await
        } else {
            self.look(source, &due).await
        };
        let changed = self.note(source, &due, came);
        let Some(device) = changed else {
            return;
        };
        audit(&due, source, &device);
        let Task { job, place, .. } = &due.task;
        if let Err(error) = self.keep_device(job, *place, &device).await {
            // After a restart it is sent again under the same key, which the
            // source knows.
            tracing::warn!(job = &**job, %error, "what became of an action is not kept");
        }
    }

    async fn send(&self, source: &str, due: &Due) -> Came {
        let Task { job, place, .. } = &due.task;
        // INVARIANT: nothing is sent that a restart would not know of.
        if let Err(error) = self.keep_device(job, *place, &due.device).await {
            return Came::Again(STORE_PAUSE, Some(error.to_string().into()));
        }
        let (Some(fetcher), Some(key)) = (self.fetcher(source), &due.device.key) else {
            return Came::To(DeviceState::Failed, Some(GONE.into()), None);
        };
        if !fetcher.settings().enabled {
            return Came::Again(OFF_PAUSE, Some("the source is switched off".into()));
        }
        match fetcher.act(key, &due.action, &due.once).await {
            Ok(ticket) => of_ticket(ticket),
            Err(ActionFailure::NotSupported(detail)) => {
                Came::To(DeviceState::Refused, Some(detail.into()), None)
            }
            Err(ActionFailure::Failed(error)) => of_error(error, due.device.tries),
        }
    }

    async fn look(&self, source: &str, due: &Due) -> Came {
        let device = &due.device;
        let (Some(fetcher), Some(key), Some(ticket)) =
            (self.fetcher(source), &device.key, &device.ticket)
        else {
            return Came::To(DeviceState::Failed, Some(GONE.into()), None);
        };
        let pause = self.until_next_look(device);
        if !fetcher.settings().enabled {
            return Came::Again(pause, device.detail.clone());
        }
        match fetcher.action_status(key, ticket).await {
            Ok(ticket) => match of_ticket(ticket) {
                Came::To(DeviceState::HandedOver, detail, _) => Came::Again(pause, detail),
                came => came,
            },
            Err(ActionFailure::NotSupported(_)) => {
                Came::To(DeviceState::HandedOver, device.detail.clone(), None)
            }
            Err(ActionFailure::Failed(error)) if error.kind == SourceErrorKind::RateLimited => {
                Came::Pause(error.retry_after)
            }
            Err(ActionFailure::Failed(error)) => Came::Again(pause, Some(error.message.into())),
        }
    }

    /// As long as it has been looked after already.
    fn until_next_look(&self, device: &JobDevice) -> Duration {
        let since = Timestamp::now().since(device.changed_at);
        since.clamp(self.rules.first_look.min(RAREST_LOOK), RAREST_LOOK)
    }

    pub(super) fn fetcher(&self, source: &str) -> Option<Arc<Fetcher>> {
        self.in_force.load().sources.get(source).cloned()
    }

    /// Notes what came of a step, and gives the device if its state is another.
    fn note(&self, source: &str, due: &Due, came: Came) -> Option<JobDevice> {
        let now = Timestamp::now();
        let mut table = self.table.lock();
        if let Some(lane) = table.lane(source) {
            lane.over();
        }
        let Task { job, place, .. } = &due.task;
        let (device, lane) = table.at(source, job, *place)?;
        let task = |due| Task {
            due,
            job: Arc::clone(job),
            place: *place,
        };
        match came {
            Came::To(state, detail, ticket) => {
                lane.answered();
                device.become_state(state, detail);
                device.ticket = ticket;
                if state == DeviceState::HandedOver && device.ticket.is_some() {
                    lane.look(task(now.plus(self.rules.first_look)));
                }
                Some(device.clone())
            }
            Came::Again(after, detail) if due.is_send => {
                device.tries += 1;
                device.become_state(DeviceState::Waiting, detail);
                lane.send(task(now.plus(after)));
                None
            }
            Came::Again(after, detail) => {
                lane.answered();
                device.detail = detail;
                if now.since(device.changed_at) < LAST_LOOK {
                    lane.look(task(now.plus(after)));
                }
                None
            }
            Came::Pause(wish) => {
                lane.pause(wish, now);
                if due.is_send {
                    let detail = "the source asked to wait";
                    device.become_state(DeviceState::Waiting, Some(detail.into()));
                    lane.send(task(now));
                } else {
                    lane.look(task(now));
                }
                None
            }
        }
    }
}

const GONE: &str = "the source of this device is not configured any more";

fn of_ticket(ticket: ActionTicket) -> Came {
    let state = match ticket.state {
        ActionState::Pending => DeviceState::HandedOver,
        ActionState::Done => DeviceState::Done,
        ActionState::Refused => DeviceState::Refused,
        ActionState::Failed => DeviceState::Failed,
    };
    Came::To(state, ticket.detail, ticket.key)
}

/// A failure that may pass is no end, but for the last of several tries.
fn of_error(error: SourceError, tries: u32) -> Came {
    let detail: Arc<str> = error.message.into();
    match error.kind {
        SourceErrorKind::RateLimited => Came::Pause(error.retry_after),
        SourceErrorKind::Misconfigured => Came::To(DeviceState::Refused, Some(detail), None),
        _ if tries + 1 < MOST_TRIES => {
            let wait = error.retry_after.unwrap_or_else(|| backoff(tries));
            Came::Again(wait, Some(detail))
        }
        _ => Came::To(DeviceState::Failed, Some(detail), None),
    }
}

fn audit(due: &Due, source: &str, device: &JobDevice) {
    tracing::info!(
        target: "audit",
        job = &*due.task.job,
        client = &*due.client,
        endpoint = &*device.asked,
        source,
        action = %due.action.kind(),
        outcome = device.state.as_str(),
        detail = device.detail.as_deref(),
        "an action went on"
    );
}
