//! Certificates in whatever form somebody exported them.

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CertificateFileError, pem};

/// A DER certificate is a SEQUENCE.
const SEQUENCE: u8 = 0x30;

/// All certificates in a file: PEM with one or more of them, DER (`.cer`, `.crt`), or base64 without
/// `BEGIN` and `END` lines. A private key in the file is passed over.
///
/// A PFX file is another thing, because it takes a password: see
/// [`ClientCertificate::from_pfx`](super::ClientCertificate::from_pfx).
pub fn certificates_in(
    content: &[u8],
) -> Result<Vec<CertificateDer<'static>>, CertificateFileError> {
    let found = if is_pem(content) {
        pem::certificates(content)?
    } else if content.first() == Some(&SEQUENCE) {
        one_after_the_other(content)?
    } else {
        one_after_the_other(&from_base64(content)?)?
    };
    if found.is_empty() {
        return Err(CertificateFileError::NoCertificate);
    }
    for der in &found {
        X509Certificate::from_der(der)
            .map_err(|error| CertificateFileError::Unreadable(error.to_string()))?;
    }
    Ok(found.into_iter().map(CertificateDer::from).collect())
}

/// Whether it is PEM text of any kind.
pub fn is_pem(content: &[u8]) -> bool {
    content.windows(11).any(|window| window == b"-----BEGIN ")
}

fn one_after_the_other(mut der: &[u8]) -> Result<Vec<Vec<u8>>, CertificateFileError> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (rest, _) = X509Certificate::from_der(der)
            .map_err(|error| CertificateFileError::Unreadable(error.to_string()))?;
        let length = der.len().saturating_sub(rest.len());
        found.push(der.iter().take(length).copied().collect());
        der = rest;
    }
    Ok(found)
}

fn from_base64(content: &[u8]) -> Result<Vec<u8>, CertificateFileError> {
    let text: Vec<u8> = content
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(content)
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if text.is_empty() {
        return Err(CertificateFileError::NoCertificate);
    }
    BASE64_STANDARD.decode(&text).map_err(|_| {
        CertificateFileError::Unreadable("it is neither PEM nor DER nor base64".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PEM: &[u8] = include_bytes!("../../tests/certificates/throwaway.pem");
    const OTHER: &[u8] = include_bytes!("../../tests/certificates/throwaway-other.pem");
    const KEY: &[u8] = include_bytes!("../../tests/certificates/throwaway-key.pem");

    fn count(content: &[u8]) -> Result<usize, String> {
        certificates_in(content)
            .map(|found| found.len())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_is_read() {
        let der = certificates_in(PEM).unwrap().remove(0);
        let single_line = BASE64_STANDARD.encode(&der);
        let mut wrapped = String::new();
        for line in single_line.as_bytes().chunks(64) {
            wrapped.push_str(std::str::from_utf8(line).unwrap());
            wrapped.push_str("\r\n");
        }
        for content in [
            &*der,
            single_line.as_bytes(),
            wrapped.as_bytes(),
            format!("\u{feff}{single_line}").as_bytes(),
        ] {
            assert_eq!(
                certificates_in(content).unwrap(),
                std::slice::from_ref(&der)
            );
        }
        assert_eq!(count(&[PEM, OTHER].concat()), Ok(2));
        assert_eq!(count(&[KEY, PEM].concat()), Ok(1));
        assert_eq!(count(&[&*der, &*der].concat()), Ok(2));
    }

    #[test]
    fn what_is_none_is_refused() {
        assert_eq!(count(b"").unwrap_err(), "the file has no certificate");
        assert_eq!(count(KEY).unwrap_err(), "the file has no certificate");
        for content in [b"hello world".as_slice(), b"0", b"MAAA", b"{}"] {
            assert!(
                count(content)
                    .unwrap_err()
                    .starts_with("the file cannot be read: "),
                "{content:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fall(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = certificates_in(&content);
        }
    }
}
