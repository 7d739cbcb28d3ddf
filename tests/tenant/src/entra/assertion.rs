//! Client assertions: a JWT signed with the key of a registered certificate.
//!
//! Everything real clients send is taken (`mdm-protocols.md` 1.3): PS256 or RS256, `x5t#S256` or
//! `x5t` in either base64 alphabet with or without padding, whole or fractional seconds, the v1 or
//! v2 token URL as audience. Nothing else is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::application::{Application, RegisteredCertificate};
use super::failure::Failure;
use crate::clock::graph_timestamp;

/// How far the clock of a client may be off, in seconds; Microsoft's libraries use the same.
pub(crate) const ALLOWED_SKEW: i64 = 300;

/// An assertion that was taken apart, and not verified yet.
#[derive(Debug)]
pub(crate) struct Assertion<'a> {
    signed: &'a str,
    signature: &'a str,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl<'a> Assertion<'a> {
    /// Takes a compact JWS apart.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Failure> {
        let malformed = || Failure::malformed_assertion("It needs three parts of base64url.");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let object = |part: &str, name: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .ok_or_else(|| {
                    Failure::malformed_assertion(&format!("Its {name} is not a JSON object."))
                })
        };
        Ok(Self {
            signed,
            signature,
            header: object(header, "header")?,
            claims: object(claims, "payload")?,
        })
    }

    /// The claim `iss`: the client id, when the request names none.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claim("iss")
    }

    /// The claim `jti`.
    pub(crate) fn id(&self) -> Option<&str> {
        self.claim("jti")
    }

    /// Checks signature and claims for this application; `now` in seconds since 1970.
    pub(crate) fn verify(
        &self,
        application: &Application,
        audiences: &[String],
        now: i64,
    ) -> Result<(), Failure> {
        self.verify_signature(application, now)?;
        let issuer = self.issuer().unwrap_or_default();
        if Uuid::parse_str(issuer) != Ok(application.id) {
            return Err(Failure::foreign_issuer());
        }
        if self.claim("sub") != Some(issuer) {
            return Err(Failure::subject_is_not_issuer());
        }
        let audience = match self.claims.get("aud") {
            Some(Value::String(one)) => Some(one.as_str()),
            Some(Value::Array(many)) if many.len() == 1 => many.first().and_then(Value::as_str),
            _ => None,
        };
        if !audience.is_some_and(|aud| audiences.iter().any(|own| own.eq_ignore_ascii_case(aud))) {
            return Err(Failure::wrong_audience());
        }
        self.verify_times(now)
    }

    fn verify_signature(&self, application: &Application, now: i64) -> Result<(), Failure> {
        let algorithm = match self.header.get("alg").and_then(Value::as_str) {
            Some("PS256") => Algorithm::PS256,
            Some("RS256") => Algorithm::RS256,
            other => return Err(Failure::unsupported_algorithm(other.unwrap_or("none"))),
        };
        let (certificate, thumbprint) = self.certificate(application)?;
        let used = format!("Thumbprint of key used by client: '{thumbprint}'");
        let verified = jsonwebtoken::crypto::verify(
            self.signature,
            self.signed.as_bytes(),
            &certificate.key,
            algorithm,
        );
        if !verified.unwrap_or(false) {
            return Err(Failure::invalid_signature(&format!(
                "The provided signature value did not match the expected signature value., {used}"
            )));
        }
        if now < certificate.not_before || now >= certificate.not_after {
            return Err(Failure::invalid_signature(&format!(
                "The key used is expired., {used}, Found key 'Start={}, End={}'",
                graph_timestamp(certificate.not_before),
                graph_timestamp(certificate.not_after),
            )));
        }
        Ok(())
    }

    /// The registered certificate that the header names, and its thumbprint in hexadecimal.
    fn certificate<'b>(
        &self,
        application: &'b Application,
    ) -> Result<(&'b RegisteredCertificate, String), Failure> {
        let named = |name: &str| match self.header.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_str()
                .and_then(decode_thumbprint)
                .map(Some)
                .ok_or_else(|| {
                    Failure::malformed_assertion(&format!("Its header '{name}' is not base64."))
                }),
        };
        let sha256 = named("x5t#S256")?;
        let sha1 = named("x5t")?;
        let Some(shown) = sha256.as_ref().or(sha1.as_ref()) else {
            return Err(Failure::invalid_signature("The key was not found."));
        };
        let thumbprint = hex::encode_upper(shown);
        application
            .certificates
            .iter()
            .find(|own| {
                sha256.as_ref().is_none_or(|named| *named == own.sha256)
                    && sha1.as_ref().is_none_or(|named| *named == own.sha1)
            })
            .ok_or_else(|| {
                Failure::invalid_signature(&format!(
                    "The key was not found., Thumbprint of key used by client: '{thumbprint}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{}'.",
                    application.id
                ))
            })
            .map(|certificate| (certificate, thumbprint))
    }

    fn verify_times(&self, now: i64) -> Result<(), Failure> {
        let time = |name: &str| match self.claims.get(name) {
            None => Ok(None),
            // msal-python sends fractions of seconds.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "saturates, which is as wrong as the time itself"
            )]
            Some(value) => value
                .as_f64()
                .map(|seconds| Some(seconds as i64))
                .ok_or_else(|| {
                    Failure::malformed_assertion(&format!("Its claim '{name}' is not a number."))
                }),
        };
        let from = time("nbf")?;
        let until = time("exp")?
            .ok_or_else(|| Failure::malformed_assertion("Its claim 'exp' is missing."))?;
        let early = from.is_some_and(|from| now.saturating_add(ALLOWED_SKEW) < from);
        if early || now.saturating_sub(ALLOWED_SKEW) >= until {
            return Err(Failure::outside_valid_time(
                &graph_timestamp(now),
                &graph_timestamp(from.unwrap_or_default()),
                &graph_timestamp(until),
            ));
        }
        Ok(())
    }

    fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }
}

/// Decodes base64 in the URL-safe or the standard alphabet, padded or not.
fn decode_thumbprint(text: &str) -> Option<Vec<u8>> {
    let text = text
        .trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_");
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprints_in_every_form() {
        // Test vectors of the Entra documentation.
        for (text, hexadecimal) in [
            (
                "hOBcHZi846VCHSJbFAs26Go9VTQ",
                "84E05C1D98BCE3A5421D225B140B36E86A3D5534",
            ),
            (
                "hOBcHZi846VCHSJbFAs26Go9VTQ=",
                "84E05C1D98BCE3A5421D225B140B36E86A3D5534",
            ),
            (
                "GM1Dp/1DYiNknFIJkgjnTbjo9nk=",
                "18CD43A7FD436223649C52099208E74DB8E8F679",
            ),
            (
                "GM1Dp_1DYiNknFIJkgjnTbjo9nk",
                "18CD43A7FD436223649C52099208E74DB8E8F679",
            ),
        ] {
            assert_eq!(
                hex::encode_upper(decode_thumbprint(text).unwrap()),
                hexadecimal
            );
        }
        assert_eq!(decode_thumbprint("not base64!"), None);
    }
}
