//! Listening, connections, shutdown.

mod connection;
mod local;
mod reload;
mod shared;
mod streams;
mod tls;
mod watched;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use portreeve_gateway::Gateway;
use prometheus::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clients::{Clients, ClientsError, RosterSettings};
use crate::dispatch::Dispatcher;
use crate::faces::Faces;
use crate::pxgrid::pubsub::relay;
use crate::{ClientSettings, Configuration, FaceSettings, Limits, ListenerSettings, Trials};
use connection::Connections;
use local::LocalSocket;
use reload::SharedTls;
pub use reload::{ReloadError, Reloader};

/// Pause after a failed `accept`, which most often means that the process has
/// no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// No listener is configured.
    #[error("there is no address to listen on")]
    NoListener,
    /// A listener without TLS that can be reached from the network.
    #[error(
        "`{0}` can be reached from the network, and without TLS only a loopback address may be listened on"
    )]
    PlainOutsideLoopback(SocketAddr),
    /// The certificates or the key cannot be used.
    #[error("TLS for `{address}`: {message}")]
    Tls {
        /// The listener.
        address: SocketAddr,
        /// What is wrong. Never the key.
        message: String,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The listener.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The socket in the file system cannot be made.
    #[error("cannot listen on `{}`: {source}", path.display())]
    Local {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The clients cannot be told apart or cannot be used.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// The pxGrid face cannot be made.
    #[error("pxGrid: {0}")]
    Pxgrid(String),
    /// The registry has metrics of the same names already.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// The faces, listening.
///
/// Connections are accepted by the system from [`Server::bind`] on and served
/// by [`Server::serve`].
#[derive(Debug)]
pub struct Server {
    listeners: Vec<Listener>,
    addresses: Vec<SocketAddr>,
    faces: Arc<Faces>,
    limits: Limits,
}

enum Listener {
    Network {
        socket: TcpListener,
        tls: Option<SharedTls>,
    },
    Local(LocalSocket),
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network { socket, tls } => formatter
                .debug_struct("Network")
                .field("socket", socket)
                .field("tls", &tls.is_some())
                .finish(),
            Self::Local(socket) => formatter.debug_tuple("Local").field(socket).finish(),
        }
    }
}

impl Server {
    /// Opens the sockets. `registry` is where the faces count and what
    /// `/metrics` shows.
    pub async fn bind(
        settings: FaceSettings,
        gateway: Arc<Gateway>,
        registry: &Registry,
    ) -> Result<Self, BindError> {
        if settings.listeners.is_empty() {
            return Err(BindError::NoListener);
        }
        let tls = settings.listeners.iter().filter_map(|listener| {
            if let ListenerSettings::Tls { tls, .. } = listener {
                Some(tls)
            } else {
                None
            }
        });
        let issuers = tls::common_issuers(tls);
        let clients = settings.clients.clone();
        let sources = gateway.source_names();
        let known = Clients::new(RosterSettings {
            clients: settings.clients,
            sources: &sources,
            issuers: &issuers,
        })?;
        let faces = Faces::new(
            known,
            settings.limits,
            settings.inventory,
            settings.ise,
            settings.pxgrid,
            gateway,
            registry,
        )?;
        let mut listeners = Vec::with_capacity(settings.listeners.len());
        let mut addresses = Vec::with_capacity(settings.listeners.len());
        for listener in settings.listeners {
            let (listener, address) = listen(listener, &clients).await?;
            listeners.push(listener);
            addresses.extend(address);
        }
        Ok(Self {
            listeners,
            addresses,
            faces: Arc::new(faces),
            limits: settings.limits,
        })
    }

    /// Replaces clients and certificates, also while it serves.
    pub fn reloader(&self) -> Reloader {
        let tls = self.listeners.iter().filter_map(|listener| match listener {
            Listener::Network { tls, .. } => tls.clone(),
            Listener::Local(_) => None,
        });
        Reloader::new(&self.faces, tls.collect())
    }

    /// What `/v1/admin/configuration` shows and reads again. The first one
    /// stays.
    pub fn set_configuration(&self, configuration: Arc<dyn Configuration>) {
        // There is one already: nothing to do.
        let _ = self.faces.configuration.set(configuration);
    }

    /// What `/v1/admin/policies/impact` tries policies out with. The first one
    /// stays.
    pub fn set_trials(&self, trials: Arc<dyn Trials>) {
        // There is one already: nothing to do.
        let _ = self.faces.trials.set(trials);
    }

    /// Where it listens on the network, in the settings' order, with the real
    /// ports.
    pub fn local_addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `shutdown` is there. Then it accepts no more, lets requests
    /// on the way end within the time the settings give, cuts what is left, and
    /// returns when every task has ended.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let limits = self.limits;
        let tasks = TaskTracker::new();
        let cut = CancellationToken::new();
        let connections = Arc::new(Connections {
            dispatcher: Arc::new(Dispatcher::new(Arc::clone(&self.faces))),
            limits,
            places: Arc::new(Semaphore::new(limits.max_connections)),
            tasks: tasks.clone(),
            is_stopping: AtomicBool::new(false),
            stopping: CancellationToken::new(),
            cut: cut.clone(),
        });
        if let Some(pxgrid) = &self.faces.pxgrid {
            let (pubsub, gateway) = (Arc::clone(&pxgrid.pubsub), Arc::clone(&self.faces.gateway));
            let stopping = connections.stopping.clone();
            tasks.spawn(async move { relay(&gateway, &pubsub.broker, &stopping).await });
        }
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            accepting.spawn(accept(listener, Arc::clone(&connections)));
        }
        shutdown.await;
        self.faces.stop();
        // Dropping the listeners closes them; new clients go elsewhere at once.
        accepting.shutdown().await;
        connections.stop();
        tasks.close();
        if tokio::time::timeout(limits.shutdown_timeout, tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = tasks.len(),
                "cutting connections that did not end in time"
            );
            cut.cancel();
            tasks.wait().await;
        }
    }
}

async fn listen(
    settings: ListenerSettings,
    clients: &[ClientSettings],
) -> Result<(Listener, Option<SocketAddr>), BindError> {
    let (address, tls) = match settings {
        ListenerSettings::Local { path } => {
            let socket = match LocalSocket::listen(&path) {
                Ok(socket) => socket,
                Err(source) => return Err(BindError::Local { path, source }),
            };
            return Ok((Listener::Local(socket), None));
        }
        ListenerSettings::Plain { address } if !address.ip().is_loopback() => {
            return Err(BindError::PlainOutsideLoopback(address));
        }
        ListenerSettings::Plain { address } => (address, None),
        ListenerSettings::Tls { address, tls } => {
            let config = tls::server_config(tls, clients).map_err(|error| BindError::Tls {
                address,
                message: error.to_string(),
            })?;
            (address, Some(SharedTls::new(config)))
        }
    };
    let refused = |source| BindError::Listen { address, source };
    let socket = TcpListener::bind(address).await.map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    Ok((Listener::Network { socket, tls }, Some(address)))
}

async fn accept(listener: Listener, connections: Arc<Connections>) {
    loop {
        let accepted = match &listener {
            Listener::Network { socket, tls } => socket.accept().await.map(|(stream, peer)| {
                connections.take(stream, peer, tls.as_ref().map(SharedTls::acceptor));
            }),
            Listener::Local(socket) => socket
                .accept()
                .await
                .map(|stream| connections.take_local(stream)),
        };
        match accepted {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Small answers leave at once.
fn no_delay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps small answers back");
    }
}
