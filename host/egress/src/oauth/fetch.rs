//! The token request itself.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt, future::BoxFuture};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, DATE},
};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::{ClientProof, Token, TokenError, TokenErrorKind, TokenRequest, cache::FetchToken};
use crate::{EgressError, examination::code, retry_after, transport::Transport};

/// A token with very many groups has some 20 KB.
const MAX_ANSWER: u64 = 256 * 1024;
/// Microsoft's services take an identifier of ours under this name and log it.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// A token endpoint and what is asked of it. It belongs to the host: it needs no grant, and gives
/// none to the guest.
#[derive(Debug, Clone)]
pub(crate) struct TokenEndpoint {
    pub(crate) transport: Transport,
    pub(crate) request: Arc<TokenRequest>,
    pub(crate) timeout: Duration,
}

impl FetchToken for TokenEndpoint {
    fn fetch(&self) -> BoxFuture<'static, Result<Token, Box<TokenError>>> {
        let endpoint = self.clone();
        async move {
            let host = endpoint
                .request
                .token_url
                .host_str()
                .unwrap_or_default()
                .to_owned();
            let id = Uuid::new_v4().to_string();
            let outcome = match timeout(endpoint.timeout, endpoint.ask(&host, &id)).await {
                Ok(Ok(token)) => Ok(token),
                Ok(Err(error)) => Err(Box::new(endpoint.without_secret(error))),
                Err(_) => Err(Box::new(TokenError::transport(&host, EgressError::Timeout))),
            };
            match &outcome {
                Ok(_) => tracing::debug!(host, client_request_id = id, "token fetched"),
                Err(error) => tracing::warn!(
                    host,
                    client_request_id = id,
                    code = error.finding,
                    entra = error.code,
                    correlation_id = error.correlation_id,
                    trace_id = error.trace_id,
                    %error,
                    "no token"
                ),
            }
            outcome
        }
        .boxed()
    }
}

impl TokenEndpoint {
    /// `id` is named in the request and in our log, so that the provider's support can find it.
    async fn ask(&self, host: &str, id: &str) -> Result<Token, TokenError> {
        let form = self.request.form().map_err(|error| {
            TokenError::new(
                TokenErrorKind::Misconfigured,
                code::ASSERTION_NOT_SIGNED,
                host,
                format!("the client assertion cannot be signed: {error}"),
            )
        })?;
        let mut request = reqwest::Request::new(Method::POST, self.request.token_url.clone());
        request.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Ok(id) = HeaderValue::from_str(id) {
            request.headers_mut().insert(CLIENT_REQUEST_ID, id);
        }
        *request.body_mut() = Some(form.as_bytes().to_vec().into());
        let asked = Instant::now();
        let answer = self
            .transport
            .exchange(request, MAX_ANSWER)
            .await
            .map_err(|error| TokenError::transport(host, error))?;
        let clock_ahead = ahead(answer.headers(), SystemTime::now());
        let outcome = if answer.status() == StatusCode::OK {
            Token::read(answer.body(), asked).map_err(|reason| {
                TokenError::new(
                    TokenErrorKind::Misconfigured,
                    code::NOT_A_TOKEN_ENDPOINT,
                    host,
                    format!("{reason}; check the token URL"),
                )
            })
        } else {
            let wait = retry_after(answer.headers(), SystemTime::now());
            Err(TokenError::answer(
                host,
                answer.status(),
                answer.body(),
                wait,
            ))
        };
        match outcome {
            Ok(token) => Ok(Token {
                clock_ahead,
                ..token
            }),
            Err(error) => Err(TokenError {
                clock_ahead,
                ..error
            }),
        }
    }

    /// A server may quote what it was sent.
    fn without_secret(&self, mut error: TokenError) -> TokenError {
        if let ClientProof::Secret(secret) = &self.request.proof
            && !secret.is_empty()
        {
            let fields = [
                &mut error.error,
                &mut error.description,
                &mut error.correlation_id,
                &mut error.trace_id,
                &mut error.timestamp,
            ];
            for field in fields.into_iter().flatten() {
                *field = field.replace(secret.expose(), "[redacted]");
            }
        }
        error
    }
}

/// How far the server's clock is ahead of `now`, in whole seconds, by the `Date` of its answer.
fn ahead(headers: &HeaderMap, now: SystemTime) -> Option<i64> {
    let date = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let seconds = |span: Duration| i64::try_from(span.as_secs()).ok();
    match date.duration_since(now) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => seconds(behind.duration()).map(|behind| -behind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_clock_is_read_from_its_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (date, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:59:37 GMT", Some(600)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(-60)),
            ("yesterday", None),
        ] {
            let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))]);
            assert_eq!(ahead(&headers, now), expected, "{date}");
        }
        assert_eq!(ahead(&HeaderMap::new(), now), None);
    }
}
