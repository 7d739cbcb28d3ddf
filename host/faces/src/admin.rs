//! For operators: `/v1/admin/…`, also through the socket in the file system.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use portreeve_domain::Timestamp;
use portreeve_gateway::inventory::{Inventory, Phase, Progress, RequestError, SyncError};
use portreeve_store::{OfflineError, backup};
use serde::{Deserialize, Serialize};

use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::text::Rfc3339;

/// How a run is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SyncQuery {
    /// Read everything, not only what changed.
    full: bool,
}

/// `GET /v1/admin/connectors/{name}/sync`: how far the inventory is.
pub(crate) async fn progress(
    State(faces): State<Arc<Faces>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let progress = inventory(&faces, &name)?.progress(&name);
    let progress = progress.map_err(|error| refused(&error))?;
    let view = ProgressView::of(&progress.borrow());
    Ok(answer(&view))
}

/// `POST /v1/admin/connectors/{name}/sync`: reads the inventory now, and
/// answers when that is done. A client that leaves does not end it.
pub(crate) async fn sync(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    query: Result<Query<SyncQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let inventory = inventory(&faces, &name)?;
    let ticket = inventory
        .request_sync(&name, query.full)
        .map_err(|error| refused(&error))?;
    tracing::info!(
        client = &*caller.client.name,
        source = name,
        full = query.full,
        "a run of the inventory was asked for"
    );
    ticket.ended().await.map_err(|error| failed(&error))?;
    let progress = inventory.progress(&name).map_err(|error| refused(&error))?;
    let view = ProgressView::of(&progress.borrow());
    Ok(answer(&view))
}

/// Where a backup goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupRequest {
    path: PathBuf,
}

/// `POST /v1/admin/store/backup`: copies the store while it is in use. Only for
/// who is on this machine: the path is one of its own.
pub(crate) async fn back_up(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Result<Json<BackupRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(request) = request.map_err(|error| Problem::malformed(error.body_text()))?;
    if !Arc::ptr_eq(&caller.client, faces.clients.local()) {
        let detail = "a backup is made by `portreeve store backup` on the gateway's own machine";
        return Err(Problem::new(ProblemKind::NotAllowed, detail));
    }
    let Some(store) = faces.gateway.memory().store().cloned() else {
        let detail = "the gateway has no store; see `[store]` in its configuration";
        return Err(Problem::new(ProblemKind::NoSuchPath, detail));
    };
    if !request.path.is_absolute() {
        return Err(Problem::malformed("`path` has to be absolute"));
    }
    let path = request.path.clone();
    let copied = tokio::task::spawn_blocking(move || backup(&store, &path)).await;
    match copied {
        Ok(Ok(())) => Ok(answer(&serde_json::json!({ "path": request.path }))),
        Ok(Err(error)) => Err(not_copied(&error)),
        Err(error) => Err(Problem::new(ProblemKind::Internal, error.to_string())),
    }
}

fn not_copied(error: &OfflineError) -> Problem {
    if let OfflineError::Exists(path) = error {
        let path = path.display();
        return Problem::malformed(format!("`path`: there is `{path}` already"));
    }
    Problem::new(ProblemKind::Internal, format!("no backup: {error}"))
}

fn inventory<'a>(faces: &'a Faces, name: &str) -> Result<&'a Inventory, Problem> {
    faces
        .inventory
        .as_deref()
        .ok_or_else(|| refused(&RequestError::NoInventory(name.into())))
}

fn refused(error: &RequestError) -> Problem {
    Problem::new(ProblemKind::NoSuchPath, error.to_string())
}

fn failed(error: &SyncError) -> Problem {
    Problem::new(ProblemKind::SourceFailed, error.to_string())
}

pub(crate) fn answer(view: &impl Serialize) -> Response {
    (StatusCode::OK, [(CACHE_CONTROL, "no-store")], Json(view)).into_response()
}

/// How far an inventory is.
#[derive(Debug, Serialize)]
pub(crate) struct ProgressView {
    activity: &'static str,
    kind: Option<&'static str>,
    runs: u64,
    read: u64,
    total: Option<u64>,
    pages: u64,
    devices_per_second: f64,
    removed: u64,
    started_at: Option<String>,
    succeeded_at: Option<String>,
    completed_at: Option<String>,
    resumes_at: Option<String>,
    last_error: Option<String>,
}

impl ProgressView {
    pub(crate) fn of(progress: &Progress) -> Self {
        let moment = |moment: Option<Timestamp>| {
            moment.map(|moment| String::from_utf8_lossy(&Rfc3339(moment).to_bytes()).into_owned())
        };
        Self {
            activity: progress.activity.as_str(),
            kind: progress.phase.map(|phase| match phase {
                Phase::Full => "full",
                Phase::Delta => "changes",
            }),
            runs: progress.runs,
            read: progress.read,
            total: progress.total,
            pages: progress.pages,
            devices_per_second: progress.devices_per_second.round(),
            removed: progress.removed,
            started_at: moment(progress.started_at),
            succeeded_at: moment(progress.succeeded_at),
            completed_at: moment(progress.completed_at),
            resumes_at: moment(progress.resumes_at),
            last_error: progress
                .last_error
                .as_ref()
                .map(|failure| failure.error.to_string()),
        }
    }
}
