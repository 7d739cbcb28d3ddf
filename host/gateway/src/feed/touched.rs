//! Which devices have to be looked at.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use portreeve_domain::MacAddress;
use tokio::sync::{Notify, watch};

use crate::Record;

/// Devices that something was learnt about, each once, in order.
#[derive(Debug)]
pub(crate) struct Touched {
    most: usize,
    waiting: Mutex<Waiting>,
    wake: Notify,
    /// Up to which note everything was looked at.
    worked: watch::Sender<u64>,
    /// How many devices are known whose facts are too old to be used.
    outdated: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Grows with each note.
    noted: u64,
    order: VecDeque<Note>,
    records: HashMap<u64, Record>,
    addresses: VecDeque<(u64, MacAddress)>,
    /// Everything has to be looked at, because of this note.
    everything: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Note {
    number: u64,
    identity: u64,
    at: Instant,
}

/// Some of the touched devices.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) addresses: Vec<MacAddress>,
    /// Whether all devices have to be looked at.
    pub(super) everything: bool,
    /// The last note before which nothing waits any more once these are done.
    pub(super) number: u64,
}

impl Touched {
    pub(super) fn new(most: usize) -> Self {
        let waiting = Waiting {
            // What is known from before the start was never looked at.
            noted: 1,
            everything: Some(1),
            ..Waiting::default()
        };
        Self {
            most: most.max(1),
            waiting: Mutex::new(waiting),
            wake: Notify::new(),
            worked: watch::Sender::new(0),
            outdated: AtomicUsize::new(0),
        }
    }

    /// A device has come, has changed or is gone; the record says which.
    pub(crate) fn note(&self, record: &Record) {
        let identity = record.identity();
        let mut waiting = self.waiting.lock();
        waiting.noted += 1;
        let number = waiting.noted;
        if waiting.records.contains_key(&identity) {
            return;
        }
        if waiting.records.len() >= self.most {
            waiting.everything = Some(number);
        } else {
            waiting.records.insert(identity, record.clone());
            waiting.order.push_back(Note {
                number,
                identity,
                at: Instant::now(),
            });
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// A device was confirmed. That is worth a look only if some were too old.
    pub(crate) fn note_refreshed(&self, record: &Record) {
        if self.outdated.load(Ordering::Relaxed) > 0 {
            self.note(record);
        }
    }

    pub(super) fn set_outdated(&self, devices: usize) {
        self.outdated.store(devices, Ordering::Relaxed);
    }

    /// Whoever has this address may be decided about differently.
    pub(crate) fn note_address(&self, mac: MacAddress) {
        let mut waiting = self.waiting.lock();
        waiting.noted += 1;
        let number = waiting.noted;
        if waiting.addresses.len() >= self.most {
            waiting.everything = Some(number);
        } else {
            waiting.addresses.push_back((number, mac));
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// All devices may be decided about differently.
    pub(crate) fn note_all(&self) {
        let mut waiting = self.waiting.lock();
        waiting.noted += 1;
        waiting.everything = Some(waiting.noted);
        drop(waiting);
        self.wake.notify_one();
    }

    /// The last note.
    pub(super) fn noted(&self) -> u64 {
        self.waiting.lock().noted
    }

    /// Up to which note everything was looked at, to be watched.
    pub(super) fn worked(&self) -> watch::Receiver<u64> {
        self.worked.subscribe()
    }

    pub(super) fn set_worked(&self, number: u64) {
        self.worked.send_replace(number);
    }

    /// Takes some of them out, those first that have waited longest.
    pub(super) fn take(&self, most: usize) -> Batch {
        let mut waiting = self.waiting.lock();
        let mut batch = Batch {
            everything: waiting.everything.take().is_some(),
            ..Batch::default()
        };
        while batch.records.len() < most {
            let Some(note) = waiting.order.pop_front() else {
                break;
            };
            batch.records.extend(waiting.records.remove(&note.identity));
        }
        while batch.addresses.len() < most {
            let Some((_, mac)) = waiting.addresses.pop_front() else {
                break;
            };
            batch.addresses.push(mac);
        }
        let next = waiting.order.front().map(|note| note.number);
        let next = next
            .into_iter()
            .chain(waiting.addresses.front().map(|it| it.0));
        batch.number = next.min().map_or(waiting.noted, |next| next - 1);
        batch
    }

    /// Until something is noted.
    pub(super) async fn wait(&self) {
        self.wake.notified().await;
    }

    /// How many wait, and for how long the first of them has.
    pub(super) fn backlog(&self) -> (usize, Duration) {
        let waiting = self.waiting.lock();
        let first = waiting.order.front();
        let lag = first.map_or(Duration::ZERO, |note| note.at.elapsed());
        (waiting.order.len() + waiting.addresses.len(), lag)
    }
}
