//! For operators: health, readiness, metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use portreeve_gateway::{Health, PartStatus, Status};
use prometheus::{Encoder as _, TextEncoder};
use serde::Serialize;

use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};

const NOT_STORED: (http::HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> Response {
    let kind = (CONTENT_TYPE, "text/plain; charset=utf-8");
    ([kind, NOT_STORED], "ok\n").into_response()
}

/// `GET /readyz`: the server can decide.
///
/// A policy that is not in use makes it unready: everything would be denied. A
/// source that fails does not: answers come from memory or say "cannot tell",
/// and a second server would fare no better. Nor does a disk that takes nothing:
/// answers go on from memory. Everyone may ask, so only names
/// and states are told.
pub(crate) async fn readyz(State(faces): State<Arc<Faces>>) -> Response {
    let report = Readiness::new(&faces.gateway.status(), faces.is_stopping());
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::to_vec(&report).unwrap_or_default();
    let kind = (CONTENT_TYPE, "application/json");
    (status, [kind, NOT_STORED], body).into_response()
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    stopping: bool,
    sources: Vec<Part>,
    policies: Vec<Part>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    name: Arc<str>,
    state: &'static str,
}

impl Readiness {
    fn new(status: &Status, stopping: bool) -> Self {
        let parts = |parts: &[PartStatus]| parts.iter().map(Part::new).collect();
        let in_use = |part: &PartStatus| part.health == Health::Ok;
        Self {
            ready: !stopping && status.policies.iter().all(in_use),
            stopping,
            sources: parts(&status.sources),
            policies: parts(&status.policies),
            kept: parts(&status.kept),
        }
    }
}

impl Part {
    fn new(part: &PartStatus) -> Self {
        Self {
            name: Arc::clone(&part.name),
            state: match part.health {
                Health::Ok => "ok",
                Health::Failing(_) => "failing",
                Health::Disabled => "disabled",
            },
        }
    }
}

/// `GET /metrics`, in Prometheus' text format.
pub(crate) async fn metrics(State(faces): State<Arc<Faces>>) -> Result<Response, Problem> {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    encoder
        .encode(&faces.registry.gather(), &mut text)
        .map_err(|error| {
            tracing::error!(%error, "the metrics cannot be written");
            Problem::new(ProblemKind::Internal, "the metrics cannot be written")
        })?;
    let kind = encoder.format_type().to_owned();
    Ok(([(CONTENT_TYPE, kind)], [NOT_STORED], text).into_response())
}
