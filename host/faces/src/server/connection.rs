//! One connection from the handshake to its end.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::rt::Executor;
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
use super::tls::H2;
use super::watched::{Patience, Requests, Watched};
use crate::Limits;
use crate::body::Reply;
use crate::dispatch::{Dispatcher, Peer};
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
    /// No new requests.
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
            let peer = Peer {
                address,
                certified: Some(Arc::clone(connections.dispatcher.faces.clients.local())),
            };
            connections.serve_http(stream, peer, false).await;
        });
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
        let peer_at = |certified| Peer {
            address: peer.ip().to_canonical(),
            certified,
        };
        let Some(tls) = tls else {
            return self.serve_http(stream, peer_at(None), false).await;
        };
        let Some(stream) = self.shake_hands(stream, peer, &tls).await else {
            return;
        };
        let (_, session) = stream.get_ref();
        let is_h2 = session.alpn_protocol() == Some(H2);
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let clients = &self.dispatcher.faces.clients;
        let certified = certificate.and_then(|certificate| clients.of_certificate(certificate));
        self.serve_http(stream, peer_at(certified), is_h2).await;
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
        let stream = Watched::new(stream, patience, Arc::clone(&asker.requests));
        let stream = TokioIo::new(stream);
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let asker = Arc::clone(&asker);
            // Here and not in the future, which hyper polls after it has asked
            // the stream for more.
            let ongoing = Arc::clone(&asker.requests).begin();
            let hit = asker.dispatcher.hit(&asker.peer, &request);
            async move {
                let _ongoing = ongoing;
                Ok::<_, Infallible>(match hit {
                    Some(reply) => reply,
                    // Boxed: this future is large, and a hit never needs it.
                    None => Box::pin(asker.answer(request)).await,
                })
            }
        });
        // Which it is was agreed on in the handshake; nothing has to be guessed.
        let served = if is_h2 {
            let connection = self.h2().serve_connection(stream, service);
            self.drive(pin!(connection)).await
        } else {
            let mut connection = http1().serve_connection(stream, service);
            let served = self.drive(Pin::new(&mut connection)).await;
            if let (Ok(()), Some(session)) = (&served, asker.upgrade.get()) {
                let parts = connection.into_parts();
                let stream = parts.io.into_inner().into_inner();
                Box::pin(session.run(stream, parts.read_buf, &self.until())).await;
            }
            served
        };
        if let Err(error) = served {
            if is_time_out(&error) {
                self.dispatcher.faces.metrics.cut.inc();
            }
            let peer = asker.peer.address;
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }

    /// Serves until the client leaves, or the server does.
    async fn drive(
        &self,
        mut connection: Pin<&mut impl GracefulConnection<Error = hyper::Error>>,
    ) -> Result<(), hyper::Error> {
        tokio::select! {
            served = connection.as_mut() => return served,
            () = self.stopping.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        self.cut
            .run_until_cancelled(connection)
            .await
            .unwrap_or(Ok(()))
    }

    fn until(&self) -> Until {
        Until {
            stopping: self.stopping.clone(),
            cut: self.cut.clone(),
        }
    }

    fn h2(&self) -> http2::Builder<Streams> {
        let mut builder = http2::Builder::new(Streams {
            tasks: self.tasks.clone(),
            cut: self.cut.clone(),
        });
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(H2_HEADER)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1);
        builder
    }
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

/// Runs the streams of HTTP/2 connections as tasks of the server.
#[derive(Clone, Debug)]
struct Streams {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            cut.run_until_cancelled(stream).await;
        });
    }
}

fn is_time_out(error: &(dyn std::error::Error + 'static)) -> bool {
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
