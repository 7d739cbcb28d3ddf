//! `/v1/admin/policies/impact`: policies that are not in force, tried out over
//! all known endpoints.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_util::future::BoxFuture;
use http::header::CACHE_CONTROL;
use portreeve_gateway::trial::{Impact, Tally};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ConfigurationRefused;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};

/// Policies that the process can load and try out.
pub trait Trials: Send + Sync + fmt::Debug {
    /// Loads them and begins. The trial before is forgotten; one that is under
    /// way goes on, and this one is refused.
    fn begin(&self, request: TrialRequest) -> BoxFuture<'_, Result<(), TrialError>>;

    /// How far it is.
    fn state(&self) -> TrialState;

    /// Ends it before its time.
    fn stop(&self);
}

/// Which policies are tried out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum TrialRequest {
    /// Those of a configuration file, or of a part of one.
    Configuration(PathBuf),
    /// Those in force, one of them with another component.
    Component {
        /// The component.
        file: PathBuf,
        /// The policy by its configured name; needed when there are several.
        policy: Option<String>,
    },
}

/// The trial did not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// Its configuration, or a policy, has mistakes.
    #[error(transparent)]
    Refused(#[from] ConfigurationRefused),
    /// Another one is under way.
    #[error("another trial is under way")]
    Busy,
}

/// How far a trial is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrialState {
    /// There was none.
    #[default]
    None,
    /// It is under way.
    Running {
        /// Endpoints that were looked at.
        done: u64,
        /// Endpoints that there are, 0 while that is not known.
        total: u64,
    },
    /// It was stopped, or broke off.
    Stopped,
    /// It is over.
    Done(Impact),
}

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new().route(
        "/v1/admin/policies/impact",
        get(state).post(begin).delete(stop),
    )
}

async fn begin(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Result<Json<TrialRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(request) = request.map_err(|error| Problem::malformed(error.body_text()))?;
    if !Arc::ptr_eq(&caller.client, faces.clients.local()) {
        let detail =
            "policies are tried out by `portreeve policy impact` on the gateway's own machine";
        return Err(Problem::new(ProblemKind::NotAllowed, detail));
    }
    let paths = match &request {
        TrialRequest::Configuration(file) | TrialRequest::Component { file, .. } => file,
    };
    if !paths.is_absolute() {
        return Err(Problem::malformed("the path has to be absolute"));
    }
    let trials = trials(&faces)?;
    match trials.begin(request).await {
        Ok(()) => Ok(answer(&trials.state())),
        Err(TrialError::Refused(refused)) => Err(Problem::new(
            ProblemKind::ConfigurationRefused,
            refused.to_string(),
        )),
        Err(error @ TrialError::Busy) => {
            Err(Problem::new(ProblemKind::Conflict, error.to_string()))
        }
    }
}

async fn state(State(faces): State<Arc<Faces>>) -> Result<Response, Problem> {
    Ok(answer(&trials(&faces)?.state()))
}

async fn stop(State(faces): State<Arc<Faces>>) -> Result<Response, Problem> {
    let trials = trials(&faces)?;
    trials.stop();
    Ok(answer(&trials.state()))
}

fn trials(faces: &Faces) -> Result<&dyn Trials, Problem> {
    let trials = faces.trials.get();
    trials.map(AsRef::as_ref).ok_or_else(|| {
        let detail = "this process cannot load other policies";
        Problem::new(ProblemKind::NoSuchPath, detail)
    })
}

fn answer(state: &TrialState) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(view(state))).into_response()
}

fn view(state: &TrialState) -> Value {
    match state {
        TrialState::None => json!({ "state": "none" }),
        TrialState::Running { done, total } => {
            json!({ "state": "running", "done": done, "total": total })
        }
        TrialState::Stopped => json!({ "state": "stopped" }),
        TrialState::Done(impact) => {
            json!({ "state": "done", "impact": ImpactView::of(impact) })
        }
    }
}

/// What other policies would change, as operators see it.
#[derive(Debug, Serialize)]
pub struct ImpactView {
    endpoints: u64,
    changed: u64,
    seconds: f64,
    chains: Vec<ChainsView>,
}

#[derive(Debug, Serialize)]
struct ChainsView {
    now: Arc<str>,
    then: Arc<str>,
    #[serde(flatten)]
    tally: TallyView,
}

/// What became of verdicts, as operators see it.
#[derive(Debug, Serialize)]
pub struct TallyView {
    compared: u64,
    changed: u64,
    other_obligations: u64,
    transitions: Vec<TransitionView>,
}

#[derive(Debug, Serialize)]
struct TransitionView {
    from: &'static str,
    to: &'static str,
    count: u64,
    reasons: Vec<ReasonView>,
    examples: Vec<ExampleView>,
}

#[derive(Debug, Serialize)]
struct ReasonView {
    code: Arc<str>,
    count: u64,
}

#[derive(Debug, Serialize)]
struct ExampleView {
    identifier: String,
    before: Arc<str>,
    then: Arc<str>,
}

impl ImpactView {
    /// Shows an impact.
    pub fn of(impact: &Impact) -> Self {
        let chains = impact.chains.iter().map(|((now, then), tally)| ChainsView {
            now: Arc::clone(now),
            then: Arc::clone(then),
            tally: TallyView::of(tally),
        });
        Self {
            endpoints: impact.endpoints,
            changed: impact.changed,
            seconds: impact.took.as_secs_f64(),
            chains: chains.collect(),
        }
    }
}

impl TallyView {
    /// Shows a tally, the most frequent changes first.
    pub fn of(tally: &Tally) -> Self {
        let transitions = tally.transitions.iter().map(|((from, to), found)| {
            let reasons = found.reasons.iter().map(|(code, count)| ReasonView {
                code: Arc::clone(code),
                count: *count,
            });
            let mut reasons: Vec<ReasonView> = reasons.collect();
            reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
            let examples = found.examples.iter().map(|example| ExampleView {
                identifier: example.identifier.clone(),
                before: Arc::clone(&example.before),
                then: Arc::clone(&example.then),
            });
            TransitionView {
                from,
                to,
                count: found.count,
                reasons,
                examples: examples.collect(),
            }
        });
        let mut transitions: Vec<TransitionView> = transitions.collect();
        transitions.sort_by_key(|transition| std::cmp::Reverse(transition.count));
        Self {
            compared: tally.compared,
            changed: tally.changed,
            other_obligations: tally.other_obligations,
            transitions,
        }
    }
}
