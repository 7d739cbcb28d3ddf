//! The requests of one HTTP/2 connection, run by the connection's own task.
//!
//! A task for each of them would cost more than most answers: memory, a counter
//! and a lock that all connections share, and often another processor. What
//! takes long waits for others, and can do so here as well.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use hyper::rt::Executor;
use parking_lot::Mutex;

/// Takes requests from hyper.
#[derive(Clone, Default)]
pub(super) struct Arriving(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

/// Runs them. They end with their connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    arriving: Arriving,
    running: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Arriving {
    fn execute(&self, stream: F) {
        let mut stream: BoxFuture<'static, ()> = Box::pin(stream);
        // Most answers are there at once, and need no place among those that
        // take long. What waits is asked again, by who can wake it.
        let mut nobody = Context::from_waker(Waker::noop());
        if stream.as_mut().poll(&mut nobody).is_pending() {
            self.0.lock().push(stream);
        }
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Arriving")
    }
}

impl Streams {
    /// Where they come from.
    pub(super) fn arriving(&self) -> Arriving {
        self.arriving.clone()
    }

    /// Goes on with all of them, after the connection has been polled. What
    /// they give it to send wakes the task.
    pub(super) fn run(&mut self, context: &mut Context<'_>) {
        self.running.extend(self.arriving.0.lock().drain(..));
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(context) {}
    }
}
