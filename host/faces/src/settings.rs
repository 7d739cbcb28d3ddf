//! What the operator decided about listening and asking.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portreeve_gateway::inventory::Inventory;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{ClientSettings, IseSettings, PxgridSettings};

/// Everything the faces are built from.
#[derive(Debug)]
pub struct FaceSettings {
    /// Where to listen. At least one.
    pub listeners: Vec<ListenerSettings>,
    /// Who may ask.
    pub clients: Vec<ClientSettings>,
    /// Bounds on what clients can make the server do.
    pub limits: Limits,
    /// The inventories of the sources, for operators.
    pub inventory: Option<Arc<Inventory>>,
    /// The MDM API of Cisco ISE.
    pub ise: IseSettings,
    /// The pxGrid face, if it is on.
    pub pxgrid: Option<PxgridSettings>,
}

/// One address to listen on. Port 0 picks a free one.
#[derive(Debug)]
pub enum ListenerSettings {
    /// HTTP/1.1 and HTTP/2 over TLS 1.2 and 1.3.
    Tls {
        /// Address and port.
        address: SocketAddr,
        /// Certificates.
        tls: TlsSettings,
    },
    /// HTTP/1.1 on a socket in the file system, for commands of the same user
    /// on the same machine: whoever may open it may administer.
    Local {
        /// The socket. What a gateway that ended left there is replaced.
        path: PathBuf,
    },
    /// HTTP/1.1 without TLS, refused for any address but a loopback one: for a
    /// RADIUS server on the same machine.
    Plain {
        /// Address and port.
        address: SocketAddr,
    },
}

/// The server's certificate and whom it trusts.
pub struct TlsSettings {
    /// The server's certificate first, then its issuers without the root.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The key of the first certificate.
    pub key: PrivateKeyDer<'static>,
    /// Issuers of client certificates. Empty: none is asked for. A client
    /// without a certificate may connect and authenticate in another way; one
    /// with a certificate that these did not issue may not.
    pub client_issuers: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TlsSettings")
            .field("certificates", &self.certificates.len())
            .field("key", &"[redacted]")
            .field("client_issuers", &self.client_issuers.len())
            .finish()
    }
}

/// Bounds on what clients can make the server do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections over all listeners; more are closed at once, so that a
    /// client fails over instead of waiting.
    pub max_connections: usize,
    /// Questions that wait for a source or a policy at the same time; more are
    /// refused at once. What memory can answer needs no place.
    pub max_waiting: usize,
    /// Bytes of a batch's body. Single questions have 64 KiB at most.
    pub max_body: usize,
    /// From the first byte of a request to the end of its header section, and
    /// for the TLS handshake.
    pub header_timeout: Duration,
    /// From the end of the header section to the end of the body.
    pub body_timeout: Duration,
    /// How long a connection may stand still, be it between requests or because
    /// the client does not read.
    pub idle_timeout: Duration,
    /// How long requests on the way may go on after shutdown began.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_waiting: 1024,
            max_body: 8 << 20,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}
