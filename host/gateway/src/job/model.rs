//! A job: one action on one or many devices, and what became of each.

use std::sync::Arc;

use portreeve_domain::Timestamp;

use crate::Action;

/// One action on one or many devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name, ordered by time.
    pub id: Arc<str>,
    /// What is done.
    pub action: Action,
    /// The client that asked for it.
    pub client: Arc<str>,
    /// The client that confirmed it, where that was wanted.
    pub confirmed_by: Option<Arc<str>>,
    /// The client's own key, under which the job is asked for once.
    pub once: Option<Arc<str>>,
    /// Tells what was asked for under that key.
    pub(crate) digest: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The devices, as they were asked for.
    pub devices: Vec<JobDevice>,
}

/// One device of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDevice {
    /// What it was asked for by.
    pub asked: Arc<str>,
    /// What its owner calls it, if the client may see that.
    pub name: Option<Arc<str>>,
    /// The source that knows it.
    pub source: Option<Arc<str>>,
    /// The source's key.
    pub(crate) key: Option<Arc<str>>,
    /// How far it is.
    pub state: DeviceState,
    /// What there is to say about that, for people.
    pub detail: Option<Arc<str>>,
    /// What to ask the source by.
    pub(crate) ticket: Option<Arc<str>>,
    /// Since when it is so.
    pub changed_at: Timestamp,
    /// How often it could not be handed over, since the start.
    pub(crate) tries: u32,
}

/// How far an action on one device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeviceState {
    /// Nothing was sent yet.
    Waiting,
    /// It is being handed over.
    Sending,
    /// The source has taken it on; whether the device has done it is not known
    /// yet.
    HandedOver,
    /// The source says that the device has done it.
    Done,
    /// The source did not take it on, or does not know the device.
    Refused,
    /// It came to nothing.
    Failed,
    /// It was taken back before anything was sent.
    Cancelled,
}

impl DeviceState {
    /// All of them, in the order of their lives.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Sending,
        Self::HandedOver,
        Self::Done,
        Self::Refused,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::HandedOver => "handed-over",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// How far a job is as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Some devices wait to be told.
    Running,
    /// All that can be told are told, and not all have done it yet.
    HandedOver,
    /// Nothing more will happen.
    Finished,
}

impl JobState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::HandedOver => "handed-over",
            Self::Finished => "finished",
        }
    }
}

impl Job {
    /// How far it is as a whole.
    pub fn state(&self) -> JobState {
        let has = |state| self.devices.iter().any(|device| device.state == state);
        if has(DeviceState::Waiting) || has(DeviceState::Sending) {
            JobState::Running
        } else if has(DeviceState::HandedOver) {
            JobState::HandedOver
        } else {
            JobState::Finished
        }
    }

    /// How many devices are in each state that there is.
    pub fn counts(&self) -> Vec<(DeviceState, usize)> {
        let count = |state| {
            let devices = self.devices.iter();
            devices.filter(|device| device.state == state).count()
        };
        let counts = DeviceState::ALL.map(|state| (state, count(state)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// The key under which a source starts the action on the device at this
    /// place once, however often it is told.
    pub(crate) fn key_at(&self, place: usize) -> String {
        format!("{}/{place}", self.id)
    }
}

impl JobDevice {
    /// Puts it into another state.
    pub(crate) fn become_state(&mut self, state: DeviceState, detail: Option<Arc<str>>) {
        if self.state != state {
            self.changed_at = Timestamp::now();
        }
        self.state = state;
        self.detail = detail;
    }
}
