//! PKCS#12 files.

use p12_keystore::{Pkcs12Archive, error::Error};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::CertificateFileError;

/// Everything of use in a file, not yet paired.
pub(super) struct Contents {
    pub(super) keys: Vec<PrivateKeyDer<'static>>,
    pub(super) certificates: Vec<Vec<u8>>,
}

pub(super) fn read(file: &[u8], password: &str) -> Result<Contents, CertificateFileError> {
    let archive = Pkcs12Archive::from_pkcs12(file, password).map_err(reason)?;
    Ok(Contents {
        keys: archive
            .keys
            .iter()
            .map(|bag| PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec()).into())
            .collect(),
        certificates: archive
            .certs
            .iter()
            .map(|bag| bag.cert.as_der().to_vec())
            .collect(),
    })
}

fn reason(error: Error) -> CertificateFileError {
    match error {
        // Without a MAC a wrong password shows as wrong padding.
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => {
            CertificateFileError::WrongPassword
        }
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm => {
            CertificateFileError::Unsupported(error.to_string())
        }
        error => CertificateFileError::Unreadable(error.to_string()),
    }
}
