//! What an operator decides about one connector instance's way out.

use std::time::Duration;

use ipnet::IpNet;
use rustls_pki_types::CertificateDer;

use crate::{CredentialSettings, HostGrant, ProxySettings};

/// Grants, limits and credentials of one connector instance. The default grants nothing.
#[derive(Debug, Clone)]
pub struct EgressSettings {
    /// Hosts that may be asked.
    pub allow: Vec<HostGrant>,
    /// Networks that are not public and may be reached all the same, e.g. that of an MDM in the
    /// house. They open addresses, not names: the host has to be granted too.
    pub private_networks: Vec<IpNet>,
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest time for one request as a whole, down to the last byte of the answer.
    pub request_timeout: Duration,
    /// Largest answer, in bytes of its body.
    pub max_response_bytes: u64,
    /// Largest request, in bytes of its body.
    pub max_request_bytes: u64,
    /// Requests under way at one time.
    pub max_concurrent: usize,
    /// Certificates trusted as roots besides the system's.
    pub roots: Vec<CertificateDer<'static>>,
    /// Whether the roots of the operating system are trusted, too.
    pub system_roots: bool,
    /// The proxy on the way, for tokens as well.
    pub proxy: Option<ProxySettings>,
    /// Credentials that are added to requests.
    pub credentials: Vec<CredentialSettings>,
}

impl Default for EgressSettings {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            private_networks: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            max_response_bytes: 16 * 1024 * 1024,
            max_request_bytes: 1024 * 1024,
            max_concurrent: 32,
            roots: Vec::new(),
            system_roots: true,
            proxy: None,
            credentials: Vec::new(),
        }
    }
}
