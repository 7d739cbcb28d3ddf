//! Bearer tokens of an issuer that the operator trusts (RFC 7519).

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use portreeve_domain::Timestamp;
use serde_json::{Map, Value};

/// Signatures that are accepted. Those made with a shared secret are not: who
/// can check them can make them.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Keys of one issuer; a token that names none is tried with each.
const MOST_KEYS: usize = 32;

/// Seconds by which clocks may differ.
const LEEWAY: u64 = 30;

/// Which tokens a client proves itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// The claim `iss`.
    pub issuer: String,
    /// What the claim `aud` has to name.
    pub audience: String,
    /// What the issuer signs with.
    pub keys: TokenKeys,
    /// Claims that have to be there, with a text or a list that has it, e.g.
    /// `sub` or `azp`. At least one, or every token of the issuer would do.
    pub claims: Vec<(String, String)>,
}

/// The public keys of an issuer.
#[derive(Clone)]
pub struct TokenKeys {
    /// What they were read from.
    source: Arc<[u8]>,
    keys: Arc<[Key]>,
}

struct Key {
    id: Option<String>,
    key: DecodingKey,
}

/// There are no keys that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenKeysError(String);

impl TokenKeys {
    /// Reads a JSON Web Key Set (RFC 7517). Keys of a kind that is not used
    /// here, or for encryption, are left out.
    pub fn of_jwks(json: &[u8]) -> Result<Self, TokenKeysError> {
        use jsonwebtoken::jwk::PublicKeyUse;
        let set: JwkSet =
            serde_json::from_slice(json).map_err(|error| TokenKeysError(error.to_string()))?;
        let keys = set.keys.iter().filter_map(|key| {
            if key.common.public_key_use == Some(PublicKeyUse::Encryption) {
                return None;
            }
            Some(Key {
                id: key.common.key_id.clone(),
                key: public(key)?,
            })
        });
        Self::new(json, keys.collect())
    }

    /// Reads one public key, RSA, P-256, P-384 or Ed25519, in a PEM file.
    pub fn of_pem(pem: &[u8]) -> Result<Self, TokenKeysError> {
        let key = DecodingKey::from_rsa_pem(pem)
            .or_else(|_| DecodingKey::from_ec_pem(pem))
            .or_else(|_| DecodingKey::from_ed_pem(pem))
            .map_err(|_| TokenKeysError("no public key in PEM".to_owned()))?;
        Self::new(pem, vec![Key { id: None, key }])
    }

    fn new(source: &[u8], keys: Vec<Key>) -> Result<Self, TokenKeysError> {
        if keys.is_empty() {
            return Err(TokenKeysError("no public key for signatures".to_owned()));
        }
        if keys.len() > MOST_KEYS {
            let found = keys.len();
            let message = format!("{found} keys, expected at most {MOST_KEYS}");
            return Err(TokenKeysError(message));
        }
        Ok(Self {
            source: source.into(),
            keys: keys.into(),
        })
    }
}

/// A shared secret has no place in a set of public keys.
fn public(key: &jsonwebtoken::jwk::Jwk) -> Option<DecodingKey> {
    use jsonwebtoken::jwk::AlgorithmParameters::{EllipticCurve, OctetKeyPair, RSA};
    match key.algorithm {
        RSA(_) | EllipticCurve(_) | OctetKeyPair(_) => DecodingKey::from_jwk(key).ok(),
        _ => None,
    }
}

impl PartialEq for TokenKeys {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for TokenKeys {}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TokenKeys({})", self.keys.len())
    }
}

/// Whether it has the form of a token.
pub(super) fn is_token(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'.').count() == 3
}

impl TokenSettings {
    /// Whether the token says to be one of these. Nothing is proved by that.
    pub(super) fn is_meant(&self, token: &[u8]) -> bool {
        jsonwebtoken::dangerous::insecure_decode::<Map<String, Value>>(token)
            .is_ok_and(|token| self.has_claims(&token.claims))
    }

    /// Until when the token holds, or nothing if it is none of these.
    pub(super) fn verify(&self, token: &[u8]) -> Option<Timestamp> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if !ALGORITHMS.contains(&header.alg) {
            return None;
        }
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        let named = |key: &&Key| match (&header.kid, &key.id) {
            (Some(wanted), Some(id)) => wanted == id,
            _ => true,
        };
        let family = |key: &&Key| key.key.family() == header.alg.family();
        let keys = self.keys.keys.iter().filter(named).filter(family);
        let claims = keys
            .filter_map(|key| {
                jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation).ok()
            })
            .map(|verified| verified.claims)
            .next()?;
        let expires = claims.get("exp").and_then(Value::as_f64)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast saturates, and the year is checked already"
        )]
        let expires = Timestamp::from_millis((expires as u64).saturating_mul(1_000));
        self.has_claims(&claims).then_some(expires)
    }

    fn has_claims(&self, claims: &Map<String, Value>) -> bool {
        let is = |claim: Option<&Value>, wanted: &str| match claim {
            Some(Value::String(text)) => text == wanted,
            Some(Value::Array(list)) => list.iter().any(|item| item.as_str() == Some(wanted)),
            _ => false,
        };
        is(claims.get("iss"), &self.issuer)
            && !self.claims.is_empty()
            && self
                .claims
                .iter()
                .all(|(name, wanted)| is(claims.get(name), wanted))
    }
}
