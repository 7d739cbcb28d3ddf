//! `/v1/devices`: what the sources know about devices, searched, filtered,
//! sorted, page by page or as a whole file; and the page of one device.
//!
//! It is for people and reports. What follows for a connection is not decided
//! here: rows say what a source tells, and what would be answered only to who
//! wants to know.

mod csv;
mod export;
mod page;
mod parameters;
mod row;
mod snapshots;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use axum::routing::get;
use http::HeaderValue;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use portreeve_domain::{Timestamp, View};
use portreeve_gateway::query::Query;
use portreeve_gateway::selection::{Selection, SelectionError, Share};

pub(crate) use page::{is_wanted as is_page, page};
pub(crate) use snapshots::Snapshots;

use crate::clients::Client;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::json::Json;
use crate::problem::{Problem, ProblemKind};
use parameters::{Asked, Format, Listing, Place};
use snapshots::List;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new().route("/v1/devices", get(devices))
}

/// For a fuzzer: the query of a list, and a condition by itself.
pub(crate) fn fuzz_query(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = parameters::read(text, Some(text), &[], &View::default());
        let _ = Query::parse(text, Timestamp::default());
    }
}

/// `GET /v1/devices`
async fn devices(
    State(faces): State<Arc<Faces>>,
    Extension(Caller { client, .. }): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let sources = faces.gateway.source_names();
    let accept = request.headers().get(ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok());
    match parameters::read(query, accept, &sources, &client.connection.view)? {
        Asked::Further(place) => further(&faces, &client, place).await,
        Asked::List(listing) => begin(&faces, &client, *listing).await,
    }
}

/// The first page of a list, or all of it.
async fn begin(
    faces: &Arc<Faces>,
    client: &Arc<Client>,
    listing: Listing,
) -> Result<Response, Problem> {
    let turn = match listing.format {
        Format::Json => None,
        Format::Csv | Format::Lines => Some(faces.snapshots.exporting()?),
    };
    let selected = faces.gateway.select(listing.choice, &client.connection);
    // Boxed: it is large, and few requests need it.
    let selection = Arc::new(Box::pin(selected).await.map_err(|error| refused(&error))?);
    if listing.is_whole
        && let Some(problem) = incomplete(&selection)
    {
        return Err(problem);
    }
    let list = List {
        selection,
        fields: listing.fields,
    };
    tracing::info!(
        client = &*client.name,
        rows = list.selection.len(),
        format = listing.format.as_str(),
        "the inventory is listed"
    );
    if let Some(turn) = turn {
        return Ok(export::response(faces, client, list, listing.format, turn));
    }
    let list = Arc::new(list);
    let next = faces.snapshots.keep(client, &list, listing.limit)?;
    render(faces, &list, 0, listing.limit, next).await
}

/// A later page of a list that was begun.
async fn further(faces: &Arc<Faces>, client: &Client, place: Place) -> Result<Response, Problem> {
    let (list, next) = faces.snapshots.resume(client, &place)?;
    render(faces, &list, place.start, place.limit, next).await
}

async fn render(
    faces: &Arc<Faces>,
    list: &List,
    start: usize,
    limit: usize,
    next: Option<String>,
) -> Result<Response, Problem> {
    let selection = &list.selection;
    let end = start.saturating_add(limit);
    let rows = faces
        .gateway
        .rows(selection, start..end, list.wants_outcomes());
    let rows = Box::pin(rows).await.map_err(|error| refused(&error))?;
    let mut json = Json::new();
    json.raw("{\"taken_at\":").moment(selection.taken_at());
    json.raw(",\"total\":").number(selection.len() as u64);
    json.raw(",\"complete\":").boolean(selection.is_complete());
    json.raw(",\"sources\":[")
        .each(selection.shares(), write_share);
    json.raw("],\"devices\":[").each(&rows, |json, row| {
        row::write(json, row, list.fields.as_deref(), selection.taken_at());
    });
    json.raw("],\"next\":").optional_text(next.as_deref());
    json.raw("}");
    let mut response = Response::new(axum::body::Body::from(json.into_bytes()));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    Ok(response)
}

fn write_share(json: &mut Json, share: &Share) {
    json.raw("{\"name\":").text(&share.source);
    json.raw(",\"total\":").number(share.records as u64);
    json.raw(",\"complete\":").boolean(share.lack.is_none());
    let detail = share.lack.as_ref().map(|lack| &*lack.detail);
    json.raw(",\"detail\":").optional_text(detail).raw("}");
}

/// Why a list is none that is wanted as a whole.
fn incomplete(selection: &Selection) -> Option<Problem> {
    let lacking = selection.shares().iter().find_map(|share| {
        let lack = share.lack.as_ref()?;
        Some((share, lack))
    });
    let (share, lack) = lacking?;
    let detail = format!(
        "source `{}`: {}; with `incomplete=allow` the list has what is known",
        share.source, lack.detail
    );
    let problem = Problem::new(ProblemKind::CannotTell, detail);
    Some(problem.retry_after(lack.retry_after))
}

fn refused(error: &SelectionError) -> Problem {
    let detail = error.to_string();
    match error {
        SelectionError::Busy { retry_after } => {
            Problem::new(ProblemKind::Busy, detail).retry_after(*retry_after)
        }
        SelectionError::Hidden(_) => Problem::new(ProblemKind::NotAllowed, detail),
        SelectionError::TooMany => Problem::malformed(format!("`sort`: {detail}")),
        SelectionError::Lost => Problem::new(ProblemKind::Internal, detail),
    }
}
