//! A TLS listener that can be switched off and on again at the same port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::service::{Address, Service};

const MAX_CONNECTIONS: usize = 4_096;
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
const HEADER_DEADLINE: Duration = Duration::from_mins(1);
const BACKLOG: u32 = 1_024;

/// One address of the tenant.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: SocketAddr,
    tls: Arc<ServerConfig>,
    service: Arc<Service>,
    address: Address,
    tracker: TaskTracker,
    root: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Serving {
        stop: CancellationToken,
        task: JoinHandle<()>,
    },
    /// Bound without listening: connections are refused, and the system does not give the port to
    /// others who ask for any free one.
    Held(TcpSocket),
    Closed,
}

impl Listener {
    /// Serves on a bound listener; its tasks belong to `tracker` and end with `root`.
    pub(crate) fn start(
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        service: Arc<Service>,
        address: Address,
        tracker: TaskTracker,
        root: CancellationToken,
    ) -> io::Result<Self> {
        let mut this = Self {
            socket: listener.local_addr()?,
            tls,
            service,
            address,
            tracker,
            root,
            state: Mutex::new(State::Closed),
        };
        *this.state.get_mut() = this.serve(listener);
        Ok(this)
    }

    fn serve(&self, listener: TcpListener) -> State {
        let stop = self.root.child_token();
        let task = self.tracker.spawn(accept(
            listener,
            TlsAcceptor::from(Arc::clone(&self.tls)),
            Arc::clone(&self.service),
            self.address,
            stop.clone(),
        ));
        State::Serving { stop, task }
    }

    /// Cuts all connections and refuses new ones.
    pub(crate) async fn stop(&self) -> io::Result<()> {
        let mut state = self.state.lock().await;
        if let State::Serving { stop, task } = &mut *state {
            stop.cancel();
            // It ends by the token and never panics; an abort at shutdown is an end as well.
            let _ = task.await;
            *state = State::Closed;
            let socket = match self.socket {
                SocketAddr::V4(_) => TcpSocket::new_v4(),
                SocketAddr::V6(_) => TcpSocket::new_v6(),
            }?;
            socket.set_reuseaddr(true)?;
            socket.bind(self.socket)?;
            *state = State::Held(socket);
        }
        Ok(())
    }

    /// Serves again after [`Listener::stop`].
    pub(crate) async fn resume(&self) -> io::Result<()> {
        let mut state = self.state.lock().await;
        *state = match std::mem::replace(&mut *state, State::Closed) {
            State::Held(socket) => self.serve(socket.listen(BACKLOG)?),
            other => other,
        };
        Ok(())
    }

    pub(crate) async fn is_serving(&self) -> bool {
        matches!(*self.state.lock().await, State::Serving { .. })
    }
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    service: Arc<Service>,
    address: Address,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                if let Ok((stream, _)) = accepted {
                    let service = Arc::clone(&service);
                    connections.spawn(connection(stream, tls.clone(), service, address));
                } else {
                    // Out of descriptors: let others close theirs first.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, service: Arc<Service>, address: Address) {
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(HANDSHAKE_DEADLINE, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            return;
        }
        Err(_) => {
            tracing::debug!("TLS handshake took too long");
            return;
        }
    };
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { service.answer(address, request).await }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}
