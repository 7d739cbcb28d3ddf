//! `POST /v1/decisions/batch`: many questions, the answers as a stream.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as AxumBody;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::HeaderValue;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::question::{self, Object};
use super::to_json;
use crate::body::read_json;
use crate::clients::Client;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::json::Json;
use crate::problem::{Problem, ProblemKind};
use crate::request_id::RequestId;

/// More than this are refused.
pub(super) const MOST_QUESTIONS: usize = 100_000;
/// Questions of one batch that are on the way at once.
const AT_ONCE: usize = 64;

pub(crate) async fn batch(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let Ok(permit) = Arc::clone(&faces.batches).try_acquire_owned() else {
        let detail = "other batches are being answered; ask again or send smaller ones";
        let problem = Problem::new(ProblemKind::Busy, detail);
        return Err(problem.retry_after(Duration::from_secs(1)));
    };
    let form = Form::wanted(&request);
    let body = read_json(request, faces.limits.max_body, faces.limits.body_timeout).await?;
    let questions = read(&body)?;
    faces.metrics.batch_questions.inc_by(questions.len() as u64);
    let Caller { client, request_id } = caller;
    let answers = answers(faces, client, request_id, questions);
    // The permit lives as long as the stream, also when the client goes away.
    let frames = form.frame(answers).map(move |frame| {
        let _held = &permit;
        Ok::<_, std::convert::Infallible>(frame)
    });
    let mut response = Response::new(AxumBody::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, form.content_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The answers in the order of the questions, each as JSON.
fn answers(
    faces: Arc<Faces>,
    client: Arc<Client>,
    request: RequestId,
    questions: Vec<Box<RawValue>>,
) -> impl Stream<Item = Vec<u8>> {
    let questions = questions.into_iter().enumerate();
    stream::iter(questions)
        .map(move |(position, question)| {
            let faces = Arc::clone(&faces);
            let client = Arc::clone(&client);
            let request = request.clone();
            async move {
                match question::read(question.get().as_bytes(), &client) {
                    Ok(question) => to_json(&faces.answer(&question).await),
                    Err(problem) => refused(&problem, position, &request),
                }
            }
        })
        .buffered(AT_ONCE)
}

/// What stands in the place of a question that cannot be read: the problem, and
/// the question's position in the batch, from zero.
fn refused(problem: &Problem, question: usize, request: &RequestId) -> Vec<u8> {
    let mut json = Json::new();
    json.raw("{\"problem\":{");
    problem.write_members(&mut json, request.as_str(), problem.kind().status());
    json.raw(",\"question\":").number(question as u64).raw("}}");
    json.into_bytes()
}

/// How the answers follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One JSON document.
    Document,
    /// One line each.
    Lines,
}

impl Form {
    fn wanted(request: &Request) -> Self {
        let accepted = request.headers().get_all(ACCEPT).iter();
        let mut kinds = accepted.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let lines = kinds.any(|kind| {
            let name = kind.split(|byte| *byte == b';').next().unwrap_or_default();
            name.trim_ascii()
                .eq_ignore_ascii_case(b"application/x-ndjson")
        });
        if lines { Self::Lines } else { Self::Document }
    }

    const fn content_type(self) -> HeaderValue {
        match self {
            Self::Document => HeaderValue::from_static("application/json"),
            Self::Lines => HeaderValue::from_static("application/x-ndjson"),
        }
    }

    fn frame(self, answers: impl Stream<Item = Vec<u8>>) -> impl Stream<Item = Bytes> {
        let (start, between, end) = match self {
            Self::Document => ("{\"answers\":[", ",", "]}"),
            Self::Lines => ("", "", ""),
        };
        let after = if self == Self::Lines { "\n" } else { "" };
        let frames = answers
            .ready_chunks(AT_ONCE)
            .enumerate()
            .map(move |(number, chunk)| {
                let bytes = chunk.iter().map(|answer| answer.len() + 1).sum();
                let mut frame = Vec::with_capacity(bytes);
                for (position, answer) in chunk.iter().enumerate() {
                    if number > 0 || position > 0 {
                        frame.extend_from_slice(between.as_bytes());
                    }
                    frame.extend_from_slice(answer);
                    frame.extend_from_slice(after.as_bytes());
                }
                Bytes::from(frame)
            });
        let once = |text: &'static str| {
            stream::iter((!text.is_empty()).then(|| Bytes::from_static(text.as_bytes())))
        };
        once(start).chain(frames).chain(once(end))
    }
}

/// Reads `{"questions": […]}` and leaves the questions themselves unread, so
/// that one that is wrong spoils no other.
pub(super) fn read(json: &[u8]) -> Result<Vec<Box<RawValue>>, Problem> {
    let Object(Batch { questions }) =
        serde_json::from_slice(json).map_err(|error| question::not_json(&error))?;
    Ok(questions.0)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    questions: Questions,
}

struct Questions(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Questions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Questions;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "a list of at most {MOST_QUESTIONS} questions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Questions, A::Error> {
                let mut questions = Vec::new();
                while let Some(question) = list.next_element()? {
                    if questions.len() == MOST_QUESTIONS {
                        return Err(de::Error::invalid_length(MOST_QUESTIONS + 1, &self));
                    }
                    questions.push(question);
                }
                Ok(Questions(questions))
            }
        }

        deserializer.deserialize_seq(List)
    }
}
