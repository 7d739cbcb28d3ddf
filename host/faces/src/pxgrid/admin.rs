//! `/v1/admin/pxgrid/…`: the operator approves nodes.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use portreeve_domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::account::{Account, Proof};
use super::control::{answer, pxgrid, refused};
use super::name::NodeName;
use super::right::Rights;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::text::Rfc3339;

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/v1/admin/pxgrid/nodes", get(list).post(add))
        .route("/v1/admin/pxgrid/nodes/{name}", delete(forget))
        .route("/v1/admin/pxgrid/nodes/{name}/approve", post(approve))
        .route("/v1/admin/pxgrid/nodes/{name}/disable", post(disable))
}

/// A node to add, with its rights.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddRequest {
    name: String,
    may: Option<Rights>,
}

/// The rights of a node that is approved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApproveRequest {
    may: Option<Rights>,
}

async fn list(State(faces): State<Arc<Faces>>) -> Result<Response, Problem> {
    let nodes = pxgrid(&faces)?.accounts.list();
    let nodes: Vec<NodeView<'_>> = nodes
        .iter()
        .map(|(name, account)| NodeView::of(name, account))
        .collect();
    Ok(answer(&json!({ "nodes": nodes })))
}

async fn add(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Result<Json<AddRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(request) = request.map_err(|error| Problem::malformed(error.body_text()))?;
    let name: NodeName = request
        .name
        .parse()
        .map_err(|error| Problem::malformed(format!("`name`: {error}")))?;
    let pxgrid = pxgrid(&faces)?;
    if name == *pxgrid.own() {
        let detail = format!("`name`: `{name}` is the gateway's own");
        return Err(Problem::new(ProblemKind::Conflict, detail));
    }
    let rights = request.may.unwrap_or(Rights::READING);
    let added = pxgrid.accounts.add(&name, rights, Timestamp::now()).await;
    let password = added.map_err(|error| refused(&error))?;
    note(&caller, &name, "added");
    Ok(answer(
        &json!({ "name": name.as_str(), "password": &*password }),
    ))
}

async fn approve(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    request: Result<Json<ApproveRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(request) = request.map_err(|error| Problem::malformed(error.body_text()))?;
    let name = named(&name)?;
    let approved = pxgrid(&faces)?.accounts.approve(&name, request.may).await;
    let account = approved.map_err(|error| refused(&error))?;
    note(&caller, &name, "approved");
    Ok(answer(&NodeView::of(&name, &account)))
}

async fn disable(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let name = named(&name)?;
    let pxgrid = pxgrid(&faces)?;
    let disabled = pxgrid.accounts.disable(&name).await;
    let account = disabled.map_err(|error| refused(&error))?;
    pxgrid.services.forget(&name);
    note(&caller, &name, "disabled");
    Ok(answer(&NodeView::of(&name, &account)))
}

async fn forget(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let name = named(&name)?;
    let pxgrid = pxgrid(&faces)?;
    let deleted = pxgrid.accounts.delete(&name).await;
    deleted.map_err(|error| refused(&error))?;
    pxgrid.services.forget(&name);
    note(&caller, &name, "deleted");
    Ok(answer(&json!({ "name": name.as_str() })))
}

fn named(text: &str) -> Result<NodeName, Problem> {
    let name = text.parse();
    name.map_err(|error| Problem::malformed(format!("the node's name in the path: {error}")))
}

fn note(caller: &Caller, node: &NodeName, change: &'static str) {
    tracing::info!(
        target: "audit",
        client = &*caller.client.name,
        request = caller.request_id.as_str(),
        %node,
        change,
        "the operator decided about a pxGrid node"
    );
}

/// A node as the operator sees it.
#[derive(Debug, Serialize)]
struct NodeView<'a> {
    name: &'a str,
    state: &'static str,
    proof: &'static str,
    may: Rights,
    description: Option<&'a str>,
    created_at: String,
}

impl<'a> NodeView<'a> {
    fn of(name: &'a NodeName, account: &'a Account) -> Self {
        let created_at = Rfc3339(account.created_at()).to_bytes();
        Self {
            name: name.as_str(),
            state: account.state.as_str(),
            proof: match account.proof {
                Proof::Password(_) => "password",
                Proof::Certificate(_) => "certificate",
            },
            may: account.rights,
            description: account.description.as_deref(),
            created_at: String::from_utf8_lossy(&created_at).into_owned(),
        }
    }
}
