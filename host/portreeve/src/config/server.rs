//! `[server]`: where the gateway listens.

use std::net::SocketAddr;

use portreeve_faces::Limits;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use serde::Serialize;

use super::certificate::{CertificateFile, KeyFile};
use super::problem::Problem;
use super::read::Section;
use super::value::{Size, Span};

/// `[server]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ServerConfig {
    #[serde(flatten)]
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) max_connections: usize,
    pub(crate) max_waiting: usize,
    pub(crate) max_body: Size,
    pub(crate) header_timeout: Span,
    pub(crate) body_timeout: Span,
    pub(crate) idle_timeout: Span,
    pub(crate) shutdown_timeout: Span,
    pub(crate) plain: Option<PlainConfig>,
}

/// The listener for clients on the network.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TlsConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) certificate: CertificateFile,
    pub(crate) key: KeyFile,
    pub(crate) client_ca: Option<CertificateFile>,
    /// Of `[trust.NAME]`, beside those.
    #[serde(skip)]
    pub(crate) trusted_clients: Vec<CertificateDer<'static>>,
}

/// `[server.plain]`, a listener without TLS for this machine only.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PlainConfig {
    pub(crate) listen: SocketAddr,
}

pub(super) fn read(section: Section<'_>) -> Option<ServerConfig> {
    let plain = section.optional_section("plain").map(read_plain);
    let defaults = Limits::default();
    let max_connections = section.or("max-connections", defaults.max_connections);
    let max_waiting = section.or("max-waiting", defaults.max_waiting);
    let max_body = section.or("max-body", Size::of_bytes(defaults.max_body));
    let header_timeout = section.or("header-timeout", Span(defaults.header_timeout));
    let body_timeout = section.or("body-timeout", Span(defaults.body_timeout));
    let idle_timeout = section.or("idle-timeout", Span(defaults.idle_timeout));
    let shutdown_timeout = section.or("shutdown-timeout", Span(defaults.shutdown_timeout));
    let listen = section.or("listen", SocketAddr::from(([0, 0, 0, 0], 8443)));
    let client_ca = section.optional("client-ca");
    let certificate_named = section.node("certificate").is_some();
    let key_named = section.node("key").is_some();
    let listen_named = section.node("listen").is_some();
    // Without TLS a listener on the loopback has to be asked for.
    let wants_tls = plain.is_none() || certificate_named || key_named || listen_named;
    let tls = if wants_tls {
        let certificate = section.required("certificate", "\"server.pem\"");
        let key = section.required("key", "\"server.key\"");
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                check_pair(&section, &certificate, &key);
                Some(TlsConfig {
                    listen,
                    certificate,
                    key,
                    client_ca,
                    trusted_clients: Vec::new(),
                })
            }
            _ => None,
        }
    } else {
        None
    };
    section.finish();
    if wants_tls && tls.is_none() {
        return None;
    }
    Some(ServerConfig {
        tls,
        max_connections,
        max_waiting,
        max_body,
        header_timeout,
        body_timeout,
        idle_timeout,
        shutdown_timeout,
        plain: plain.flatten(),
    })
}

fn check_pair(section: &Section<'_>, certificate: &CertificateFile, key: &KeyFile) {
    let pair = CertifiedKey::from_der(
        certificate.certificates.clone(),
        key.key.clone_key(),
        &aws_lc_rs::default_provider(),
    );
    if let (Err(error), Some(node)) = (pair, section.node("key")) {
        let message = format!("does not go with `certificate`: {error}");
        section.reader.report(
            Problem::new(&node.place, &node.key, message)
                .hint("the key must be that of the first certificate in the file"),
        );
    }
}

fn read_plain(section: Section<'_>) -> Option<PlainConfig> {
    let listen: Option<SocketAddr> = section.required("listen", "\"127.0.0.1:8080\"");
    if let (Some(address), Some(node)) = (listen, section.node("listen"))
        && !address.ip().is_loopback()
    {
        let message = format!("`{address}` can be reached from the network without TLS");
        section.reader.report(
            Problem::new(&node.place, &node.key, message).hint(
                "listen on `127.0.0.1` or `[::1]` here; the network is for `[server]` with TLS",
            ),
        );
    }
    section.finish();
    listen.map(|listen| PlainConfig { listen })
}
