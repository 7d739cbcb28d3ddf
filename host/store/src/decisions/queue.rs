//! What waits to be written to the log.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crossbeam_queue::ArrayQueue;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::entry::{Entry, Ruling};
use super::keep::Keep;
use super::record::Gap;
use super::writer::{LogError, LogSettings};
use crate::writer::Status;

/// Takes decisions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DecisionLog {
    shared: Arc<Shared>,
}

/// What the log has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// Entries that wait to be written.
    pub queued: u64,
    /// Entries written.
    pub written: u64,
    /// Permits and restrictions that found the queue full.
    pub dropped_permits: u64,
    /// Denials that found even their reserve full. The log says so, too.
    pub dropped_denials: u64,
    /// Lines written that say so.
    pub gaps: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// Who waits for everything recorded before to be written.
pub(super) type Flush = oneshot::Sender<Result<(), LogError>>;

#[derive(Debug)]
pub(super) struct Shared {
    queue: ArrayQueue<Entry>,
    /// Permits find the queue full at this length, denials at its capacity.
    permits: usize,
    keep: AtomicU8,
    closing: AtomicBool,
    /// Whether all facts are wanted, not only those that were read.
    whole: bool,
    directory: PathBuf,
    thread: OnceLock<Thread>,
    gap: Mutex<Option<Gap>>,
    flushes: Mutex<Vec<Flush>>,
    failing: Mutex<Option<Arc<str>>>,
    pub(super) counters: Counters,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) written: AtomicU64,
    pub(super) dropped_permits: AtomicU64,
    pub(super) dropped_denials: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// Adds to a counter that nothing else is ordered by.
pub(super) fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl Shared {
    pub(super) fn new(settings: &LogSettings) -> Self {
        let capacity = settings.queue.max(2);
        let shared = Self {
            queue: ArrayQueue::new(capacity),
            permits: capacity.saturating_sub(settings.reserve).max(1),
            keep: AtomicU8::default(),
            closing: AtomicBool::default(),
            whole: settings.whole,
            directory: settings.directory.clone(),
            thread: OnceLock::new(),
            gap: Mutex::default(),
            flushes: Mutex::default(),
            failing: Mutex::default(),
            counters: Counters::default(),
        };
        shared.set_keep(settings.keep);
        shared
    }

    fn keep(&self) -> Keep {
        let stored = usize::from(self.keep.load(Ordering::Relaxed));
        Keep::ALL.get(stored).copied().unwrap_or(Keep::All)
    }

    fn set_keep(&self, keep: Keep) {
        let position = Keep::ALL.iter().position(|known| *known == keep);
        let stored = position.and_then(|position| u8::try_from(position).ok());
        self.keep.store(stored.unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn record(&self, entry: Entry) -> bool {
        let denial = entry.judged.ruling().is_denial();
        let at = entry.at;
        let room = if denial {
            self.queue.capacity()
        } else {
            self.permits
        };
        let waiting = self.queue.len();
        let taken = waiting < room
            && !self.closing.load(Ordering::Relaxed)
            && self.queue.push(entry).is_ok();
        if waiting >= self.queue.capacity() / 2 {
            self.wake();
        }
        if taken {
            return true;
        }
        if denial {
            count(&self.counters.dropped_denials, 1);
            self.note_gap(Gap {
                gap: 1,
                from: at,
                to: at,
            });
        } else {
            count(&self.counters.dropped_permits, 1);
        }
        false
    }

    pub(super) fn pop(&self) -> Option<Entry> {
        self.queue.pop()
    }

    /// Adds to the gap that the log is to be told of.
    pub(super) fn note_gap(&self, more: Gap) {
        let mut gap = self.gap.lock();
        *gap = Some(match *gap {
            None => more,
            Some(gap) => Gap {
                gap: gap.gap + more.gap,
                from: gap.from.min(more.from),
                to: gap.to.max(more.to),
            },
        });
    }

    pub(super) fn take_gap(&self) -> Option<Gap> {
        self.gap.lock().take()
    }

    pub(super) fn has_gap(&self) -> bool {
        self.gap.lock().is_some()
    }

    pub(super) fn take_flushes(&self) -> Vec<Flush> {
        std::mem::take(&mut *self.flushes.lock())
    }

    pub(super) fn set_thread(&self, thread: Thread) {
        // Set once, when it is started.
        let _ = self.thread.set(thread);
    }

    pub(super) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(super) fn set_failing(&self, error: Option<&LogError>) {
        *self.failing.lock() = error.map(|error| error.to_string().into());
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.lock().is_some()
    }
}

impl DecisionLog {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Whether such a decision is kept. Ask before making an [`Entry`].
    pub fn wants(&self, ruling: Ruling, changed: bool) -> bool {
        self.shared.keep().wants(ruling, changed)
    }

    /// Whether all facts are wanted, not only those that were read.
    pub fn wants_all_facts(&self) -> bool {
        self.shared.whole
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// Changes which decisions are kept from now on.
    pub fn set_keep(&self, keep: Keep) {
        self.shared.set_keep(keep);
    }

    /// Queues an entry. Never waits and allocates nothing. `false` when there
    /// was no room; it is counted then.
    pub fn record(&self, entry: Entry) -> bool {
        self.shared.record(entry)
    }

    /// Waits until everything recorded before is in the file.
    pub async fn flush(&self) -> Result<(), LogError> {
        let (flush, flushed) = oneshot::channel();
        self.shared.flushes.lock().push(flush);
        if self.shared.is_closing() {
            return Err(LogError::Closed);
        }
        self.shared.wake();
        flushed.await.unwrap_or(Err(LogError::Closed))
    }

    /// Whether the disk takes what is written.
    pub fn status(&self) -> Status {
        match &*self.shared.failing.lock() {
            None => Status::Ok,
            Some(error) => Status::Failing(Arc::clone(error)),
        }
    }

    /// What the log has done so far.
    pub fn figures(&self) -> LogFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        LogFigures {
            queued: self.shared.queue.len() as u64,
            written: read(&counters.written),
            dropped_permits: read(&counters.dropped_permits),
            dropped_denials: read(&counters.dropped_denials),
            gaps: read(&counters.gaps),
            failures: read(&counters.failures),
            bytes: read(&counters.bytes),
        }
    }
}
