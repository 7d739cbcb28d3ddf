//! `action` and `sendmessage`: what ISE wants done to devices.
//!
//! Whether a client may ask for it, and what comes of it, is for the gateway to
//! say. That it may not is an answer of this API, with 200 and a reason.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use portreeve_domain::ActionKind;
use portreeve_gateway::{Action, ActionRight};

use super::body::{Body, Named};
use super::criterion::Criterion;
use super::query::parameter;
use super::version::Version;
use super::xml::Xml;
use super::{question, read_document, reply};
use crate::body::LARGEST_QUESTION;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::metrics;
use crate::problem::Problem;
use crate::text::one_line;

/// Devices of one request.
const MOST_DEVICES: usize = 100;
/// Bytes of a reason.
const LONGEST_REASON: usize = 1_000;

/// `POST {api_path}/action/?actionType=…`, or with `actionType=…` as the last
/// segment of the path.
pub(super) async fn action(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let (version, rest) = Version::of_path(request.uri().path(), "action")?;
    let query = request.uri().query().unwrap_or_default();
    let written = match parameter(query, "actionType")? {
        Some(kind) => kind.into_owned(),
        None => rest.strip_prefix("actionType=").unwrap_or(rest).to_owned(),
    };
    let action = match written.to_ascii_lowercase().as_str() {
        "full_wipe" => Action::new(ActionKind::Wipe),
        "corporate_wipe" => Action::new(ActionKind::Retire),
        "pin_lock" => Action::new(ActionKind::Lock),
        _ => {
            return Err(Problem::malformed(format!(
                "`actionType`: expected `full_wipe`, `corporate_wipe` or `pin_lock`, found `{}`",
                one_line(&written, 64)
            )));
        }
    };
    let body = read_document(&faces, request, LARGEST_QUESTION, MOST_DEVICES).await?;
    carry_out(&faces, &caller, &body, &action, "action", version).await
}

/// `PUT {api_path}/sendmessage`
pub(super) async fn message(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let (version, _) = Version::of_path(request.uri().path(), "sendmessage")?;
    let mut body = read_document(&faces, request, LARGEST_QUESTION, MOST_DEVICES).await?;
    let action = match (body.header.take(), body.text.take()) {
        (title, Some(text)) => Action::notify(title.as_deref(), &text),
        (Some(title), None) => Action::notify(None, &title),
        (None, None) => {
            return Err(Problem::malformed(
                "the body holds no message, expected `message_header` or `message_body`",
            ));
        }
    };
    carry_out(&faces, &caller, &body, &action, "sendmessage", version).await
}

async fn carry_out(
    faces: &Faces,
    caller: &Caller,
    body: &Body,
    action: &Action,
    name: &str,
    version: Version,
) -> Result<Response, Problem> {
    if body.devices.is_empty() {
        return Err(Problem::malformed(
            "the body names no device, expected e.g. `macaddress` or `guid` in `identifier`",
        ));
    }
    let status = match action.kind() {
        ActionKind::Notify => "message_status",
        _ => "action_status",
    };
    // All of them are read before anything is done to the first.
    let mut identifiers = Vec::with_capacity(body.devices.len());
    for (position, named) in body.devices.iter().enumerate() {
        let place = format!("device {} of the body", position + 1);
        let criterion = named.criterion.unwrap_or(Criterion::MacAddress);
        identifiers.push(criterion.identifier(&named.value, &place)?);
    }
    let mut xml = Xml::new(name);
    xml.number("api_version", version.number())
        .raw("<deviceList>");
    for (named, identifier) in body.devices.iter().zip(identifiers) {
        let question = question(&caller.client, identifier, caller.client.patience);
        let refused = faces.ise.refuses(action);
        let right = match refused {
            Some(_) => ActionRight::default(),
            None => caller.client.right_to(action.kind()),
        };
        let started = faces.gateway.act(&question, action, right).await;
        let reason = match (started, refused) {
            (Ok(_), _) => None,
            (Err(_), Some(refused)) => Some(refused.to_owned()),
            (Err(error), None) => Some(one_line(&error.to_string(), LONGEST_REASON)),
        };
        write_result(&mut xml, named, status, reason.as_deref());
    }
    xml.raw("</deviceList>");
    Ok(reply(xml.finish(), metrics::Outcome::Served))
}

/// The device is called as it was asked for.
fn write_result(xml: &mut Xml, named: &Named, status: &str, reason: Option<&str>) {
    let element = match named.criterion {
        None | Some(Criterion::MacAddress) => "macaddress",
        Some(Criterion::Guid | Criterion::GuidOrHostname) => "guid",
        Some(Criterion::Udid) => "udid",
        Some(Criterion::Imei) => "imei",
        Some(Criterion::Meid) => "meid",
        Some(Criterion::Serial) => "serial_number",
    };
    xml.raw("<device>").element(element, &named.value);
    xml.raw("<result>")
        .boolean(status, reason.is_none())
        .element("failure_reason", reason.unwrap_or_default())
        .raw("</result></device>");
}
