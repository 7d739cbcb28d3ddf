//! What waits to be sent to one connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::ending::Ending;

/// How much may wait for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

/// The end of a connection's queue where frames go in. It never waits: a
/// connection whose client does not keep up is ended.
#[derive(Debug)]
pub(super) struct Outlet {
    frames: mpsc::Sender<Bytes>,
    room: usize,
    bytes: AtomicUsize,
    why: OnceLock<Ending>,
    ended: CancellationToken,
}

/// The other end, which the connection reads.
#[derive(Debug)]
pub(super) struct Waiting {
    frames: mpsc::Receiver<Bytes>,
    outlet: Arc<Outlet>,
}

impl Outlet {
    pub(super) fn new(room: Room) -> (Arc<Self>, Waiting) {
        let (sender, frames) = mpsc::channel(room.frames);
        let outlet = Arc::new(Self {
            frames: sender,
            room: room.bytes,
            bytes: AtomicUsize::new(0),
            why: OnceLock::new(),
            ended: CancellationToken::new(),
        });
        let waiting = Waiting {
            frames,
            outlet: Arc::clone(&outlet),
        };
        (outlet, waiting)
    }

    /// Queues a frame. Without room, the connection ends. `false` when it has
    /// ended.
    pub(super) fn push(&self, frame: Bytes) -> bool {
        if self.ended.is_cancelled() {
            return false;
        }
        let bytes = frame.len();
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.room || self.frames.try_send(frame).is_err() {
            self.end(Ending::Slow);
            return false;
        }
        true
    }

    /// Ends the connection. Only the first reason counts.
    pub(super) fn end(&self, why: Ending) {
        let _ = self.why.set(why);
        self.ended.cancel();
    }

    /// Returns when the connection was ended from this side, with the reason.
    pub(super) async fn ended(&self) -> Ending {
        self.ended.cancelled().await;
        self.why.get().cloned().unwrap_or(Ending::Left)
    }
}

impl Waiting {
    /// Waits for frames and takes some of them into `batch`, in order.
    pub(super) async fn take(&mut self, batch: &mut Vec<Bytes>, most: usize) {
        self.frames.recv_many(batch, most).await;
        let bytes = batch.iter().map(Bytes::len).sum();
        self.outlet.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn outlet(frames: usize, bytes: usize) -> (Arc<Outlet>, Waiting) {
        Outlet::new(Room { frames, bytes })
    }

    fn taken(waiting: &mut Waiting) -> Vec<Bytes> {
        let mut batch = Vec::new();
        waiting.take(&mut batch, 2).now_or_never().unwrap();
        batch
    }

    #[tokio::test]
    async fn in_order_and_in_batches() {
        let (outlet, mut waiting) = outlet(3, 3);
        for frame in ["a", "b", "c"] {
            assert!(outlet.push(frame.into()));
        }
        assert_eq!(taken(&mut waiting), ["a", "b"]);
        assert!(outlet.push("de".into()));
        assert_eq!(taken(&mut waiting), ["c", "de"]);
        assert!(outlet.push("fgh".into()));
        assert_eq!(outlet.ended().now_or_never(), None);
    }

    #[tokio::test]
    async fn without_room_it_ends() {
        for (outlet, _waiting) in [outlet(1, 99), outlet(99, 1)] {
            assert!(outlet.push("a".into()));
            assert!(!outlet.push("b".into()));
            assert_eq!(outlet.ended().await, Ending::Slow);
            outlet.end(Ending::Missed);
            assert_eq!(outlet.ended().await, Ending::Slow);
            assert!(!outlet.push("".into()));
        }
    }
}
