//! `/v1/admin/lists…`: the operator's lists, and changing them at run time.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Extension, Json, Router};
use http::header::CACHE_CONTROL;
use portreeve_domain::Timestamp;
use portreeve_gateway::lists::{Edit, EditRequest, ListError, ListState};
use portreeve_store::decisions::parse_time;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::policies::moment;
use crate::problem::{Problem, ProblemKind};

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/v1/admin/lists", get(all))
        .route("/v1/admin/lists/{list}", get(one))
        .route(
            "/v1/admin/lists/{list}/members/{member}",
            put(add).delete(remove),
        )
}

/// Why, and for how long.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ChangeRequest {
    why: Option<String>,
    /// RFC 3339, in UTC.
    until: Option<String>,
}

type Change = Result<Option<Json<ChangeRequest>>, JsonRejection>;

async fn all(State(faces): State<Arc<Faces>>) -> Response {
    let lists = faces.gateway.lists().all();
    let lists: Vec<ListView<'_>> = lists.iter().map(ListView::of).collect();
    answer(&json!({ "lists": lists }))
}

async fn one(
    State(faces): State<Arc<Faces>>,
    Path(list): Path<String>,
) -> Result<Response, Problem> {
    let list = faces.gateway.lists().get(&list);
    let list = list.map_err(|error| refused(&error))?;
    Ok(answer(&ListView::of(&list)))
}

async fn add(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<(String, String)>,
    change: Change,
) -> Result<Response, Problem> {
    let change = read(change)?;
    let request = request(&path, &caller, &change)?;
    let done = faces.gateway.lists().add(request).await;
    let edit = done.map_err(|error| refused(&error))?;
    Ok(answer(&EditView::of(&edit)))
}

async fn remove(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<(String, String)>,
    change: Change,
) -> Result<Response, Problem> {
    let change = read(change)?;
    let request = request(&path, &caller, &change)?;
    let done = faces.gateway.lists().remove(request).await;
    let edit = done.map_err(|error| refused(&error))?;
    Ok(answer(&EditView::of(&edit)))
}

/// A change may come without saying why.
fn read(change: Change) -> Result<ChangeRequest, Problem> {
    let change = change.map_err(|error| Problem::malformed(error.body_text()))?;
    Ok(change.map(|Json(change)| change).unwrap_or_default())
}

fn request<'a>(
    path: &'a (String, String),
    caller: &'a Caller,
    change: &'a ChangeRequest,
) -> Result<EditRequest<'a>, Problem> {
    let until = change.until.as_deref().map(parse_time).transpose();
    let until = until.map_err(|error| Problem::malformed(format!("`until`: {error}")))?;
    Ok(EditRequest {
        list: &path.0,
        member: &path.1,
        by: &caller.client.name,
        why: change.why.as_deref(),
        until,
    })
}

fn refused(error: &ListError) -> Problem {
    let detail = error.to_string();
    let kind = match error {
        ListError::InvalidText(_) | ListError::Past => return Problem::malformed(detail),
        ListError::NoList(_) | ListError::NoMember { .. } => ProblemKind::NoSuchPath,
        ListError::Full(_) => ProblemKind::Conflict,
        ListError::NotKept(_) => ProblemKind::Internal,
    };
    Problem::new(kind, detail)
}

fn answer(view: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(view)).into_response()
}

/// A list as the operator sees it.
#[derive(Debug, Serialize)]
struct ListView<'a> {
    name: &'a str,
    members: &'a [Arc<str>],
    changes: Vec<EditView<'a>>,
}

impl<'a> ListView<'a> {
    fn of(list: &'a ListState) -> Self {
        Self {
            name: &list.name,
            members: &list.members,
            changes: list.edits.iter().map(|edit| EditView::of(edit)).collect(),
        }
    }
}

/// One change as the operator sees it.
#[derive(Debug, Serialize)]
struct EditView<'a> {
    list: &'a str,
    member: &'a str,
    is_member: bool,
    by: &'a str,
    at: String,
    why: Option<&'a str>,
    until: Option<String>,
}

impl<'a> EditView<'a> {
    fn of(edit: &'a Edit) -> Self {
        let until: Option<Timestamp> = edit.until;
        Self {
            list: &edit.list,
            member: &edit.member,
            is_member: edit.is_member,
            by: &edit.by,
            at: moment(edit.at),
            why: edit.why.as_deref(),
            until: until.map(moment),
        }
    }
}
