//! The REST face: `/v1/…`, described in [`OPENAPI`](crate::OPENAPI).

mod answer;
mod batch;
mod device;
pub(crate) mod question;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Body as HttpBody;
use portreeve_domain::{Absence, Answer, Finding, Identifier, Outcome, Question};
use portreeve_gateway::Answered;

use crate::body::{LARGEST_QUESTION, Reply, read_json};
use crate::clients::Client;
use crate::faces::Faces;
use crate::hit;
use crate::inventory;
use crate::journal::{self, Noted};
use crate::json::Json;
use crate::metrics;
use crate::path;
use crate::problem::{PROBLEM_JSON, Problem, ProblemKind, whole_seconds};
use crate::request_id::RequestId;
pub use answer::AnswerView;
pub(crate) use answer::write as write_answer;
pub(crate) use batch::batch;
pub(crate) use device::{
    enrollment as enrollment_word, state as compliance_word, write as write_device,
};

/// For a fuzzer: an identifier as it stands in a path.
pub(crate) fn fuzz_identifier(segment: &[u8]) {
    let quick = hit::plain_identifier(segment);
    let Ok(segment) = std::str::from_utf8(segment) else {
        return;
    };
    let Ok(text) = path::decode(segment) else {
        return;
    };
    let read = text.parse::<Identifier>();
    if let Ok(identifier) = &read {
        // A kind and value of hexadecimal digits alone look like a MAC address.
        if let Ok(again) = identifier.to_string().parse::<Identifier>() {
            assert_eq!(again, *identifier, "what is written is read as it was");
        }
    }
    assert!(quick.is_none() || quick == read.ok(), "both ways are one");
}

/// For a fuzzer: a body, of one question and of many.
pub(crate) fn fuzz_body(json: &[u8]) {
    let client = crate::clients::test_client("fuzz");
    let _ = question::read(json, &client);
    for place in batch::read(json).unwrap_or_default() {
        let question = json.get(place).unwrap_or_default();
        let _ = question::read(question, &client);
    }
}

/// `GET /v1/devices/{identifier}`
pub(crate) async fn device(
    faces: &Faces,
    client: &Arc<Client>,
    request: &RequestId,
    segment: &str,
    query: Option<&str>,
) -> Result<(Reply, metrics::Outcome), Problem> {
    if let Some(query) = query {
        if inventory::is_page(Some(query)) {
            return Box::pin(inventory::page(faces, client, segment, query)).await;
        }
        return Err(Problem::malformed(
            "a query is not taken here; nothing was expected after the path",
        ));
    }
    let text = path::decode(segment)?;
    let identifier: Identifier = text
        .parse()
        .map_err(|error| Problem::malformed(format!("the identifier in the path: {error}")))?;
    let connection = Arc::clone(&client.connection);
    let question = Question::new(vec![identifier], connection, client.patience);
    if let Some(hit) = faces.gateway.hit(question.asked(), hit::REST) {
        return Ok(hit::served(&hit, question.identifiers()));
    }
    let answered = faces.answer(&question).await?;
    let answer = &answered.answer;
    let known = !matches!(answer.finding, Finding::Absent(Absence::UnknownDevice));
    let mut reply = if known || matches!(answer.outcome, Outcome::CannotTell(_)) {
        render(faces, &answered, request)
    } else {
        let detail = "every source was asked and none knows a device of this identifier";
        render_problem(
            &Problem::new(ProblemKind::UnknownDevice, detail),
            answer,
            request,
        )
    };
    journal::attach(&mut reply, Noted::of(&answered, question.identifiers()));
    Ok((reply, metrics::Outcome::of(answer)))
}

/// `POST /v1/decisions`
pub(crate) async fn decision<B>(
    faces: &Faces,
    client: &Arc<Client>,
    id: &RequestId,
    request: Request<B>,
) -> Result<(Reply, metrics::Outcome), Problem>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let largest = LARGEST_QUESTION.min(faces.limits.max_body);
    let body = read_json(request, largest, faces.limits.body_timeout).await?;
    if let Some((hit, identifier)) = question::hit(&body, &faces.gateway, client) {
        return Ok(hit::served(&hit, &[identifier]));
    }
    let question = question::read(&body, client)?;
    if let Some(hit) = faces.gateway.hit(question.asked(), hit::REST) {
        return Ok(hit::served(&hit, question.identifiers()));
    }
    let answered = faces.answer(&question).await?;
    let outcome = metrics::Outcome::of(&answered.answer);
    let mut reply = render(faces, &answered, id);
    journal::attach(&mut reply, Noted::of(&answered, question.identifiers()));
    Ok((reply, outcome))
}

/// A decision with 200, whatever it is; "cannot tell" as a problem with 503.
fn render(faces: &Faces, answered: &Answered, request: &RequestId) -> Reply {
    if let Outcome::CannotTell(missing) = &answered.answer.outcome {
        let problem = Problem::new(ProblemKind::CannotTell, missing.detail.to_string());
        return render_problem(&problem, &answered.answer, request);
    }
    let kind = HeaderValue::from_static("application/json");
    reply(StatusCode::OK, kind, to_json(faces, answered))
}

/// A problem that carries everything an answer does.
fn render_problem(problem: &Problem, answer: &Answer, request: &RequestId) -> Reply {
    let status = problem.kind().status();
    let mut json = Json::new();
    json.raw("{");
    problem.write_members(&mut json, request.as_str(), status);
    json.raw(",");
    answer::write_members(&mut json, answer);
    json.raw("}");
    let mut reply = reply(status, PROBLEM_JSON, json.into_bytes());
    if let Outcome::CannotTell(missing) = &answer.outcome {
        let seconds = whole_seconds(missing.retry_after);
        reply.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    reply
}

/// An answer as an object, kept for the next question of the kind.
fn to_json(faces: &Faces, answered: &Answered) -> Vec<u8> {
    let mut json = Json::new();
    answer::write(&mut json, &answered.answer);
    if answered.can_be_kept() {
        let text = json.to_text(StatusCode::OK.as_u16());
        faces.gateway.keep(answered, hit::REST, text);
    }
    json.into_bytes()
}

fn reply(status: StatusCode, kind: HeaderValue, body: Vec<u8>) -> Reply {
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
