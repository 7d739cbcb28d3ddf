//! All devices that are not compliant, for products that ask for them from time
//! to time.
//!
//! A list that is short would tell of somebody that he is compliant, so there
//! is none while the picture of a source is incomplete, or while nobody can
//! tell about one of the devices. It is written piece by piece, as fast as the
//! asker reads.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use portreeve_domain::{Device, Finding, Identifier, Outcome};
use portreeve_gateway::survey::{Endpoint, Survey, Wanted};

use super::answer;
use super::path::Service;
use super::query::ListedBy;
use super::xml::Xml;
use super::xml_response;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::told::Told;

/// Devices that are written at once.
const PIECE: usize = 200;
/// When to come again while nobody can tell about a device.
const SOON: Duration = Duration::from_mins(1);

/// The list of devices that are not compliant.
pub(super) async fn not_compliant(
    faces: &Faces,
    caller: &Caller,
    service: Service,
    listed_by: ListedBy,
) -> Result<Response, Problem> {
    let connection = &caller.client.connection;
    let survey = faces.gateway.survey(Wanted::NotCompliant, connection).await;
    let survey = survey.map_err(|error| {
        let problem = Problem::new(ProblemKind::CannotTell, error.to_string());
        problem.retry_after(error.retry_after())
    })?;
    let cannot_tell = |outcome: &Outcome| matches!(outcome, Outcome::CannotTell(_));
    if survey.outcomes().any(cannot_tell) {
        let detail = "the facts about a device are too old or contradict each other";
        return Err(Problem::new(ProblemKind::CannotTell, detail).retry_after(SOON));
    }
    Ok(xml_response(body(survey, service, listed_by)))
}

fn body(survey: Survey, service: Service, listed_by: ListedBy) -> Body {
    let (start, end) = answer::list_around(service);
    let survey = Arc::new(survey);
    // The start, the pieces, the end.
    let pieces = survey.len().div_ceil(PIECE);
    let texts = (0..pieces + 2).map(move |number| {
        let text = match number.checked_sub(1) {
            None => start.clone(),
            Some(piece) if piece < pieces => {
                let from = piece * PIECE;
                let mut xml = Xml::default();
                for endpoint in survey.range(from..from + PIECE) {
                    write(&mut xml, service, listed_by, endpoint);
                }
                xml.into_text()
            }
            Some(_) => end.clone(),
        };
        Ok::<_, Infallible>(Bytes::from(text))
    });
    Body::from_stream(stream::iter(texts))
}

/// A device as often as it has a name of the kind: a product that wants GUIDs
/// can do nothing with one that has none.
fn write(xml: &mut Xml, service: Service, listed_by: ListedBy, endpoint: Endpoint) {
    let Outcome::Decided(decision) = endpoint.outcome else {
        return;
    };
    let finding = Finding::Device(Arc::clone(&endpoint.device));
    let told = Told {
        decision: &decision,
        finding: &finding,
        sources: &[],
    };
    for name in names(&endpoint.device, listed_by) {
        answer::write_device(xml, service, name, told);
    }
}

fn names(device: &Device, listed_by: ListedBy) -> impl Iterator<Item = &Identifier> {
    device.ids.iter().filter(move |identifier| {
        matches!(
            (listed_by, identifier),
            (ListedBy::Guid, Identifier::Guid(_)) | (ListedBy::Mac, Identifier::Mac(_))
        )
    })
}
