//! A connection that is cut when it stands still.
//!
//! hyper's own header time-out counts the wait for the next request too, so it
//! cannot tell a client that keeps its connection from one that drips its
//! header. Here both have their own time. Bodies have a third, where they are
//! read.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Bytes that count as a part of an answer. Fewer may be the pings that keep an
/// HTTP/2 connection alive, or a client that reads to stay and not to know.
const PART: usize = 1024;

/// How many requests a connection had and has, shared with its service.
#[derive(Debug, Default)]
pub(super) struct Requests {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Requests {
    /// A request's header section is complete.
    pub(super) fn begin(self: Arc<Self>) -> Ongoing {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Ongoing(self)
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    fn are_ongoing(&self) -> bool {
        self.begun() != self.ended.load(Ordering::Relaxed)
    }
}

/// One request until its answer begins.
#[derive(Debug)]
pub(super) struct Ongoing(Arc<Requests>);

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// How long what may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the first byte of a header section to its end. `None` for HTTP/2,
    /// whose frames are no requests.
    pub(super) header: Option<Duration>,
    /// Without a request or a part of an answer, unless we are at work.
    pub(super) idle: Duration,
}

/// A stream that gives an error of kind `TimedOut` when its peer is too slow.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    patience: Patience,
    requests: Arc<Requests>,
    timer: Pin<Box<Sleep>>,
    /// Requests that had begun when the timer was set.
    begun_before: u64,
    /// Bytes written since the timer was set.
    written: usize,
    /// Whether the last write found no room.
    write_stuck: bool,
    header: Header,
}

/// How far the next request's header section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// Nothing of it is there.
    Awaited,
    /// Bytes came when this many requests had begun; perhaps they are one.
    Begun { before: u64 },
    /// It is there in part and has to be complete by then.
    Partial { before: u64, deadline: Instant },
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, patience: Patience, requests: Arc<Requests>) -> Self {
        Self {
            stream,
            patience,
            requests,
            timer: Box::pin(tokio::time::sleep(patience.idle)),
            begun_before: 0,
            written: 0,
            write_stuck: false,
            header: Header::Awaited,
        }
    }

    /// The stream itself, for what is no HTTP any more.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    fn note_read(&mut self) {
        let begun = self.requests.begun();
        let continued = matches!(
            self.header,
            Header::Begun { before } | Header::Partial { before, .. } if before == begun
        );
        if self.patience.header.is_some() && !continued && !self.requests.are_ongoing() {
            self.header = Header::Begun { before: begun };
        }
    }

    /// Called whenever the peer lets us wait.
    fn watch(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        match self.header {
            Header::Begun { before } | Header::Partial { before, .. }
                if self.requests.begun() != before =>
            {
                self.header = Header::Awaited;
            }
            Header::Begun { before } => {
                let deadline = Instant::now() + self.patience.header.unwrap_or(self.patience.idle);
                self.header = Header::Partial { before, deadline };
                self.timer.as_mut().reset(deadline);
            }
            _ => {}
        }
        loop {
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            let late = matches!(self.header, Header::Partial { deadline, .. } if deadline <= now);
            let at_work = self.requests.are_ongoing() && !self.write_stuck;
            let begun = self.requests.begun();
            let moved = begun != self.begun_before || self.written >= PART;
            if late || !(moved || at_work) {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.begun_before = begun;
            self.written = 0;
            let mut next = now + self.patience.idle;
            if let Header::Partial { deadline, .. } = self.header {
                next = next.min(deadline);
            }
            self.timer.as_mut().reset(next);
        }
    }

    fn note_write(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.write_stuck = written.is_pending();
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.written = self.written.saturating_add(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.watch(context).map(Err),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > before {
                    self.note_read();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.watch(context).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_write(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match Pin::new(&mut this.stream).poll_flush(context) {
            Poll::Pending => {
                this.write_stuck = true;
                this.watch(context).map(Err)
            }
            done @ Poll::Ready(_) => done,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Pending => self.watch(context).map(Err),
            done @ Poll::Ready(_) => done,
        }
    }
}
