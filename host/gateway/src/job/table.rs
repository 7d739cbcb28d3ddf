//! The jobs in memory, and what is due at each source.

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_domain::Timestamp;

use super::lane::{Lane, Next, Task};
use super::model::{DeviceState, Job, JobDevice, JobState};
use super::rules::ActionRules;

/// The jobs in memory.
#[derive(Debug, Default)]
pub(super) struct Table {
    jobs: BTreeMap<Arc<str>, Job>,
    devices: usize,
    lanes: BTreeMap<Arc<str>, Lane>,
}

impl Table {
    pub(super) fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.get(id)
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().rev()
    }

    pub(super) fn devices(&self) -> usize {
        self.devices
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// What was asked for under a client's own key.
    pub(super) fn under(&self, client: &str, once: &str) -> Option<&Job> {
        self.newest_first()
            .find(|job| *job.client == *client && job.once.as_deref() == Some(once))
    }

    /// The oldest job that is over: it makes room.
    pub(super) fn oldest_finished(&self) -> Option<Arc<str>> {
        let mut jobs = self.jobs.values();
        let finished = jobs.find(|job| job.state() != JobState::Running);
        finished.map(|job| Arc::clone(&job.id))
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Job> {
        let job = self.jobs.remove(id)?;
        self.devices -= job.devices.len();
        Some(job)
    }

    /// Adds a job; what of it is to be done becomes due.
    pub(super) fn add(&mut self, job: Job, rules: &ActionRules) {
        let now = Timestamp::now();
        for (place, device) in job.devices.iter().enumerate() {
            let Some(source) = device.source.clone() else {
                continue;
            };
            let lane = self.lanes.entry(source).or_default();
            let task = |due| Task {
                due,
                job: Arc::clone(&job.id),
                place,
            };
            match device.state {
                // What was being sent when the gateway stopped is sent again:
                // the source knows the key.
                DeviceState::Waiting | DeviceState::Sending => lane.send(task(job.created_at)),
                DeviceState::HandedOver if device.ticket.is_some() => {
                    lane.look(task(now.plus(rules.first_look)));
                }
                _ => {}
            }
        }
        self.devices += job.devices.len();
        self.jobs.insert(Arc::clone(&job.id), job);
    }

    /// Takes back what waits; what that is.
    pub(super) fn cancel(&mut self, id: &str, by: &str) -> Vec<(usize, JobDevice)> {
        let Some(job) = self.jobs.get_mut(id) else {
            return Vec::new();
        };
        let devices = job.devices.iter_mut().enumerate();
        let waiting = devices.filter(|(_, device)| device.state == DeviceState::Waiting);
        let cancelled = waiting.map(|(place, device)| {
            let detail = format!("taken back by `{by}`");
            device.become_state(DeviceState::Cancelled, Some(detail.into()));
            (place, device.clone())
        });
        cancelled.collect()
    }

    /// What is to be done now at any source, and when to look again otherwise.
    /// A device that is to be told is in the state `sending` from here on.
    pub(super) fn next(&mut self, now: Timestamp) -> (Vec<(Arc<str>, Due)>, Option<Timestamp>) {
        let mut found = Vec::new();
        let mut wake: Option<Timestamp> = None;
        for (source, lane) in &mut self.lanes {
            loop {
                let (task, is_send) = match lane.next(now) {
                    Next::Send(task) => (task, true),
                    Next::Look(task) => (task, false),
                    Next::Wait(until) => {
                        wake = wake.into_iter().chain(until).min();
                        break;
                    }
                };
                match due(&mut self.jobs, task, is_send) {
                    Some(due) => found.push((Arc::clone(source), due)),
                    // It was taken back, or made room.
                    None => lane.over(),
                }
            }
        }
        (found, wake)
    }

    /// The device at a place of a job and the lane of its source.
    pub(super) fn at(
        &mut self,
        source: &str,
        job: &str,
        place: usize,
    ) -> Option<(&mut JobDevice, &mut Lane)> {
        let device = self.jobs.get_mut(job)?.devices.get_mut(place)?;
        Some((device, self.lanes.get_mut(source)?))
    }

    pub(super) fn lane(&mut self, source: &str) -> Option<&mut Lane> {
        self.lanes.get_mut(source)
    }
}

/// One device that something is to be done about.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) task: Task,
    pub(super) is_send: bool,
    pub(super) action: crate::Action,
    pub(super) client: Arc<str>,
    /// As it is from now on.
    pub(super) device: JobDevice,
    pub(super) once: String,
}

fn due(jobs: &mut BTreeMap<Arc<str>, Job>, task: Task, is_send: bool) -> Option<Due> {
    let job = jobs.get_mut(&task.job)?;
    let once = job.key_at(task.place);
    let device = job.devices.get_mut(task.place)?;
    match (is_send, device.state) {
        (true, DeviceState::Waiting | DeviceState::Sending) => {
            let detail = device.detail.take();
            device.become_state(DeviceState::Sending, detail);
        }
        (false, DeviceState::HandedOver) => {}
        _ => return None,
    }
    Some(Due {
        task,
        is_send,
        action: job.action.clone(),
        client: Arc::clone(&job.client),
        device: device.clone(),
        once,
    })
}
