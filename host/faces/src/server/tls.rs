//! TLS as the server speaks it.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::TlsSettings;

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

/// TLS 1.2 and 1.3. A client certificate is asked for when there are issuers to
/// check it by; it may be left out, but it may not be wrong.
pub(super) fn server_config(settings: TlsSettings) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = if settings.client_issuers.is_empty() {
        builder.with_no_client_auth()
    } else {
        let mut issuers = RootCertStore::empty();
        for issuer in settings.client_issuers {
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
