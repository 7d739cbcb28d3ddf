//! webpki's verdict on a server certificate, with the presented chain kept for the administrator.

use std::{error::Error as StdError, fmt, io, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::presented::{PresentedCertificate, TlsFailure};

/// More is not a chain but an attack on the log.
pub(super) const MAX_PRESENTED: usize = 10;

/// Leaves the decision to webpki and, where it is no, puts the chain into the error.
///
/// The chain travels in the error and not in shared state, so that handshakes side by side never
/// mix up their chains.
#[derive(Debug)]
pub(super) struct Explaining {
    webpki: Arc<WebPkiServerVerifier>,
}

/// The verdict and the chain it is about, as an error inside [`CertificateError::Other`].
#[derive(Debug)]
struct Rejected {
    reason: CertificateError,
    presented: Vec<PresentedCertificate>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&reason_text(&self.reason))
    }
}

impl StdError for Rejected {}

impl Explaining {
    pub(super) fn new(webpki: Arc<WebPkiServerVerifier>) -> Self {
        Self { webpki }
    }
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.webpki
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| match error {
                Error::InvalidCertificate(reason) => {
                    let presented = std::iter::once(end_entity)
                        .chain(intermediates)
                        .take(MAX_PRESENTED)
                        .map(|certificate| PresentedCertificate::read(certificate))
                        .collect();
                    let rejected = Arc::new(Rejected { reason, presented });
                    Error::InvalidCertificate(CertificateError::Other(OtherError(rejected)))
                }
                error => error,
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// The TLS failure that one link of an error chain is, if it is one.
pub(crate) fn failure_in(
    error: &(dyn StdError + 'static),
    host: &str,
    port: u16,
) -> Option<TlsFailure> {
    // An `io::Error` hides the error it wraps from `source()`.
    if let Some(inner) = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        return failure_in(inner, host, port);
    }
    let error = error.downcast_ref::<Error>()?;
    if let Error::InvalidCertificate(CertificateError::Other(OtherError(other))) = error
        && let Some(rejected) = other.downcast_ref::<Rejected>()
    {
        let presented = rejected.presented.clone();
        return Some(TlsFailure::new(host, port, &rejected.reason, presented));
    }
    let reason = error.to_string();
    Some(TlsFailure::without_certificate(host, port, reason))
}

/// Why this chain was not accepted.
pub(super) fn failure_of(
    host: &str,
    port: u16,
    reason: &CertificateError,
    chain: &[CertificateDer<'_>],
) -> TlsFailure {
    let presented = chain
        .iter()
        .map(|certificate| PresentedCertificate::read(certificate));
    TlsFailure::new(host, port, reason, presented.collect())
}

pub(super) fn reason_text(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => {
            "its chain does not end at a trusted root certificate".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "a certificate of the chain has expired (or the clock here is wrong)".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "a certificate of the chain is not valid yet (or the clock here is wrong)".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name".to_owned()
        }
        CertificateError::Revoked => "the certificate has been revoked".to_owned(),
        CertificateError::BadSignature => "a signature in the chain is wrong".to_owned(),
        CertificateError::BadEncoding => "the certificate cannot be read".to_owned(),
        other => Error::InvalidCertificate(other.clone()).to_string(),
    }
}
