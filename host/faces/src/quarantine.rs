//! `/v1/admin/quarantine…`: the operator holds endpoints back.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Extension, Json, Router};
use http::header::CACHE_CONTROL;
use portreeve_domain::MacAddress;
use portreeve_gateway::quarantine::{Action, Assignment, Policy, QuarantineError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::text::Rfc3339;

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/v1/admin/quarantine", get(list))
        .route("/v1/admin/quarantine/{mac}", put(apply).delete(clear))
}

/// By which policy an endpoint is held back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplyRequest {
    policy: String,
}

async fn list(State(faces): State<Arc<Faces>>) -> Response {
    let quarantine = faces.gateway.quarantine();
    let endpoints = quarantine.list();
    let endpoints: Vec<EndpointView<'_>> =
        endpoints.iter().map(|it| EndpointView::of(it)).collect();
    let policies = quarantine.policies();
    let policies: Vec<PolicyView<'_>> = policies.iter().map(|it| PolicyView::of(it)).collect();
    answer(&json!({ "endpoints": endpoints, "policies": policies }))
}

async fn apply(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(mac): Path<String>,
    request: Result<Json<ApplyRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    let mac = address(&mac)?;
    let Json(request) = request.map_err(|error| Problem::malformed(error.body_text()))?;
    let quarantine = faces.gateway.quarantine();
    let applied = quarantine
        .apply(mac, &request.policy, &caller.client.name)
        .await;
    match (applied, quarantine.of(mac)) {
        (Ok(assignment), _)
        // What is wanted is the case: the same request twice is the same as once.
        | (Err(QuarantineError::AlreadyApplied { .. }), Some(assignment)) => {
            Ok(answer(&EndpointView::of(&assignment)))
        }
        (Err(error), _) => Err(refused(&error)),
    }
}

async fn clear(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(mac): Path<String>,
) -> Result<Response, Problem> {
    let quarantine = faces.gateway.quarantine();
    let cleared = quarantine.clear(address(&mac)?, &caller.client.name).await;
    let assignment = cleared.map_err(|error| refused(&error))?;
    Ok(answer(&EndpointView::of(&assignment)))
}

fn address(text: &str) -> Result<MacAddress, Problem> {
    let address = text.parse();
    address.map_err(|error| Problem::malformed(format!("the address in the path: {error}")))
}

fn refused(error: &QuarantineError) -> Problem {
    let detail = error.to_string();
    let kind = match error {
        QuarantineError::InvalidName => {
            return Problem::malformed(format!("`policy`: {detail}"));
        }
        QuarantineError::NotQuarantined(_) => ProblemKind::NoSuchPath,
        QuarantineError::NoPolicy(_)
        | QuarantineError::PolicyExists(_)
        | QuarantineError::PolicyConfigured(_)
        | QuarantineError::PolicyInUse(_)
        | QuarantineError::AlreadyApplied { .. }
        | QuarantineError::Full(_) => ProblemKind::Conflict,
        QuarantineError::NotKept(_) => ProblemKind::Internal,
    };
    Problem::new(kind, detail)
}

fn answer(view: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(view)).into_response()
}

/// A quarantined endpoint as the operator sees it.
#[derive(Debug, Serialize)]
pub(crate) struct EndpointView<'a> {
    mac: String,
    policy: &'a str,
    since: String,
    by: &'a str,
}

impl<'a> EndpointView<'a> {
    pub(crate) fn of(assignment: &'a Assignment) -> Self {
        let since = Rfc3339(assignment.since).to_bytes();
        Self {
            mac: assignment.mac.to_string(),
            policy: &assignment.policy.name,
            since: String::from_utf8_lossy(&since).into_owned(),
            by: &assignment.by,
        }
    }
}

/// A policy of the quarantine as the operator sees it.
#[derive(Debug, Serialize)]
struct PolicyView<'a> {
    name: &'a str,
    actions: Vec<&'static str>,
    verdict: &'static str,
    message: Option<&'a str>,
    configured: bool,
}

impl<'a> PolicyView<'a> {
    fn of(policy: &'a Policy) -> Self {
        let actions = policy.actions.iter().copied();
        Self {
            name: &policy.name,
            actions: actions.map(Action::as_str).collect(),
            verdict: policy.verdict.as_str(),
            message: policy.message.as_deref(),
            configured: policy.is_configured,
        }
    }
}
