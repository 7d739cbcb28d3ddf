//! What a person compares about a certificate, without its key.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
};

use super::CertificateFileError;
use crate::text;

/// One certificate in words and digits. Texts from the certificate are bounded and without control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateDetails {
    /// Common name of the subject, if it has one. Entra's manifest calls it `displayName`.
    pub common_name: Option<String>,
    /// Subject, e.g. `CN=portreeve`.
    pub subject: String,
    /// Issuer; of a self-signed certificate the same as the subject.
    pub issuer: String,
    /// Serial number in upper-case hexadecimal digits, as OpenSSL prints it.
    pub serial: String,
    /// Start of validity.
    pub not_before: OffsetDateTime,
    /// End of validity.
    pub not_after: OffsetDateTime,
    /// Kind and size of the public key, e.g. `RSA, 3072 bits`.
    pub key: String,
    /// Names of the subject alternative name, e.g. `DNS:portreeve.example.com`.
    pub names: Vec<String>,
    /// Whether it may issue certificates.
    pub is_authority: bool,
    /// SHA-1 as the portals of Microsoft show it: 40 hexadecimal digits in upper case.
    pub sha1: String,
    /// SHA-256: 64 hexadecimal digits in upper case.
    pub sha256: String,
    /// `x5t` of RFC 7515: SHA-1 in unpadded base64url.
    pub x5t: String,
    /// `x5t#S256` of RFC 7515: SHA-256 in unpadded base64url.
    pub x5t_s256: String,
    /// `customKeyIdentifier` of Entra's manifest: SHA-1 in padded standard base64.
    pub key_identifier: String,
}

impl CertificateDetails {
    /// Reads one DER certificate.
    pub fn read(der: &[u8]) -> Result<Self, CertificateFileError> {
        let (_, certificate) = X509Certificate::from_der(der)
            .map_err(|error| CertificateFileError::Unreadable(error.to_string()))?;
        let sha1 = Sha1::digest(der);
        let sha256 = Sha256::digest(der);
        Ok(Self {
            common_name: common_name(&certificate),
            subject: text::foreign(&certificate.subject().to_string()),
            issuer: text::foreign(&certificate.issuer().to_string()),
            serial: serial(&certificate),
            not_before: certificate.validity().not_before.to_datetime(),
            not_after: certificate.validity().not_after.to_datetime(),
            key: key(&certificate),
            names: names(&certificate),
            is_authority: certificate.is_ca(),
            sha1: hex::encode_upper(sha1),
            sha256: hex::encode_upper(sha256),
            x5t: BASE64_URL_SAFE_NO_PAD.encode(sha1),
            x5t_s256: BASE64_URL_SAFE_NO_PAD.encode(sha256),
            key_identifier: BASE64_STANDARD.encode(sha1),
        })
    }

    /// Whether it names itself as its issuer, as roots do.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate
        .subject()
        .iter_common_name()
        .find_map(|name| name.as_str().ok())
        .map(text::foreign)
}

fn serial(certificate: &X509Certificate<'_>) -> String {
    let digits = hex::encode_upper(certificate.tbs_certificate.serial.to_bytes_be());
    if digits.is_empty() {
        "00".to_owned()
    } else {
        digits
    }
}

fn key(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA, {} bits", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("elliptic curve, {} bits", point.key_size()),
        _ => format!("algorithm {}", certificate.public_key().algorithm.algorithm),
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extensions = certificate.extensions().iter();
    let names = extensions.filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    names
        .flatten()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
            GeneralName::URI(uri) => Some(format!("URI:{uri}")),
            GeneralName::RFC822Name(mail) => Some(format!("email:{mail}")),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| format!("IP:{address}")),
            _ => None,
        })
        .map(|name| text::foreign(&name))
        .collect()
}

fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(octets.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(Into::into)
}
