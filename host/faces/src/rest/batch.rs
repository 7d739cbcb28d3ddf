//! `POST /v1/decisions/batch`: many questions, the answers as a stream.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body as AxumBody;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::HeaderValue;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::question::{self, Object};
use super::to_json;
use crate::body::read_json;
use crate::clients::{Client, Face};
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::hit;
use crate::journal::Noted;
use crate::json::Json;
use crate::problem::{Problem, ProblemKind};
use crate::request_id::RequestId;

/// More than this are refused.
pub(super) const MOST_QUESTIONS: usize = 100_000;
/// Questions of one batch that are on the way at once.
const AT_ONCE: usize = 64;
/// Bytes for their answers, more or less.
const FRAME: usize = 64 << 10;

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
    client.charge((questions.len() as u64).saturating_sub(1), Instant::now());
    let (start, end) = form.ends();
    let batch = Batch {
        faces,
        client,
        request: request_id,
        form,
        body,
        questions,
    };
    let answers = stream::unfold((batch, 0), |(batch, first)| async move {
        let (frame, next) = batch.frame(first).await?;
        Some((frame, (batch, next)))
    });
    let once = |text: &'static str| {
        stream::iter((!text.is_empty()).then(|| Bytes::from_static(text.as_bytes())))
    };
    // The permit lives as long as the stream, also when the client goes away.
    let frames = once(start)
        .chain(answers)
        .chain(once(end))
        .map(move |frame| {
            let _held = &permit;
            Ok::<_, std::convert::Infallible>(frame)
        });
    let mut response = Response::new(AxumBody::from_stream(frames));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, form.content_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A batch on its way.
struct Batch {
    faces: Arc<Faces>,
    client: Arc<Client>,
    request: RequestId,
    form: Form,
    body: Bytes,
    /// Where the questions stand in the body.
    questions: Vec<Range<usize>>,
}

impl Batch {
    /// The answers to the next few questions from `first` on, and which is next
    /// then. `None` after the last.
    async fn frame(&self, first: usize) -> Option<(Bytes, usize)> {
        let questions = self.questions.get(first..)?;
        let questions = questions.get(..AT_ONCE).unwrap_or(questions);
        if questions.is_empty() {
            return None;
        }
        let mut frame = Vec::with_capacity(FRAME);
        let mut position = first;
        // Hits are written at once. From the first one on that has to wait, the
        // rest of the frame is answered side by side.
        for question in questions {
            let found = question::hit(self.text(question), &self.faces.gateway, &self.client);
            let Some((hit, identifier)) = found else {
                break;
            };
            self.form
                .write(position, &mut frame, |frame| hit::fill(&hit, frame));
            self.record(Noted::of_hit(&hit, &[identifier]), Duration::ZERO);
            position += 1;
        }
        let rest = questions.get(position - first..).unwrap_or_default();
        let rest = (position..)
            .zip(rest)
            .map(|(position, question)| self.answer(position, self.text(question)));
        for answer in futures_util::future::join_all(rest).await {
            let write = |frame: &mut Vec<u8>| frame.extend_from_slice(&answer);
            self.form.write(position, &mut frame, write);
            position += 1;
        }
        Some((Bytes::from(frame), position))
    }

    fn text(&self, question: &Range<usize>) -> &[u8] {
        self.body.get(question.clone()).unwrap_or_default()
    }

    /// The answer to one question that has to be read thoroughly, or to wait.
    async fn answer(&self, position: usize, question: &[u8]) -> Vec<u8> {
        let started = Instant::now();
        let answered = match question::read(question, &self.client) {
            Ok(question) => self.faces.answer(&question).await.inspect(|answered| {
                let noted = Noted::of(answered, question.identifiers());
                self.record(noted, started.elapsed());
            }),
            Err(problem) => Err(problem),
        };
        match answered {
            Ok(answered) => to_json(&self.faces, &answered),
            Err(problem) => refused(&problem, position, &self.request),
        }
    }

    fn record(&self, noted: Option<Noted>, latency: Duration) {
        if let Some(noted) = noted {
            let face = Face::Rest;
            self.faces
                .record(noted, &self.client, face, &self.request, latency);
        }
    }
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

    /// Before the first answer and after the last.
    const fn ends(self) -> (&'static str, &'static str) {
        match self {
            Self::Document => ("{\"answers\":[", "]}"),
            Self::Lines => ("", ""),
        }
    }

    /// One answer with what separates it from the others.
    fn write(self, position: usize, frame: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if self == Self::Document && position > 0 {
            frame.push(b',');
        }
        write(frame);
        if self == Self::Lines {
            frame.push(b'\n');
        }
    }
}

/// Reads `{"questions": […]}` and leaves the questions themselves unread, so
/// that one that is wrong spoils no other.
pub(super) fn read(json: &[u8]) -> Result<Vec<Range<usize>>, Problem> {
    let Object(Written { questions }) =
        serde_json::from_slice(json).map_err(|error| question::not_json(&error))?;
    let place = |question: &&RawValue| {
        let start = question.get().as_ptr().addr() - json.as_ptr().addr();
        start..start + question.get().len()
    };
    Ok(questions.0.iter().map(place).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(borrow)]
    questions: Questions<'a>,
}

struct Questions<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Questions<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Questions<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "a list of at most {MOST_QUESTIONS} questions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
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
