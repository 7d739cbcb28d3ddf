//! The face for Aruba `ClearPass`: `GET /clearpass/devices/{identifier}`, for
//! its authorization sources of the kind HTTP.
//!
//! Such a source makes attributes of the members of one flat JSON object, so
//! this is one: every value a string, every name in every answer, empty where
//! there is nothing to say. A device that no source knows is 404 with an object
//! of the same names; that we cannot tell is 503 and none of them.

mod view;

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use portreeve_domain::Identifier;

use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::Problem;
use crate::told::tell;
use view::View;

/// What there is here.
pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new().route("/clearpass/devices/{identifier}", get(device))
}

async fn device(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(identifier): Path<String>,
) -> Result<Response, Problem> {
    let identifier: Identifier = identifier
        .parse()
        .map_err(|error| Problem::malformed(format!("the identifier in the path: {error}")))?;
    tell(&faces, &caller, vec![identifier], |told| {
        let status = if told.is_unknown() {
            StatusCode::NOT_FOUND
        } else {
            StatusCode::OK
        };
        let view = View::of(told);
        Ok((status, [(CACHE_CONTROL, "no-store")], Json(view)).into_response())
    })
    .await
}
