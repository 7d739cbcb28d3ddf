//! A token and what can be read from it.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::HeaderValue;
use serde::Deserialize;
use tokio::time::Instant;

use crate::{Secret, text};

/// Where the answer does not say how long a token lives (RFC 6749 only recommends that it does).
const DEFAULT_LIFETIME: Duration = Duration::from_mins(5);
/// Longer promises are not believed; Entra's longest is 28 hours.
const LONGEST_LIFETIME: Duration = Duration::from_hours(48);
/// A token is replaced when less than this is left, as MSAL does.
const REFRESH_BEFORE: Duration = Duration::from_mins(5);
/// A token is no longer sent when less than this is left: it has to survive the journey.
const SAFETY: Duration = Duration::from_secs(10);
/// More roles than this are not a diagnosis any more.
const MAX_ROLES: usize = 100;

/// An access token.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) value: Secret,
    /// `Bearer …`, marked sensitive.
    pub(crate) header: HeaderValue,
    /// From here on a new one is fetched behind.
    pub(crate) refresh_at: Instant,
    /// From here on it is not used any more.
    pub(crate) unusable_at: Instant,
    /// Permissions named inside, for advice only.
    pub(crate) roles: Vec<String>,
    /// Whether it could be read, so that no roles means none.
    pub(crate) readable: bool,
    /// How far the provider's clock is ahead of ours, in seconds, where its answer has a date.
    pub(crate) clock_ahead: Option<i64>,
}

/// The answer of RFC 6749, section 5.1. Entra's v1 endpoint writes numbers as strings.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Token {
    /// Reads the answer to a request that was sent at `asked`. `Err` says what is wrong with it,
    /// without quoting it.
    pub(super) fn read(body: &[u8], asked: Instant) -> Result<Self, &'static str> {
        let answer: Answer = serde_json::from_slice(body)
            .map_err(|_| "the answer has no `access_token` and `token_type`")?;
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err("the token is not a bearer token");
        }
        let lifetime = match answer.expires_in {
            None => DEFAULT_LIFETIME,
            Some(seconds) => seconds
                .duration()
                .ok_or("`expires_in` is not a number of seconds")?,
        };
        let lifetime = lifetime.min(LONGEST_LIFETIME);
        let value = Secret::new(answer.access_token);
        let mut header = HeaderValue::from_str(&format!("Bearer {}", value.expose()))
            .map_err(|_| "the token has characters that no header can carry")?;
        header.set_sensitive(true);
        let roles = roles(value.expose());
        Ok(Self {
            readable: roles.is_some(),
            roles: roles.unwrap_or_default(),
            clock_ahead: None,
            value,
            header,
            refresh_at: asked + lifetime.saturating_sub(REFRESH_BEFORE.min(lifetime / 2)),
            unusable_at: asked + lifetime.saturating_sub(SAFETY.min(lifetime / 10)),
        })
    }
}

impl Seconds {
    fn duration(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(seconds) => *seconds,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        if seconds < 0.0 || !seconds.is_finite() {
            return None;
        }
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_LIFETIME))
    }
}

/// The `roles` claim, unverified. A token is its receiver's affair: it may be opaque, and then
/// there is nothing to say.
fn roles(token: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(default)]
        roles: Vec<String>,
    }
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|part| {
            BASE64_URL_SAFE_NO_PAD
                .decode(part.trim_end_matches('='))
                .ok()
        })
        .and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
    claims.map(|claims| {
        let roles = claims.roles.iter().take(MAX_ROLES);
        roles.map(|role| text::foreign(role)).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<(u64, u64, Vec<String>), &'static str> {
        let asked = Instant::now();
        let token = Token::read(body.as_bytes(), asked)?;
        assert!(token.header.is_sensitive());
        Ok((
            (token.refresh_at - asked).as_secs(),
            (token.unusable_at - asked).as_secs(),
            token.roles,
        ))
    }

    fn lifetime(expires_in: &str) -> Result<(u64, u64), &'static str> {
        read(&format!(
            r#"{{"token_type":"Bearer","expires_in":{expires_in},"access_token":"opaque"}}"#
        ))
        .map(|(refresh, unusable, _)| (refresh, unusable))
    }

    #[test]
    fn lifetimes_as_numbers_and_text() {
        assert_eq!(lifetime("3600"), Ok((3300, 3590)));
        assert_eq!(lifetime("\"3600\""), Ok((3300, 3590)));
        assert_eq!(lifetime("60"), Ok((30, 54)));
        assert_eq!(lifetime("0"), Ok((0, 0)));
        assert_eq!(lifetime("null"), Ok((150, 290)));
        assert_eq!(lifetime("1e300"), Ok((172_500, 172_790)));
        assert!(lifetime("-1").is_err());
        assert!(lifetime("\"soon\"").is_err());
    }

    #[test]
    fn bad_answers_are_named_without_quoting() {
        assert_eq!(
            read("{}"),
            Err("the answer has no `access_token` and `token_type`")
        );
        assert_eq!(
            read(r#"{"token_type":"mac","access_token":"x"}"#),
            Err("the token is not a bearer token")
        );
        assert_eq!(
            read(r#"{"token_type":"bearer","access_token":"x\r\ny"}"#),
            Err("the token has characters that no header can carry")
        );
    }

    #[test]
    fn roles_are_read_where_there_are_any() {
        let token = |claims: &str| format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(
            roles(&token(r#"{"roles":["get_device_compliance"]}"#)),
            Some(vec!["get_device_compliance".to_owned()])
        );
        assert_eq!(roles(&token("{}")), Some(Vec::new()));
        assert_eq!(roles(&token(r#"{"roles":"text"}"#)), None);
        assert_eq!(roles("opaque"), None);
        assert_eq!(roles("a.!!!.c"), None);
    }
}
