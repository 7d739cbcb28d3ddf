//! One request: read it, count it, plan its fault, answer it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use parking_lot::RwLock;
use serde_json::{Value, json};
use uuid::Uuid;

use super::action::Actions;
use super::target::Target;
use crate::clock::Clock;
use crate::compliance::ComplianceService;
use crate::entra::{Denied, Entra, Failure, Right, TokenRequest};
use crate::fault::{Body, Dropped, Fault, Faults, HANG_LIMIT, RetryAfter, Step, spoil, whole};
use crate::graph::{self, Endpoints};
use crate::scep::{self, Scep};
use crate::tenant::Moved;

const MAX_BODY: usize = 64 * 1024;
const CLIENT_REQUEST_ID: &str = "client-request-id";
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    /// Whether Entra and Graph are answered here.
    pub(crate) cloud: bool,
    /// The scale unit whose compliance service is answered here.
    pub(crate) unit: Option<usize>,
}

/// A scale unit: a place where the compliance service of the tenant lives or has lived.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) origin: String,
    /// How it answers since the tenant moved away; `None` while the tenant is here.
    pub(crate) moved: Option<Moved>,
}

/// Everything behind the sockets.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) clock: Clock,
    pub(crate) entra: Entra,
    pub(crate) endpoints: Endpoints,
    pub(crate) compliance: ComplianceService,
    pub(crate) scep: Scep,
    pub(crate) faults: Faults,
    pub(crate) actions: Actions,
    /// Entries on a page of the discovery; 0 for all on one.
    pub(crate) page_size: AtomicUsize,
    /// The address of Entra and Graph, and the same under the other names of the certificate.
    pub(crate) origins: Vec<String>,
    /// The scale units in the order of moves: the last one serves the tenant.
    pub(crate) units: RwLock<Vec<Unit>>,
}

impl Service {
    /// The address of Entra and Graph.
    pub(crate) fn login(&self) -> &str {
        self.origins.first().map_or("", String::as_str)
    }

    /// The address of the scale unit that serves the tenant now.
    pub(crate) fn unit_origin(&self) -> String {
        let units = self.units.read();
        units
            .last()
            .map(|unit| unit.origin.clone())
            .unwrap_or_default()
    }

    /// Answers one request that came in at `address`, dated by the clock of the tenant.
    pub(crate) async fn answer(
        &self,
        address: Address,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Dropped> {
        let asked = request.headers().get(CLIENT_REQUEST_ID).cloned();
        let mut answer = self.undated(address, request).await?;
        // By these Microsoft's support finds a request again.
        if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
            answer.headers_mut().insert("request-id", id);
        }
        if let Some(asked) = asked {
            answer.headers_mut().insert(CLIENT_REQUEST_ID, asked);
        }
        let now = Duration::from_secs(u64::try_from(self.clock.now()).unwrap_or_default());
        let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + now);
        if let Ok(date) = HeaderValue::from_str(&date) {
            answer.headers_mut().insert(header::DATE, date);
        }
        Ok(answer)
    }

    async fn undated(
        &self,
        address: Address,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Dropped> {
        let (parts, body) = request.into_parts();
        let body = match read(body).await {
            Ok(body) => body,
            Err(status) => return Ok(whole(plain(status, "the body could not be read"))),
        };
        let query = parts.uri.query().unwrap_or_default();
        let served = |target: &Target| {
            if target.on_scale_unit() {
                address.unit.is_some()
            } else {
                address.cloud
            }
        };
        let Some(target) = Target::of(parts.uri.path()).filter(served) else {
            return Ok(whole(plain(StatusCode::NOT_FOUND, "there is nothing here")));
        };
        if parts.method != target.method() {
            return Ok(whole(plain(StatusCode::METHOD_NOT_ALLOWED, "wrong method")));
        }
        let planned = self.faults.pass(&target.steps(query, &body));
        tracing::debug!(?target, fault = ?planned, "request");
        if let Some(answer) = self.moved(address, &target, &parts)? {
            return Ok(whole(answer));
        }
        match planned {
            None => Ok(whole(self.right(&target, &parts, &body, None))),
            Some((_, Fault::Timeout)) => {
                tokio::time::sleep(HANG_LIMIT).await;
                Err(Dropped)
            }
            Some((_, Fault::Dropped)) => Err(Dropped),
            Some((step, fault)) => {
                if let Some(refusal) = self.refusal(step, &fault, &parts, &body) {
                    return Ok(whole(refusal));
                }
                if let Fault::Slow { delay_ms } = fault {
                    tokio::time::sleep(Duration::from_millis(delay_ms).min(HANG_LIMIT)).await;
                }
                let right = self.right(&target, &parts, &body, Some(&fault));
                Ok(spoil(right, &fault))
            }
        }
    }

    /// How a scale unit answers that the tenant has left.
    fn moved(
        &self,
        address: Address,
        target: &Target,
        parts: &Parts,
    ) -> Result<Option<Response<Bytes>>, Dropped> {
        if !target.on_scale_unit() {
            return Ok(None);
        }
        let moved = address
            .unit
            .and_then(|unit| self.units.read().get(unit)?.moved);
        Ok(match moved {
            None => None,
            Some(Moved::Refused) => return Err(Dropped),
            Some(Moved::NotFound) => Some(plain(StatusCode::NOT_FOUND, "this tenant is not here")),
            Some(Moved::Redirected) => {
                let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
                let mut answer = plain(StatusCode::MOVED_PERMANENTLY, "this tenant has moved");
                let location = format!("{}{path}", self.unit_origin());
                if let Ok(location) = HeaderValue::from_str(&location) {
                    answer.headers_mut().insert(header::LOCATION, location);
                }
                Some(answer)
            }
        })
    }

    /// The right answer, but for faults that change what is in it.
    fn right(
        &self,
        target: &Target,
        parts: &Parts,
        body: &[u8],
        fault: Option<&Fault>,
    ) -> Response<Bytes> {
        let query = parts.uri.query().unwrap_or_default();
        let login = self.login();
        match target {
            Target::InstanceDiscovery => {
                json_answer(StatusCode::OK, &self.entra.instance_discovery(login))
            }
            Target::Keys => json_answer(StatusCode::OK, &self.entra.keys()),
            Target::OpenidConfiguration { tenant } => {
                self.entra_answer(self.entra.openid_configuration(tenant, login), parts)
            }
            Target::Token { tenant, version } => {
                let request = TokenRequest {
                    tenant,
                    version: *version,
                    headers: &parts.headers,
                    body,
                };
                let now = self.clock.now();
                let with_roles = fault != Some(&Fault::MissingPermission);
                let token = self.entra.token(&request, &self.origins, now, with_roles);
                self.entra_answer(token, parts)
            }
            Target::Discovery { intune } => self.discovery(*intune, query, parts),
            Target::DeviceAction { id, kind } => self.act(id, kind, body, parts),
            Target::ManagedDevices => {
                self.settle();
                let one_serial = fault == Some(&Fault::OneSerial);
                self.graph_answer(parts, || {
                    let directory = self.compliance.directory.read();
                    graph::page(&directory, login, query, one_serial).map(Some)
                })
            }
            Target::ManagedDevice { id } => self.graph_answer(parts, || {
                self.settle();
                let directory = self.compliance.directory.read();
                let device = Uuid::parse_str(id).ok().and_then(|id| directory.get(id));
                device
                    .map(|device| graph::device(&device, login, query))
                    .transpose()
            }),
            Target::PolicyStates { id } => self.policy_states(id, parts),
            Target::Batch => self.batch(parts, body),
            Target::ServerInfo(api) => {
                self.guarded(parts, || ComplianceService::server_info(*api, query))
            }
            Target::Devices(api) => self.guarded(parts, || {
                self.compliance.devices(*api, query, self.clock.now_ms())
            }),
            Target::Certificates(operation) => {
                let (now, right) = (self.clock.now(), Right::ValidateChallenges);
                if let Err(denied) = self.entra.authorize(&parts.headers, right, now) {
                    return self.denied(denied, right, parts);
                }
                match self.scep.answer(*operation, &parts.headers, body, now) {
                    Ok(answer) => json_answer(StatusCode::OK, &answer),
                    Err((status, text)) => plain(status, &text),
                }
            }
        }
    }

    fn entra_answer(&self, answer: Result<Value, Failure>, parts: &Parts) -> Response<Bytes> {
        let mut response = match answer {
            Ok(body) => json_answer(StatusCode::OK, &body),
            Err(failure) => {
                let body = failure.body(&correlation(parts), self.clock.now(), self.login());
                json_answer(failure.status, &body)
            }
        };
        let no_store = HeaderValue::from_static("no-store, no-cache");
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, no_store);
        response
    }

    fn discovery(&self, intune: bool, query: &str, parts: &Parts) -> Response<Bytes> {
        let now = self.clock.now();
        if let Err(denied) = self.entra.authorize(&parts.headers, Right::Discover, now) {
            return self.denied(denied, Right::Discover, parts);
        }
        if !intune {
            let message = "Resource does not exist or one of its queried reference-property objects are not present.";
            let body = graph::error(
                "Request_ResourceNotFound",
                message,
                &correlation(parts),
                now,
            );
            return json_answer(StatusCode::NOT_FOUND, &body);
        }
        let skip = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "$skiptoken")
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(0);
        let size = Some(self.page_size.load(Ordering::Relaxed)).filter(|size| *size > 0);
        let page = self
            .endpoints
            .page(self.login(), &self.unit_origin(), size, skip);
        json_answer(StatusCode::OK, &page)
    }

    /// Answers for Graph's devices if the token is right; `None` is a device that there is not.
    fn graph_answer(
        &self,
        parts: &Parts,
        answer: impl FnOnce() -> Result<Option<Vec<u8>>, graph::Refused>,
    ) -> Response<Bytes> {
        let now = self.clock.now();
        let right = Right::ReadDevices;
        if let Err(denied) = self.entra.authorize(&parts.headers, right, now) {
            return self.denied(denied, right, parts);
        }
        let refused = |status, code: &str, message: &str| {
            let body = graph::error(code, message, &correlation(parts), now);
            json_answer(status, &body)
        };
        match answer() {
            Ok(Some(body)) => response(StatusCode::OK, "application/json; charset=utf-8", body),
            Ok(None) => refused(
                StatusCode::NOT_FOUND,
                "ResourceNotFound",
                "The resource could not be found.",
            ),
            Err(error) => refused(StatusCode::BAD_REQUEST, "BadRequest", &error.to_string()),
        }
    }

    /// Takes an action on a device on, if the token is right.
    fn act(
        &self,
        id: &str,
        kind: &'static graph::ActionKind,
        body: &[u8],
        parts: &Parts,
    ) -> Response<Bytes> {
        let (now, now_ms) = (self.clock.now(), self.clock.now_ms());
        if let Err(denied) = self.entra.authorize(&parts.headers, kind.right, now) {
            return self.denied(denied, kind.right, parts);
        }
        let refused = |status, code: &str, message: &str| {
            let body = graph::error(code, message, &correlation(parts), now);
            json_answer(status, &body)
        };
        let mut directory = self.compliance.directory.write();
        let device = Uuid::parse_str(id).ok().and_then(|id| directory.get(id));
        let Some(mut device) = device else {
            let message = "The resource could not be found.";
            return refused(StatusCode::NOT_FOUND, "ResourceNotFound", message);
        };
        if let Err(message) = kind.take_on(&mut device, body, now_ms) {
            return refused(StatusCode::BAD_REQUEST, "BadRequest", &message);
        }
        self.actions.note(&device, kind, body, now_ms);
        directory.add(device);
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        answer
    }

    /// Lets devices do what they were told long enough ago.
    fn settle(&self) {
        let now = self.clock.now_ms();
        self.actions.settle(&self.compliance.directory, now);
    }

    /// Which compliance policies a device meets, if the token is right.
    fn policy_states(&self, id: &str, parts: &Parts) -> Response<Bytes> {
        let now = self.clock.now();
        let right = Right::ReadPolicyStates;
        if let Err(denied) = self.entra.authorize(&parts.headers, right, now) {
            return self.denied(denied, right, parts);
        }
        let directory = self.compliance.directory.read();
        let device = Uuid::parse_str(id).ok().and_then(|id| directory.get(id));
        let Some(device) = device else {
            let message = "The resource could not be found.";
            let body = graph::error("ResourceNotFound", message, &correlation(parts), now);
            return json_answer(StatusCode::NOT_FOUND, &body);
        };
        json_answer(StatusCode::OK, &graph::policy_states(&device, self.login()))
    }

    /// Answers each request of a batch as if it had come alone, the last one first. Only reading
    /// is served.
    fn batch(&self, parts: &Parts, body: &[u8]) -> Response<Bytes> {
        let batch: Value = serde_json::from_slice(body).unwrap_or_default();
        let requests = batch.get("requests").and_then(Value::as_array);
        let requests = requests.filter(|requests| (1..=20).contains(&requests.len()));
        let Some(requests) = requests else {
            let message = "Invalid batch payload format.";
            let now = self.clock.now();
            let body = graph::error("BadRequest", message, &correlation(parts), now);
            return json_answer(StatusCode::BAD_REQUEST, &body);
        };
        let responses = requests.iter().rev().map(|request| {
            let text = |name| request.get(name).and_then(Value::as_str);
            let url = format!("/v1.0{}", text("url").unwrap_or_default());
            let answer = self.part_of_batch(parts, text("method"), &url);
            let headers = answer.headers().iter();
            let headers: serde_json::Map<String, Value> = headers
                .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.into())))
                .collect();
            json!({
                "id": text("id"),
                "status": answer.status().as_u16(),
                "headers": headers,
                "body": serde_json::from_slice::<Value>(answer.body()).unwrap_or_default(),
            })
        });
        let responses: Vec<Value> = responses.collect();
        json_answer(StatusCode::OK, &json!({ "responses": responses }))
    }

    fn part_of_batch(&self, parts: &Parts, method: Option<&str>, url: &str) -> Response<Bytes> {
        let uri = url.parse::<http::Uri>();
        let target = uri.as_ref().ok().and_then(|uri| Target::of(uri.path()));
        let (Some(target), Ok(uri), Some("GET")) = (target, uri, method) else {
            return plain(StatusCode::NOT_FOUND, "there is nothing here");
        };
        if target == Target::Batch {
            return plain(StatusCode::BAD_REQUEST, "a batch within a batch");
        }
        let mut parts = parts.clone();
        parts.uri = uri;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let planned = self.faults.pass(&target.steps(&query, &[]));
        let refusal = planned.and_then(|(step, fault)| self.refusal(step, &fault, &parts, &[]));
        refusal.unwrap_or_else(|| self.right(&target, &parts, &[], None))
    }

    /// Answers for the compliance service if the token is right.
    fn guarded(
        &self,
        parts: &Parts,
        answer: impl FnOnce() -> crate::compliance::Answer,
    ) -> Response<Bytes> {
        let now = self.clock.now();
        let right = Right::AskCompliance;
        if let Err(denied) = self.entra.authorize(&parts.headers, right, now) {
            return self.denied(denied, right, parts);
        }
        match answer() {
            Ok(xml) => response(StatusCode::OK, "application/xml; charset=utf-8", xml),
            Err((status, text)) => plain(status, &text),
        }
    }

    fn denied(&self, denied: Denied, right: Right, parts: &Parts) -> Response<Bytes> {
        let (status, body) = graph::denied(denied, right, &correlation(parts), self.clock.now());
        let mut answer = json_answer(status, &body);
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        answer
    }

    /// The answer of a fault that replaces the right one; `None` if it only spoils that.
    fn refusal(
        &self,
        step: Step,
        fault: &Fault,
        parts: &Parts,
        body: &[u8],
    ) -> Option<Response<Bytes>> {
        let now = self.clock.now();
        let client = self
            .entra
            .applications
            .read()
            .keys()
            .next()
            .copied()
            .unwrap_or_default();
        let right = match step {
            Step::Discovery => Right::Discover,
            Step::DeviceList | Step::Device | Step::Batch => Right::ReadDevices,
            Step::PolicyStates => Right::ReadPolicyStates,
            Step::DeviceAction => Right::ActOnDevices,
            Step::ScepValidation
            | Step::ScepSuccess
            | Step::ScepFailure
            | Step::RevocationDownload
            | Step::RevocationUpload => Right::ValidateChallenges,
            _ => Right::AskCompliance,
        };
        let (status, retry_after) = match fault {
            Fault::TooManyRequests { retry_after } => (StatusCode::TOO_MANY_REQUESTS, *retry_after),
            Fault::Unavailable { retry_after } => (StatusCode::SERVICE_UNAVAILABLE, *retry_after),
            Fault::InternalError => (StatusCode::INTERNAL_SERVER_ERROR, RetryAfter::Absent),
            Fault::Unauthorized if step.is_token() => {
                return Some(self.entra_answer(Err(Failure::wrong_secret(client)), parts));
            }
            Fault::ExpiredSecret if step.is_token() => {
                return Some(self.entra_answer(Err(Failure::expired_secret(client)), parts));
            }
            Fault::Unauthorized | Fault::ExpiredSecret => {
                let reason = "Lifetime validation failed, the token is expired.";
                return Some(self.denied(Denied::Invalid(reason), right, parts));
            }
            Fault::MissingPermission if !step.is_token() => {
                return Some(self.denied(Denied::Role, right, parts));
            }
            Fault::ExpiredLink { gone } => {
                let (status, code, message) = if *gone {
                    (
                        StatusCode::GONE,
                        "syncStateNotFound",
                        "The link has expired.",
                    )
                } else {
                    (StatusCode::BAD_REQUEST, "BadRequest", "Invalid Skip Token")
                };
                let body = graph::error(code, message, &correlation(parts), now);
                return Some(json_answer(status, &body));
            }
            Fault::Code { code } => {
                return Some(json_answer(StatusCode::OK, &scep::refusal(code)));
            }
            Fault::EchoCredential => {
                let sent = parts.headers.get(header::AUTHORIZATION);
                let sent = sent
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default();
                let body = String::from_utf8_lossy(body);
                let body = json!({ "received": { "authorization": sent, "body": body } });
                return Some(json_answer(StatusCode::OK, &body));
            }
            _ => return None,
        };
        let mut answer = match step {
            Step::Discovery
            | Step::DeviceList
            | Step::Device
            | Step::PolicyStates
            | Step::DeviceAction
            | Step::Batch => {
                let code = if status == StatusCode::TOO_MANY_REQUESTS {
                    "TooManyRequests"
                } else {
                    "ServiceUnavailable"
                };
                let body =
                    graph::error(code, "Please retry again later.", &correlation(parts), now);
                json_answer(status, &body)
            }
            _ if step.is_token() => {
                let failure = match status {
                    StatusCode::TOO_MANY_REQUESTS => Failure::throttled(),
                    status => Failure::unavailable(status),
                };
                self.entra_answer(Err(failure), parts)
            }
            _ => plain(status, "the service is unavailable"),
        };
        let header = retry_after.header(now);
        if let Some(value) = header.and_then(|text| HeaderValue::from_str(&text).ok()) {
            answer.headers_mut().insert(header::RETRY_AFTER, value);
        }
        Some(answer)
    }
}

/// Reads a body within its bound and deadline.
async fn read(body: Incoming) -> Result<Bytes, StatusCode> {
    let whole = Limited::new(body, MAX_BODY).collect();
    match tokio::time::timeout(BODY_DEADLINE, whole).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// The request id that the client chose, or a new one.
fn correlation(parts: &Parts) -> String {
    parts
        .headers
        .get(CLIENT_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    response(status, "application/json; charset=utf-8", body.to_string())
}

fn plain(status: StatusCode, text: &str) -> Response<Bytes> {
    response(status, "text/plain; charset=utf-8", text.to_owned())
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
