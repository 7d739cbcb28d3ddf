//! A failed TLS handshake in words for an administrator.

use std::fmt;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::text;

/// One certificate that a server presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedCertificate {
    /// Subject, e.g. `CN=graph.microsoft.com`.
    pub subject: String,
    /// Issuer, e.g. `CN=Microsoft Azure RSA TLS Issuing CA 03`.
    pub issuer: String,
    /// SHA-256 of the certificate, 64 hexadecimal digits in upper case.
    pub sha256: String,
    /// Start of validity, where it can be read.
    pub not_before: Option<OffsetDateTime>,
    /// End of validity, where it can be read.
    pub not_after: Option<OffsetDateTime>,
}

impl PresentedCertificate {
    pub(super) fn read(der: &[u8]) -> Self {
        let sha256 = hex::encode_upper(Sha256::digest(der));
        match X509Certificate::from_der(der) {
            Ok((_, certificate)) => Self {
                subject: text::foreign(&certificate.subject().to_string()),
                issuer: text::foreign(&certificate.issuer().to_string()),
                sha256,
                not_before: Some(certificate.validity().not_before.to_datetime()),
                not_after: Some(certificate.validity().not_after.to_datetime()),
            },
            Err(_) => Self {
                subject: "unreadable".to_owned(),
                issuer: "unreadable".to_owned(),
                sha256,
                not_before: None,
                not_after: None,
            },
        }
    }
}

impl fmt::Display for PresentedCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "subject `{}`, issuer `{}`, SHA-256 {}",
            self.subject, self.issuer, self.sha256
        )?;
        if let (Some(from), Some(to)) = (self.not_before, self.not_after) {
            write!(
                formatter,
                ", valid {} to {}",
                text::day(from),
                text::day(to)
            )?;
        }
        Ok(())
    }
}

/// Why no TLS connection came about, with what the server presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFailure {
    /// The host that was asked.
    pub host: String,
    /// What was wrong, in words.
    pub reason: String,
    /// The issuer that would have to be among the trusted roots, where that is what is missing.
    pub missing_issuer: Option<String>,
    /// The chain as presented, the server's own certificate first. Empty if the handshake failed
    /// for another reason than the certificate.
    pub presented: Vec<PresentedCertificate>,
}

impl TlsFailure {
    pub(super) fn new(
        host: &str,
        reason: String,
        unknown_issuer: bool,
        presented: Vec<PresentedCertificate>,
    ) -> Self {
        let missing_issuer = presented
            .last()
            .filter(|_| unknown_issuer)
            .map(|last| last.issuer.clone());
        Self {
            host: host.to_owned(),
            reason,
            missing_issuer,
            presented,
        }
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.presented.is_empty() {
            return write!(formatter, "no TLS with `{}`: {}", self.host, self.reason);
        }
        write!(
            formatter,
            "certificate of `{}` not accepted: {}",
            self.host, self.reason
        )?;
        if let Some(issuer) = &self.missing_issuer {
            write!(formatter, "; missing among the trusted roots: `{issuer}`")?;
        }
        formatter.write_str("; presented:")?;
        for (index, certificate) in self.presented.iter().enumerate() {
            write!(formatter, " [{}] {certificate}", index + 1)?;
        }
        Ok(())
    }
}
