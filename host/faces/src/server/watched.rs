//! A connection that is cut when it stands still.
//!
//! hyper's own header time-out counts the wait for the next request too, so it
//! cannot tell a client that keeps its connection from one that drips its
//! header. Here both have their own time. Bodies have a third, where they are
//! read.
//!
//! Answers to requests that came together leave together: hyper hands them over
//! one by one, and what is small is kept until it has done all it can.
//!
//! Requests that are like the one before ([`Alike`]) are answered here, without
//! hyper.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::{HeaderMap, Request};
use hyper::body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::alike::Alike;

/// Bytes that count as a part of an answer. Fewer may be the pings that keep an
/// HTTP/2 connection alive, or a client that reads to stay and not to know.
const PART: usize = 1024;
/// Bytes of answers that are kept to leave together.
const GATHERED: usize = 16 << 10;
/// Memory that a connection keeps for that while it is idle.
const KEPT: usize = 4 << 10;

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

    /// The same for one whose answer is there at once.
    pub(super) fn pass(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.ended.fetch_add(1, Ordering::Relaxed);
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

/// Who answers requests without hyper.
pub(super) trait Answering {
    /// Appends the answer to a request with this name of a device in its path
    /// and these header fields; `None` if that takes hyper.
    fn write_answer(&self, name: &[u8], headers: &HeaderMap, out: &mut Vec<u8>) -> Option<()>;
}

/// A stream that gives an error of kind `TimedOut` when its peer is too slow.
#[derive(Debug)]
pub(super) struct Watched<S, A> {
    stream: S,
    answering: A,
    /// `None` for HTTP/2.
    alike: Option<Alike>,
    patience: Patience,
    requests: Arc<Requests>,
    timer: Pin<Box<Sleep>>,
    /// Whom the timer wakes. It need not be told again each time.
    timer_wakes: Option<Waker>,
    /// Requests that had begun when the timer was set.
    begun_before: u64,
    /// Bytes written since the timer was set.
    written: usize,
    /// Whether the last write found no room.
    write_stuck: bool,
    header: Header,
    /// What hyper believes to be written.
    gathered: Vec<u8>,
    /// How much of it is.
    sent: usize,
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

impl<S, A> Watched<S, A> {
    /// Whoever polls the connection calls [`Watched::poll_send`] afterwards.
    pub(super) fn new(
        stream: S,
        patience: Patience,
        requests: Arc<Requests>,
        answering: A,
    ) -> Self {
        Self {
            stream,
            answering,
            alike: patience.header.is_some().then(Alike::default),
            patience,
            requests,
            timer: Box::pin(tokio::time::sleep(patience.idle)),
            timer_wakes: None,
            begun_before: 0,
            written: 0,
            write_stuck: false,
            header: Header::Awaited,
            gathered: Vec::new(),
            sent: 0,
        }
    }

    /// The stream itself, for what is no HTTP any more.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// hyper has read a request. Says whether it is known that it cannot be
    /// answered at once.
    pub(super) fn begin<B: Body>(&mut self, request: &Request<B>) -> bool {
        let alike = self.alike.as_mut();
        alike.is_some_and(|alike| alike.begin(request))
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
                self.timer_wakes = None;
            }
            _ => {}
        }
        let waker = context.waker();
        let is_set = |wakes: &Waker| wakes.will_wake(waker);
        if self.timer_wakes.as_ref().is_some_and(is_set) && !self.timer.is_elapsed() {
            return Poll::Pending;
        }
        self.timer_wakes = Some(waker.clone());
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

impl<S, A: Answering> Watched<S, A> {
    /// Answers the bytes that came if they are a request like the one before.
    fn answers(&mut self, bytes: &[u8]) -> bool {
        let Some(alike) = &mut self.alike else {
            return false;
        };
        let has_room = self.gathered.len() < GATHERED;
        let Some(asked) = alike.asks(bytes).filter(|_| has_room) else {
            alike.give(bytes);
            return false;
        };
        let out = &mut self.gathered;
        let answered = self.answering.write_answer(asked.name, asked.headers, out);
        match answered {
            Some(()) => self.requests.pass(),
            None => alike.give_in_vain(bytes),
        }
        answered.is_some()
    }
}

impl<S: AsyncWrite + Unpin, A> Watched<S, A> {
    /// Sends what was gathered.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_write_gathered(context))?;
        ready!(self.poll_flush_stream(context))?;
        self.sent = 0;
        self.gathered.clear();
        if self.gathered.capacity() > KEPT {
            self.gathered = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_gathered(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let left = self.gathered.get(self.sent..).unwrap_or_default();
            if left.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = Pin::new(&mut self.stream).poll_write(context, left);
            match ready!(self.note_write(context, written))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
    }

    /// Keeps `slices` to be sent later, if there is room for so much.
    fn gather(&mut self, slices: &[io::IoSlice<'_>]) -> Option<usize> {
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        let fits = self.gathered.len().saturating_add(bytes) <= GATHERED;
        fits.then(|| {
            for slice in slices {
                self.gathered.extend_from_slice(slice);
            }
            bytes
        })
    }

    fn poll_flush_stream(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => {
                self.write_stuck = true;
                self.watch(context).map(Err)
            }
            done @ Poll::Ready(_) => done,
        }
    }
}

impl<S: AsyncRead + Unpin, A: Answering + Unpin> AsyncRead for Watched<S, A> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            match Pin::new(&mut self.stream).poll_read(context, buffer) {
                Poll::Ready(Ok(())) => {
                    let came = buffer.filled().get(before..).unwrap_or_default();
                    if !came.is_empty() {
                        if self.answers(came) {
                            buffer.set_filled(before);
                            continue;
                        }
                        self.note_read();
                    }
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.watch(context).map(Err),
            }
        }
    }
}

impl<S: AsyncWrite + Unpin, A: Unpin> AsyncWrite for Watched<S, A> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(alike) = &mut self.alike {
            alike.note_write();
        }
        if let Some(bytes) = self.gather(slices) {
            return Poll::Ready(Ok(bytes));
        }
        ready!(self.poll_send(context))?;
        if let Some(bytes) = self.gather(slices) {
            return Poll::Ready(Ok(bytes));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        // What is gathered may be in any number of pieces.
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was gathered leaves when hyper has done all it can.
        if self.gathered.is_empty() {
            ready!(self.poll_flush_stream(context))?;
        }
        if let Some(alike) = &mut self.alike {
            alike.note_flush();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Pending => self.watch(context).map(Err),
            done @ Poll::Ready(_) => done,
        }
    }
}
