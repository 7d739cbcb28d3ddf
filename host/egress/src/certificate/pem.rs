//! PEM files.

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer};
use x509_parser::pem::Pem;

use super::CertificateFileError;
use crate::Secret;

/// OpenSSL's encryption from before PKCS#8, with MD5; no kept library reads it.
const OLD_ENCRYPTION: &[u8] = b"Proc-Type: 4,ENCRYPTED";

pub(super) fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, CertificateFileError> {
    let mut found = Vec::new();
    // Sections that are no certificate may be of any kind, also one that cannot be read.
    for section in Pem::iter_from_buffer(without_byte_order_mark(text)) {
        match section {
            Ok(section) if section.label == "CERTIFICATE" => found.push(section.contents),
            Ok(_) => {}
            Err(error) if found.is_empty() => {
                return Err(CertificateFileError::Unreadable(error.to_string()));
            }
            Err(_) => break,
        }
    }
    Ok(found)
}

pub(super) fn private_key(
    text: &[u8],
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, CertificateFileError> {
    if text
        .windows(OLD_ENCRYPTION.len())
        .any(|window| window == OLD_ENCRYPTION)
    {
        return Err(CertificateFileError::Unsupported(
            "convert the key with `openssl pkcs8 -topk8 -in OLD -out NEW`".to_owned(),
        ));
    }
    for section in Pem::iter_from_buffer(without_byte_order_mark(text)) {
        let section =
            section.map_err(|error| CertificateFileError::Unreadable(error.to_string()))?;
        match section.label.as_str() {
            "PRIVATE KEY" => return Ok(PrivatePkcs8KeyDer::from(section.contents).into()),
            "RSA PRIVATE KEY" => return Ok(PrivatePkcs1KeyDer::from(section.contents).into()),
            "ENCRYPTED PRIVATE KEY" => return decrypt(&section.contents, password),
            "EC PRIVATE KEY" => return Err(CertificateFileError::KeyKind),
            _ => {}
        }
    }
    Err(CertificateFileError::NoKey)
}

fn decrypt(
    der: &[u8],
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, CertificateFileError> {
    let password = password.ok_or(CertificateFileError::PasswordMissing)?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der)
        .map_err(|error| CertificateFileError::Unsupported(error.to_string()))?;
    let key = encrypted
        .decrypt(password.expose())
        .map_err(|_| CertificateFileError::WrongPassword)?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// Windows tools like to begin a text file with one.
fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}
