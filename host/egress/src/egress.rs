//! The way out of one connector instance.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use url::Url;

use crate::{
    CredentialError, CredentialInfo, CredentialStatus, EgressError, EgressSettings, Finding,
    HmacAlgorithm, HostGrant, Secret, SettingsError, SignError, TokenError, TokenErrorKind,
    credential::{Slot, SlotKind, Slots},
    examination,
    guard::AddressGuard,
    headers,
    oauth::{TokenEndpoint, TokenSource},
    reached::Reached,
    redact::Redactor,
    request, text, tls,
    transport::Transport,
};

/// The only way out of one configured connector instance. Cheap to clone; clones share
/// connections, tokens and limits.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    instance: String,
    allow: Vec<HostGrant>,
    limits: Limits,
    under_way: Semaphore,
    transport: Transport,
    credentials: Slots,
    reached: Reached,
    settings: EgressSettings,
}

struct Limits {
    request_timeout: std::time::Duration,
    max_response_bytes: u64,
    max_request_bytes: u64,
    max_concurrent: usize,
}

impl Egress {
    /// Checks the settings and prepares the client; nothing is sent yet.
    pub fn new(
        instance: impl Into<String>,
        settings: EgressSettings,
    ) -> Result<Self, SettingsError> {
        let kept = settings.clone();
        let guard = Arc::new(AddressGuard::new(settings.private_networks));
        let transport = Transport::new(
            Arc::clone(&guard),
            tls::client_config(&settings.roots, settings.system_roots)?,
            settings.proxy.map(Arc::new),
            settings.connect_timeout,
        )?;
        let credentials = Slots::new(settings.credentials, &guard, |request| {
            TokenSource::new(Arc::new(TokenEndpoint {
                transport: transport.clone(),
                request,
                timeout: settings.request_timeout,
            }))
        })?;
        Ok(Self(Arc::new(Inner {
            instance: instance.into(),
            allow: settings.allow,
            limits: Limits {
                request_timeout: settings.request_timeout,
                max_response_bytes: settings.max_response_bytes,
                max_request_bytes: settings.max_request_bytes,
                max_concurrent: settings.max_concurrent,
            },
            under_way: Semaphore::new(settings.max_concurrent),
            transport,
            credentials,
            reached: Reached::default(),
            settings: kept,
        })))
    }

    /// The same way out with nothing to go by: no open connection, no token, no remembered refusal.
    /// For checks, which are to see what there is now.
    pub fn afresh(&self) -> Result<Self, SettingsError> {
        Self::new(self.0.instance.clone(), self.0.settings.clone())
    }

    /// Lets tokens be asked for again after failures. For when somebody has repaired what was
    /// wrong, and a check has shown it.
    pub fn forgive(&self) {
        for slot in self.0.credentials.iter() {
            if let SlotKind::Token { source, .. } = &slot.kind {
                source.forgive();
            }
        }
    }

    /// Gets a token for each credential that has some, past every cache, and says step by step how
    /// that went. Ends by `deadline`.
    pub async fn examine(&self, deadline: Instant) -> Vec<Finding> {
        examination::examine(&self.0.credentials, deadline).await
    }

    /// Sends a request if it is granted, with the credential whose scope covers it, and returns the
    /// whole answer without secrets.
    ///
    /// Redirects are answers. The time ends at `deadline` or after the configured time for a
    /// request, whichever is earlier, and covers everything: token, connection and body. Dropping
    /// the future closes the connection.
    pub async fn send(
        &self,
        request: http::Request<Bytes>,
        deadline: Instant,
    ) -> Result<http::Response<Bytes>, EgressError> {
        let url = request::destination(request.uri())?;
        self.check_granted(&url)?;
        request::check_parts(&request, self.0.limits.max_request_bytes)?;
        self.0.transport.check_literal(&url)?;
        let busy = EgressError::Busy {
            limit: self.0.limits.max_concurrent,
        };
        let _permit = self.0.under_way.try_acquire().map_err(|_| busy)?;
        let started = Instant::now();
        let deadline = deadline.min(started + self.0.limits.request_timeout);
        let outcome = timeout_at(deadline, self.exchange(&request, &url))
            .await
            .unwrap_or(Err(EgressError::Timeout));
        let (instance, host) = (self.0.instance.as_str(), url.host_str());
        let elapsed = started.elapsed();
        let client_request_id = correlation(request.headers(), &["client-request-id"]);
        match &outcome {
            Ok(answer) => {
                self.0.reached.note(&url, &self.0.allow);
                tracing::debug!(
                    instance,
                    host,
                    status = answer.status().as_u16(),
                    client_request_id,
                    request_id = correlation(answer.headers(), &["request-id", "x-ms-request-id"]),
                    ?elapsed,
                    "request answered"
                );
            }
            Err(error) => tracing::debug!(
                instance,
                host,
                code = error.code(),
                client_request_id,
                %error,
                ?elapsed,
                "request failed"
            ),
        }
        Ok(self.without_secrets(outcome?))
    }

    /// What is known about a credential, without asking anybody.
    pub fn credential_status(&self, slot: &str) -> CredentialInfo {
        self.0
            .credentials
            .get(slot)
            .map_or_else(CredentialInfo::missing, Slot::info)
    }

    /// The last hosts that answered and that no grant names, the latest first: the connector has
    /// found them out itself.
    pub fn discovered(&self) -> Vec<String> {
        self.0.reached.hosts()
    }

    /// Gets a token past every cache, for a check that an administrator asked for, and says how
    /// that went. It really asks at most once in ten seconds.
    pub async fn renew(&self, slot: &str, deadline: Instant) -> CredentialInfo {
        let Some(slot) = self.0.credentials.get(slot) else {
            return CredentialInfo::missing();
        };
        if let SlotKind::Token { source, .. } = &slot.kind
            && timeout_at(deadline, source.renew()).await.is_err()
        {
            return CredentialInfo {
                status: CredentialStatus::Failing,
                detail: Some("the identity provider has not answered in time".to_owned()),
                ..slot.info()
            };
        }
        slot.info()
    }

    /// Signs a message with an HMAC credential.
    pub fn sign(
        &self,
        slot: &str,
        algorithm: HmacAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, SignError> {
        algorithm
            .sign(self.signing_key(slot)?, message)
            .map_err(|_| SignError::Key(slot.to_owned()))
    }

    /// Whether the tag is that of the message, compared in constant time.
    pub fn verify(
        &self,
        slot: &str,
        algorithm: HmacAlgorithm,
        message: &[u8],
        tag: &[u8],
    ) -> Result<bool, SignError> {
        algorithm
            .verify(self.signing_key(slot)?, message, tag)
            .map_err(|_| SignError::Key(slot.to_owned()))
    }

    /// The text with every known secret replaced by `[redacted]`. For a guest's log lines and
    /// error texts.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redactor().text(text)
    }

    fn check_granted(&self, url: &Url) -> Result<(), EgressError> {
        if self.0.allow.iter().any(|grant| grant.matches(url)) {
            return Ok(());
        }
        let destination = url.origin().ascii_serialization();
        let hint = format!(
            "if connector `{}` needs it, add `{destination}` to its granted hosts",
            self.0.instance
        );
        Err(EgressError::Denied { destination, hint })
    }

    async fn exchange(
        &self,
        request: &http::Request<Bytes>,
        url: &Url,
    ) -> Result<http::Response<Bytes>, EgressError> {
        let slot = self.0.credentials.for_url(url);
        let injected = slot.and_then(Slot::header_name);
        let mut headers = headers::from_guest(request.headers(), injected);
        match slot.map(|slot| (slot, &slot.kind)) {
            None | Some((_, SlotKind::Signing(_))) => self.once(request, url, headers).await,
            Some((_, SlotKind::Fixed { header, value, .. })) => {
                headers.insert(header.clone(), value.clone());
                self.once(request, url, headers).await
            }
            Some((slot, SlotKind::Token { source, .. })) => {
                self.with_token(request, url, headers, slot, source).await
            }
        }
    }

    /// Sends with a token; where a token from the cache is not accepted, once more with a new one.
    /// A 401 says that the request was not carried out, so this is safe for every method.
    async fn with_token(
        &self,
        request: &http::Request<Bytes>,
        url: &Url,
        mut headers: HeaderMap,
        slot: &Slot,
        source: &Arc<TokenSource>,
    ) -> Result<http::Response<Bytes>, EgressError> {
        let Some(name) = slot.header_name() else {
            return self.once(request, url, headers).await;
        };
        let failed = |error| credential_error(&slot.name, error);
        let lent = source.token().await.map_err(failed)?;
        headers.insert(name.clone(), lent.token.header.clone());
        let answer = self.once(request, url, headers.clone()).await?;
        let refused = answer.status() == StatusCode::UNAUTHORIZED;
        if !refused || lent.fresh || !source.reject(&lent.token) {
            return Ok(answer);
        }
        let lent = source.token().await.map_err(failed)?;
        headers.insert(name.clone(), lent.token.header.clone());
        self.once(request, url, headers).await
    }

    async fn once(
        &self,
        request: &http::Request<Bytes>,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<http::Response<Bytes>, EgressError> {
        let mut outgoing = reqwest::Request::new(request.method().clone(), url.clone());
        *outgoing.headers_mut() = headers;
        if !request.body().is_empty() {
            *outgoing.body_mut() = Some(request.body().clone().into());
        }
        self.0
            .transport
            .exchange(outgoing, self.0.limits.max_response_bytes)
            .await
    }

    fn without_secrets(&self, answer: http::Response<Bytes>) -> http::Response<Bytes> {
        let redactor = self.redactor();
        let (mut parts, body) = answer.into_parts();
        headers::clean_answer(&mut parts.headers);
        for value in parts.headers.values_mut() {
            redactor.header(value);
        }
        let length = body.len();
        let body = redactor.body(body);
        if body.len() != length && parts.headers.contains_key(CONTENT_LENGTH) {
            parts.headers.insert(CONTENT_LENGTH, body.len().into());
        }
        http::Response::from_parts(parts, body)
    }

    /// Made anew each time, because tokens come and go.
    fn redactor(&self) -> Redactor {
        Redactor::new(self.0.credentials.iter().flat_map(Slot::secrets))
    }

    fn signing_key(&self, slot: &str) -> Result<&Secret, SignError> {
        match self.0.credentials.get(slot).map(|slot| &slot.kind) {
            Some(SlotKind::Signing(secret)) => Ok(secret),
            _ => Err(SignError::NoSuchCredential(slot.to_owned())),
        }
    }
}

/// What support asks for to find a request again, by the first of these names.
fn correlation(headers: &HeaderMap, names: &[&str]) -> Option<String> {
    let value = names.iter().find_map(|name| headers.get(*name))?;
    Some(text::foreign(value.to_str().ok()?))
}

fn credential_error(slot: &str, error: Box<TokenError>) -> EgressError {
    let slot = slot.to_owned();
    EgressError::Credential(match error.kind {
        TokenErrorKind::Refused | TokenErrorKind::Misconfigured => {
            CredentialError::Refused { slot, error }
        }
        TokenErrorKind::Unavailable => CredentialError::Unavailable { slot, error },
    })
}

impl fmt::Debug for Egress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Egress")
            .field("instance", &self.0.instance)
            .field("allow", &self.0.allow)
            .finish_non_exhaustive()
    }
}
