//! A certificate request as a SCEP server hands it over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

/// Bytes that are read at most.
pub(super) const LARGEST: usize = 64 << 10;

/// A certificate request, in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    der: Vec<u8>,
    key: Vec<u8>,
}

impl Request {
    /// Reads DER or PEM.
    pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        anyhow::ensure!(!bytes.is_empty(), "there is no certificate request");
        anyhow::ensure!(
            bytes.len() <= LARGEST,
            "the certificate request has more than {LARGEST} bytes"
        );
        let der = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            let (_, pem) = x509_parser::pem::parse_x509_pem(bytes)
                .map_err(|error| anyhow::anyhow!("the PEM cannot be read: {error}"))?;
            pem.contents
        } else {
            bytes.to_vec()
        };
        let key = match X509CertificationRequest::from_der(&der) {
            Ok((_, request)) => request.certification_request_info.subject_pki.raw.to_vec(),
            Err(error) => anyhow::bail!("expected a certificate request (PKCS #10): {error}"),
        };
        Ok(Self { der, key })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The public key (`SubjectPublicKeyInfo`), by which its certificate is found.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn base64(&self) -> String {
        STANDARD.encode(&self.der)
    }

    /// A SCEP server does not hand its transaction over, so there is one that the
    /// verifier and the notifier make alike.
    pub(super) fn transaction_id(&self) -> String {
        hex::encode_upper(Sha256::digest(&self.der))
    }
}
