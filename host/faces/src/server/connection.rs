//! One connection from the handshake to its end.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future as _, poll_fn, ready};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::Either;
use http::HeaderMap;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::no_delay;
use super::shared::Shared;
use super::streams::{Arriving, Streams};
use super::tls::H2;
use super::watched::{Answering, Patience, Requests, Watched};
use crate::Limits;
use crate::body::Reply;
use crate::clients::Peer;
use crate::dispatch::Dispatcher;
use crate::metrics::Counted;
use crate::pxgrid::pubsub::{Session, Until, Upgrade};

/// Where hyper stops reading a header section and answers 431 on its own.
/// Above our own limit, so that most oversized ones get a proper answer.
const READ_BUFFER: usize = 64 << 10;
/// The same for HTTP/2, where a header list is decoded.
const H2_HEADER: u32 = 64 << 10;
/// Requests of one HTTP/2 connection at a time.
const STREAMS: u32 = 128;
/// How often an HTTP/2 client is asked whether it is still there, and how long
/// it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) limits: Limits,
    pub(super) places: Arc<Semaphore>,
    pub(super) tasks: TaskTracker,
    /// No new requests. Set before `stopping` is.
    pub(super) is_stopping: AtomicBool,
    /// The same, for who waits for it.
    pub(super) stopping: CancellationToken,
    /// No more at all.
    pub(super) cut: CancellationToken,
}

impl Connections {
    /// Serves a new connection in a task of its own, if there is room.
    pub(super) fn take(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<TlsAcceptor>,
    ) {
        let connections = Arc::clone(self);
        self.spawn(peer.ip(), async move {
            connections.serve(stream, peer, tls).await;
        });
    }

    /// The same for the socket in the file system.
    pub(super) fn take_local(self: &Arc<Self>, stream: UnixStream) {
        let connections = Arc::clone(self);
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        self.spawn(address, async move {
            let local = Arc::clone(connections.dispatcher.faces.clients.local());
            let peer = Peer::local(address, local);
            connections.serve_http(stream, peer, false).await;
        });
    }

    /// Has connections end with the requests that are on the way.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
        self.stopping.cancel();
    }

    fn spawn(self: &Arc<Self>, peer: IpAddr, serve: impl Future<Output = ()> + Send + 'static) {
        let metrics = &self.dispatcher.faces.metrics;
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            metrics.too_many.inc();
            tracing::warn!(%peer, "closed a connection at once: there are too many");
            return;
        };
        metrics.accepted.inc();
        let connections = Arc::clone(self);
        self.tasks.spawn(async move {
            let _place = place;
            let _counted = Counted::new(&connections.dispatcher.faces.metrics.connections);
            serve.await;
        });
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>) {
        no_delay(&stream);
        let address = peer.ip().to_canonical();
        let Some(tls) = tls else {
            return self
                .serve_http(stream, Peer::unproven(address), false)
                .await;
        };
        let Some(stream) = self.shake_hands(stream, peer, &tls).await else {
            return;
        };
        let (_, session) = stream.get_ref();
        let is_h2 = session.alpn_protocol() == Some(H2);
        let roster = self.dispatcher.faces.clients.now();
        let peer = Peer::certified(address, session.peer_certificates(), &roster);
        drop(roster);
        self.serve_http(stream, peer, is_h2).await;
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        tls: &TlsAcceptor,
    ) -> Option<TlsStream<TcpStream>> {
        let handshake = tokio::time::timeout(self.limits.header_timeout, tls.accept(stream));
        let handshake = self.stopping.run_until_cancelled(handshake).await?;
        let reason = match handshake {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "too slow".to_owned(),
        };
        self.dispatcher.faces.metrics.handshake_failed.inc();
        tracing::info!(%peer, reason, "a TLS handshake failed");
        None
    }

    async fn serve_http<S>(&self, stream: S, peer: Peer, is_h2: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let asker = Arc::new(Asker {
            dispatcher: Arc::clone(&self.dispatcher),
            peer,
            requests: Arc::default(),
            upgrade: OnceLock::new(),
        });
        let patience = Patience {
            header: (!is_h2).then_some(self.limits.header_timeout),
            idle: self.limits.idle_timeout,
        };
        let requests = Arc::clone(&asker.requests);
        let stream = Watched::new(stream, patience, requests, Arc::clone(&asker));
        let stream = Shared::new(stream);
        let hyper_stream = TokioIo::new(stream.clone());
        let (reading, asking) = (stream.clone(), &asker);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let in_vain = !is_h2 && reading.begin(&request);
            if !in_vain && let Some(reply) = asking.dispatcher.hit(&asking.peer, &request) {
                asking.requests.pass();
                return Either::Left(ready(Ok::<_, Infallible>(reply)));
            }
            let asker = Arc::clone(asking);
            // Here and not in the future, which hyper polls after it has asked
            // the stream for more.
            let ongoing = Arc::clone(&asker.requests).begin();
            // Boxed: this future is large, and a hit never needs it.
            Either::Right(Box::pin(async move {
                let _ongoing = ongoing;
                Ok(asker.answer(request).await)
            }))
        });
        let send = |context: &mut Context<'_>| match stream.poll_send(context) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        };
        // Which it is was agreed on in the handshake; nothing has to be guessed.
        let served = if is_h2 {
            let mut streams = Streams::default();
            let connection = h2(streams.arriving()).serve_connection(hyper_stream, service);
            let beside = |context: &mut Context<'_>| {
                streams.run(context);
                send(context)
            };
            self.drive(pin!(connection), beside).await
        } else {
            let mut connection = http1().serve_connection(hyper_stream, service);
            let served = self.drive(Pin::new(&mut connection), send).await;
            if let (Ok(()), Some(session)) = (&served, asker.upgrade.get()) {
                let parts = connection.into_parts();
                drop((parts.io, parts.service));
                if let Some(stream) = stream.into_inner().await {
                    Box::pin(session.run(stream, parts.read_buf, &self.until())).await;
                }
            }
            served
        };
        if let Err(error) = served {
            if is_time_out(&*error) {
                self.dispatcher.faces.metrics.cut.inc();
            }
            let peer = asker.peer.address;
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }

    /// Serves until the client leaves, or the server does. `beside` does what
    /// remains to be done each time after the connection has done all it can.
    async fn drive(
        &self,
        mut connection: Pin<&mut impl GracefulConnection<Error = hyper::Error>>,
        mut beside: impl FnMut(&mut Context<'_>) -> Poll<io::Error>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut serve = |context: &mut Context<'_>, stops: bool| -> Poll<Result<(), Box<_>>> {
            if stops {
                connection.as_mut().graceful_shutdown();
            }
            let served = connection.as_mut().poll(context);
            // An answer may have been given with the end of the connection.
            let broken = beside(context);
            match (served, broken) {
                (Poll::Ready(served), _) => Poll::Ready(Ok(served?)),
                (Poll::Pending, Poll::Ready(error)) => Poll::Ready(Err(error.into())),
                (Poll::Pending, Poll::Pending) => Poll::Pending,
            }
        };
        let mut stopping = pin!(self.stopping.cancelled());
        // Asking means taking a lock that all connections share, so it is done
        // once: the end wakes this task, which then looks at the flag.
        let mut wakes: Option<Waker> = None;
        let served = poll_fn(|context| match serve(context, false) {
            Poll::Pending => {
                let is_asked = |wakes: &Waker| wakes.will_wake(context.waker());
                if wakes.as_ref().is_some_and(is_asked) && !self.is_stopping.load(Ordering::Acquire)
                {
                    return Poll::Pending;
                }
                wakes = Some(context.waker().clone());
                stopping.as_mut().poll(context).map(|()| None)
            }
            served @ Poll::Ready(_) => served.map(Some),
        });
        if let Some(served) = served.await {
            return served;
        }
        let mut stops = true;
        let rest = poll_fn(|context| serve(context, std::mem::take(&mut stops)));
        self.cut.run_until_cancelled(rest).await.unwrap_or(Ok(()))
    }

    fn until(&self) -> Until {
        Until {
            stopping: self.stopping.clone(),
            cut: self.cut.clone(),
        }
    }
}

fn h2(arriving: Arriving) -> http2::Builder<Arriving> {
    let mut builder = http2::Builder::new(arriving);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(H2_HEADER)
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1);
    builder
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Headers have their time in `Watched`.
    builder.header_read_timeout(None).max_buf_size(READ_BUFFER);
    builder
}

/// Whose requests a connection brings.
#[derive(Debug)]
struct Asker {
    dispatcher: Arc<Dispatcher>,
    peer: Peer,
    requests: Arc<Requests>,
    /// How an HTTP/1.1 connection goes on after its last response.
    upgrade: OnceLock<Arc<Session>>,
}

impl Answering for Arc<Asker> {
    fn write_answer(&self, name: &[u8], headers: &HeaderMap, out: &mut Vec<u8>) -> Option<()> {
        self.dispatcher.write_hit(&self.peer, name, headers, out)
    }
}

impl Asker {
    async fn answer(&self, request: hyper::Request<Incoming>) -> Reply {
        let mut reply = self.dispatcher.answer(&self.peer, request).await;
        if let Some(Upgrade(session)) = reply.extensions_mut().remove() {
            // A connection has one last response.
            let _ = self.upgrade.set(session);
        }
        reply
    }
}

fn is_time_out(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && error.kind() == std::io::ErrorKind::TimedOut
        {
            return true;
        }
        next = error.source();
    }
    false
}
