//! Certificates and keys in files.

use portreeve_egress::{CertificateFileError, certificates_in};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Serialize, Serializer};

use super::file::{PrivateFile, PublicFile};
use super::problem::Problem;
use super::read::{FromNode, Reader};
use super::tree::Node;
use super::value::FilePath;

/// One or more certificates: PEM, DER or base64.
#[derive(Clone, Debug)]
pub(crate) struct CertificateFile {
    pub(crate) path: FilePath,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl FromNode for CertificateFile {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let file = PublicFile::from_node(node, reader)?;
        let read = certificates_in(&file.content);
        let shown = file.path.0.display();
        let message = match read {
            Ok(certificates) => {
                let path = file.path;
                return Some(Self { path, certificates });
            }
            Err(CertificateFileError::NoCertificate) => format!("`{shown}` holds no certificate"),
            Err(error) => format!("`{shown}`: {error}"),
        };
        reader.report(
            Problem::new(&node.place, &node.key, message)
                .hint("a PEM file begins with `-----BEGIN CERTIFICATE-----`"),
        );
        None
    }
}

impl Serialize for CertificateFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.path.serialize(serializer)
    }
}

/// A private key without a password.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: FilePath,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl FromNode for KeyFile {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let file = PrivateFile::from_node(node, reader)?;
        if let Ok(key) = PrivateKeyDer::from_pem_slice(&file.content) {
            let path = file.path;
            return Some(Self { path, key });
        }
        let message = format!("`{}` holds no private key", file.path.0.display());
        reader.report(
            Problem::new(&node.place, &node.key, message)
                .hint("a PEM file without a password begins with `-----BEGIN PRIVATE KEY-----`"),
        );
        None
    }
}

impl Serialize for KeyFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.path.serialize(serializer)
    }
}
