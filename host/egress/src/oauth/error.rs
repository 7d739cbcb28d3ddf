//! Why there is no token.

use std::{fmt, time::Duration};

use http::StatusCode;
use serde::Deserialize;

use super::advice;
use crate::{EgressError, examination::code, text};

/// What kind of failure it was, and so whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenErrorKind {
    /// The credential or its rights are not accepted.
    Refused,
    /// URL, client ID, tenant or scope are wrong.
    Misconfigured,
    /// The identity provider cannot be reached, is busy or has a passing failure.
    Unavailable,
}

/// The identity provider's refusal with advice, or the reason it could not be asked. Holds no
/// secret and no assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError {
    /// Whether asking again can help.
    pub kind: TokenErrorKind,
    /// The code under which `docs/findings.md` explains it, e.g. `client-secret-expired`.
    pub finding: &'static str,
    /// Host of the token URL.
    pub host: String,
    /// The OAuth error word, e.g. `invalid_client`.
    pub error: Option<String>,
    /// The provider's own code, e.g. `AADSTS7000215`.
    pub code: Option<String>,
    /// What an administrator can do.
    pub advice: String,
    /// The provider's own words, shortened to one line.
    pub description: Option<String>,
    /// The provider's identifier for this request, to be named to its support.
    pub correlation_id: Option<String>,
    /// Another one, for the answer alone.
    pub trace_id: Option<String>,
    /// The provider's time of the failure.
    pub timestamp: Option<String>,
    /// How far the provider's clock is ahead of ours, in seconds, where its answer has a date.
    pub clock_ahead: Option<i64>,
    /// How long the provider asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The failure on the way, where there was no answer at all.
    pub transport: Option<Box<EgressError>>,
}

/// The error answer of RFC 6749, section 5.2, with Entra's additions. Every field is optional:
/// what comes from outside may lack any.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    error: Option<String>,
    error_description: Option<String>,
    error_codes: Vec<u64>,
    correlation_id: Option<String>,
    trace_id: Option<String>,
    timestamp: Option<String>,
}

impl TokenError {
    pub(crate) fn new(
        kind: TokenErrorKind,
        finding: &'static str,
        host: &str,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            finding,
            host: host.to_owned(),
            error: None,
            code: None,
            advice: advice.into(),
            description: None,
            correlation_id: None,
            trace_id: None,
            clock_ahead: None,
            timestamp: None,
            retry_after: None,
            transport: None,
        }
    }

    /// The token endpoint could not be asked.
    pub(crate) fn transport(host: &str, error: EgressError) -> Self {
        let (kind, finding, advice) = match &error {
            EgressError::Tls(failure) if failure.missing_issuer.is_some() => (
                TokenErrorKind::Unavailable,
                code::LOGIN_CERTIFICATE_UNTRUSTED,
                "the identity provider's certificate is not trusted here; add the missing root certificate to the trust roots if the chain is genuine",
            ),
            EgressError::Tls(failure) => (
                TokenErrorKind::Unavailable,
                if failure.presented.is_empty() {
                    code::LOGIN_TLS
                } else {
                    code::LOGIN_CERTIFICATE_REFUSED
                },
                "no TLS connection with the identity provider; check the token URL, the clock and any inspecting proxy on the way",
            ),
            EgressError::AddressRefused { .. } => (
                TokenErrorKind::Misconfigured,
                code::LOGIN_ADDRESS_PRIVATE,
                "the token URL leads to a private address; grant its network if that is meant",
            ),
            EgressError::NameResolution { .. } => (
                TokenErrorKind::Unavailable,
                code::LOGIN_NAME_RESOLUTION,
                "the host of the token URL has no address; check the token URL and the name servers",
            ),
            EgressError::Proxy { .. } => (
                TokenErrorKind::Unavailable,
                code::LOGIN_PROXY,
                "the proxy on the way does not let the request through; check `proxy` and what the proxy allows",
            ),
            EgressError::Timeout => (
                TokenErrorKind::Unavailable,
                code::LOGIN_TIMEOUT,
                "the identity provider does not answer in time; check network, firewall and token URL",
            ),
            EgressError::TooLarge { .. } | EgressError::Other(_) => (
                TokenErrorKind::Misconfigured,
                code::NOT_A_TOKEN_ENDPOINT,
                "the answer is not that of a token endpoint; check the token URL, and whether something on the way changes answers",
            ),
            _ => (
                TokenErrorKind::Unavailable,
                code::LOGIN_CONNECTION,
                "the identity provider cannot be reached; check network, firewall and token URL",
            ),
        };
        Self {
            transport: Some(Box::new(error)),
            ..Self::new(kind, finding, host, advice)
        }
    }

    /// The token endpoint answered, but not with a token.
    ///
    /// What to do follows from the HTTP status and the OAuth error word; Entra's codes only choose
    /// the advice, because Microsoft reserves the right to change them.
    pub(super) fn answer(
        host: &str,
        status: StatusCode,
        body: &[u8],
        retry_after: Option<Duration>,
    ) -> Self {
        let busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let Some(word) = answer.error else {
            let (kind, finding, advice) = if busy {
                (
                    TokenErrorKind::Unavailable,
                    code::LOGIN_BUSY,
                    format!("the identity provider answered {status}"),
                )
            } else {
                (
                    TokenErrorKind::Misconfigured,
                    code::NOT_A_TOKEN_ENDPOINT,
                    format!(
                        "the answer ({status}) is not that of a token endpoint; check the token URL"
                    ),
                )
            };
            return Self {
                retry_after,
                ..Self::new(kind, finding, host, advice)
            };
        };
        let code = answer.error_codes.first().copied();
        let known = code.and_then(advice::for_code);
        let mut said = advice::for_word(&word);
        if let Some(row) = known {
            said = (row.kind, &row.finding, &row.advice);
        }
        let (mut kind, finding, advice) = said;
        if busy {
            kind = TokenErrorKind::Unavailable;
        }
        Self {
            error: Some(text::foreign(&word)),
            code: code.map(|code| format!("AADSTS{code}")),
            description: answer
                .error_description
                .and_then(|description| description.lines().next().map(text::foreign)),
            correlation_id: answer.correlation_id.map(|id| text::foreign(&id)),
            trace_id: answer.trace_id.map(|id| text::foreign(&id)),
            timestamp: answer.timestamp.map(|time| text::foreign(&time)),
            retry_after,
            ..Self::new(kind, finding, host, advice)
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.advice)?;
        write!(formatter, " (`{}`", self.host)?;
        let details = [&self.error, &self.code, &self.description];
        for detail in details.into_iter().flatten() {
            write!(formatter, ", {detail}")?;
        }
        if let Some(transport) = &self.transport {
            write!(formatter, ", {transport}")?;
        }
        if let Some(id) = &self.correlation_id {
            write!(formatter, ", correlation id {id}")?;
        }
        if let Some(id) = &self.trace_id {
            write!(formatter, ", trace id {id}")?;
        }
        if let Some(time) = &self.timestamp {
            write!(formatter, ", at {time}")?;
        }
        formatter.write_str(")")
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> TokenError {
        let status = StatusCode::from_u16(status).unwrap();
        TokenError::answer("login.example", status, body.as_bytes(), None)
    }

    #[test]
    fn a_known_code_chooses_the_advice() {
        let error = answer(
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: x","error_codes":[7000215],"timestamp":"2026-08-01 10:00:00Z","trace_id":"t","correlation_id":"c-1","error_uri":"https://login.example/error"}"#,
        );
        assert_eq!(error.kind, TokenErrorKind::Refused);
        assert_eq!(error.finding, "client-secret-wrong");
        assert_eq!(
            error.to_string(),
            "the client secret is wrong; often the secret's ID was entered instead of its value \
             (`login.example`, invalid_client, AADSTS7000215, AADSTS7000215: Invalid client secret \
             provided., correlation id c-1, trace id t, at 2026-08-01 10:00:00Z)"
        );
    }

    #[test]
    fn unknown_codes_fall_back_to_the_error_word() {
        let error = answer(400, r#"{"error":"invalid_scope","error_codes":[1]}"#);
        assert_eq!(error.kind, TokenErrorKind::Misconfigured);
        assert_eq!(error.code.as_deref(), Some("AADSTS1"));
        assert!(error.advice.contains("check the token audience"));
        let error = answer(400, r#"{"error":"something_new"}"#);
        assert_eq!(error.kind, TokenErrorKind::Misconfigured);
        let error = answer(400, r#"{"error":"temporarily_unavailable"}"#);
        assert_eq!(error.kind, TokenErrorKind::Unavailable);
    }

    #[test]
    fn the_status_decides_about_trying_again() {
        let busy = r#"{"error":"invalid_client","error_codes":[7000215]}"#;
        assert_eq!(answer(429, busy).kind, TokenErrorKind::Unavailable);
        assert_eq!(answer(503, "<html>").kind, TokenErrorKind::Unavailable);
        assert_eq!(
            answer(404, "<html>").to_string(),
            "the answer (404 Not Found) is not that of a token endpoint; check the token URL (`login.example`)"
        );
        let passing = r#"{"error":"invalid_request","error_codes":[90033]}"#;
        assert_eq!(answer(400, passing).kind, TokenErrorKind::Unavailable);
    }

    #[test]
    fn foreign_words_cannot_break_the_line() {
        let error = answer(
            400,
            r#"{"error":"a\nb\u001b[0m","correlation_id":"c\r\nd"}"#,
        );
        assert!(!error.to_string().contains(['\n', '\r', '\u{1b}']));
    }
}
