//! Writing off the path: a queue, a thread of its own, batched commits.

mod queue;
mod thread;

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use portreeve_domain::Timestamp;
use tokio::sync::oneshot;

use crate::batch::Batch;
use crate::device::DeviceRow;
use crate::document::{DocumentError, SetDocument};
use crate::error::StoreError;
use crate::give_way;
use crate::inventory::InventoryState;
use crate::store::Store;
use crate::word::Dictionary;

use queue::{Queue, Request};

/// Bounds and pace of a [`Writer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterSettings {
    /// Devices that may wait from [`WriterHandle::put_device`], and as many
    /// changes again from requests that are waited for.
    pub queue: usize,
    /// Bytes of the devices that may wait.
    pub queue_bytes: usize,
    /// Changes in one transaction, more or less: a batch is never split.
    pub max_batch: usize,
    /// How long a device may wait for others to share its transaction.
    pub linger: Duration,
    /// The pause after the disk failed. It doubles with each further failure.
    pub retry_first: Duration,
    /// The longest such pause.
    pub retry_longest: Duration,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self {
            queue: 65_536,
            queue_bytes: 64 << 20,
            max_batch: 5_000,
            linger: Duration::from_millis(200),
            retry_first: Duration::from_millis(100),
            retry_longest: Duration::from_secs(5),
        }
    }
}

/// Whether the disk takes what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Ok,
    /// The last attempt failed, with this error. The writer goes on trying.
    Failing(Arc<str>),
}

/// What a writer has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Changes that wait to be written.
    pub queued: u64,
    /// Changes written.
    pub written: u64,
    /// Devices that found the queue full and were not written.
    pub dropped: u64,
    /// Durable transactions.
    pub commits: u64,
    /// Transactions that failed.
    pub failures: u64,
    /// How long the last transaction took.
    pub last_commit: Duration,
    /// Bytes of the file.
    pub file_bytes: u64,
}

/// Owns the thread that writes. Dropping it writes what is queued, as
/// [`Writer::shutdown`] does, but waits where it is dropped.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    finished: Option<oneshot::Receiver<Result<(), StoreError>>>,
    thread: Option<JoinHandle<()>>,
}

/// Gives changes to the writer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WriterHandle {
    queue: Arc<Queue>,
}

impl Writer {
    /// Starts the thread. With a `dictionary`, words without which a device
    /// cannot be read are stored along with it.
    pub fn start(
        store: Arc<Store>,
        settings: WriterSettings,
        dictionary: Option<Arc<dyn Dictionary>>,
    ) -> std::io::Result<(WriterHandle, Self)> {
        let queue = Arc::new(Queue::new(settings));
        let (finish, finished) = oneshot::channel();
        let worker = thread::Worker::new(store, Arc::clone(&queue), dictionary);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                give_way();
                // Nobody listens any more when the owner was dropped.
                let _ = finish.send(worker.run());
            })?;
        let handle = WriterHandle {
            queue: Arc::clone(&queue),
        };
        let writer = Self {
            queue,
            finished: Some(finished),
            thread: Some(thread),
        };
        Ok((handle, writer))
    }

    /// Writes everything that is queued and ends the thread. The error says
    /// that devices were lost which nobody waited for.
    pub async fn shutdown(mut self) -> Result<(), StoreError> {
        self.queue.close();
        let done = match self.finished.take() {
            Some(finished) => finished.await.unwrap_or(Err(StoreError::Closed)),
            None => Ok(()),
        };
        // The thread has nothing left to do: this does not wait.
        self.join();
        done
    }

    fn join(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.join();
    }
}

impl WriterHandle {
    /// Queues a device and never waits. One that waits already under the same
    /// key is replaced. When the queue is full the device is dropped, counted,
    /// and `false` is returned: it is only a memory of what can be asked again.
    pub fn put_device(&self, row: &DeviceRow<'_>) -> bool {
        self.queue
            .put_device(row.source, row.key, Some(row.encode()))
    }

    /// Queues the removal of a device, as [`WriterHandle::put_device`] does.
    pub fn remove_device(&self, source: &str, key: &str) -> bool {
        self.queue.put_device(source, key, None)
    }

    /// Makes a batch durable, after everything queued before it. Waits for room
    /// in the queue first: who reads faster than the disk writes is slowed down.
    pub async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let changes = batch.len();
        self.ask(changes, |answer| Request::Commit { batch, answer })
            .await?
    }

    /// Ends a full inventory read, as [`Store::sweep`] does, after everything
    /// queued before it. Returns how many devices went.
    pub async fn sweep(
        &self,
        source: &str,
        epoch: u32,
        before: Timestamp,
        state: InventoryState,
        on_removed: Box<dyn FnMut(&str) + Send>,
    ) -> Result<u64, StoreError> {
        let source = source.to_owned();
        self.ask(1, |answer| Request::Sweep {
            source,
            epoch,
            before,
            state,
            on_removed: queue::OnRemoved(on_removed),
            answer,
        })
        .await?
    }

    /// Stores a document as `request` says and returns its version.
    pub async fn set_document(&self, request: SetDocument) -> Result<u64, DocumentError> {
        self.ask(1, |answer| Request::SetDocument { request, answer })
            .await?
    }

    /// Deletes a document. A missing one is no error.
    pub async fn delete_document(&self, namespace: &str, key: &str) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.delete_document(namespace, key);
        self.commit(batch).await
    }

    /// Waits until everything queued before is durable.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.commit(Batch::default()).await
    }

    /// Whether the disk takes what is written.
    pub fn status(&self) -> Status {
        self.queue.status()
    }

    /// What the writer has done so far.
    pub fn figures(&self) -> Figures {
        self.queue.figures()
    }

    async fn ask<T>(
        &self,
        changes: usize,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.push(changes, request(answer)).await?;
        answered.await.map_err(|_| StoreError::Closed)
    }
}

impl fmt::Debug for queue::OnRemoved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnRemoved")
    }
}
