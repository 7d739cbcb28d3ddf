//! Access tokens: issued here, verified by Graph and the compliance service.
//!
//! Entra signs with RSA; these are signed with P-256, which is made in microseconds. Clients must
//! treat the tokens as opaque, so none can tell.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::KeyPair;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::resource::{Resource, Right};
use crate::authority::CertificateError;

/// What a token says.
pub(super) struct Grant<'a> {
    pub(super) tenant: Uuid,
    pub(super) client: Uuid,
    pub(super) audience: &'a str,
    pub(super) roles: &'a [String],
    /// Whether a certificate, not a secret, was the credential.
    pub(super) certificate: bool,
    /// Seconds since 1970.
    pub(super) issued: i64,
    /// Seconds.
    pub(super) lifetime: i64,
}

/// Why a service refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// There is no bearer token.
    Missing,
    /// The token is not valid here; the sentence is Graph's.
    Invalid(&'static str),
    /// The token lacks the permission.
    Role,
}

/// The signing key of the tenant.
pub(crate) struct Signer {
    private: EncodingKey,
    public: DecodingKey,
    id: String,
    x: String,
    y: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    nbf: i64,
    tid: Uuid,
    #[serde(default)]
    roles: Vec<String>,
}

impl Signer {
    pub(crate) fn generate() -> Result<Self, CertificateError> {
        let key = KeyPair::generate()?;
        // An uncompressed point: one byte of form, then two coordinates of 32 bytes.
        let point = key.public_key_raw();
        let coordinates = point.get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        Ok(Self {
            private: EncodingKey::from_ec_der(key.serialized_der()),
            public: DecodingKey::from_ec_der(point),
            id: URL_SAFE_NO_PAD.encode(Sha256::digest(point)),
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
        })
    }

    pub(super) fn issue(&self, grant: &Grant<'_>) -> String {
        let Grant {
            tenant,
            client,
            issued,
            ..
        } = grant;
        let mut claims = json!({
            "aud": grant.audience,
            "iss": format!("https://sts.windows.net/{tenant}/"),
            "iat": issued,
            "nbf": issued,
            "exp": issued + grant.lifetime,
            "appid": client,
            "appidacr": if grant.certificate { "2" } else { "1" },
            "idp": format!("https://sts.windows.net/{tenant}/"),
            "idtyp": "app",
            "oid": client,
            "sub": client,
            "tid": tenant,
            "uti": Uuid::new_v4(),
            "ver": "1.0",
        });
        // Without a permission the claim is absent, not empty.
        if let (false, Some(map)) = (grant.roles.is_empty(), claims.as_object_mut()) {
            map.insert("roles".to_owned(), json!(grant.roles));
        }
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.id.clone());
        #[expect(
            clippy::expect_used,
            reason = "a P-256 key from our own generator signs any JSON"
        )]
        jsonwebtoken::encode(&header, &claims, &self.private).expect("the token is signed")
    }

    pub(super) fn verify(
        &self,
        token: &str,
        tenant: Uuid,
        right: Right,
        now: i64,
    ) -> Result<(), Denied> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        // The tenant's clock decides, and the audience has several spellings: both below.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let Claims {
            aud,
            exp,
            nbf,
            tid,
            roles,
        } = jsonwebtoken::decode::<Claims>(token, &self.public, &validation)
            .map_err(|_| Denied::Invalid("Access token validation failure. Invalid signature."))?
            .claims;
        if tid != tenant {
            return Err(Denied::Invalid(
                "Access token validation failure. Invalid tenant.",
            ));
        }
        if Resource::named(&aud) != Some(right.resource()) {
            return Err(Denied::Invalid(
                "Access token validation failure. Invalid audience.",
            ));
        }
        if now >= exp || now < nbf {
            return Err(Denied::Invalid(
                "Lifetime validation failed, the token is expired.",
            ));
        }
        if roles
            .iter()
            .any(|role| right.roles().contains(&role.as_str()))
        {
            Ok(())
        } else {
            Err(Denied::Role)
        }
    }

    /// The public key as a JSON Web Key Set.
    pub(super) fn keys(&self) -> Value {
        json!({ "keys": [{
            "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256",
            "kid": self.id, "x": self.x, "y": self.y,
        }] })
    }
}
