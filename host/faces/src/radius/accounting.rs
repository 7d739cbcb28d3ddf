//! `POST /radius/accounting`: what network access servers report of their
//! sessions (RFC 2866).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use http::StatusCode;
use portreeve_domain::Timestamp;
use portreeve_gateway::{Nas, Session};

use super::attributes::Attributes;
use super::question::{LONGEST, malformed_body};
use crate::body::{LARGEST_QUESTION, read_json};
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::Problem;
use crate::text::one_line;

/// What a report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// A session begins.
    Start(Box<Session>),
    /// A session goes on.
    Interim(Box<Session>),
    /// The session of this name has ended.
    Stop(Nas, Box<str>),
    /// The server has no sessions: it has started, or is about to end.
    AllEnded(Nas),
    /// Nothing that is remembered.
    Other,
}

/// Takes in one report. There is nothing to say: `rlm_rest` makes `ok` of 204,
/// and the server has its Accounting-Response.
pub(super) async fn accounting(
    State(faces): State<Arc<Faces>>,
    Extension(Caller { client, .. }): Extension<Caller>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let largest = LARGEST_QUESTION.min(faces.limits.max_body);
    let body = read_json(request, largest, faces.limits.body_timeout).await?;
    let sessions = faces.gateway.sessions();
    match read(&body, &client.name, Timestamp::now())? {
        Report::Start(session) => sessions.start(*session).await,
        Report::Interim(session) => sessions.update(*session).await,
        Report::Stop(nas, id) => {
            sessions.end(&nas, &id).await;
        }
        Report::AllEnded(nas) => {
            let ended = sessions.end_all(&nas).await;
            tracing::info!(
                client = &*client.name,
                nas = %name(&nas),
                ended,
                "a network access server has no sessions any more"
            );
        }
        Report::Other => {}
    }
    Ok(StatusCode::NO_CONTENT)
}

/// How a network access server is called in a log.
pub(super) fn name(nas: &Nas) -> String {
    let identifier = nas.identifier.as_deref().unwrap_or_default();
    match nas.address {
        Some(address) if identifier.is_empty() => address.to_string(),
        Some(address) => format!("{identifier} ({address})"),
        None => identifier.to_owned(),
    }
}

/// Reads a report's attributes.
pub(super) fn read(json: &[u8], client: &Arc<str>, now: Timestamp) -> Result<Report, Problem> {
    let attributes = Attributes::read(json).map_err(|error| malformed_body(&error))?;
    let status = attributes.status_type.as_deref().ok_or_else(|| {
        Problem::malformed("expected `Acct-Status-Type`, e.g. `Start`: this is no report")
    })?;
    // By the dictionary's name or by number (RFC 2866, section 5.1).
    Ok(match status {
        "Start" | "1" => Report::Start(Box::new(session(attributes, client, now)?)),
        "Interim-Update" | "Alive" | "3" => {
            Report::Interim(Box::new(session(attributes, client, now)?))
        }
        "Stop" | "2" => {
            let id = session_id(&attributes)?;
            Report::Stop(nas(&attributes)?, id)
        }
        "Accounting-On" | "7" | "Accounting-Off" | "8" => Report::AllEnded(nas(&attributes)?),
        // Of tunnels, links and systems (RFC 2867, RFC 2866).
        _ => Report::Other,
    })
}

fn session(attributes: Attributes, client: &Arc<str>, now: Timestamp) -> Result<Session, Problem> {
    let id = session_id(&attributes)?;
    let nas = nas(&attributes)?;
    let seconds = attributes.session_time.and_then(|text| text.parse().ok());
    let lasted = Duration::from_secs(seconds.unwrap_or(0));
    let lasted = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
    let text = |text: Option<String>| text.map(|text| one_line(&text, LONGEST).into_boxed_str());
    Ok(Session {
        nas,
        id,
        audit_id: text(attributes.audit_session_id),
        calling_station: text(attributes.calling_station),
        user: text(attributes.user_name),
        port: attributes.nas_port.and_then(|port| port.parse().ok()),
        port_id: text(attributes.nas_port_id),
        framed_address: attributes.framed_address.and_then(|text| address(&text)),
        client: Arc::clone(client),
        started_at: Timestamp::from_millis(now.as_millis().saturating_sub(lasted)),
        seen_at: now,
    })
}

fn session_id(attributes: &Attributes) -> Result<Box<str>, Problem> {
    let id = attributes.session_id.as_deref().unwrap_or_default();
    if id.is_empty() || id.len() > LONGEST {
        let detail = format!("`Acct-Session-Id`: expected 1 to {LONGEST} bytes");
        return Err(Problem::malformed(detail));
    }
    Ok(id.into())
}

/// RFC 2866, section 4.1: one of the two must be there.
fn nas(attributes: &Attributes) -> Result<Nas, Problem> {
    let nas = Nas {
        address: attributes.nas_address.as_deref().and_then(address),
        identifier: attributes
            .nas_identifier
            .as_deref()
            .map(|text| one_line(text, LONGEST).into_boxed_str()),
    };
    if nas.address.is_none() && nas.identifier.is_none() {
        return Err(Problem::malformed(
            "nothing names the network access server: expected `NAS-IP-Address`, \
             `NAS-IPv6-Address` or `NAS-Identifier`",
        ));
    }
    Ok(nas)
}

/// An address that is one of a machine: servers without an own one send zeros.
fn address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.trim().parse().ok()?;
    (!address.is_unspecified()).then_some(address)
}
