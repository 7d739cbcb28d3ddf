//! TLS for the way out: whom to trust, and what to say when a certificate is not accepted.

mod fetch;
mod presented;
mod verifier;

use std::sync::{Arc, LazyLock};

use rustls::{
    ClientConfig, RootCertStore, client::WebPkiServerVerifier, crypto::aws_lc_rs,
    pki_types::CertificateDer,
};

use crate::{CertificateDetails, SettingsError};

pub use fetch::{FetchSettings, FetchedChain, fetch_chain};
pub use presented::{PresentedCertificate, TlsFailure, TlsFailureKind};

pub(crate) use verifier::failure_in;

/// The trust roots of the operating system, read once.
static SYSTEM_ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "system trust roots could not be read in full");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
});

/// The names of the authorities that the operating system trusts, in alphabetical order.
pub fn system_root_names() -> Vec<String> {
    let found = rustls_native_certs::load_native_certs();
    let names = found.certs.iter().filter_map(|der| {
        let details = CertificateDetails::read(der).ok()?;
        Some(details.common_name.unwrap_or(details.subject))
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The operator's own roots and, if wanted, those of the system.
pub(crate) fn trusted(
    extra_roots: &[CertificateDer<'static>],
    system_roots: bool,
) -> Result<RootCertStore, SettingsError> {
    let mut roots = if system_roots {
        SYSTEM_ROOTS.clone()
    } else {
        RootCertStore::empty()
    };
    for root in extra_roots {
        roots
            .add(root.clone())
            .map_err(|error| SettingsError::TrustRoot(error.to_string()))?;
    }
    Ok(roots)
}

/// The client's side of TLS: the operator's own roots and, if wanted, those of the system; no client
/// certificate.
pub(crate) fn client_config(
    extra_roots: &[CertificateDer<'static>],
    system_roots: bool,
) -> Result<ClientConfig, SettingsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = trusted(extra_roots, system_roots)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|_| SettingsError::NoTrustRoots)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Client(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier::Explaining::new(verifier)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
