//! The thread that writes the log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portreeve_domain::Timestamp;
use tokio::sync::oneshot;

use super::files::{self, Files, Limits, Open};
use super::keep::Keep;
use super::line::{render_entry, render_gap};
use super::queue::{DecisionLog, Shared, count};
use crate::give_way;

/// How long an entry may wait before it is in the file.
const PACE: Duration = Duration::from_millis(200);

/// How often files are looked after.
const TIDY: Duration = Duration::from_mins(1);

/// Bytes that are written at once.
const CHUNK: usize = 256 << 10;

/// Where the log is and how much of it there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The directory of the files, made when it is not there. One process writes
    /// to it at a time: the one that has the store open.
    pub directory: PathBuf,
    /// Which decisions are kept.
    pub keep: Keep,
    /// Whether all facts of a subject are kept, not only those that were read:
    /// other policies can then be tried on what was decided before.
    pub whole: bool,
    /// Entries that may wait to be written.
    pub queue: usize,
    /// The part of the queue that only denials may take.
    pub reserve: usize,
    /// A file of this size is ended, as it is with each day (UTC).
    pub max_file_bytes: u64,
    /// The oldest files go while all together are larger.
    pub max_total_bytes: u64,
    /// A file goes when nothing was written to it for so long.
    pub max_age: Duration,
}

impl LogSettings {
    /// Usual bounds for a log in `directory`.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            keep: Keep::default(),
            whole: false,
            queue: 65_536,
            reserve: 16_384,
            max_file_bytes: 64 << 20,
            max_total_bytes: 1 << 30,
            max_age: Duration::from_hours(30 * 24),
        }
    }
}

/// Why the log could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The system refused.
    #[error("cannot write the decision log in `{}`: {detail}", .directory.display())]
    Io {
        /// Where it is.
        directory: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// The log was shut down.
    #[error("the decision log is closed")]
    Closed,
}

/// Owns the thread that writes. Dropping it writes what is queued, as
/// [`DecisionWriter::shutdown`] does, but waits where it is dropped.
#[derive(Debug)]
pub struct DecisionWriter {
    shared: Arc<Shared>,
    finished: Option<oneshot::Receiver<Result<(), LogError>>>,
    thread: Option<JoinHandle<()>>,
}

impl DecisionWriter {
    /// Opens the log and starts the thread.
    pub fn start(settings: &LogSettings) -> Result<(DecisionLog, Self), LogError> {
        let shared = Shared::new(settings);
        let shared = Arc::new(shared);
        let worker = Worker::new(Arc::clone(&shared), settings, Box::new(files::open))?;
        let (finish, finished) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("decision-log".to_owned())
            .spawn(move || {
                give_way();
                // Nobody listens any more when the owner was dropped.
                let _ = finish.send(worker.run());
            })
            .map_err(|error| failed(&settings.directory, &error))?;
        shared.set_thread(thread.thread().clone());
        let writer = Self {
            shared: Arc::clone(&shared),
            finished: Some(finished),
            thread: Some(thread),
        };
        Ok((DecisionLog::new(shared), writer))
    }

    /// Writes everything that is queued, makes it durable and ends the thread.
    /// The error says that entries were lost.
    pub async fn shutdown(mut self) -> Result<(), LogError> {
        self.shared.close();
        let done = match self.finished.take() {
            Some(finished) => finished.await.unwrap_or(Err(LogError::Closed)),
            None => Ok(()),
        };
        // The thread has nothing left to do: this does not wait.
        self.join();
        done
    }

    fn join(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the decision log ended by a panic");
        }
    }
}

impl Drop for DecisionWriter {
    fn drop(&mut self) {
        self.join();
    }
}

fn failed(directory: &Path, error: &io::Error) -> LogError {
    LogError::Io {
        directory: directory.to_owned(),
        detail: error.to_string(),
    }
}

/// Takes entries from the queue and writes them.
pub(super) struct Worker {
    shared: Arc<Shared>,
    directory: PathBuf,
    files: Files,
    /// Lines that are not written yet, from the middle of one after an error.
    buffer: Vec<u8>,
    /// Entries in it.
    lines: u64,
    /// The time of the last of them.
    last: Timestamp,
    tidied: Instant,
    /// A gap was told to the operator and is not written yet.
    gap_told: bool,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        settings: &LogSettings,
        open: Open,
    ) -> Result<Self, LogError> {
        let limits = Limits {
            file_bytes: settings.max_file_bytes,
            total_bytes: settings.max_total_bytes,
            age: settings.max_age,
        };
        let files = Files::new(&settings.directory, limits, open);
        Ok(Self {
            shared,
            directory: settings.directory.clone(),
            files: files.map_err(|error| failed(&settings.directory, &error))?,
            buffer: Vec::with_capacity(CHUNK),
            lines: 0,
            last: Timestamp::default(),
            tidied: Instant::now(),
            gap_told: false,
        })
    }

    fn run(mut self) -> Result<(), LogError> {
        loop {
            // Read before the queue: what is recorded later is refused.
            let closing = self.shared.is_closing();
            let flushes = self.shared.take_flushes();
            let done = self.step();
            for flush in flushes {
                // Who gave up waiting hears nothing.
                let _ = flush.send(done.clone());
            }
            if closing {
                return self.end(done);
            }
            std::thread::park_timeout(PACE);
        }
    }

    fn end(mut self, done: Result<(), LogError>) -> Result<(), LogError> {
        let synced = self.files.sync();
        let done = done.and(synced.map_err(|error| failed(&self.directory, &error)));
        let mut lost = self.lines;
        while self.shared.pop().is_some() {
            lost += 1;
        }
        if let Err(error) = &done {
            tracing::error!(lost, %error, "decisions were not written before the end");
        }
        done
    }

    /// Writes everything that is queued, and notes whether that worked.
    pub(super) fn step(&mut self) -> Result<(), LogError> {
        let done = self
            .write_queue()
            .map_err(|error| failed(&self.directory, &error));
        self.tell_gap();
        match &done {
            Ok(()) if self.shared.is_failing() => {
                tracing::info!("the decision log can be written again");
                self.shared.set_failing(None);
            }
            Ok(()) => {}
            Err(error) => {
                if !self.shared.is_failing() {
                    tracing::error!(%error, "the decision log cannot be written");
                }
                count(&self.shared.counters.failures, 1);
                self.shared.set_failing(Some(error));
            }
        }
        done
    }

    fn write_queue(&mut self) -> io::Result<()> {
        // What failed before comes first; until it is written, the queue fills.
        self.write_buffer()?;
        while let Some(entry) = self.shared.pop() {
            let ready = self.make_room(entry.at);
            // Whether or not: the entry is out of the queue and must not be lost.
            render_entry(&entry, &mut self.buffer);
            self.lines += 1;
            self.last = entry.at;
            ready?;
            if self.buffer.len() >= CHUNK {
                self.write_buffer()?;
            }
        }
        self.write_buffer()?;
        if self.shared.has_gap() {
            self.make_room(self.last)?;
        }
        if let Some(gap) = self.shared.take_gap() {
            render_gap(&gap, &mut self.buffer);
            count(&self.shared.counters.gaps, 1);
            self.write_buffer()?;
        }
        if self.tidied.elapsed() >= TIDY {
            self.tidied = Instant::now();
            self.files.tidy(Timestamp::now())?;
        }
        Ok(())
    }

    /// Sees to it that there is a file for an entry of this time.
    fn make_room(&mut self, at: Timestamp) -> io::Result<()> {
        if self.files.is_full(at, self.buffer.len()) {
            self.write_buffer()?;
            self.files.rotate()?;
        }
        self.files.begin_if_none(at)
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        let before = self.buffer.len();
        let done = self.files.append(&mut self.buffer, self.last);
        count(
            &self.shared.counters.bytes,
            (before - self.buffer.len()) as u64,
        );
        if done.is_ok() {
            count(
                &self.shared.counters.written,
                std::mem::take(&mut self.lines),
            );
        }
        done
    }

    /// Opens the file again, so that another disk can be put under it.
    #[cfg(test)]
    pub(super) fn reopen_file(&mut self) {
        self.files.forget_handle();
    }

    /// Denials that are missing are an operator's business at once, not only
    /// when there is room to write it down.
    fn tell_gap(&mut self) {
        let gap = self.shared.has_gap();
        if gap && !self.gap_told {
            tracing::error!("the decision log cannot keep up: denials are missing from it");
        }
        self.gap_told = gap;
    }
}
