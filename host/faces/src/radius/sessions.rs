//! `GET /v1/admin/sessions`: the sessions that network access servers have
//! reported, for operators.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CACHE_CONTROL;
use portreeve_domain::{MacAddress, Timestamp};
use portreeve_gateway::Session;
use serde::{Deserialize, Serialize};

use crate::faces::Faces;
use crate::problem::Problem;
use crate::text::Rfc3339;

/// Sessions in one answer, unless another number is asked for.
const USUAL: usize = 100;
const MOST: usize = 10_000;

/// Which sessions are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SessionsQuery {
    /// Of this endpoint.
    mac: Option<String>,
    /// At this network access server, by address or identifier.
    nas: Option<String>,
    /// So many, those heard of last.
    limit: Option<usize>,
}

pub(super) async fn sessions(
    State(faces): State<Arc<Faces>>,
    query: Result<Query<SessionsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let limit = query.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let detail = format!("`limit`: expected a number from 1 to {MOST}, found {limit}");
        return Err(Problem::malformed(detail));
    }
    let mac = query.mac.map(|text| text.parse::<MacAddress>()).transpose();
    let mac = mac.map_err(|error| Problem::malformed(format!("`mac`: {error}")))?;
    let nas = query.nas;
    let wanted = |session: &Session| {
        mac.is_none_or(|mac| session.mac() == Some(mac))
            && nas.as_deref().is_none_or(|nas| is_at(session, nas))
    };
    let sessions = faces.gateway.sessions();
    let (found, total) = sessions.list(Timestamp::now(), limit, wanted);
    let view = SessionsView {
        sessions: found
            .iter()
            .map(|session| SessionView::of(session))
            .collect(),
        total,
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(view)).into_response())
}

fn is_at(session: &Session, nas: &str) -> bool {
    let address = nas.parse().ok();
    (address.is_some() && session.nas.address == address)
        || session.nas.identifier.as_deref() == Some(nas)
}

#[derive(Debug, Serialize)]
struct SessionsView<'a> {
    sessions: Vec<SessionView<'a>>,
    /// How many there are of those that are wanted, also beyond `limit`.
    total: usize,
}

/// One session.
#[derive(Debug, Serialize)]
pub(crate) struct SessionView<'a> {
    id: &'a str,
    audit_session_id: Option<&'a str>,
    nas_address: Option<String>,
    nas_identifier: Option<&'a str>,
    nas_port: Option<u32>,
    nas_port_id: Option<&'a str>,
    mac: Option<String>,
    calling_station: Option<&'a str>,
    user: Option<&'a str>,
    framed_address: Option<String>,
    client: &'a str,
    started_at: String,
    seen_at: String,
}

impl<'a> SessionView<'a> {
    pub(crate) fn of(session: &'a Session) -> Self {
        let moment = |moment| String::from_utf8_lossy(&Rfc3339(moment).to_bytes()).into_owned();
        Self {
            id: &session.id,
            audit_session_id: session.audit_id.as_deref(),
            nas_address: session.nas.address.map(|address| address.to_string()),
            nas_identifier: session.nas.identifier.as_deref(),
            nas_port: session.port,
            nas_port_id: session.port_id.as_deref(),
            mac: session.mac().map(|mac| mac.to_string()),
            calling_station: session.calling_station.as_deref(),
            user: session.user.as_deref(),
            framed_address: session.framed_address.map(|address| address.to_string()),
            client: &session.client,
            started_at: moment(session.started_at),
            seen_at: moment(session.seen_at),
        }
    }
}
