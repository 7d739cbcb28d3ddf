//! Challenge passwords: what the tenant expects of a request, sealed.
//!
//! Intune encrypts and signs; how is not documented. Here it is a signed text in base64, so that
//! it can be forged, cut and outlived as the real one can. It is not encrypted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Refused;

/// What a SCEP profile demands of a request, and for whom. What is empty is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Challenge {
    /// The device that gets it.
    pub device: Uuid,
    /// The profile it belongs to; see [`crate::Tenant::withdraw_profile`].
    pub profile: String,
    /// For how long it is good.
    pub valid_seconds: i64,
    /// The subject as `CN=ann` or `CN=ann,E=ann@example.com`, in any order.
    pub subject: String,
    /// Alternative names as `email:`, `dns:`, `uri:` or `upn:` and the name, in any order.
    pub alternative_names: Vec<String>,
    /// Some of `digital-signature` and `key-encipherment`.
    pub key_usage: Vec<String>,
    /// Object identifiers.
    pub extended_key_usage: Vec<String>,
    /// The length of the key.
    pub key_bits: usize,
}

impl Default for Challenge {
    fn default() -> Self {
        Self {
            device: Uuid::nil(),
            profile: "Wi-Fi".to_owned(),
            valid_seconds: 3600,
            subject: String::new(),
            alternative_names: Vec::new(),
            key_usage: Vec::new(),
            extended_key_usage: Vec::new(),
            key_bits: 0,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    issued: i64,
    expires: i64,
    challenge: Challenge,
}

/// The key under which challenges are sealed; new with each tenant.
#[derive(Debug)]
pub(super) struct Seal([u8; 16]);

impl Default for Seal {
    fn default() -> Self {
        Self(Uuid::new_v4().into_bytes())
    }
}

impl Seal {
    pub(super) fn close(&self, challenge: &Challenge, now: i64) -> String {
        let sealed = Sealed {
            issued: now,
            expires: now.saturating_add(challenge.valid_seconds),
            challenge: challenge.clone(),
        };
        let key = EncodingKey::from_secret(&self.0);
        let text = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &sealed, &key);
        STANDARD.encode(text.unwrap_or_default())
    }

    pub(super) fn open(&self, password: &str, now: i64) -> Result<Challenge, Refused> {
        let text = STANDARD
            .decode(password)
            .map_err(|_| "ChallengeDecodingError")?;
        let text = String::from_utf8(text).map_err(|_| "ChallengeDecryptionError")?;
        if text.split('.').count() != 3 {
            return Err("ChallengeDecryptionError");
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(&self.0);
        let sealed = jsonwebtoken::decode::<Sealed>(&text, &key, &validation);
        let sealed = sealed.map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => "SignatureValidationFailed",
            _ => "ChallengeDeserializationError",
        })?;
        let Sealed {
            issued,
            expires,
            challenge,
        } = sealed.claims;
        if issued > now {
            return Err("ChallengeInvalidTimestamp");
        }
        if expires <= now {
            return Err("ChallengeExpired");
        }
        Ok(challenge)
    }
}
