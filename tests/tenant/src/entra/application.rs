//! App registrations and their credentials.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use jsonwebtoken::DecodingKey;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use x509_parser::pem::parse_x509_pem;
use x509_parser::public_key::PublicKey;

use super::resource::Resource;

/// A certificate that cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// Not a PEM certificate.
    #[error("not a PEM certificate")]
    NotCertificate,
    /// Entra takes only RSA keys for this.
    #[error("the certificate has no RSA key")]
    NotRsa,
}

/// One app registration with its service principal.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) id: Uuid,
    pub(crate) enabled: bool,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) certificates: Vec<RegisteredCertificate>,
    /// Application permissions with admin consent.
    pub(crate) granted: HashMap<Resource, BTreeSet<String>>,
}

/// A client secret.
pub(crate) struct Secret {
    pub(crate) value: String,
    /// Seconds since 1970.
    pub(crate) expires: Option<i64>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The public half of a certificate credential.
pub(crate) struct RegisteredCertificate {
    pub(crate) sha1: Vec<u8>,
    pub(crate) sha256: Vec<u8>,
    pub(crate) key: DecodingKey,
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    /// Seconds since 1970.
    pub(crate) not_after: i64,
}

impl fmt::Debug for RegisteredCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredCertificate")
            .field("sha1", &hex::encode_upper(&self.sha1))
            .finish_non_exhaustive()
    }
}

impl RegisteredCertificate {
    /// Reads the first certificate of a PEM text.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, RegistrationError> {
        let (_, block) =
            parse_x509_pem(pem.as_bytes()).map_err(|_| RegistrationError::NotCertificate)?;
        let certificate = block
            .parse_x509()
            .map_err(|_| RegistrationError::NotCertificate)?;
        let public = certificate.public_key();
        if !matches!(public.parsed(), Ok(PublicKey::RSA(_))) {
            return Err(RegistrationError::NotRsa);
        }
        Ok(Self {
            sha1: Sha1::digest(&block.contents).to_vec(),
            sha256: Sha256::digest(&block.contents).to_vec(),
            key: DecodingKey::from_rsa_der(&public.subject_public_key.data),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }
}

impl Application {
    /// An enabled application without credentials, with the permissions a NAC partner needs and the one for reading devices.
    pub(crate) fn new(id: Uuid) -> Self {
        let granted = Resource::ALL
            .into_iter()
            .map(|resource| {
                (
                    resource,
                    resource.default_roles().map(str::to_owned).collect(),
                )
            })
            .collect();
        Self {
            id,
            enabled: true,
            secrets: Vec::new(),
            certificates: Vec::new(),
            granted,
        }
    }
}
