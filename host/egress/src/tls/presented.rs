//! A failed TLS handshake in words for an administrator.

use std::fmt;

use rustls::CertificateError;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::{
    extensions::ParsedExtension,
    oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS,
    prelude::{FromDer, X509Certificate},
};

use super::verifier::reason_text;
use crate::{CertificateDetails, text};

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
    /// Names of the subject alternative name, e.g. `DNS:graph.microsoft.com`.
    pub names: Vec<String>,
    /// Whether it says where the certificate of its issuer can be had (RFC 5280, section 4.2.2.1).
    pub names_issuer: bool,
}

impl PresentedCertificate {
    pub(super) fn read(der: &[u8]) -> Self {
        let sha256 = hex::encode_upper(Sha256::digest(der));
        match X509Certificate::from_der(der) {
            Ok((_, certificate)) => Self {
                names: CertificateDetails::read(der).map_or_else(|_| Vec::new(), |read| read.names),
                names_issuer: names_issuer(&certificate),
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
                names: Vec::new(),
                names_issuer: false,
            },
        }
    }
}

fn names_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
            return false;
        };
        let mut descriptions = access.accessdescs.iter();
        descriptions.any(|one| one.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS)
    })
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

/// What is wrong, by what an administrator can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailureKind {
    /// The chain is whole, but nobody in it is trusted.
    UnknownIssuer,
    /// The server does not send the certificate that issued its own.
    MissingIntermediate,
    /// A certificate is over.
    Expired,
    /// A certificate has not begun.
    NotYetValid,
    /// It is for another name.
    WrongName,
    /// Anything else about a certificate.
    Certificate,
    /// It did not come to certificates.
    Handshake,
}

impl TlsFailureKind {
    /// A stable word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownIssuer => "unknown-issuer",
            Self::MissingIntermediate => "missing-intermediate",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongName => "wrong-name",
            Self::Certificate => "certificate",
            Self::Handshake => "handshake",
        }
    }

    /// What an administrator can do, where it is always the same.
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::UnknownIssuer => Some(
                "trust the issuer if it is yours, e.g. that of a firewall that opens TLS; for a public one update the CA certificates of the system",
            ),
            Self::MissingIntermediate => {
                Some("let the server send its whole chain, or trust the certificate of its issuer")
            }
            Self::Expired => {
                Some("those who run the server have to renew it; check the clock here, too")
            }
            Self::NotYetValid => Some("check the clock here; else wait until it is valid"),
            Self::WrongName => {
                Some("use a name that is in the certificate, or let it be issued for this one")
            }
            Self::Certificate | Self::Handshake => None,
        }
    }

    fn of(reason: &CertificateError, presented: &[PresentedCertificate]) -> Self {
        match reason {
            CertificateError::UnknownIssuer if is_gap(presented) => Self::MissingIntermediate,
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            _ => Self::Certificate,
        }
    }
}

/// The last certificate of the chain that begins with the server's own, as far as it was presented.
fn top(presented: &[PresentedCertificate]) -> Option<&PresentedCertificate> {
    let mut current = presented.first()?;
    // Certificates may issue each other in a circle.
    for _ in 0..presented.len() {
        if current.subject == current.issuer {
            break;
        }
        match presented
            .iter()
            .find(|other| other.subject == current.issuer)
        {
            Some(issuer) => current = issuer,
            None => break,
        }
    }
    Some(current)
}

/// Whether the server leaves out an intermediate. A server need not send the root; but where its own
/// certificate says that its issuer's can be had elsewhere, or others are sent in its place, that
/// issuer is none.
fn is_gap(presented: &[PresentedCertificate]) -> bool {
    let (Some(own), Some(top)) = (presented.first(), top(presented)) else {
        return false;
    };
    let is_alone = own == top && own.subject != own.issuer;
    is_alone && (own.names_issuer || presented.len() > 1)
}

/// Why no TLS connection came about, with what the server presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFailure {
    /// The host that was asked.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What kind of failure it is.
    pub kind: TlsFailureKind,
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
        port: u16,
        reason: &CertificateError,
        presented: Vec<PresentedCertificate>,
    ) -> Self {
        let kind = TlsFailureKind::of(reason, &presented);
        let is_missing = matches!(
            kind,
            TlsFailureKind::UnknownIssuer | TlsFailureKind::MissingIntermediate
        );
        let missing_issuer = top(&presented)
            .filter(|_| is_missing)
            .map(|top| top.issuer.clone());
        Self {
            host: host.to_owned(),
            port,
            kind,
            reason: match kind {
                TlsFailureKind::MissingIntermediate => {
                    "the server does not send the certificate that issued its own".to_owned()
                }
                _ => reason_text(reason),
            },
            missing_issuer,
            presented,
        }
    }

    /// It did not come to certificates.
    pub(super) fn without_certificate(host: &str, port: u16, reason: String) -> Self {
        Self {
            host: host.to_owned(),
            port,
            kind: TlsFailureKind::Handshake,
            reason,
            missing_issuer: None,
            presented: Vec::new(),
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
        if self.kind == TlsFailureKind::WrongName
            && let Some(own) = self.presented.first()
        {
            write!(formatter, "; it is for {}", own.names.join(", "))?;
        }
        formatter.write_str("; presented:")?;
        for (index, certificate) in self.presented.iter().enumerate() {
            write!(formatter, " [{}] {certificate}", index + 1)?;
        }
        if self.missing_issuer.is_some() {
            let (host, port) = (&self.host, self.port);
            write!(
                formatter,
                "; `portreeve trust fetch {host}:{port}` shows it and imports what is missing"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(subject: &str, issuer: &str, names_issuer: bool) -> PresentedCertificate {
        PresentedCertificate {
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
            sha256: subject.to_owned(),
            not_before: None,
            not_after: None,
            names: vec!["DNS:a.example".to_owned()],
            names_issuer,
        }
    }

    #[test]
    fn a_gap_is_told_from_a_stranger() {
        let own = |names| presented("own", "intermediate", names);
        let intermediate = || presented("intermediate", "root", true);
        let root = || presented("root", "root", false);
        let of = |chain: Vec<PresentedCertificate>| {
            let failure = TlsFailure::new("h", 443, &CertificateError::UnknownIssuer, chain);
            (failure.kind, failure.missing_issuer.unwrap_or_default())
        };
        let gap = (
            TlsFailureKind::MissingIntermediate,
            "intermediate".to_owned(),
        );
        let stranger = |issuer: &str| (TlsFailureKind::UnknownIssuer, issuer.to_owned());
        assert_eq!(of(vec![own(true)]), gap);
        assert_eq!(of(vec![own(false), root()]), gap);
        assert_eq!(of(vec![own(false)]), stranger("intermediate"));
        assert_eq!(of(vec![own(true), intermediate()]), stranger("root"));
        assert_eq!(
            of(vec![own(true), root(), intermediate()]),
            stranger("root")
        );
        assert_eq!(of(vec![root()]), stranger("root"));
        // It ends.
        let circle = vec![presented("a", "b", true), presented("b", "a", true)];
        assert_eq!(of(circle).1, "b");
    }

    #[test]
    fn other_failures_have_kinds_of_their_own() {
        let text = |reason: &CertificateError| {
            let chain = vec![presented("own", "root", false)];
            let failure = TlsFailure::new("h", 443, reason, chain);
            assert_eq!(failure.missing_issuer, None);
            assert!(!failure.to_string().contains("trust fetch"));
            failure.kind.as_str()
        };
        for (reason, expected) in [
            (CertificateError::Expired, "expired"),
            (CertificateError::NotValidYet, "not-yet-valid"),
            (CertificateError::NotValidForName, "wrong-name"),
            (CertificateError::Revoked, "certificate"),
        ] {
            assert_eq!(text(&reason), expected);
        }
    }
}
