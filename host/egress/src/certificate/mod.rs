//! The certificate and private key with which the gateway proves who it is to an identity provider.

mod details;
mod file;
mod fresh;
mod manifest;
mod pem;
mod pfx;

use std::{fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::EncodingKey;
use rustls::{SignatureAlgorithm, crypto::aws_lc_rs::sign::any_supported_type};
use rustls_pki_types::PrivateKeyDer;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::{
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

pub use details::CertificateDetails;
pub use file::{certificates_in, is_pem};
pub use fresh::{FreshCertificate, FreshCertificateError, KeySize};
pub use manifest::{KeyCredential, ManifestEntry, read_manifest};

use crate::Secret;

/// Why a certificate file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFileError {
    /// Not the format it was taken for, or damaged.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// The password does not open it.
    #[error("the password is wrong")]
    WrongPassword,
    /// It does not open without a password and none was given.
    #[error(
        "the file does not open without a password and none is configured; if it was made without one, export it again with a password"
    )]
    PasswordMissing,
    /// An encryption that is not supported.
    #[error("the encryption of the file is not supported: {0}")]
    Unsupported(String),
    /// No private key in it.
    #[error("the file has no private key")]
    NoKey,
    /// No certificate in it.
    #[error("the file has no certificate")]
    NoCertificate,
    /// Only RSA keys can make the signatures that are needed.
    #[error("the private key is not an RSA key of 2048 to 8192 bits")]
    KeyKind,
    /// Certificate and key are not a pair.
    #[error("no certificate in the file belongs to the private key")]
    NoMatch,
}

/// A certificate with its RSA private key. Cheap to clone; `Debug` shows no key.
#[derive(Clone)]
pub struct ClientCertificate(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
    key: EncodingKey,
    subject: String,
    common_name: Option<String>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    key_bits: usize,
}

impl ClientCertificate {
    /// Reads a PFX (PKCS#12) file: the old RC2 and 3DES encryption of Windows as well as today's
    /// AES. Of several certificates the one that belongs to the key is taken.
    ///
    /// A missing password is the same as an empty one. Files whose password is null rather than
    /// empty, which some libraries write, do not open.
    pub fn from_pfx(file: &[u8], password: Option<&Secret>) -> Result<Self, CertificateFileError> {
        let contents = Self::contents(file, password)?;
        let mut last = CertificateFileError::NoKey;
        for key in &contents.keys {
            match Self::pair(key, &contents.certificates) {
                Ok(certificate) => return Ok(certificate),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// All certificates of a PFX file, that of the key first if there is one.
    pub fn chain_in_pfx(
        file: &[u8],
        password: Option<&Secret>,
    ) -> Result<Vec<Vec<u8>>, CertificateFileError> {
        let contents = Self::contents(file, password)?;
        let mut found = contents.certificates;
        let own = contents
            .keys
            .iter()
            .find_map(|key| Self::pair(key, &found).ok());
        if let Some(own) = own {
            found.sort_by_key(|der| der != own.der());
        }
        if found.is_empty() {
            return Err(CertificateFileError::NoCertificate);
        }
        Ok(found)
    }

    /// Reads PEM text: one or more certificates, and a private key as PKCS#8 (plain or encrypted)
    /// or PKCS#1. Both may stand in one file; then pass it twice.
    pub fn from_pem(
        certificates: &[u8],
        key: &[u8],
        password: Option<&Secret>,
    ) -> Result<Self, CertificateFileError> {
        let certificates = pem::certificates(certificates)?;
        let key = pem::private_key(key, password)?;
        Self::pair(&key, &certificates)
    }

    fn contents(
        file: &[u8],
        password: Option<&Secret>,
    ) -> Result<pfx::Contents, CertificateFileError> {
        let password = password.map_or("", Secret::expose);
        pfx::read(file, password).map_err(|error| match error {
            CertificateFileError::WrongPassword if password.is_empty() => {
                CertificateFileError::PasswordMissing
            }
            error => error,
        })
    }

    fn pair(
        key: &PrivateKeyDer<'_>,
        certificates: &[Vec<u8>],
    ) -> Result<Self, CertificateFileError> {
        let signing = any_supported_type(key).map_err(|_| CertificateFileError::KeyKind)?;
        if signing.algorithm() != SignatureAlgorithm::RSA {
            return Err(CertificateFileError::KeyKind);
        }
        let public = signing.public_key().ok_or(CertificateFileError::KeyKind)?;
        let (_, public) =
            SubjectPublicKeyInfo::from_der(&public).map_err(|_| CertificateFileError::KeyKind)?;
        if certificates.is_empty() {
            return Err(CertificateFileError::NoCertificate);
        }
        for der in certificates {
            let (_, certificate) = X509Certificate::from_der(der)
                .map_err(|error| CertificateFileError::Unreadable(error.to_string()))?;
            if certificate.public_key().subject_public_key.data == public.subject_public_key.data {
                return Self::new(der, &certificate, key);
            }
        }
        Err(CertificateFileError::NoMatch)
    }

    fn new(
        der: &[u8],
        certificate: &X509Certificate<'_>,
        key: &PrivateKeyDer<'_>,
    ) -> Result<Self, CertificateFileError> {
        let key_bits = match certificate.public_key().parsed() {
            Ok(PublicKey::RSA(key)) => key.key_size(),
            _ => return Err(CertificateFileError::KeyKind),
        };
        let key = match key {
            PrivateKeyDer::Pkcs1(key) => EncodingKey::from_rsa_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) => {
                // The key inside PKCS#8 is the PKCS#1 form that the signer takes.
                let key = pkcs8::PrivateKeyInfoRef::try_from(key.secret_pkcs8_der())
                    .map_err(|error| CertificateFileError::Unreadable(error.to_string()))?;
                EncodingKey::from_rsa_der(key.private_key.as_bytes())
            }
            _ => return Err(CertificateFileError::KeyKind),
        };
        let common_name = certificate
            .subject()
            .iter_common_name()
            .find_map(|name| name.as_str().ok())
            .map(str::to_owned);
        Ok(Self(Arc::new(Inner {
            der: der.to_vec(),
            key,
            subject: certificate.subject().to_string(),
            common_name,
            not_before: certificate.validity().not_before.to_datetime(),
            not_after: certificate.validity().not_after.to_datetime(),
            key_bits,
        })))
    }

    /// The certificate alone, DER. This is what may be exported.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Subject, e.g. `CN=portreeve`.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Common name of the subject, if it has one.
    pub fn common_name(&self) -> Option<&str> {
        self.0.common_name.as_deref()
    }

    /// Start of validity.
    pub fn not_before(&self) -> OffsetDateTime {
        self.0.not_before
    }

    /// End of validity.
    pub fn not_after(&self) -> OffsetDateTime {
        self.0.not_after
    }

    /// Size of the RSA key in bits.
    pub fn key_bits(&self) -> usize {
        self.0.key_bits
    }

    /// SHA-1 of the certificate as Entra's portal shows it: 40 hexadecimal digits in upper case.
    pub fn sha1_thumbprint(&self) -> String {
        hex::encode_upper(Sha1::digest(self.der()))
    }

    /// SHA-256 of the certificate: 64 hexadecimal digits in upper case.
    pub fn sha256_thumbprint(&self) -> String {
        hex::encode_upper(Sha256::digest(self.der()))
    }

    /// The `x5t` header of RFC 7515: SHA-1 in unpadded base64url.
    pub(crate) fn x5t(&self) -> String {
        base64url(&Sha1::digest(self.der()))
    }

    /// The `x5t#S256` header of RFC 7515: SHA-256 in unpadded base64url.
    pub(crate) fn x5t_s256(&self) -> String {
        base64url(&Sha256::digest(self.der()))
    }

    pub(crate) fn signing_key(&self) -> &EncodingKey {
        &self.0.key
    }
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientCertificate")
            .field("subject", &self.subject())
            .field("sha1", &self.sha1_thumbprint())
            .field("key", &"[redacted]")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
