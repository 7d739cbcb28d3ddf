//! Message authentication with keys that stay here.

use hmac::{Hmac, KeyInit, Mac, digest::InvalidLength};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::Secret;

/// The hash under the HMAC (RFC 2104).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HmacAlgorithm {
    /// HMAC-SHA-1, for old webhooks.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// Why nothing was signed or verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// There is no such credential, or it is not one that may sign.
    #[error("`{0}` is not a credential that may sign")]
    NoSuchCredential(String),
    /// The key cannot be used.
    #[error("the key of credential `{0}` cannot be used")]
    Key(String),
}

impl HmacAlgorithm {
    pub(crate) fn sign(self, key: &Secret, message: &[u8]) -> Result<Vec<u8>, InvalidLength> {
        Ok(match self {
            Self::Sha1 => primed::<Hmac<Sha1>>(key, message)?
                .finalize()
                .into_bytes()
                .to_vec(),
            Self::Sha256 => primed::<Hmac<Sha256>>(key, message)?
                .finalize()
                .into_bytes()
                .to_vec(),
            Self::Sha512 => primed::<Hmac<Sha512>>(key, message)?
                .finalize()
                .into_bytes()
                .to_vec(),
        })
    }

    /// In constant time; a tag of the wrong length is a wrong tag.
    pub(crate) fn verify(
        self,
        key: &Secret,
        message: &[u8],
        tag: &[u8],
    ) -> Result<bool, InvalidLength> {
        Ok(match self {
            Self::Sha1 => primed::<Hmac<Sha1>>(key, message)?
                .verify_slice(tag)
                .is_ok(),
            Self::Sha256 => primed::<Hmac<Sha256>>(key, message)?
                .verify_slice(tag)
                .is_ok(),
            Self::Sha512 => primed::<Hmac<Sha512>>(key, message)?
                .verify_slice(tag)
                .is_ok(),
        })
    }
}

fn primed<M: Mac + KeyInit>(key: &Secret, message: &[u8]) -> Result<M, InvalidLength> {
    let mut mac = <M as KeyInit>::new_from_slice(key.expose().as_bytes())?;
    mac.update(message);
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, test case 2, and RFC 4231, test case 2.
    #[test]
    fn known_answers() {
        let key = Secret::new("Jefe");
        let message = b"what do ya want for nothing?";
        for (algorithm, expected) in [
            (
                HmacAlgorithm::Sha1,
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (
                HmacAlgorithm::Sha256,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                HmacAlgorithm::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let tag = algorithm.sign(&key, message).unwrap();
            assert_eq!(hex::encode(&tag), expected);
            assert!(algorithm.verify(&key, message, &tag).unwrap());
            assert!(!algorithm.verify(&key, b"another message", &tag).unwrap());
            assert!(!algorithm.verify(&key, message, &tag[1..]).unwrap());
            assert!(!algorithm.verify(&key, message, &[]).unwrap());
        }
    }
}
