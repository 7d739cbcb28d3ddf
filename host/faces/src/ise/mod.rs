//! The ISE face: the MDM API of Cisco ISE, versions 1 to 3, in XML (Cisco,
//! "ISE MDM API").
//!
//! ISE asks `mdminfo` first and takes the path of everything else from the
//! answer. A device that no source knows is an empty list, with 200; that we
//! cannot tell is 503, never an empty list.

mod action;
mod batch;
mod body;
mod criterion;
mod device;
mod devices;
mod filter;
mod info;
mod list;
mod lists;
mod query;
mod refusal;
mod settings;
#[cfg(test)]
mod tests;
mod version;
mod xml;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, post, put};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use portreeve_domain::{ActionKind, CannotTell, Identifier, Question};
use portreeve_gateway::Action;
use tokio::sync::Semaphore;

use crate::body::read;
use crate::clients::Client;
use crate::faces::Faces;
use crate::metrics::Outcome;
use crate::problem::{Problem, ProblemKind};
use lists::Lists;
pub(crate) use refusal::refusal;
pub use settings::IseSettings;

const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");

/// What this face keeps between requests.
#[derive(Debug)]
pub(crate) struct Ise {
    settings: IseSettings,
    lists: Lists<list::Listing>,
    /// For lists that are being made.
    turns: Semaphore,
}

impl Ise {
    pub(crate) fn new(settings: IseSettings) -> Self {
        Self {
            lists: Lists::new(&settings),
            turns: Semaphore::new(1),
            settings,
        }
    }

    const fn settings(&self) -> &IseSettings {
        &self.settings
    }

    const fn lists(&self) -> &Lists<list::Listing> {
        &self.lists
    }

    const fn turns(&self) -> &Semaphore {
        &self.turns
    }

    /// How long an answer may take: ISE holds up whoever logs on, so it gets a
    /// "cannot tell" early, and the look-up goes on behind.
    fn patience(&self, client: &Client) -> Duration {
        client.patience.min(self.settings.patience)
    }
}

impl Ise {
    /// Why no client of this face may ask for an action, if that is so.
    const fn refuses(&self, action: &Action) -> Option<&'static str> {
        match action.kind() {
            ActionKind::Notify if !self.settings.messaging => {
                Some("messages to users are switched off here")
            }
            _ => None,
        }
    }
}

/// ISE writes most paths with a slash at the end, other products without.
pub(crate) fn routes() -> Router<Arc<Faces>> {
    const API: &str = "/ciscoise/mdmapi/{version}";
    let path = |rest: &str| format!("{API}/{rest}");
    Router::new()
        .route("/ciscoise/mdminfo", get(info::mdminfo))
        .route("/ciscoise/mdminfo/", get(info::mdminfo))
        .route(&path("devices"), get(devices::devices))
        .route(&path("devices/"), get(devices::devices))
        .route(&path("devices/{*path}"), get(devices::devices))
        .route(&path("batchdevices"), post(batch::batch))
        .route(&path("batchdevices/"), post(batch::batch))
        .route(&path("action"), post(action::action))
        .route(&path("action/"), post(action::action))
        .route(&path("action/{kind}"), post(action::action))
        .route(&path("action/{kind}/"), post(action::action))
        .route(
            &path("sendmessage"),
            put(action::message).post(action::message),
        )
        .route(
            &path("sendmessage/"),
            put(action::message).post(action::message),
        )
}

/// A document with 200.
fn reply(xml: String, outcome: Outcome) -> Response {
    let mut response = Response::new(AxumBody::from(xml));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, XML);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(outcome);
    response
}

fn question(client: &Client, identifier: Identifier, patience: Duration) -> Question {
    Question::new(vec![identifier], Arc::clone(&client.connection), patience)
}

/// That we cannot tell, and when asking again may help: not before a source
/// that asked to be left alone may be asked again.
fn cannot_tell(missing: &CannotTell, faces: &Faces) -> Problem {
    let pause = faces.gateway.pause().unwrap_or_default();
    let problem = Problem::new(ProblemKind::CannotTell, missing.detail.to_string());
    problem.retry_after(missing.retry_after.max(pause))
}

/// Reads a body of at most `largest` bytes that names at most so many devices.
/// Products say of it what they like; what is not XML says so itself.
async fn read_document(
    faces: &Faces,
    request: Request,
    largest: usize,
    most_devices: usize,
) -> Result<body::Body, Problem> {
    let headers = request.headers();
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let detail = "`Content-Encoding` is not taken here; send the body as it is";
        return Err(Problem::new(ProblemKind::MediaType, detail));
    }
    let kind = headers.get(CONTENT_TYPE).cloned();
    let largest = largest.min(faces.limits.max_body);
    let bytes = read(request, largest, faces.limits.body_timeout).await?;
    let kind = kind.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
    let malformed = |error: body::Malformed| Problem::malformed(format!("the body: {error}"));
    let document = body::document(kind, &bytes).map_err(malformed)?;
    body::read(document, most_devices).map_err(malformed)
}

/// Reads whatever bytes there are as a body, for a fuzzer.
pub(crate) fn fuzz_body(bytes: &[u8]) {
    let _ = body::read(bytes, 100);
}

/// Reads whatever bytes there are as a form: the first line is its type.
pub(crate) fn fuzz_form(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (kind, form) = bytes.split_at(end.unwrap_or(0));
    let _ = body::document(kind, form).map(|document| body::read(document, 100));
}

/// Reads whatever text there is as the path or the query of a device query.
pub(crate) fn fuzz_query(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = query::Query::of_path(text, version::Version::V1);
        let _ = query::Query::of_parameters(text, version::Version::V3);
    }
}
