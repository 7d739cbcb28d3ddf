//! `batchdevices`: many devices in one request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use futures_util::stream::{self, StreamExt as _};
use portreeve_domain::{Identifier, Outcome};
use portreeve_gateway::Answered;

use super::body::{self, Body};
use super::devices::{busy_seconds, document, write_answer};
use super::query::BatchQuery;
use super::version::Version;
use super::{cannot_tell, question, read_document, reply};
use crate::clients::Face;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::journal::Noted;
use crate::metrics;
use crate::problem::{Problem, ProblemKind};

/// Questions of one batch that are on the way at once.
const AT_ONCE: usize = 64;

/// `POST {api_path}/batchdevices/?paging=0&querycriteria=…`
///
/// All devices that are known, or that we cannot tell: a list in which a device
/// is missing says that it is not registered.
pub(super) async fn batch(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let (version, _) = Version::of_path(request.uri().path(), "batchdevices")?;
    let query = BatchQuery::of_parameters(request.uri().query().unwrap_or_default())?;
    let Ok(_place) = faces.batches.try_acquire() else {
        let detail = "other batches are being answered; ask again or send smaller ones";
        let problem = Problem::new(ProblemKind::Busy, detail);
        return Err(problem.retry_after(Duration::from_secs(1)));
    };
    let most = faces.ise.settings().query_max_size;
    let body = read_document(&faces, request, faces.limits.max_body, most).await?;
    let identifiers = identifiers(&body, query)?;
    faces
        .metrics
        .batch_questions
        .inc_by(identifiers.len() as u64);

    let now = Instant::now();
    let more = (identifiers.len() as u64).saturating_sub(1);
    caller.client.charge(more, now);
    let deadline = now + faces.ise.patience(&caller.client);
    let answers = identifiers.into_iter();
    let answers = answers.map(|identifier| answer(&faces, &caller, identifier, deadline));
    let mut answers = std::pin::pin!(stream::iter(answers).buffered(AT_ONCE));
    let mut entries = Vec::new();
    let mut busy = 0;
    while let Some(answered) = answers.next().await {
        let (identifier, answered) = answered?;
        if let Outcome::CannotTell(missing) = &answered.outcome {
            return Err(cannot_tell(missing, &faces));
        }
        busy = busy.max(busy_seconds(&faces, &answered));
        entries.push((identifier, answered));
    }
    let document = document(version, 0, busy, |xml| {
        for (identifier, answered) in &entries {
            write_answer(xml, identifier, &answered.answer, version, query.filter);
        }
    });
    Ok(reply(document, metrics::Outcome::Served))
}

async fn answer(
    faces: &Faces,
    caller: &Caller,
    identifier: Identifier,
    deadline: Instant,
) -> Result<(Identifier, Answered), Problem> {
    let started = Instant::now();
    let patience = deadline.saturating_duration_since(started);
    let question = question(&caller.client, identifier.clone(), patience);
    let answered = faces.answer(&question).await?;
    if let Some(noted) = Noted::of(&answered, question.identifiers()) {
        let (client, id) = (&caller.client, &caller.request_id);
        faces.record(noted, client, Face::Ise, id, started.elapsed());
    }
    Ok((identifier, answered))
}

/// What the body names, each once.
fn identifiers(body: &Body, query: BatchQuery) -> Result<Vec<Identifier>, Problem> {
    let mut identifiers = Vec::with_capacity(body.devices.len());
    let mut known = std::collections::HashSet::new();
    for (position, body::Named { criterion, value }) in body.devices.iter().enumerate() {
        let criterion = criterion.unwrap_or(query.criterion);
        let place = format!("device {} of the body", position + 1);
        let identifier = criterion.identifier(value, &place)?;
        if known.insert(identifier.clone()) {
            identifiers.push(identifier);
        }
    }
    if identifiers.is_empty() {
        return Err(Problem::malformed(
            "the body names no device, expected elements `value` or `macaddress`",
        ));
    }
    Ok(identifiers)
}
