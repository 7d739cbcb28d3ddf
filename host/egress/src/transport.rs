//! One request over the network: whole, bounded, to a checked address, never redirected.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING},
};
use reqwest::redirect;
use rustls::ClientConfig;
use url::{Host, Url};

use crate::{
    EgressError, ProxySettings, SettingsError,
    guard::{AddressGuard, GuardedResolver, ResolveError},
    tls,
};

const USER_AGENT: &str = concat!("portreeve/", env!("CARGO_PKG_VERSION"));
/// Idle connections kept for one host.
const MAX_IDLE_PER_HOST: usize = 8;
/// Largest header block accepted over HTTP/2, in bytes.
const MAX_RESPONSE_HEADERS: u32 = 64 * 1024;

/// The HTTP client of one connector instance with its pool of connections. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: reqwest::Client,
    guard: Arc<AddressGuard>,
    proxy: Option<Arc<ProxySettings>>,
}

impl Transport {
    pub(crate) fn new(
        guard: Arc<AddressGuard>,
        tls: ClientConfig,
        proxy: Option<Arc<ProxySettings>>,
        connect_timeout: Duration,
    ) -> Result<Self, SettingsError> {
        let name = proxy.as_ref().and_then(|proxy| proxy.name());
        let resolver = GuardedResolver::new(Arc::clone(&guard), name);
        let mut builder = reqwest::Client::builder()
            // A proxy of the environment would resolve names itself, past the guard, without the
            // operator's word.
            .no_proxy();
        if let Some(proxy) = &proxy {
            builder = builder.proxy(through(proxy));
        }
        let client = builder
            .tls_backend_preconfigured(tls)
            .dns_resolver(resolver)
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .http2_max_header_list_size(MAX_RESPONSE_HEADERS)
            .build()
            .map_err(|error| SettingsError::Client(root_cause(&error)))?;
        Ok(Self {
            client,
            guard,
            proxy,
        })
    }

    /// Sends the request and reads at most `limit` bytes of answer. The caller sets the deadline by
    /// dropping the future, which closes the connection.
    pub(crate) async fn exchange(
        &self,
        mut request: reqwest::Request,
        limit: u64,
    ) -> Result<http::Response<Bytes>, EgressError> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        self.check_literal(request.url())?;
        // Nothing can be redacted in what is compressed.
        request
            .headers_mut()
            .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let proxy = self
            .proxy
            .as_deref()
            .filter(|proxy| proxy.is_for(request.url()));
        let in_clear = request.url().scheme() == "http";
        let port = request.url().port_or_known_default().unwrap_or(443);
        let failed = |error: reqwest::Error| explain(&error, (&host, port), proxy, in_clear);
        let mut response = self.client.execute(request).await.map_err(failed)?;
        // Only a proxy asks for this, and no host is asked through a tunnel in clear.
        if let Some(proxy) = proxy.filter(|_| in_clear)
            && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        {
            return Err(refused_by(proxy, &host, WANTS_A_USER.to_owned()));
        }
        let encoded = response
            .headers()
            .get(CONTENT_ENCODING)
            .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
        if encoded {
            return Err(EgressError::Other(format!(
                "`{host}` answered with a content encoding that was not asked for"
            )));
        }
        let too_large = EgressError::TooLarge { limit };
        if response
            .content_length()
            .is_some_and(|length| length > limit)
        {
            return Err(too_large);
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            let length = body.len().saturating_add(chunk.len());
            if u64::try_from(length).is_ok_and(|length| length > limit) {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = http::Response::new(body.freeze());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }

    /// The client asks no resolver about an address literal, so it is checked here.
    pub(crate) fn check_literal(&self, url: &Url) -> Result<(), EgressError> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) => return Ok(()),
            None => {
                return Err(EgressError::InvalidRequest(
                    "the URL has no host".to_owned(),
                ));
            }
        };
        if self.guard.allows(address) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        Err(EgressError::AddressRefused { host, address })
    }
}

const WANTS_A_USER: &str =
    "it wants a user name and password, or takes not those that are configured (407)";
/// With these words hyper-util begins every failure to open a tunnel; its type is private.
const TUNNEL: &str = "tunnel error: ";

fn through(proxy: &Arc<ProxySettings>) -> reqwest::Proxy {
    let (authorization, destination) = (proxy.authorization(), proxy.url().clone());
    let proxy = Arc::clone(proxy);
    let through = reqwest::Proxy::custom(move |url| proxy.is_for(url).then(|| destination.clone()));
    match authorization {
        Some(value) => through.custom_http_auth(value),
        None => through,
    }
}

fn refused_by(proxy: &ProxySettings, host: &str, reason: String) -> EgressError {
    EgressError::Proxy {
        proxy: proxy.address(),
        host: host.to_owned(),
        reason,
    }
}

/// What went wrong on the way to the proxy, or at the proxy, if it was there.
fn tunnel_failure(cause: &(dyn StdError + 'static)) -> Option<String> {
    let text = cause.to_string();
    let reason = text.strip_prefix(TUNNEL)?;
    Some(match reason {
        "proxy authorization required" => WANTS_A_USER.to_owned(),
        "unsuccessful" => {
            "it refused to open a tunnel; it may not allow this host, or not reach it (its log says which)"
                .to_owned()
        }
        "failed to create underlying connection" => {
            format!("it cannot be reached: {}", innermost(cause))
        }
        _ => format!("it is no HTTP proxy, or it broke off: {reason}"),
    })
}

/// Finds out what lies at the bottom of a failure.
fn explain(
    error: &reqwest::Error,
    (host, port): (&str, u16),
    proxy: Option<&ProxySettings>,
    in_clear: bool,
) -> EgressError {
    let mut link: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = link {
        if let Some(proxy) = proxy
            && let Some(reason) = tunnel_failure(cause)
        {
            return refused_by(proxy, host, reason);
        }
        // In clear there is no tunnel: only the proxy was to be reached.
        if let Some(proxy) = proxy.filter(|_| in_clear)
            && error.is_connect()
        {
            let reason = format!("it cannot be reached: {}", innermost(error));
            return refused_by(proxy, host, reason);
        }
        match cause.downcast_ref::<ResolveError>() {
            Some(ResolveError::Refused(address)) => {
                return EgressError::AddressRefused {
                    host: host.to_owned(),
                    address: *address,
                };
            }
            Some(ResolveError::NotFound(reason)) => {
                return EgressError::NameResolution {
                    host: host.to_owned(),
                    reason: reason.clone(),
                };
            }
            None => {}
        }
        if let Some(failure) = tls::failure_in(cause, host, port) {
            return EgressError::Tls(Box::new(failure));
        }
        link = cause.source();
    }
    let reason = if error.is_timeout() {
        "nobody accepted it in time".to_owned()
    } else {
        root_cause(error)
    };
    EgressError::Connect {
        host: host.to_owned(),
        reason,
    }
}

/// The innermost words; the outer ones of the client would name the whole URL.
fn root_cause(error: &reqwest::Error) -> String {
    let cause = bottom(error);
    if std::ptr::addr_eq(cause, std::ptr::from_ref(error)) {
        // Without a cause there is only the outermost text; its kind is all that is safe to say.
        return "the request could not be sent".to_owned();
    }
    crate::text::foreign(&cause.to_string())
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    crate::text::foreign(&bottom(error).to_string())
}

fn bottom<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
}
