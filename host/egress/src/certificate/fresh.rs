//! New keys with a certificate that they signed themselves.

use pkcs8::{LineEnding, PrivateKeyInfoRef, SecretDocument, pkcs5::pbes2};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::Secret;

/// Clocks differ: a certificate that is valid from this very second is not valid everywhere.
const ALREADY: Duration = Duration::minutes(5);
/// OWASP's number for PBKDF2 with HMAC-SHA-256.
const ITERATIONS: u32 = 600_000;

/// Sizes of RSA keys that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySize {
    /// 2048 bits, the least that Entra takes.
    Rsa2048,
    /// 3072 bits.
    Rsa3072,
    /// 4096 bits.
    Rsa4096,
}

/// Why no certificate could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no certificate could be made: {0}")]
pub struct FreshCertificateError(String);

/// A new certificate and its key.
#[derive(Debug)]
pub struct FreshCertificate {
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// The certificate, PEM.
    pub pem: String,
    /// The key as PKCS#8 PEM, encrypted if a password was given.
    pub key_pem: Secret,
}

impl FreshCertificate {
    /// Makes an RSA key and a certificate for client authentication that it signs itself, as Entra
    /// takes it for an application. This takes up to some seconds.
    ///
    /// With a password the key is encrypted with AES-256-CBC under PBKDF2 (RFC 8018, PBES2).
    pub fn new(
        common_name: &str,
        days: u32,
        size: KeySize,
        password: Option<&Secret>,
    ) -> Result<Self, FreshCertificateError> {
        let failed = |error: rcgen::Error| FreshCertificateError(error.to_string());
        let size = match size {
            KeySize::Rsa2048 => RsaKeySize::_2048,
            KeySize::Rsa3072 => RsaKeySize::_3072,
            KeySize::Rsa4096 => RsaKeySize::_4096,
        };
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let now = OffsetDateTime::now_utc();
        let too_long = || FreshCertificateError("the validity is too long".to_owned());
        params.not_before = now - ALREADY;
        params.not_after = now
            .checked_add(Duration::days(i64::from(days)))
            .filter(|end| end.year() < 9999)
            .ok_or_else(too_long)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.self_signed(&key).map_err(failed)?;
        let der = Zeroizing::new(key.serialize_der());
        Ok(Self {
            der: certificate.der().to_vec(),
            pem: certificate.pem(),
            key_pem: key_pem(&der, password)
                .map_err(|error| FreshCertificateError(error.to_string()))?,
        })
    }
}

fn key_pem(pkcs8: &[u8], password: Option<&Secret>) -> Result<Secret, pkcs8::Error> {
    let (document, label) = match password {
        None => (SecretDocument::try_from(pkcs8)?, "PRIVATE KEY"),
        Some(password) => {
            let (mut salt, mut iv) = ([0; 16], [0; 16]);
            let random = |bytes: &mut [u8]| {
                getrandom::fill(bytes)
                    .map_err(|_| pkcs8::Error::KeyMalformed(pkcs8::KeyError::Invalid))
            };
            random(&mut salt)?;
            random(&mut iv)?;
            let parameters =
                pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv)?;
            let key = PrivateKeyInfoRef::try_from(pkcs8)?;
            let encrypted = key.encrypt_with_params(parameters, password.expose())?;
            (encrypted, "ENCRYPTED PRIVATE KEY")
        }
    };
    let pem = document.to_pem(label, LineEnding::LF)?;
    Ok(Secret::new(pem.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CertificateDetails, CertificateFileError, ClientCertificate};

    fn read(
        fresh: &FreshCertificate,
        password: Option<&Secret>,
    ) -> Result<ClientCertificate, CertificateFileError> {
        let key = fresh.key_pem.expose().as_bytes();
        ClientCertificate::from_pem(fresh.pem.as_bytes(), key, password)
    }

    #[test]
    fn what_is_made_can_be_used() {
        let fresh = FreshCertificate::new("portreeve ü", 30, KeySize::Rsa2048, None).unwrap();
        let certificate = read(&fresh, None).unwrap();
        assert_eq!(certificate.common_name(), Some("portreeve ü"));
        assert_eq!(certificate.key_bits(), 2048);
        assert_eq!(certificate.der(), fresh.der);
        let details = CertificateDetails::read(&fresh.der).unwrap();
        assert!(details.is_self_issued() && !details.is_authority);
        let days = (details.not_after - OffsetDateTime::now_utc()).whole_days();
        assert!((29..=30).contains(&days), "{days}");
    }

    #[test]
    fn a_password_is_needed_where_one_was_given() {
        let password = Secret::new("correct horse");
        let fresh = FreshCertificate::new("a", 1, KeySize::Rsa2048, Some(&password)).unwrap();
        assert!(
            fresh
                .key_pem
                .expose()
                .contains("BEGIN ENCRYPTED PRIVATE KEY")
        );
        assert!(read(&fresh, Some(&password)).is_ok());
        assert_eq!(
            read(&fresh, None).unwrap_err(),
            CertificateFileError::PasswordMissing
        );
        assert_eq!(
            read(&fresh, Some(&Secret::new("wrong"))).unwrap_err(),
            CertificateFileError::WrongPassword
        );
        assert!(!format!("{fresh:?}").contains("PRIVATE"));
    }
}
