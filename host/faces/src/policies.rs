//! `/v1/admin/policies…`: what decides.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::CACHE_CONTROL;
use portreeve_domain::Timestamp;
use portreeve_gateway::{ChainState, Deciding, Health, PolicyState};
use serde::Serialize;

use crate::faces::Faces;
use crate::text::Rfc3339;

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new().route("/v1/admin/policies", get(list))
}

/// `GET /v1/admin/policies`: the chains in force.
async fn list(State(faces): State<Arc<Faces>>) -> Response {
    let view = View::of(&faces.gateway.deciding());
    ([(CACHE_CONTROL, "no-store")], Json(view)).into_response()
}

pub(crate) fn moment(at: Timestamp) -> String {
    String::from_utf8_lossy(&Rfc3339(at).to_bytes()).into_owned()
}

#[derive(Debug, Serialize)]
struct View {
    loaded_at: String,
    chains: Vec<ChainView>,
}

#[derive(Debug, Serialize)]
struct ChainView {
    name: Arc<str>,
    /// Whether it is for all questions that no other chain is for.
    default: bool,
    combine: &'static str,
    policies: Vec<PolicyView>,
}

#[derive(Debug, Serialize)]
struct PolicyView {
    name: Arc<str>,
    digest: Arc<str>,
    mode: &'static str,
    on_error: &'static str,
    state: &'static str,
    detail: Option<String>,
}

impl View {
    fn of(deciding: &Deciding) -> Self {
        Self {
            loaded_at: moment(deciding.loaded_at),
            chains: deciding.chains.iter().map(ChainView::of).collect(),
        }
    }
}

impl ChainView {
    fn of(chain: &ChainState) -> Self {
        Self {
            name: Arc::clone(&chain.name),
            default: chain.selector.is_none(),
            combine: chain.combine.as_str(),
            policies: chain.policies.iter().map(PolicyView::of).collect(),
        }
    }
}

impl PolicyView {
    fn of(policy: &PolicyState) -> Self {
        let (state, detail) = match &policy.health {
            Health::Ok => ("ok", None),
            Health::Failing(detail) => ("failing", Some(detail.clone())),
            Health::Disabled => ("disabled", None),
        };
        Self {
            name: Arc::clone(&policy.name),
            digest: Arc::clone(&policy.digest),
            mode: policy.mode.as_str(),
            on_error: policy.on_error.as_str(),
            state,
            detail,
        }
    }
}
