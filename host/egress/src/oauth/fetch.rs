//! The token request itself.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt, future::BoxFuture};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use tokio::time::{Instant, timeout};

use super::{ClientProof, Token, TokenError, TokenErrorKind, TokenRequest, cache::FetchToken};
use crate::{EgressError, retry_after, transport::Transport};

/// A token with very many groups has some 20 KB.
const MAX_ANSWER: u64 = 256 * 1024;

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
            let outcome = match timeout(endpoint.timeout, endpoint.ask(&host)).await {
                Ok(Ok(token)) => Ok(token),
                Ok(Err(error)) => Err(Box::new(endpoint.without_secret(error))),
                Err(_) => Err(Box::new(TokenError::transport(&host, EgressError::Timeout))),
            };
            match &outcome {
                Ok(_) => tracing::debug!(host, "token fetched"),
                Err(error) => tracing::warn!(host, %error, "no token"),
            }
            outcome
        }
        .boxed()
    }
}

impl TokenEndpoint {
    async fn ask(&self, host: &str) -> Result<Token, TokenError> {
        let form = self.request.form().map_err(|error| {
            TokenError::new(
                TokenErrorKind::Misconfigured,
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
        *request.body_mut() = Some(form.as_bytes().to_vec().into());
        let asked = Instant::now();
        let answer = self
            .transport
            .exchange(request, MAX_ANSWER)
            .await
            .map_err(|error| TokenError::transport(host, error))?;
        if answer.status() == StatusCode::OK {
            return Token::read(answer.body(), asked).map_err(|reason| {
                TokenError::new(
                    TokenErrorKind::Misconfigured,
                    host,
                    format!("{reason}; check the token URL"),
                )
            });
        }
        let wait = retry_after(answer.headers(), SystemTime::now());
        Err(TokenError::answer(
            host,
            answer.status(),
            answer.body(),
            wait,
        ))
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
                &mut error.timestamp,
            ];
            for field in fields.into_iter().flatten() {
                *field = field.replace(secret.expose(), "[redacted]");
            }
        }
        error
    }
}
