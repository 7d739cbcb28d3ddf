//! Other clients and certificates for a server that serves.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::tls;
use crate::clients::{ClientsError, RosterSettings};
use crate::faces::Faces;
use crate::{ClientSettings, TlsSettings};

/// What a server shows to new connections, until it is given something else.
#[derive(Clone, Debug)]
pub(super) struct SharedTls(Arc<ArcSwap<ServerConfig>>);

impl SharedTls {
    pub(super) fn new(config: ServerConfig) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(config)))
    }

    /// For one connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }
}

/// Replaces clients and certificates of a server while it serves.
#[derive(Clone, Debug)]
pub struct Reloader {
    /// Whoever reloads must not keep the server alive.
    faces: Weak<Faces>,
    /// One for each listener with TLS, in the settings' order.
    tls: Vec<SharedTls>,
}

/// Nothing was replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The clients cannot be told apart or cannot be used.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// The certificates or the key cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// Not one set of certificates for each listener with TLS.
    #[error("listeners with TLS cannot come or go while the server runs")]
    Listeners,
    /// The server has ended.
    #[error("the server has ended")]
    Ended,
}

impl Reloader {
    pub(super) fn new(faces: &Arc<Faces>, tls: Vec<SharedTls>) -> Self {
        Self {
            faces: Arc::downgrade(faces),
            tls,
        }
    }

    /// Puts others in force, all or none. Open connections go on: who they
    /// belong to is found out again at their next request. `tls` has one entry
    /// for each listener with TLS, in the settings' order.
    pub fn replace(
        &self,
        clients: Vec<ClientSettings>,
        tls: Vec<TlsSettings>,
    ) -> Result<(), ReloadError> {
        if tls.len() != self.tls.len() {
            return Err(ReloadError::Listeners);
        }
        let issuers = tls::common_issuers(tls.iter());
        let configs = tls.into_iter().map(|tls| tls::server_config(tls, &clients));
        let configs = configs.collect::<Result<Vec<_>, _>>();
        let configs = configs.map_err(|error| ReloadError::Tls(error.to_string()))?;
        let faces = self.faces.upgrade().ok_or(ReloadError::Ended)?;
        let sources = faces.gateway.source_names();
        let roster = faces.clients.prepare(RosterSettings {
            clients,
            sources: &sources,
            issuers: &issuers,
        })?;
        // From here on nothing fails.
        faces.clients.replace(roster);
        if let Some(pxgrid) = &faces.pxgrid {
            pxgrid.clients_changed(&faces.clients.now());
        }
        for (shared, config) in self.tls.iter().zip(configs) {
            shared.0.store(Arc::new(config));
        }
        Ok(())
    }
}
