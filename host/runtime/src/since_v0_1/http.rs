//! Both ways out, `portreeve:host/http` and `wasi:http`, through one guard.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use portreeve_egress::{CredentialError, Egress, EgressError};
use wasmtime_wasi_http::{Error as WasiError, RequestOptions, WasiBody, WasiHttpHooks};

use super::bindings::connector::portreeve::host::http as narrow;
use super::connector::ConnectorData;

/// What is left of a call's time for the guest to make something of a request
/// that was not answered: a tenth, at most this.
const LONGEST_RESERVE: Duration = Duration::from_millis(200);

const OFFLINE: &str = "settings are checked without the network";

type BoxedResult<T> = Box<dyn Future<Output = Result<T, WasiError>> + Send>;

/// The way out of one running connector.
pub(crate) struct Hooks {
    pub(super) egress: Egress,
    largest_body: usize,
    deadline: Instant,
    pub(super) offline: bool,
}

impl Hooks {
    pub(super) fn new(egress: &Egress, largest_body: usize) -> Self {
        Self {
            egress: egress.clone(),
            largest_body,
            deadline: Instant::now(),
            offline: false,
        }
    }

    /// A call begins that has to be over by `deadline`. What it asks for has to
    /// be there a little earlier, so that the guest can say what went wrong.
    pub(super) fn begin(&mut self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let reserve = (left / 10).min(LONGEST_RESERVE);
        self.deadline = deadline.checked_sub(reserve).unwrap_or(deadline);
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The deadline, or earlier if the guest does not want to wait so long.
    fn deadline_within(&self, wish: Option<Duration>) -> Instant {
        let wished = wish.and_then(|wish| Instant::now().checked_add(wish));
        wished.map_or(self.deadline, |wished| wished.min(self.deadline))
    }
}

impl narrow::Host for ConnectorData {
    async fn send(&mut self, request: narrow::Request) -> Result<narrow::Response, narrow::Error> {
        if self.hooks.offline {
            return Err(narrow::Error::Denied(OFFLINE.to_owned()));
        }
        let wish = request.timeout_ms.map(Duration::from_millis);
        let deadline = self.hooks.deadline_within(wish);
        let request = request_from_wit(request).map_err(|error| narrow_error(&error))?;
        let sent = self.hooks.egress.send(request, deadline.into()).await;
        sent.map(response_to_wit)
            .map_err(|error| narrow_error(&error))
    }
}

fn request_from_wit(request: narrow::Request) -> Result<http::Request<Bytes>, EgressError> {
    let headers = request.headers.iter();
    let headers = headers.map(|header| (header.name.as_str(), header.value.as_bytes()));
    portreeve_egress::request(&request.method, &request.url, headers, request.body.into())
}

fn response_to_wit(response: http::Response<Bytes>) -> narrow::Response {
    let (parts, body) = response.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| narrow::Header {
        name: name.as_str().to_owned(),
        value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
    });
    narrow::Response {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: body.into(),
    }
}

fn narrow_error(error: &EgressError) -> narrow::Error {
    let text = error.to_string();
    match error {
        EgressError::Denied { .. } | EgressError::AddressRefused { .. } => {
            narrow::Error::Denied(text)
        }
        EgressError::NameResolution { .. } => narrow::Error::NameResolution(text),
        EgressError::Connect { .. } | EgressError::Proxy { .. } => narrow::Error::Connect(text),
        EgressError::Tls(_) => narrow::Error::Tls(text),
        EgressError::Timeout => narrow::Error::Timeout,
        EgressError::TooLarge { limit } => narrow::Error::TooLarge(*limit),
        EgressError::Busy { .. } => narrow::Error::Busy,
        EgressError::Credential(CredentialError::Refused { .. }) => {
            narrow::Error::CredentialRefused(text)
        }
        EgressError::Credential(CredentialError::Unavailable { .. }) => {
            narrow::Error::CredentialUnavailable(text)
        }
        EgressError::InvalidRequest(_) => narrow::Error::InvalidRequest(text),
        EgressError::Other(_) => narrow::Error::Other(text),
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: BoxedResult<()>,
    ) -> BoxedResult<(http::Response<WasiBody>, BoxedResult<()>)> {
        if self.offline {
            return Box::new(async { Err(WasiError::HttpRequestDenied) });
        }
        let options = options.unwrap_or_default();
        let to_first_byte = options.first_byte_timeout;
        let wish = to_first_byte.map(|wait| wait + options.connect_timeout.unwrap_or_default());
        let deadline = self.deadline_within(wish);
        let (egress, largest_body) = (self.egress.clone(), self.largest_body);
        Box::new(async move {
            let (parts, body) = request.into_parts();
            let whole = collect(body, largest_body);
            let body = tokio::time::timeout_at(deadline.into(), whole)
                .await
                .map_err(|_| WasiError::ConnectionWriteTimeout)??;
            let request = http::Request::from_parts(parts, body);
            let response = egress
                .send(request, deadline.into())
                .await
                .map_err(wasi_error)?;
            // The whole answer is here, there is nothing left to go wrong.
            let body = |bytes| {
                Full::new(bytes)
                    .map_err(|never| match never {})
                    .boxed_unsync()
            };
            let nothing_more: BoxedResult<()> = Box::new(async { Ok(()) });
            Ok((response.map(body), nothing_more))
        })
    }
}

/// Reads the body that a guest writes, as far as it may.
async fn collect(body: WasiBody, limit: usize) -> Result<Bytes, WasiError> {
    let mut body = pin!(body);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limit {
            return Err(WasiError::HttpRequestBodySize(Some(limit as u64)));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

fn wasi_error(error: EgressError) -> WasiError {
    match error {
        EgressError::Denied { .. } => WasiError::HttpRequestDenied,
        EgressError::AddressRefused { .. } => WasiError::DestinationIpProhibited,
        EgressError::NameResolution { reason, .. } => WasiError::DnsError {
            rcode: Some(reason),
            info_code: None,
        },
        EgressError::Connect { .. } | EgressError::Proxy { .. } => WasiError::ConnectionRefused,
        EgressError::Tls(_) => WasiError::TlsCertificateError,
        EgressError::Timeout => WasiError::ConnectionReadTimeout,
        EgressError::TooLarge { limit } => WasiError::HttpResponseBodySize(Some(limit)),
        EgressError::Busy { .. } => WasiError::ConnectionLimitReached,
        EgressError::InvalidRequest(_) => WasiError::HttpRequestUriInvalid,
        EgressError::Credential(_) | EgressError::Other(_) => {
            WasiError::InternalError(Some(error.to_string()))
        }
    }
}
