//! Client assertions: a JWT signed with the key of a registered certificate
//! (RFC 7523, as Entra takes it).
//!
//! Products differ in how they write one, and all of this is met: RS256 or
//! PS256; the thumbprint as `x5t#S256` or `x5t`, in either alphabet of base64,
//! padded or not, or none; times as fractions; as audience the URL of either
//! version of the token endpoint.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use portreeve_domain::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::Origin;
use super::path::Place;
use super::refusal::Refusal;

/// How far a client's clock may be off, in seconds; as Microsoft's libraries
/// allow.
const SKEW: i64 = 300;
/// The longest time an assertion may hold, in seconds.
const LONGEST: i64 = 24 * 3600;
/// Bits of an RSA key. Shorter ones are not safe, longer ones are slow.
const KEY_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The public half of what a client signs with.
#[derive(Clone)]
pub struct RegisteredCertificate {
    sha1: [u8; 20],
    sha256: [u8; 32],
    key: DecodingKey,
    not_before: i64,
    not_after: i64,
}

impl fmt::Debug for RegisteredCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RegisteredCertificate")
            .field("sha1", &Hexadecimal(&self.sha1).to_string())
            .finish_non_exhaustive()
    }
}

impl PartialEq for RegisteredCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Eq for RegisteredCertificate {}

/// Why a certificate cannot be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Malformed,
    /// Assertions are signed with RSA.
    #[error("its key is not RSA")]
    NotRsa,
    /// The key is too short to be safe, or too long to be checked in time.
    #[error("its key has {0} bits, expected 2048 to 8192")]
    KeySize(usize),
}

impl RegisteredCertificate {
    /// Reads a certificate in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        let public = certificate.public_key();
        let bits = match public.parsed() {
            Ok(PublicKey::RSA(key)) => key.key_size(),
            _ => return Err(CertificateError::NotRsa),
        };
        if !KEY_BITS.contains(&bits) {
            return Err(CertificateError::KeySize(bits));
        }
        Ok(Self {
            sha1: Sha1::digest(der).into(),
            sha256: Sha256::digest(der).into(),
            key: DecodingKey::from_rsa_der(&public.subject_public_key.data),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }
}

/// An assertion that was taken apart, and not verified yet.
#[derive(Debug)]
pub(crate) struct Assertion<'a> {
    signed: &'a str,
    signature: &'a str,
    header: Header,
    claims: Claims,
}

#[derive(Debug, Deserialize)]
struct Header {
    #[serde(default)]
    alg: String,
    x5t: Option<String>,
    #[serde(rename = "x5t#S256")]
    x5t_sha256: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    #[serde(default)]
    iss: String,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    aud: Value,
    exp: Option<f64>,
    nbf: Option<f64>,
}

/// Whom an assertion has to be for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) client_id: &'a str,
    pub(super) tenant: &'a str,
    pub(super) origin: &'a Origin,
    pub(super) now: Timestamp,
}

impl<'a> Assertion<'a> {
    /// Takes a compact JWS apart (RFC 7515, section 7.1).
    pub(crate) fn read(text: &'a str) -> Result<Self, Refusal> {
        let parts = || Refusal::malformed_assertion("it has not three parts");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(parts)?;
        let (header, claims) = signed.split_once('.').ok_or_else(parts)?;
        Ok(Self {
            signed,
            signature,
            header: part(header).ok_or_else(|| {
                Refusal::malformed_assertion("its header is no JSON object of the expected form")
            })?,
            claims: part(claims).ok_or_else(|| {
                Refusal::malformed_assertion("its claims are no JSON object of the expected form")
            })?,
        })
    }

    /// Who is said to have signed it.
    pub(super) fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// Names this assertion among all others.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.signed).into()
    }

    /// Checks signature and claims. Returns when it ends, in seconds.
    pub(super) fn verify(
        &self,
        certificates: &[RegisteredCertificate],
        expected: Expected<'_>,
    ) -> Result<i64, Refusal> {
        self.verify_signature(certificates, expected.now)?;
        if !self.claims.iss.eq_ignore_ascii_case(expected.client_id) {
            return Err(Refusal::foreign_issuer());
        }
        if self.claims.sub != self.claims.iss {
            return Err(Refusal::foreign_subject());
        }
        if !self.is_for(expected) {
            let path = format!("/intune/{}/oauth2/v2.0/token", expected.tenant);
            return Err(Refusal::audience(&expected.origin.url(&path)));
        }
        self.verify_times(expected.now)
    }

    fn verify_signature(
        &self,
        certificates: &[RegisteredCertificate],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let algorithm = match &*self.header.alg {
            "RS256" => Algorithm::RS256,
            "PS256" => Algorithm::PS256,
            other => return Err(Refusal::algorithm(other)),
        };
        let sha1 = thumbprint(self.header.x5t.as_deref())?;
        let sha256 = thumbprint(self.header.x5t_sha256.as_deref())?;
        let mut named = certificates
            .iter()
            .filter(|own| sha1.as_ref().is_none_or(|named| *named == own.sha1))
            .filter(|own| sha256.as_ref().is_none_or(|named| *named == own.sha256))
            .peekable();
        if named.peek().is_none() {
            let shown = sha256.or(sha1).unwrap_or_default();
            let shown = Hexadecimal(&shown);
            let reason = format!("no certificate with the thumbprint {shown} is registered");
            return Err(Refusal::signature(&reason));
        }
        let message = self.signed.as_bytes();
        let signer = named.find(|own| {
            jsonwebtoken::crypto::verify(self.signature, message, &own.key, algorithm)
                .unwrap_or(false)
        });
        let Some(signer) = signer else {
            let reason = "it was not made with the key of the registered certificate";
            return Err(Refusal::signature(reason));
        };
        let now = seconds(now);
        if now < signer.not_before || now >= signer.not_after {
            let thumbprint = Hexadecimal(&signer.sha1);
            let reason = format!("the certificate {thumbprint} is outside its time");
            return Err(Refusal::signature(&reason));
        }
        Ok(())
    }

    /// Either version of the token endpoint will do: Cisco ISE names the first
    /// one when it asks the second.
    fn is_for(&self, expected: Expected<'_>) -> bool {
        let audience = match &self.claims.aud {
            Value::String(one) => Some(one.as_str()),
            Value::Array(many) if many.len() == 1 => many.first().and_then(Value::as_str),
            _ => None,
        };
        let path = audience.and_then(|audience| expected.origin.path_of(audience));
        match path.and_then(Place::of) {
            Some(Place::Token { tenant, .. }) => tenant.eq_ignore_ascii_case(expected.tenant),
            _ => false,
        }
    }

    fn verify_times(&self, now: Timestamp) -> Result<i64, Refusal> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates, which is as wrong as the time itself"
        )]
        let whole = |time: f64| time as i64;
        let Some(until) = self.claims.exp.map(whole) else {
            return Err(Refusal::malformed_assertion("its claim 'exp' is missing"));
        };
        let from = self.claims.nbf.map(whole);
        let at = seconds(now);
        let early = from.is_some_and(|from| at.saturating_add(SKEW) < from);
        let late = at.saturating_sub(SKEW) >= until;
        let long = until.saturating_sub(at) > LONGEST + SKEW;
        if early || late || long {
            return Err(Refusal::time(now, from, until));
        }
        Ok(until)
    }
}

fn seconds(moment: Timestamp) -> i64 {
    i64::try_from(moment.as_millis() / 1000).unwrap_or(i64::MAX)
}

fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    // A list of the values is no object.
    let object: serde_json::Map<String, Value> =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    serde_json::from_value(Value::Object(object)).ok()
}

/// A thumbprint in base64 of either alphabet, padded or not.
fn thumbprint(text: Option<&str>) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(text) = text else {
        return Ok(None);
    };
    let usual = text
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    let decoded = URL_SAFE_NO_PAD.decode(usual).ok();
    decoded
        .filter(|bytes| matches!(bytes.len(), 20 | 32))
        .map(Some)
        .ok_or_else(|| Refusal::malformed_assertion("its thumbprint is no base64 of one"))
}

struct Hexadecimal<'a>(&'a [u8]);

impl fmt::Display for Hexadecimal<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02X}"))
    }
}

#[cfg(test)]
mod tests;
