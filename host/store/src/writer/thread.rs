//! The thread that writes.

use std::sync::Arc;
use std::time::Instant;

use redb::WriteTransaction;

use super::queue::{Queue, Request, Segment};
use crate::batch;
use crate::document::{self, DocumentError};
use crate::error::StoreError;
use crate::store::{self, Store};
use crate::word::{self, Dictionary};

#[derive(Debug)]
pub(super) struct Worker {
    store: Arc<Store>,
    queue: Arc<Queue>,
    dictionary: Option<Arc<dyn Dictionary>>,
}

/// What came out of one segment inside a transaction.
enum Outcome {
    Done(Result<(), StoreError>),
    Removed(u64),
    Version(Result<u64, DocumentError>),
}

impl Worker {
    pub(super) fn new(
        store: Arc<Store>,
        queue: Arc<Queue>,
        dictionary: Option<Arc<dyn Dictionary>>,
    ) -> Self {
        Self {
            store,
            queue,
            dictionary,
        }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(self) -> Result<(), StoreError> {
        let settings = self.queue.settings;
        let mut pause = settings.retry_first;
        let mut ending = false;
        while let Some(segments) = self.queue.take() {
            match self.write(segments) {
                Ok(()) => pause = settings.retry_first,
                // The disk failed again after the process was told to end.
                Err(error) if ending => return self.give_up(error),
                Err(_) => {
                    ending = self.queue.pause(pause);
                    pause = pause.saturating_mul(2).min(settings.retry_longest);
                }
            }
        }
        Ok(())
    }

    fn give_up(&self, error: StoreError) -> Result<(), StoreError> {
        let lost = self.queue.abandon();
        if lost == 0 {
            return Ok(());
        }
        tracing::error!(lost, %error, "devices were not stored before the end");
        Err(error)
    }

    /// Writes segments in one transaction and answers those who wait. After an
    /// error the devices are in the queue again.
    fn write(&self, mut segments: Vec<Segment>) -> Result<(), StoreError> {
        let started = Instant::now();
        let done = if segments.iter().all(Segment::is_flush) {
            Ok(Vec::new())
        } else {
            self.store
                .transact(|transaction| self.apply(transaction, &mut segments))
        };
        match done {
            Ok(outcomes) => {
                self.queue.written(&segments);
                if !outcomes.is_empty() {
                    self.queue
                        .committed(started.elapsed(), self.store.file_bytes());
                }
                let mut outcomes = outcomes.into_iter();
                for segment in segments {
                    tell(segment, outcomes.next());
                }
                Ok(())
            }
            Err(error) => {
                for waiting in self.queue.put_back(segments, &error) {
                    waiting.request.refuse(&error);
                }
                Err(error)
            }
        }
    }

    /// Makes all changes in order. What is wrong with one request stays with
    /// it; an error here is the store's.
    fn apply(
        &self,
        transaction: &WriteTransaction,
        segments: &mut [Segment],
    ) -> Result<Vec<Outcome>, StoreError> {
        if let Some(dictionary) = &self.dictionary {
            let first = word::count(transaction)?;
            word::append(transaction, first, &dictionary.words_from(first))?;
        }
        let outcomes = segments
            .iter_mut()
            .map(|segment| apply(transaction, segment));
        outcomes.collect()
    }
}

fn apply(transaction: &WriteTransaction, segment: &mut Segment) -> Result<Outcome, StoreError> {
    let waiting = match segment {
        Segment::Devices(devices) => {
            let changes = devices
                .iter()
                .map(|((source, key), value)| (&**source, &**key, value.as_deref()));
            batch::apply_devices(transaction, changes.collect())?;
            return Ok(Outcome::Done(Ok(())));
        }
        Segment::Request(waiting) => waiting,
    };
    match &mut waiting.request {
        Request::Commit { batch, .. } => match batch.apply(transaction) {
            Err(error @ StoreError::Words(_)) => Ok(Outcome::Done(Err(error))),
            Err(error) => Err(error),
            Ok(()) => Ok(Outcome::Done(Ok(()))),
        },
        Request::Sweep {
            source,
            epoch,
            before,
            state,
            on_removed,
            ..
        } => {
            let on_removed = &mut *on_removed.0;
            let removed = store::sweep(transaction, source, *epoch, *before, state, on_removed)?;
            Ok(Outcome::Removed(removed))
        }
        Request::SetDocument { request, .. } => match document::set(transaction, request) {
            Err(DocumentError::Store(error)) => Err(error),
            done => Ok(Outcome::Version(done)),
        },
    }
}

/// Answers who waits. Who gave up hears nothing; the change is made.
fn tell(segment: Segment, outcome: Option<Outcome>) {
    let Segment::Request(waiting) = segment else {
        return;
    };
    match (waiting.request, outcome) {
        (Request::Commit { answer, .. }, None) => drop(answer.send(Ok(()))),
        (Request::Commit { answer, .. }, Some(Outcome::Done(done))) => drop(answer.send(done)),
        (Request::Sweep { answer, .. }, Some(Outcome::Removed(count))) => {
            drop(answer.send(Ok(count)));
        }
        (Request::SetDocument { answer, .. }, Some(Outcome::Version(done))) => {
            drop(answer.send(done));
        }
        // Each request has the outcome of its kind; a dropped answer is `Closed`.
        _ => {}
    }
}
