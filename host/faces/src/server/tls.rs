//! TLS as the server speaks it.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;

use crate::{ClientSettings, TlsSettings};

/// HTTP/2 in ALPN (RFC 9113, section 3.2).
pub(super) const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// The certificates and the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
    #[error("the issuers of client certificates: {0}")]
    Issuers(#[from] rustls::client::VerifierBuilderError),
}

/// Issuers of certificates of clients that name none of their own.
pub(super) fn common_issuers<'a>(
    tls: impl Iterator<Item = &'a TlsSettings>,
) -> Vec<CertificateDer<'static>> {
    tls.flat_map(|tls| tls.client_issuers.iter().cloned())
        .collect()
}

/// TLS 1.2 and 1.3. A client certificate is asked for when there are issuers to
/// check it by, the server's or a client's own; it may be left out, but it may
/// not be wrong. Whether the issuer is that of the client is found out later.
pub(super) fn server_config(
    settings: TlsSettings,
    clients: &[ClientSettings],
) -> Result<ServerConfig, TlsError> {
    let own = clients.iter().flat_map(|client| client.issuers.iter());
    let client_issuers: Vec<_> = settings.client_issuers.iter().chain(own).cloned().collect();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = if client_issuers.is_empty() {
        builder.with_no_client_auth()
    } else {
        let mut issuers = RootCertStore::empty();
        for issuer in client_issuers {
            issuers.add(issuer)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(issuers), provider)
            .allow_unauthenticated()
            .build()?;
        builder.with_client_cert_verifier(verifier)
    };
    let mut config = builder.with_single_cert(settings.certificates, settings.key)?;
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
    Ok(config)
}
