//! What waits to be written, in the order it came.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use portreeve_domain::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Figures, Status, WriterSettings};
use crate::batch::Batch;
use crate::document::{DocumentError, SetDocument};
use crate::error::StoreError;
use crate::inventory::InventoryState;

/// A change that somebody waits for.
#[derive(Debug)]
pub(super) enum Request {
    /// Make this durable.
    Commit {
        batch: Batch,
        answer: oneshot::Sender<Result<(), StoreError>>,
    },
    /// End a full inventory read.
    Sweep {
        source: String,
        epoch: u32,
        before: Timestamp,
        state: InventoryState,
        on_removed: OnRemoved,
        answer: oneshot::Sender<Result<u64, StoreError>>,
    },
    /// Write one document under its conditions.
    SetDocument {
        request: SetDocument,
        answer: oneshot::Sender<Result<u64, DocumentError>>,
    },
}

/// Is told the keys that a sweep removes.
pub(super) struct OnRemoved(pub(super) Box<dyn FnMut(&str) + Send>);

/// A request and the room it takes until it is answered.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: Request,
    pub(super) changes: usize,
    /// Given back when this is dropped.
    _room: OwnedSemaphorePermit,
}

/// Devices by source and key that nobody waits for; `None` removes one.
pub(super) type Devices = HashMap<(Arc<str>, Box<str>), Option<Box<[u8]>>>;

/// What follows each other in the queue. Devices are coalesced only between two
/// requests, so that changes of one key are made in the order they came.
#[derive(Debug)]
pub(super) enum Segment {
    Devices(Devices),
    Request(Waiting),
}

impl Request {
    /// Tells who waits that nothing was made.
    pub(super) fn refuse(self, error: &StoreError) {
        // Who gave up waiting hears nothing.
        match self {
            Self::Commit { answer, .. } => drop(answer.send(Err(error.clone()))),
            Self::Sweep { answer, .. } => drop(answer.send(Err(error.clone()))),
            Self::SetDocument { answer, .. } => drop(answer.send(Err(error.clone().into()))),
        }
    }
}

impl Segment {
    /// Whether there is nothing to write, only somebody to tell.
    pub(super) fn is_flush(&self) -> bool {
        match self {
            Self::Devices(_) => false,
            Self::Request(waiting) => {
                matches!(&waiting.request, Request::Commit { batch, .. } if batch.is_empty())
            }
        }
    }

    pub(super) fn changes(&self) -> usize {
        match self {
            Self::Devices(devices) => devices.len(),
            Self::Request(waiting) => waiting.changes,
        }
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) settings: WriterSettings,
    state: Mutex<State>,
    changed: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    segments: VecDeque<Segment>,
    /// Over all segments of devices, those being written included.
    devices: usize,
    bytes: usize,
    /// Changes in requests that are not answered.
    requested: usize,
    waiting_requests: usize,
    closing: bool,
    failing: Option<Arc<str>>,
    figures: Figures,
    source: Option<Arc<str>>,
}

fn row_bytes(key: &str, value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len)
}

fn segment_bytes(devices: &Devices) -> usize {
    let rows = devices.iter();
    rows.map(|((_, key), value)| row_bytes(key, value.as_deref()))
        .sum()
}

impl Queue {
    pub(super) fn new(settings: WriterSettings) -> Self {
        let room = settings.queue.clamp(1, u32::MAX as usize >> 4);
        Self {
            settings: WriterSettings {
                queue: room,
                ..settings
            },
            state: Mutex::default(),
            changed: Condvar::new(),
            room: Arc::new(Semaphore::new(room)),
        }
    }

    /// Adds a device to the last segment, or drops it.
    pub(super) fn put_device(&self, source: &str, key: &str, value: Option<Box<[u8]>>) -> bool {
        let mut state = self.state.lock();
        let state = &mut *state;
        let bytes = row_bytes(key, value.as_deref());
        let full = state.devices >= self.settings.queue
            || state.bytes.saturating_add(bytes) > self.settings.queue_bytes;
        let source = state.intern(source);
        let last = match state.segments.back_mut() {
            Some(Segment::Devices(devices)) if devices.len() < self.settings.max_batch.max(1) => {
                Some(devices)
            }
            _ => None,
        };
        let row = (source, Box::<str>::from(key));
        // A replacement takes the room of what it replaces, also in a full queue.
        if let Some(slot) = last.and_then(|devices| devices.get_mut(&row)) {
            state.bytes -= row_bytes(key, slot.as_deref());
            state.bytes += bytes;
            *slot = value;
            return true;
        }
        if full || state.closing {
            state.figures.dropped += 1;
            return false;
        }
        state.devices += 1;
        state.bytes += bytes;
        match state.segments.back_mut() {
            Some(Segment::Devices(devices)) if devices.len() < self.settings.max_batch.max(1) => {
                devices.insert(row, value);
            }
            _ => {
                let devices = Devices::from([(row, value)]);
                state.segments.push_back(Segment::Devices(devices));
                self.changed.notify_one();
            }
        }
        true
    }

    /// Adds a request once there is room for it.
    pub(super) async fn push(&self, changes: usize, request: Request) -> Result<(), StoreError> {
        // A batch larger than the queue waits for all of it.
        let wanted = u32::try_from(changes.clamp(1, self.settings.queue)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(wanted);
        let room = room.await.map_err(|_| StoreError::Closed)?;
        let mut state = self.state.lock();
        if state.closing {
            return Err(StoreError::Closed);
        }
        state.requested += changes;
        state.waiting_requests += 1;
        state.segments.push_back(Segment::Request(Waiting {
            request,
            changes,
            _room: room,
        }));
        self.changed.notify_one();
        Ok(())
    }

    /// What to write in the next transaction, `None` when the queue was closed
    /// and is empty. Devices wait for company, requests do not.
    pub(super) fn take(&self) -> Option<Vec<Segment>> {
        let mut state = self.state.lock();
        while state.segments.is_empty() {
            if state.closing {
                return None;
            }
            self.changed.wait(&mut state);
        }
        let until = Instant::now() + self.settings.linger;
        while state.waiting_requests == 0
            && !state.closing
            && state.devices < self.settings.max_batch
            && !self.changed.wait_until(&mut state, until).timed_out()
        {}
        let (mut taken, mut changes) = (Vec::new(), 0);
        while let Some(segment) = state.segments.front() {
            if !taken.is_empty() && changes + segment.changes() > self.settings.max_batch {
                break;
            }
            changes += segment.changes();
            let Some(segment) = state.segments.pop_front() else {
                break;
            };
            if matches!(segment, Segment::Request(_)) {
                state.waiting_requests -= 1;
            }
            taken.push(segment);
        }
        Some(taken)
    }

    /// Notes that these changes are durable.
    pub(super) fn written(&self, segments: &[Segment]) {
        let mut state = self.state.lock();
        for segment in segments {
            state.figures.written += segment.changes() as u64;
            match segment {
                Segment::Devices(devices) => {
                    state.devices -= devices.len();
                    state.bytes -= segment_bytes(devices);
                }
                Segment::Request(waiting) => state.requested -= waiting.changes,
            }
        }
    }

    /// Notes a transaction.
    pub(super) fn committed(&self, took: Duration, file_bytes: u64) {
        let mut state = self.state.lock();
        state.figures.commits += 1;
        state.figures.last_commit = took;
        state.figures.file_bytes = file_bytes;
        if state.failing.take().is_some() {
            tracing::info!("the store can be written again");
        }
    }

    /// Puts devices back where they were, as the disk took none of them, and
    /// returns the requests of all who wait: they are told.
    pub(super) fn put_back(&self, segments: Vec<Segment>, error: &StoreError) -> Vec<Waiting> {
        let mut state = self.state.lock();
        let mut refused = Vec::new();
        let later = std::mem::take(&mut state.segments);
        for segment in segments.into_iter().chain(later) {
            match segment {
                Segment::Devices(_) => state.segments.push_back(segment),
                Segment::Request(waiting) => {
                    state.requested -= waiting.changes;
                    refused.push(waiting);
                }
            }
        }
        state.waiting_requests = 0;
        state.figures.failures += 1;
        if state.failing.is_none() {
            tracing::error!(%error, "the store cannot be written");
        }
        state.failing = Some(error.to_string().into());
        refused
    }

    /// Waits before the next attempt. Whether the queue is being closed.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let mut state = self.state.lock();
        let until = Instant::now() + pause;
        while !state.closing && !self.changed.wait_until(&mut state, until).timed_out() {}
        state.closing
    }

    /// Gives up the devices that are left. Their number.
    pub(super) fn abandon(&self) -> usize {
        let mut state = self.state.lock();
        let lost = state.devices;
        (state.devices, state.bytes) = (0, 0);
        state.segments.clear();
        state.figures.dropped += lost as u64;
        lost
    }

    pub(super) fn close(&self) {
        self.state.lock().closing = true;
        // Who waits for room would wait for ever.
        self.room.close();
        self.changed.notify_all();
    }

    pub(super) fn status(&self) -> Status {
        match &self.state.lock().failing {
            None => Status::Ok,
            Some(error) => Status::Failing(Arc::clone(error)),
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let state = self.state.lock();
        Figures {
            queued: (state.devices + state.requested) as u64,
            ..state.figures
        }
    }
}

impl State {
    /// Sources are few and come in runs.
    fn intern(&mut self, source: &str) -> Arc<str> {
        match &self.source {
            Some(known) if &**known == source => Arc::clone(known),
            _ => {
                let source = Arc::<str>::from(source);
                self.source = Some(Arc::clone(&source));
                source
            }
        }
    }
}
