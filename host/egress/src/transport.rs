//! One request over the network: whole, bounded, to a checked address, never redirected.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING},
};
use reqwest::redirect;
use rustls_pki_types::CertificateDer;
use url::{Host, Url};

use crate::{
    EgressError, SettingsError,
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
}

impl Transport {
    pub(crate) fn new(
        guard: Arc<AddressGuard>,
        extra_roots: &[CertificateDer<'static>],
        connect_timeout: Duration,
    ) -> Result<Self, SettingsError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(extra_roots)?)
            .dns_resolver(GuardedResolver::new(Arc::clone(&guard)))
            // A proxy of the environment would resolve names itself, past the guard.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .http2_max_header_list_size(MAX_RESPONSE_HEADERS)
            .build()
            .map_err(|error| SettingsError::Client(root_cause(&error)))?;
        Ok(Self { client, guard })
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
        let failed = |error: reqwest::Error| explain(&error, &host);
        let mut response = self.client.execute(request).await.map_err(failed)?;
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

/// Finds out what lies at the bottom of a failure.
fn explain(error: &reqwest::Error, host: &str) -> EgressError {
    let mut link: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = link {
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
        if let Some(failure) = tls::failure_in(cause, host) {
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
    let mut cause: &dyn StdError = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if std::ptr::addr_eq(cause, std::ptr::from_ref(error)) {
        // Without a cause there is only the outermost text; its kind is all that is safe to say.
        return "the request could not be sent".to_owned();
    }
    crate::text::foreign(&cause.to_string())
}
