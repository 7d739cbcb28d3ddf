//! `/pxgrid/ise/mdm/…`: the service `com.cisco.ise.mdm`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use portreeve_domain::{
    Absence, Device, Finding, Identifier, MacAddress, Outcome, Question, Verdict,
};
use portreeve_gateway::Answered;
use portreeve_gateway::survey::{Survey, Wanted};
use portreeve_store::decisions::Entry;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::asker::Asker;
use super::control::{parse, peer_of, pxgrid, read};
use super::endpoint::{Endpoint, is_registered};
use super::right::Right;
use crate::clients::Face;
use crate::faces::Faces;
use crate::metrics;
use crate::problem::{Problem, ProblemKind};
use crate::request_id::RequestId;

/// Endpoints that are written before the connection is given a turn.
const PART: usize = 64;
/// When a client that found too many lists on the way should ask again.
const SHED: Duration = Duration::from_secs(5);

pub(super) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/pxgrid/ise/mdm/getEndpoints", post(endpoints))
        .route(
            "/pxgrid/ise/mdm/getEndpointByMacAddress",
            post(endpoint_by_mac),
        )
        .route(
            "/pxgrid/ise/mdm/getEndpointsByType",
            post(endpoints_by_type),
        )
        .route(
            "/pxgrid/ise/mdm/getEndpointsByOsType",
            post(endpoints_by_os_type),
        )
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filtered {
    filter: Option<Box<Endpoint>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByMacAddress {
    mac_address: String,
}

#[derive(Debug, Deserialize)]
struct ByType {
    #[serde(rename = "type")]
    kind: Type,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Type {
    NonCompliant,
    Registered,
    Disconnected,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByOsType {
    os_type: OsType,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum OsType {
    Android,
    Ios,
    Windows,
}

impl OsType {
    fn is_of(self, device: &Device) -> bool {
        let family = device.os.as_ref().map_or("", |os| &*os.family);
        match self {
            Self::Android => family == "android",
            Self::Ios => matches!(family, "ios" | "ipados"),
            Self::Windows => family == "windows",
        }
    }
}

/// Which endpoints go into a list.
#[derive(Debug)]
enum Choice {
    All,
    Like(Box<Endpoint>),
    Registered(bool),
    Os(OsType),
}

impl Choice {
    fn takes(&self, device: &Device, endpoint: &Endpoint) -> bool {
        match self {
            Self::All => true,
            Self::Like(filter) => endpoint.fits(filter),
            Self::Registered(wanted) => is_registered(device) == *wanted,
            Self::Os(kind) => kind.is_of(device),
        }
    }
}

async fn endpoints(State(faces): State<Arc<Faces>>, request: Request) -> Result<Response, Problem> {
    let (asker, wanted) = asked::<Filtered>(&faces, request).await?;
    let choice = wanted.filter.map_or(Choice::All, Choice::Like);
    list(&faces, &asker, Wanted::All, choice).await
}

async fn endpoints_by_type(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let (asker, wanted) = asked::<ByType>(&faces, request).await?;
    let (wanted, choice) = match wanted.kind {
        Type::NonCompliant => (Wanted::NotCompliant, Choice::All),
        Type::Registered => (Wanted::All, Choice::Registered(true)),
        Type::Disconnected => (Wanted::All, Choice::Registered(false)),
    };
    list(&faces, &asker, wanted, choice).await
}

async fn endpoints_by_os_type(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let (asker, wanted) = asked::<ByOsType>(&faces, request).await?;
    list(&faces, &asker, Wanted::All, Choice::Os(wanted.os_type)).await
}

async fn endpoint_by_mac(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let started = Instant::now();
    let id = request.extensions().get::<RequestId>().cloned();
    let (asker, wanted) = asked::<ByMacAddress>(&faces, request).await?;
    let mac = mac_address(&wanted.mac_address)?;
    let connection = Arc::clone(&asker.connection);
    let question = Question::new(vec![Identifier::Mac(mac)], connection, asker.patience);
    let answered = faces.answer(&question).await?;
    record(&faces, &asker, &question, &answered, id.as_ref(), started);
    let mut response = one(&answered, mac)?;
    let outcome = metrics::Outcome::of(&answered.answer);
    response.extensions_mut().insert(outcome);
    Ok(response)
}

/// Who asks, and for what.
async fn asked<T: serde::de::DeserializeOwned>(
    faces: &Faces,
    request: Request,
) -> Result<(Asker, T), Problem> {
    let pxgrid = pxgrid(faces)?;
    let peer = peer_of(&request)?;
    let node = pxgrid.authenticate_peer(faces, &peer, request.headers())?;
    pxgrid.expect_right(&node, Right::Mdm)?;
    let asker = pxgrid.asker(faces, &peer, &node)?;
    let (_, wanted) = read(faces, request).await?;
    Ok((asker, wanted))
}

/// A field with an address, in any spelling.
pub(super) fn mac_address(text: &str) -> Result<MacAddress, Problem> {
    let mac = text.trim().parse();
    mac.map_err(|error| Problem::malformed(format!("`macAddress`: {error}")))
}

/// The answer about one endpoint: what is known, 204 for an unknown device, or
/// 503 when the gateway cannot tell.
fn one(answered: &Answered, mac: MacAddress) -> Result<Response, Problem> {
    let answer = &answered.answer;
    let decision = match &answer.outcome {
        Outcome::CannotTell(missing) => {
            let problem = Problem::new(ProblemKind::CannotTell, missing.detail.to_string());
            return Err(problem.retry_after(missing.retry_after));
        }
        Outcome::Decided(decision) => decision,
    };
    let outcome = Some(&answer.outcome);
    let asked = [Identifier::Mac(mac)];
    let endpoint = match &answer.finding {
        Finding::Device(device) => {
            let source = answer.source().map_or("", |report| &*report.name);
            Endpoint::of(device, source, outcome).by(mac)
        }
        // A policy that lets unknown devices in says more than "not known".
        Finding::Absent(Absence::UnknownDevice) if decision.verdict == Verdict::Permit => {
            Endpoint::unknown(&asked, Some(false), outcome)
        }
        Finding::Absent(Absence::UnknownDevice) => {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        // Decided without facts: whether it is registered nobody knows.
        Finding::Absent(_) => Endpoint::unknown(&asked, None, outcome),
    };
    Ok(json(Body::from(endpoint.to_json())))
}

/// Tells the decision log.
fn record(
    faces: &Faces,
    asker: &Asker,
    question: &Question,
    answered: &Answered,
    request: Option<&RequestId>,
    started: Instant,
) {
    if let Some(log) = faces.gateway.log()
        && let Some(logged) = &answered.logged
    {
        log.record(Entry {
            at: answered.at,
            client: Arc::clone(asker.name()),
            face: Face::Pxgrid.as_str(),
            request: request.map(|id| id.as_str().into()),
            identifiers: Arc::clone(question.identifiers()),
            judged: Arc::clone(&logged.judged),
            origin: answered.origin,
            stale: answered.is_stale(),
            latency: started.elapsed(),
            changed: logged.changed,
        });
    }
}

/// A list of a complete picture, or none.
///
/// Where it is a list of those that are not compliant, an endpoint that the
/// gateway cannot tell about has no place in it and may not be missing from it.
async fn list(
    faces: &Arc<Faces>,
    asker: &Asker,
    wanted: Wanted,
    choice: Choice,
) -> Result<Response, Problem> {
    let pxgrid = pxgrid(faces)?;
    let Ok(place) = Arc::clone(&pxgrid.lists).try_acquire_owned() else {
        let detail = "too many lists are on the way already";
        return Err(Problem::new(ProblemKind::Busy, detail).retry_after(SHED));
    };
    let survey = Box::pin(faces.gateway.survey(wanted, &asker.connection)).await;
    let survey = survey.map_err(|error| {
        Problem::new(ProblemKind::CannotTell, error.to_string()).retry_after(error.retry_after())
    })?;
    if wanted == Wanted::NotCompliant {
        let missing = survey.outcomes().find_map(|outcome| match outcome {
            Outcome::CannotTell(missing) => Some(missing),
            Outcome::Decided(_) => None,
        });
        if let Some(missing) = missing {
            let detail = format!("the list is not complete: {}", missing.detail);
            let problem = Problem::new(ProblemKind::CannotTell, detail);
            return Err(problem.retry_after(missing.retry_after));
        }
    }
    let parts = Parts {
        survey,
        choice,
        next: 0,
        is_first: true,
        _place: place,
    };
    let parts = futures_util::stream::unfold(Some(parts), |parts| async move {
        let parts = parts?;
        // Nothing else would make it pause between parts.
        tokio::task::yield_now().await;
        let (part, rest) = parts.part();
        Some((Ok::<_, std::convert::Infallible>(part), rest))
    });
    Ok(json(Body::from_stream(parts)))
}

/// A list that is written as fast as it is read.
struct Parts {
    survey: Survey,
    choice: Choice,
    next: usize,
    is_first: bool,
    _place: OwnedSemaphorePermit,
}

impl Parts {
    /// The next piece of the text, and the rest if there is one.
    fn part(mut self) -> (Bytes, Option<Self>) {
        let mut text = Vec::new();
        if self.next == 0 {
            text.extend_from_slice(b"{\"endpoints\":[");
        }
        let end = self.next + PART;
        for known in self.survey.range(self.next..end) {
            for endpoint in Endpoint::each(&known.device, &known.source, Some(&known.outcome)) {
                if !self.choice.takes(&known.device, &endpoint) {
                    continue;
                }
                if !self.is_first {
                    text.push(b',');
                }
                self.is_first = false;
                text.extend_from_slice(&endpoint.to_json());
            }
        }
        self.next = end;
        if end < self.survey.len() {
            return (text.into(), Some(self));
        }
        text.extend_from_slice(b"]}");
        (text.into(), None)
    }
}

fn json(body: Body) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

/// For a fuzzer: every body that is taken here.
pub(super) fn fuzz_bodies(body: &[u8]) {
    let _ = parse::<Filtered>(body);
    let _ = parse::<ByMacAddress>(body);
    let _ = parse::<ByType>(body);
    let _ = parse::<ByOsType>(body);
}
