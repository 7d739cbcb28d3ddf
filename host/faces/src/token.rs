//! Bearer tokens of our own, for products that get one before they ask.
//!
//! A token is a JWT (RFC 7519) that is signed with a key of this process:
//! nothing has to be kept for one, so nobody can fill a table with them, and a
//! restart makes them void. It names the client it was issued to and what it is
//! for; what the client may is looked up anew with every request.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use portreeve_domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::clients::{AuthenticationFailure, Client, Face};
use crate::faces::Faces;
use crate::intune;
use crate::metrics::Area;
use crate::problem::{Problem, ProblemKind};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Purpose {
    /// The face Jamf.
    Jamf,
    /// Finding the compliance service, in the face Intune.
    Discovery,
    /// Asking the compliance service.
    Compliance,
    /// All of the face Intune.
    Intune,
}

impl Purpose {
    /// Whether a request may come with such a token.
    fn serves(self, area: Area, path: &str) -> bool {
        match area {
            Area::Face(Face::Jamf) => self == Self::Jamf,
            Area::Face(Face::Intune) => self == Self::Intune || intune::purpose(path) == Some(self),
            _ => false,
        }
    }
}

/// What a token of ours says.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Claims {
    /// The name of the client.
    #[serde(rename = "portreeve_client")]
    pub(crate) client: String,
    #[serde(rename = "portreeve_purpose")]
    pub(crate) purpose: Purpose,
}

/// What a bearer text is.
#[derive(Debug)]
pub(crate) enum Bearer {
    /// Not signed by this process.
    Foreign,
    /// A token of ours that is too old.
    Expired,
    /// A token of ours.
    Own(Claims),
}

/// Issues tokens and recognises them.
pub(crate) struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tokens([redacted])")
    }
}

/// No random bytes could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub(crate) struct NoRandomness;

impl Tokens {
    /// With a new key.
    pub(crate) fn new() -> Result<Self, NoRandomness> {
        let mut key = Zeroizing::new([0_u8; 32]);
        rustls::crypto::aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut *key)
            .map_err(|_| NoRandomness)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        // Whom a token is for stands in its purpose; `aud` is the asker's text.
        validation.validate_aud = false;
        Ok(Self {
            signing: EncodingKey::from_secret(&*key),
            verifying: DecodingKey::from_secret(&*key),
            validation,
        })
    }

    /// A token for this client, from now on for so long.
    pub(crate) fn issue(
        &self,
        client: &Client,
        purpose: Purpose,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Zeroizing<String>, Problem> {
        self.issue_with(client, purpose, now, lifetime, Map::new())
    }

    /// The same with further claims for whoever looks into it.
    pub(crate) fn issue_with(
        &self,
        client: &Client,
        purpose: Purpose,
        now: Timestamp,
        lifetime: Duration,
        mut claims: Map<String, Value>,
    ) -> Result<Zeroizing<String>, Problem> {
        let seconds = now.as_millis() / 1000;
        let end = seconds.saturating_add(lifetime.as_secs());
        let purpose = serde_json::to_value(purpose).unwrap_or_default();
        for (name, value) in [
            ("iat", seconds.into()),
            ("nbf", seconds.into()),
            ("exp", end.into()),
            ("portreeve_client", (*client.name).into()),
            ("portreeve_purpose", purpose),
        ] {
            claims.insert(name.to_owned(), value);
        }
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map(Zeroizing::new)
            .map_err(|_| Problem::new(ProblemKind::Internal, "the token cannot be signed"))
    }

    /// What the text after `Bearer` is.
    pub(crate) fn read(&self, text: &str) -> Bearer {
        match jsonwebtoken::decode::<Claims>(text, &self.verifying, &self.validation) {
            Ok(token) => Bearer::Own(token.claims),
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Bearer::Expired,
            Err(_) => Bearer::Foreign,
        }
    }
}

/// The client that presents a token of ours, or why it is not taken. `None`
/// when none is presented: the request has to prove itself in another way.
pub(crate) fn holder(
    faces: &Faces,
    area: Area,
    path: &str,
    headers: &HeaderMap,
    address: IpAddr,
) -> Option<Result<Arc<Client>, AuthenticationFailure>> {
    let text = presented(area, headers.get(AUTHORIZATION))?;
    match faces.tokens.read(text) {
        Bearer::Own(claims) if claims.purpose.serves(area, path) => {
            let roster = faces.clients.now();
            Some(roster.named(&claims.client, address).cloned())
        }
        Bearer::Own(_) | Bearer::Expired => Some(Err(AuthenticationFailure::Wrong)),
        Bearer::Foreign => None,
    }
}

/// The text after `Bearer`, where a face issues tokens.
fn presented(area: Area, header: Option<&HeaderValue>) -> Option<&str> {
    if !matches!(area, Area::Face(Face::Jamf | Face::Intune)) {
        return None;
    }
    let (scheme, text) = header?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::test_client;

    const HOUR: Duration = Duration::from_hours(1);

    fn issued(tokens: &Tokens, at: Timestamp) -> Zeroizing<String> {
        tokens
            .issue(&test_client("ise"), Purpose::Discovery, at, HOUR)
            .unwrap()
    }

    #[test]
    fn a_token_names_its_client_and_purpose() {
        let tokens = Tokens::new().unwrap();
        let token = issued(&tokens, Timestamp::now());
        let Bearer::Own(claims) = tokens.read(&token) else {
            panic!("not recognised");
        };
        assert_eq!(
            (&*claims.client, claims.purpose),
            ("ise", Purpose::Discovery)
        );
    }

    #[test]
    fn what_is_not_ours_is_foreign() {
        let tokens = Tokens::new().unwrap();
        let other = issued(&Tokens::new().unwrap(), Timestamp::now());
        let mut changed = issued(&tokens, Timestamp::now()).to_string();
        changed.replace_range(40..41, if &changed[40..41] == "A" { "B" } else { "A" });
        // {"alg":"none"}
        let unsigned = "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.";
        for text in [&other, &*changed, unsigned, "", "a.b.c", "rest-key"] {
            assert!(matches!(tokens.read(text), Bearer::Foreign), "{text}");
        }
    }

    #[test]
    fn an_old_one_is_told_apart() {
        let tokens = Tokens::new().unwrap();
        let long_ago = Timestamp::now().as_millis() - 3_601_000;
        let token = issued(&tokens, Timestamp::from_millis(long_ago));
        assert!(matches!(tokens.read(&token), Bearer::Expired));
    }

    #[test]
    fn where_tokens_are_looked_for() {
        let header = HeaderValue::from_static("bearer  abc ");
        let jamf = Area::Face(Face::Jamf);
        assert_eq!(presented(jamf, Some(&header)), Some("abc"));
        assert_eq!(presented(Area::Face(Face::Rest), Some(&header)), None);
        assert_eq!(presented(jamf, None), None);
        let basic = HeaderValue::from_static("Basic abc");
        assert_eq!(presented(jamf, Some(&basic)), None);
    }
}
