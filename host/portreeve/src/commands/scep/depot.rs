//! The certificates that a SCEP server has issued: one PEM file each, as
//! micromdm's server keeps them.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Context as _;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::spool::files;

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    /// SHA-1, upper-case hexadecimal.
    pub(super) thumbprint: String,
    /// The public key (`SubjectPublicKeyInfo`).
    pub(super) key: Vec<u8>,
    serial: String,
    issuer: String,
    /// Seconds since 1970.
    ends: i64,
    /// When the server wrote it.
    issued: SystemTime,
}

impl Certificate {
    /// What a notification says of it.
    pub(super) fn told(&self) -> anyhow::Result<Value> {
        let ends = OffsetDateTime::from_unix_timestamp(self.ends)?;
        Ok(json!({
            "thumbprint": self.thumbprint,
            "serial": self.serial,
            "expires_at": ends.format(&Rfc3339)?,
            "issuer": self.issuer,
        }))
    }

    fn read(der: &[u8], issued: SystemTime) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        if certificate.is_ca() {
            return None;
        }
        Some(Self {
            thumbprint: hex::encode_upper(Sha1::digest(der)),
            key: certificate.public_key().raw.to_vec(),
            serial: hex::encode_upper(certificate.raw_serial()),
            issuer: certificate.issuer().to_string(),
            ends: certificate.validity().not_after.timestamp(),
            issued,
        })
    }
}

/// All of them, newest first. Files that hold something else are passed over.
pub(super) fn certificates(folder: &Path) -> anyhow::Result<Vec<Certificate>> {
    let mut certificates = Vec::new();
    for path in files(folder, "pem")? {
        let content =
            std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        // Not the beginning of its validity: that has whole seconds, in which a
        // device may have asked more than once.
        let issued = std::fs::metadata(&path)?.modified()?;
        let pem = x509_parser::pem::parse_x509_pem(&content);
        certificates.extend(
            pem.ok()
                .and_then(|(_, pem)| Certificate::read(&pem.contents, issued)),
        );
    }
    certificates.sort_by_key(|certificate| std::cmp::Reverse(certificate.issued));
    Ok(certificates)
}
