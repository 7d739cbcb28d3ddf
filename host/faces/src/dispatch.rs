//! One request: who asks, may they, where does it go, what came of it.
//!
//! What a NAC product asks while somebody connects goes straight to its face.
//! Everything else goes through axum, which knows those paths too, so that
//! other methods on them are refused properly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Extension, Request as AxumRequest, State};
use axum::response::{IntoResponse as _, Response as AxumResponse};
use axum::routing::{get, post};
use http::header::{ALLOW, AUTHORIZATION};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use tower::ServiceExt as _;

use crate::body::Reply;
use crate::clients::{AuthenticationFailure, Client, Face, Peer};
use crate::faces::Faces;
use crate::journal::Noted;
use crate::metrics::{Area, Outcome};
use crate::path::{Route, area_of};
use crate::problem::{Problem, ProblemKind};
use crate::request_id::{RequestId, RequestIds, X_REQUEST_ID};
use crate::{
    actions, admin, check, clearpass, configuration, connectors, intune, inventory, ise, jamf,
    kandji, lists, openapi, operations, policies, pxgrid, quarantine, radius, rest, scep, token,
};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// When somebody whose credential nobody looked at should try again.
const LEAVE_ALONE: Duration = Duration::from_secs(2);

/// Bytes of a request's header section, names and values. hyper cuts off what
/// is far above this without reading on.
const LARGEST_HEADER: usize = 16 << 10;

/// Who asks, for handlers behind axum.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) client: Arc<Client>,
    pub(crate) request_id: RequestId,
}

/// Who asks for a way to prove who they are, for handlers behind axum.
#[derive(Clone, Debug)]
pub(crate) struct Stranger {
    pub(crate) peer: Peer,
    pub(crate) request_id: RequestId,
}

/// Sends every request where it belongs.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(crate) faces: Arc<Faces>,
    router: Router,
    pub(crate) ids: Arc<RequestIds>,
}

impl Dispatcher {
    pub(crate) fn new(faces: Arc<Faces>) -> Self {
        let router = Router::new()
            .route("/v1/devices/{identifier}", get(device))
            .route("/v1/decisions", post(decision))
            .route("/v1/decisions/batch", post(rest::batch))
            .route("/radius/authorize", post(authorize))
            .route("/radius/post-auth", post(authorize))
            .merge(connectors::routes())
            .route(
                "/v1/admin/connectors/{name}/sync",
                get(admin::progress).post(admin::sync),
            )
            .route("/v1/admin/connectors/{name}/check", post(check::check))
            .route("/v1/admin/store/backup", post(admin::back_up))
            .merge(pxgrid::admin::routes())
            .merge(quarantine::routes())
            .merge(actions::routes())
            .merge(policies::routes())
            .merge(crate::explanation::routes())
            .merge(crate::trials::routes())
            .merge(lists::routes())
            .merge(pxgrid::routes())
            .route("/healthz", get(operations::healthz))
            .route("/readyz", get(operations::readyz))
            .route("/metrics", get(operations::metrics))
            .route("/openapi.json", get(openapi::document))
            .merge(configuration::routes())
            .merge(ise::routes())
            .merge(clearpass::routes())
            .merge(intune::routes())
            .merge(inventory::routes())
            .merge(jamf::routes())
            .merge(kandji::routes())
            .merge(radius::routes())
            .merge(scep::routes())
            .with_state(Arc::clone(&faces));
        Self {
            faces,
            router,
            ids: RequestIds::new(),
        }
    }

    /// Answers one request, whatever it is.
    pub(crate) async fn answer(&self, peer: &Peer, request: Request<Incoming>) -> Reply {
        let started = Instant::now();
        let id = self.ids.of(request.headers());
        let area = area_of(request.uri());
        let _on_the_way = self.faces.metrics.enter(area);
        let radius = radius::is_asking(request.uri().path(), request.headers());
        let mut client = None;
        let (mut reply, outcome) = match self.serve(peer, area, &id, request, &mut client).await {
            Ok(served) => served,
            Err(problem) => refuse(&problem, area, radius, &id),
        };
        let elapsed = started.elapsed();
        self.faces.metrics.observe(area, outcome, elapsed);
        tracing::debug!(
            face = area.as_str(),
            client = client.as_ref().map(|client: &Arc<Client>| &*client.name),
            peer = %peer.address,
            status = reply.status().as_u16(),
            outcome = outcome.as_str(),
            micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            request = id.as_str(),
            "answered"
        );
        if let (Some(noted), Some(client), Area::Face(face)) =
            (reply.extensions_mut().remove::<Noted>(), &client, area)
        {
            self.faces.record(noted, client, face, &id, elapsed);
        }
        finish(&mut reply, elapsed, id);
        reply
    }

    async fn serve(
        &self,
        peer: &Peer,
        area: Area,
        id: &RequestId,
        request: Request<Incoming>,
        asker: &mut Option<Arc<Client>>,
    ) -> Result<(Reply, Outcome), Problem> {
        expect_small_header(request.headers())?;
        if area == Area::Health {
            return self.route(None, id, request).await;
        }
        if area == Area::Face(Face::Pxgrid) && self.faces.pxgrid.is_some() {
            // Who asks here is a node, no client; the face knows them.
            let mut request = request;
            request.extensions_mut().insert(peer.clone());
            request.extensions_mut().insert(id.clone());
            let has_credential = request.headers().contains_key(AUTHORIZATION);
            let routed = self.route(None, id, request).await;
            if let Err(problem) = &routed
                && problem.kind() == ProblemKind::NotAuthenticated
                && has_credential
            {
                // Somebody may be guessing; too many who do are not waited for.
                let _ = Box::pin(self.faces.clients.slow_down(peer.address)).await;
            }
            return routed;
        }
        if area == Area::Face(Face::Intune) && intune::is_open(request.uri().path()) {
            let mut request = request;
            request.extensions_mut().insert(Stranger {
                peer: peer.clone(),
                request_id: id.clone(),
            });
            return self.route(None, id, request).await;
        }
        let client = &self.authenticate(peer, area, id, &request).await?;
        *asker = Some(Arc::clone(client));
        self.admit(client, peer, id)?;
        match Route::of(request.method(), request.uri().path()) {
            Route::Device(segment) => {
                rest::device(&self.faces, client, id, segment, request.uri().query()).await
            }
            Route::Decision => rest::decision(&self.faces, client, id, request).await,
            Route::Radius => radius::authorize(&self.faces, client, request).await,
            Route::Other => self.route(Some(client), id, request).await,
        }
    }

    async fn authenticate(
        &self,
        peer: &Peer,
        area: Area,
        id: &RequestId,
        request: &Request<Incoming>,
    ) -> Result<Arc<Client>, Problem> {
        let (headers, path) = (request.headers(), request.uri().path());
        let recognised = match token::holder(&self.faces, area, path, headers, peer.address) {
            Some(held) => held,
            None => self.faces.clients.recognise(headers, peer).await,
        };
        let client = match recognised {
            Ok(client) => client,
            Err(failure) => return Err(self.not_authenticated(failure, peer, id).await),
        };
        if let Area::Face(face) = area
            && !client.may_use(face)
        {
            self.faces.metrics.not_allowed.inc();
            tracing::warn!(
                client = &*client.name,
                face = face.as_str(),
                peer = %peer.address,
                request = id.as_str(),
                "a client lacks a right"
            );
            let detail = format!("client `{}` may not use the face `{face}`", client.name);
            return Err(Problem::new(ProblemKind::NotAllowed, detail));
        }
        Ok(client)
    }

    /// Counts and logs a failure, and keeps its answer back if somebody may be
    /// guessing.
    async fn not_authenticated(
        &self,
        failure: AuthenticationFailure,
        peer: &Peer,
        id: &RequestId,
    ) -> Problem {
        self.faces.metrics.count_failure(failure);
        tracing::warn!(
            reason = failure.as_str(),
            peer = %peer.address,
            request = id.as_str(),
            "a client was not authenticated"
        );
        let clients = &self.faces.clients;
        let failure = if failure.is_guess() {
            let slowed = Box::pin(clients.slow_down(peer.address)).await;
            slowed.err().unwrap_or(failure)
        } else {
            failure
        };
        // Which of the reasons it was is for the log: whoever guesses need not
        // know how close they are.
        match failure {
            AuthenticationFailure::TooMany => {
                let detail = "too many wrong credentials came from this address";
                Problem::new(ProblemKind::TooManyRequests, detail).retry_after(LEAVE_ALONE)
            }
            AuthenticationFailure::Busy => {
                let detail = "too many credentials are being verified";
                Problem::new(ProblemKind::Busy, detail).retry_after(LEAVE_ALONE)
            }
            _ => Problem::new(
                ProblemKind::NotAuthenticated,
                "expected `Authorization` with Basic or Bearer, or a client certificate, of a configured client",
            )
            .challenges(clients.now().challenges()),
        }
    }

    fn admit(&self, client: &Client, peer: &Peer, id: &RequestId) -> Result<(), Problem> {
        client.admit(Instant::now()).map_err(|after| {
            self.faces.metrics.count_rate_limited(&client.name);
            tracing::info!(
                client = &*client.name,
                peer = %peer.address,
                request = id.as_str(),
                "a client asks more often than it may"
            );
            let detail = format!("client `{}` asks more often than it may", client.name);
            Problem::new(ProblemKind::TooManyRequests, detail).retry_after(after)
        })
    }

    /// Goes through axum.
    async fn route(
        &self,
        client: Option<&Arc<Client>>,
        id: &RequestId,
        request: Request<Incoming>,
    ) -> Result<(Reply, Outcome), Problem> {
        let path = request.uri().path().to_owned();
        let method = request.method().clone();
        let mut request = request.map(axum::body::Body::new);
        if let Some(client) = client {
            request.extensions_mut().insert(Caller {
                client: Arc::clone(client),
                request_id: id.clone(),
            });
        }
        let router = self.router.clone();
        let response = match Box::pin(router.oneshot(request)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        read_route(response, &method, &path)
    }
}

/// What axum's response means: a problem it carries, axum's own "not found"
/// and "method not allowed", or a success.
fn read_route(
    mut response: AxumResponse,
    method: &http::Method,
    path: &str,
) -> Result<(Reply, Outcome), Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Err(problem);
    }
    let outcome = response.extensions_mut().remove::<Outcome>();
    let status = response.status();
    if outcome.is_none() {
        if status == StatusCode::NOT_FOUND {
            let path = crate::text::one_line(path, 100);
            let detail =
                format!("there is nothing at `{path}`; `/openapi.json` says what there is");
            return Err(Problem::new(ProblemKind::NoSuchPath, detail));
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allow = response.headers().get(ALLOW).cloned();
            let detail = format!("`{method}` is not taken here; `Allow` says what is");
            return Err(Problem::new(ProblemKind::MethodNotAllowed, detail).allow(allow));
        }
    }
    let outcome = outcome.unwrap_or_else(|| outcome_of_status(status));
    Ok((response.map(Either::Right), outcome))
}

/// Adds what every answer says about itself.
pub(crate) fn finish(reply: &mut Reply, elapsed: Duration, id: RequestId) {
    let headers = reply.headers_mut();
    headers.insert(SERVER_TIMING, server_timing(elapsed));
    headers.insert(X_REQUEST_ID, id.into_header());
}

/// `total;dur=` with milliseconds, to three places.
fn server_timing(elapsed: Duration) -> HeaderValue {
    /// Those of nearly all hits, which need no memory.
    const SHORT: [&str; 10] = [
        "total;dur=0.000",
        "total;dur=0.001",
        "total;dur=0.002",
        "total;dur=0.003",
        "total;dur=0.004",
        "total;dur=0.005",
        "total;dur=0.006",
        "total;dur=0.007",
        "total;dur=0.008",
        "total;dur=0.009",
    ];
    let short = usize::try_from(elapsed.as_micros()).ok();
    if let Some(text) = short.and_then(|micros| SHORT.get(micros)) {
        return HeaderValue::from_static(text);
    }
    let mut text = *b"total;dur=00000000.000";
    let (_, digits) = text.split_at_mut(10);
    let mut micros = elapsed.as_micros();
    let mut first = 0;
    for (position, digit) in digits
        .iter_mut()
        .enumerate()
        .rev()
        .filter(|(_, digit)| **digit == b'0')
    {
        *digit = b'0' + u8::try_from(micros % 10).unwrap_or(0);
        micros /= 10;
        first = position;
        if micros == 0 && position < 8 {
            break;
        }
    }
    let shown = digits.len() - first.min(digits.len());
    digits.copy_within(first.min(digits.len()).., 0);
    let shown = text.get(..10 + shown).unwrap_or_default();
    HeaderValue::from_bytes(shown).unwrap_or(HeaderValue::from_static("total"))
}

fn refuse(problem: &Problem, area: Area, radius: bool, id: &RequestId) -> (Reply, Outcome) {
    if area == Area::Face(Face::Ise) {
        let reply = ise::refusal(problem, id.as_str()).map(Either::Left);
        let outcome = outcome_of_status(reply.status());
        return (reply, outcome);
    }
    if area == Area::Face(Face::Scep) {
        let reply = scep::refusal(problem, id.as_str()).map(Either::Left);
        let outcome = outcome_of_status(reply.status());
        return (reply, outcome);
    }
    let status = if radius {
        radius::status_of(problem)
    } else {
        problem.kind().status()
    };
    let reply = problem.response(id.as_str(), status).map(Either::Left);
    (reply, outcome_of_status(status))
}

fn outcome_of_status(status: StatusCode) -> Outcome {
    if status.is_server_error() {
        Outcome::Failed
    } else if status.is_client_error() {
        Outcome::Refused
    } else {
        Outcome::Served
    }
}

pub(crate) fn is_small(headers: &HeaderMap) -> bool {
    header_bytes(headers) <= LARGEST_HEADER
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

fn expect_small_header(headers: &HeaderMap) -> Result<(), Problem> {
    let bytes = header_bytes(headers);
    if bytes > LARGEST_HEADER {
        let detail =
            format!("expected at most {LARGEST_HEADER} bytes of header fields, found {bytes}");
        return Err(Problem::new(ProblemKind::HeaderTooLarge, detail));
    }
    Ok(())
}

// The paths that do not need axum, for when they come through it: HEAD, and
// whatever else axum reads more generously.

async fn device(
    State(faces): State<Arc<Faces>>,
    Extension(Caller { client, request_id }): Extension<Caller>,
    request: AxumRequest,
) -> AxumResponse {
    let uri = request.uri();
    let segment = uri.path().rsplit('/').next().unwrap_or_default();
    through_axum(rest::device(&faces, &client, &request_id, segment, uri.query()).await)
}

async fn decision(
    State(faces): State<Arc<Faces>>,
    Extension(Caller { client, request_id }): Extension<Caller>,
    request: AxumRequest,
) -> AxumResponse {
    through_axum(rest::decision(&faces, &client, &request_id, request).await)
}

async fn authorize(
    State(faces): State<Arc<Faces>>,
    Extension(Caller { client, .. }): Extension<Caller>,
    request: AxumRequest,
) -> AxumResponse {
    through_axum(radius::authorize(&faces, &client, request).await)
}

fn through_axum(decided: Result<(Reply, Outcome), Problem>) -> AxumResponse {
    match decided {
        Ok((reply, outcome)) => {
            let mut response = reply.map(axum::body::Body::new);
            response.extensions_mut().insert(outcome);
            response
        }
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings() {
        for (micros, expected) in [
            (0, "total;dur=0.000"),
            (7, "total;dur=0.007"),
            (1_234, "total;dur=1.234"),
            (98_765_432, "total;dur=98765.432"),
            (99_999_999_999, "total;dur=99999999.999"),
        ] {
            assert_eq!(server_timing(Duration::from_micros(micros)), expected);
        }
    }
}
