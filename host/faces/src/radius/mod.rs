//! The face for FreeRADIUS: `rlm_rest` asks `/radius/authorize` and
//! `/radius/post-auth`, and reports to `/radius/accounting`.
//!
//! What `rlm_rest` makes of a status is fixed, so here a status speaks about
//! the device and about nothing else:
//!
//! | status | `rlm_rest` | said of |
//! | --- | --- | --- |
//! | 200 | `updated` | `permit` or `quarantine`, in `control:NAC-Decision` |
//! | 401 | `reject` | a denied device, with `Reply-Message` |
//! | 404 | `notfound` | a device that no source knows and that is denied |
//! | 503 | `fail` | a device that nobody could be asked about |
//! | 400, 413, … | `invalid` | the request itself |
//!
//! So a wrong password of the RADIUS server, a path that does not exist or a
//! right that lacks is 400, not 401, 403 or 404: those would reject the device,
//! or take it for unknown. `invalid` ends in the site's fail-safe branch.

mod accounting;
mod attributes;
mod certificate;
mod obligation;
mod question;
mod reply;
mod sessions;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Body as HttpBody;
use portreeve_domain::{Absence, Answer, Decision, Finding, Outcome, Verdict};
use portreeve_gateway::Text;

use crate::body::{LARGEST_QUESTION, Reply, read_json};
use crate::clients::Client;
use crate::faces::Faces;
use crate::hit;
use crate::journal::{self, Noted};
use crate::metrics;
use crate::problem::{Problem, whole_seconds};
use crate::text::one_line;
use obligation::Tag;
use reply::{Attributes, List, Value};
pub(crate) use sessions::SessionView;

/// What `rlm_rest` sends with every request.
static SECTION: HeaderName = HeaderName::from_static("x-freeradius-section");

/// Bytes of a `Reply-Message` (RFC 2865, section 5.18).
const LONGEST_MESSAGE: usize = 253;

/// What is not asked in the moment somebody connects.
pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/radius/accounting", post(accounting::accounting))
        .route("/v1/admin/sessions", get(sessions::sessions))
}

/// `POST /radius/authorize` and `POST /radius/post-auth`
pub(crate) async fn authorize<B>(
    faces: &Faces,
    client: &Arc<Client>,
    request: Request<B>,
) -> Result<(Reply, metrics::Outcome), Problem>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let tag = question::tunnel_tag(request.uri().query())?;
    let largest = LARGEST_QUESTION.min(faces.limits.max_body);
    let body = read_json(request, largest, faces.limits.body_timeout).await?;
    let question = question::read(&body, client)?;
    // What is kept has no tags.
    if tag.is_none()
        && let Some(hit) = faces.gateway.hit(question.asked(), hit::RADIUS)
    {
        return Ok(hit::served(&hit, question.identifiers()));
    }
    let answered = faces.answer(&question).await?;
    let (status, body) = render(&answered.answer, tag);
    if tag.is_none() && answered.can_be_kept() {
        let text = Text {
            status: status.as_u16(),
            bytes: body.clone().into(),
            holes: Box::default(),
        };
        faces.gateway.keep(&answered, hit::RADIUS, text);
    }
    let outcome = metrics::Outcome::of(&answered.answer);
    let mut reply = reply(status, body, &answered.answer);
    journal::attach(&mut reply, Noted::of(&answered, question.identifiers()));
    Ok((reply, outcome))
}

/// For a fuzzer: a body, of a question and of a report.
pub(crate) fn fuzz_body(json: &[u8]) {
    let client = crate::clients::test_client("fuzz");
    let _ = question::read(json, &client);
    let now = portreeve_domain::Timestamp::from_millis(0);
    let _ = accounting::read(json, &client.name, now);
}

/// Whether `rlm_rest` asks, whatever path it was given.
pub(crate) fn is_asking(path: &str, headers: &HeaderMap) -> bool {
    path.starts_with("/radius/") || headers.contains_key(&SECTION)
}

/// The status of a problem when `rlm_rest` asks. One that it would take for a
/// word about the device becomes 400.
pub(crate) fn status_of(problem: &Problem) -> StatusCode {
    match problem.kind().status() {
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::GONE => StatusCode::BAD_REQUEST,
        other => other,
    }
}

fn render(answer: &Answer, tag: Option<Tag>) -> (StatusCode, Vec<u8>) {
    let (status, attributes) = match &answer.outcome {
        Outcome::Decided(decision) => decided(decision, &answer.finding, tag),
        Outcome::CannotTell(missing) => {
            let code = match missing.absence {
                Absence::Ambiguous => "ambiguous",
                _ => "sources-unavailable",
            };
            (
                StatusCode::SERVICE_UNAVAILABLE,
                start("unavailable", Some(code)),
            )
        }
    };
    (status, serde_json::to_vec(&attributes).unwrap_or_default())
}

fn reply(status: StatusCode, body: Vec<u8>, answer: &Answer) -> Reply {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Outcome::CannotTell(missing) = &answer.outcome {
        headers.insert(RETRY_AFTER, whole_seconds(missing.retry_after).into());
    }
    response
}

fn decided(decision: &Decision, finding: &Finding, tag: Option<Tag>) -> (StatusCode, Attributes) {
    let code = decision.reasons.first().map(|reason| reason.code.as_str());
    let word = match decision.verdict {
        Verdict::Permit => "permit",
        Verdict::Restrict => "quarantine",
        // INVARIANT: a chain never ends with `abstain`; should it, no access.
        Verdict::Deny | Verdict::Abstain => return denied(decision, finding),
    };
    let mut attributes = start(word, code);
    match obligation::apply(&decision.obligations, tag, &mut attributes) {
        Ok(()) => {
            if let Some(message) = message(decision) {
                attributes.set(List::Reply, "Reply-Message", Value::Text(message));
            }
            (StatusCode::OK, attributes)
        }
        Err(obligation::Inapplicable(what)) => {
            tracing::warn!(obligation = %what, "an obligation cannot be expressed in RADIUS, so access is denied");
            let mut attributes = start("deny", Some("obligation-not-applicable"));
            let message = "access needs something that cannot be set up here";
            attributes.set(
                List::Reply,
                "Reply-Message",
                Value::Text(message.to_owned()),
            );
            (StatusCode::UNAUTHORIZED, attributes)
        }
    }
}

fn denied(decision: &Decision, finding: &Finding) -> (StatusCode, Attributes) {
    let code = decision.reasons.first().map(|reason| reason.code.as_str());
    let unknown = matches!(finding, Finding::Absent(Absence::UnknownDevice));
    let (status, word) = if unknown {
        (StatusCode::NOT_FOUND, "unknown")
    } else {
        (StatusCode::UNAUTHORIZED, "deny")
    };
    let mut attributes = start(word, code);
    if let Some(message) = message(decision) {
        attributes.set(List::Reply, "Reply-Message", Value::Text(message));
    }
    (status, attributes)
}

fn start(word: &str, code: Option<&str>) -> Attributes {
    let mut attributes = Attributes::default();
    let decision = Value::Text(word.to_owned());
    attributes.set(List::Control, "NAC-Decision", decision);
    if let Some(code) = code {
        let code = Value::Text(one_line(code, LONGEST_MESSAGE));
        attributes.set(List::Control, "NAC-Reason", code);
    }
    attributes
}

/// What the user should know: why, and what helps. Nothing for full access.
fn message(decision: &Decision) -> Option<String> {
    if decision.verdict == Verdict::Permit {
        return None;
    }
    let reason = decision
        .reasons
        .first()
        .map(|reason| reason.message.as_str());
    let help = decision.remediation.first();
    let parts = [
        reason,
        help.map(|help| help.message.as_str()),
        help.and_then(|help| help.url.as_deref()),
    ];
    let parts: Vec<&str> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    (!parts.is_empty()).then(|| one_line(&parts.join(" "), LONGEST_MESSAGE))
}
