//! A stream that hyper reads and writes, and that its connection's task can
//! still reach.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use hyper::body::Body;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::watched::{Answering, Watched};

/// Both have it; only one task uses it, so nobody waits for the lock.
#[derive(Debug)]
pub(super) struct Shared<S, A>(Arc<Mutex<Watched<S, A>>>);

impl<S, A> Shared<S, A> {
    pub(super) fn new(stream: Watched<S, A>) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    /// hyper has read a request: [`Watched::begin`].
    pub(super) fn begin<B: Body>(&self, request: &Request<B>) -> bool {
        self.0.lock().begin(request)
    }
}

impl<S: AsyncWrite + Unpin, A> Shared<S, A> {
    /// The stream itself, when nobody else has it any more. What was gathered
    /// is sent before, unless the peer is gone.
    pub(super) async fn into_inner(self) -> Option<S> {
        let mut stream = Arc::into_inner(self.0)?.into_inner();
        poll_fn(|context| stream.poll_send(context)).await.ok()?;
        Some(stream.into_inner())
    }

    /// Sends what was gathered: [`Watched::poll_send`].
    pub(super) fn poll_send(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_send(context)
    }
}

impl<S, A> Clone for Shared<S, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: AsyncRead + Unpin, A: Answering + Unpin> AsyncRead for Shared<S, A> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin, A: Unpin> AsyncWrite for Shared<S, A> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_shutdown(context)
    }
}
