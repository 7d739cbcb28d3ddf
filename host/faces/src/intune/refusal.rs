//! Refusals of the token endpoint: OAuth's words (RFC 6749, section 5.2) with
//! Entra's codes, by which products and their manuals go.

use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use portreeve_domain::Timestamp;
use serde_json::json;

use crate::metrics::Outcome;
use crate::problem::{Problem, whole_seconds};
use crate::text::{Rfc3339, one_line};

/// Bytes of foreign text in a refusal.
const LONGEST: usize = 200;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    code: u32,
    text: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, code: u32, text: impl Into<String>) -> Self {
        Self {
            status,
            error,
            code,
            text: text.into(),
            retry_after: None,
        }
    }

    fn request(error: &'static str, code: u32, text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, code, text)
    }

    fn client(code: u32, text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", code, text)
    }

    /// The number after `AADSTS`.
    pub(super) const fn code(&self) -> u32 {
        self.code
    }

    /// Whether somebody did not prove who they are.
    pub(super) fn is_of_client(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    // The request.

    pub(super) fn missing(parameter: &str) -> Self {
        let text = format!("The body lacks the parameter '{parameter}'.");
        Self::request("invalid_request", 900_144, text)
    }

    pub(super) fn malformed(text: &str) -> Self {
        Self::request("invalid_request", 9_002_313, text)
    }

    pub(super) fn unreadable(problem: &Problem) -> Self {
        let status = problem.kind().status();
        Self::new(status, "invalid_request", 9_002_313, problem.detail())
    }

    pub(super) fn grant(grant: &str) -> Self {
        let grant = one_line(grant, LONGEST);
        let text = format!("The grant '{grant}' is not given here, only 'client_credentials'.");
        Self::request("unsupported_grant_type", 70_003, text)
    }

    // What the token is for.

    pub(super) fn resource_on_v2() -> Self {
        let text = "The parameter 'resource' belongs to /oauth2/token; here it is 'scope'.";
        Self::request("invalid_request", 901_002, text)
    }

    pub(super) fn scope_without_resource() -> Self {
        let text = "The parameter 'scope' names no resource.";
        Self::request("invalid_scope", 700_023, text)
    }

    pub(super) fn several_resources() -> Self {
        let text = "The parameter 'scope' names more than one resource.";
        Self::request("invalid_scope", 700_022, text)
    }

    pub(super) fn scope_not_default(word: &str) -> Self {
        let word = one_line(word, LONGEST);
        let text = format!("The scope '{word}' does not end with '/.default'.");
        Self::request("invalid_scope", 1_002_012, text)
    }

    pub(super) fn unknown_resource(name: &str) -> Self {
        let name = one_line(name, LONGEST);
        let text = format!(
            "There is no resource '{name}'; expected the one of Microsoft Graph, of Intune, or an address of this gateway."
        );
        Self::request("invalid_resource", 500_011, text)
    }

    // Who asks.

    pub(super) fn unknown_client(id: &str) -> Self {
        let id = one_line(id, LONGEST);
        let text = format!("No client of this gateway has the identifier '{id}'.");
        Self::request("unauthorized_client", 700_016, text)
    }

    pub(super) fn no_credential() -> Self {
        let text = "The body has neither 'client_secret' nor 'client_assertion'.";
        Self::client(7_000_216, text)
    }

    pub(super) fn wrong_secret(id: &str) -> Self {
        let id = one_line(id, LONGEST);
        let text = format!("The secret is not that of the client '{id}' of this gateway.");
        Self::client(7_000_215, text)
    }

    pub(super) fn not_allowed() -> Self {
        let text = "The client may not ask here: its networks or faces do not allow it.";
        Self::new(StatusCode::FORBIDDEN, "unauthorized_client", 53_003, text)
    }

    // The assertion.

    pub(super) fn malformed_assertion(what: &str) -> Self {
        let text = format!("The assertion cannot be read: {what}.");
        Self::request("invalid_request", 50_027, text)
    }

    pub(super) fn algorithm(name: &str) -> Self {
        let name = one_line(name, LONGEST);
        let text = format!("The assertion is signed with '{name}', expected RS256 or PS256.");
        Self::request("invalid_request", 5_002_738, text)
    }

    pub(super) fn signature(reason: &str) -> Self {
        let text = format!("The signature of the assertion is not accepted: {reason}.");
        Self::client(700_027, text)
    }

    pub(super) fn foreign_issuer() -> Self {
        let text = "The assertion's 'iss' is not the client that asks.";
        Self::client(700_021, text)
    }

    pub(super) fn foreign_subject() -> Self {
        Self::client(50_048, "The assertion's 'sub' is not its 'iss'.")
    }

    pub(super) fn audience(expected: &str) -> Self {
        let text = format!("The assertion's 'aud' is not '{expected}'.");
        Self::client(700_023, text)
    }

    pub(super) fn time(now: Timestamp, from: Option<i64>, until: i64) -> Self {
        let now = now.as_millis() / 1000;
        let from = from.map_or_else(|| "ever".to_owned(), |from| from.to_string());
        let text = format!(
            "It is {now}, but the assertion holds from {from} until {until} (seconds since 1970), for a day at most. Compare the clocks."
        );
        Self::client(700_024, text)
    }

    pub(super) fn used_up() -> Self {
        Self::client(50_013, "The assertion was used too often; sign a new one.")
    }

    /// For now.
    pub(super) fn busy(after: Duration) -> Self {
        let text = "Too much is asked for here. Ask again later.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self {
            retry_after: Some(after),
            ..Self::new(status, "temporarily_unavailable", 90_033, text)
        }
    }

    pub(super) fn internal() -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "server_error", 90_033, "The token cannot be made.")
    }

    /// The response. `correlation` is the asker's name of the request, `trace`
    /// ours.
    pub(super) fn response(&self, trace: &str, correlation: &str, now: Timestamp) -> Response {
        let Self {
            status,
            error,
            code,
            text,
            retry_after,
        } = self;
        let moment = Rfc3339(now).to_string();
        let timestamp = format!(
            "{} {}Z",
            moment.get(..10).unwrap_or_default(),
            moment.get(11..19).unwrap_or_default()
        );
        let body = json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        });
        let headers = [(CACHE_CONTROL, "no-store")];
        let mut response = (*status, headers, axum::Json(body)).into_response();
        if let Some(after) = retry_after {
            let seconds = HeaderValue::from(whole_seconds(*after));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        let outcome = if status.is_server_error() {
            Outcome::Failed
        } else {
            Outcome::Refused
        };
        response.extensions_mut().insert(outcome);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_is_what_products_can_read() {
        let now = Timestamp::from_millis(1_795_243_651_250);
        let response = Refusal::wrong_secret("c1").response("t1", "r1", now);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({
                "error": "invalid_client",
                "error_description": "AADSTS7000215: The secret is not that of the client 'c1' of this gateway. Trace ID: t1 Correlation ID: r1 Timestamp: 2026-11-21 06:47:31Z",
                "error_codes": [7_000_215],
                "timestamp": "2026-11-21 06:47:31Z",
                "trace_id": "t1",
                "correlation_id": "r1",
            })
        );
    }
}
