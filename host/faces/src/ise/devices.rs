//! `devices`: one device by what names it, or a list.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http_body_util::BodyExt as _;
use portreeve_domain::{Absence, Answer, Finding, Identifier, Outcome};

use super::device::Entry;
use super::filter::Filter;
use super::query::{Query, Wanted};
use super::version::Version;
use super::xml::Xml;
use super::{cannot_tell, list, question, refusal, reply};
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::journal::{self, Noted};
use crate::metrics;
use crate::problem::{Problem, whole_seconds};

/// `GET {api_path}/devices/…`
pub(super) async fn devices(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let uri = request.uri();
    let (version, rest) = Version::of_path(uri.path(), "devices")?;
    let query = if rest.is_empty() {
        Query::of_parameters(uri.query().unwrap_or_default(), version)?
    } else {
        Query::of_path(rest, version)?
    };
    match query.wanted {
        Wanted::One(_) if query.paging != 0 => Err(Problem::malformed(
            "`paging`: expected `0`, the answer about one device has one page",
        )),
        Wanted::One(identifier) => one(&faces, &caller, identifier, version, query.filter).await,
        Wanted::Many(wanted) => {
            let page = list::page(&faces, &caller.client, wanted, query.paging).await?;
            let document = list::render(&faces, &page, version, query.filter).await;
            Ok(reply(document, metrics::Outcome::Served))
        }
    }
}

async fn one(
    faces: &Faces,
    caller: &Caller,
    identifier: Identifier,
    version: Version,
    filter: Filter,
) -> Result<Response, Problem> {
    let patience = faces.ise.patience(&caller.client);
    let question = question(&caller.client, identifier.clone(), patience);
    let answered = faces.answer(&question).await?;
    let answer = &answered.answer;
    let outcome = metrics::Outcome::of(answer);
    let mut response = if let Outcome::CannotTell(missing) = &answer.outcome {
        let problem = cannot_tell(missing, faces);
        let refused = refusal(&problem, caller.request_id.as_str());
        let mut response = refused.map(|body| axum::body::Body::new(body.boxed()));
        response.extensions_mut().insert(outcome);
        response
    } else {
        let wait = busy_seconds(faces, answer);
        let document = document(version, 0, wait, |xml| {
            write_answer(xml, &identifier, answer, version, filter);
        });
        reply(document, outcome)
    };
    journal::attach(&mut response, Noted::of(&answered, question.identifiers()));
    Ok(response)
}

/// What one answer adds to the list: nothing for a device that no source
/// knows, whatever a policy thinks of such devices.
pub(super) fn write_answer(
    xml: &mut Xml,
    asked: &Identifier,
    answer: &Answer,
    version: Version,
    filter: Filter,
) {
    let device = match &answer.finding {
        Finding::Absent(Absence::UnknownDevice) => return,
        Finding::Absent(_) => None,
        Finding::Device(device) => Some(&**device),
    };
    if let Outcome::Decided(decision) = &answer.outcome {
        Entry::of_question(asked, device, decision, version).write(xml, version, filter);
    }
}

/// How long ISE should wait before it asks again: as long as the source wants,
/// if its facts could not be refreshed for that reason.
pub(super) fn busy_seconds(faces: &Faces, answer: &Answer) -> u64 {
    if !answer.is_stale() {
        return 0;
    }
    faces.gateway.pause().map_or(0, whole_seconds)
}

/// The answer with what `write` puts into its list.
pub(super) fn document(
    version: Version,
    paging: u32,
    busy_seconds: u64,
    write: impl FnOnce(&mut Xml),
) -> String {
    let mut xml = Xml::new("attributes");
    xml.number("api_version", version.number())
        .number("paging_info", u64::from(paging));
    if version == Version::V3 {
        xml.number("server_busy_wait_seconds", busy_seconds);
    }
    xml.raw("<deviceList>");
    write(&mut xml);
    xml.raw("</deviceList>");
    xml.finish()
}
