//! Why a decision is what it is: `/v1/admin/explanations` for a question of now,
//! `/v1/decisions/{id}/explanation` for one of the past.

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use portreeve_domain::Identifier;
use portreeve_gateway::{Explanation, FactRead, Improvement, PolicyWord};
use portreeve_store::decisions::{Filter, Found, Reader, Record, Recorded};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clients::Client;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::policies::moment;
use crate::problem::{Problem, ProblemKind};
use crate::rest::{AnswerView, question};

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/v1/admin/explanations", post(now))
        .route("/v1/decisions/{id}/explanation", get(past))
}

/// For whom an answer is explained.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NowQuery {
    /// A client by its name; without one, nobody's view or chain.
    client: Option<String>,
}

/// Which of the decisions of one request.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PastQuery {
    identifier: Option<String>,
}

/// The body is a question as for `/v1/decisions`.
async fn now(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<NowQuery>, QueryRejection>,
    body: Bytes,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let client = match &query.client {
        Some(name) => named(&faces, name)?,
        None => caller.client,
    };
    let question = question::read(&body, &client)?;
    let explanation = faces.gateway.explain(&question).await;
    Ok(answer(&View::of(&explanation)))
}

fn named(faces: &Faces, name: &str) -> Result<Arc<Client>, Problem> {
    let roster = faces.clients.now();
    let client = roster.called(name).cloned();
    client.ok_or_else(|| Problem::malformed(format!("`client`: there is no client `{name}`")))
}

async fn past(
    State(faces): State<Arc<Faces>>,
    Path(id): Path<String>,
    query: Result<Query<PastQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let identifier = query.identifier.map(|text| text.parse::<Identifier>());
    let identifier = identifier.transpose();
    let identifier =
        identifier.map_err(|error| Problem::malformed(format!("`identifier`: {error}")))?;
    let Some(log) = faces.gateway.log() else {
        let detail = "the gateway keeps no decisions; see `[decisions]` in its configuration";
        return Err(Problem::new(ProblemKind::NoSuchPath, detail));
    };
    // What was answered just now may still wait to be written.
    let flushed = log.flush().await;
    flushed.map_err(|error| Problem::new(ProblemKind::Internal, error.to_string()))?;
    let reader = Reader::new(log.directory());
    let filter = Filter {
        identifier,
        request: Some(id),
        ..Filter::default()
    };
    let found = tokio::task::spawn_blocking(move || find(&reader, &filter)).await;
    let found = found.map_err(|error| Problem::new(ProblemKind::Internal, error.to_string()))?;
    let Some(record) = found? else {
        let detail = "the decision log has no decision of that request";
        return Err(Problem::new(ProblemKind::NoSuchPath, detail));
    };
    let view = logged(&record);
    let recorded = match Recorded::of(&record) {
        Ok(recorded) => recorded,
        Err(error) => {
            return Ok(answer(
                &json!({ "logged": view, "not_explained": error.to_string() }),
            ));
        }
    };
    let subject = Arc::new(recorded.subject.clone());
    let explanation = faces.gateway.explain_recorded(&subject).await;
    let read = explanation.policies.iter().flat_map(|word| &word.facts);
    let missing = read.map(|fact| &fact.name);
    let missing: Vec<&String> = missing.filter(|name| !recorded.knows_name(name)).collect();
    Ok(answer(&json!({
        "logged": view,
        "now": View::of(&explanation),
        "not_recorded": missing,
    })))
}

/// The newest decision of a request.
fn find(reader: &Reader, filter: &Filter) -> Result<Option<Record>, Problem> {
    let mut newest = None;
    let read = reader.read_newest(1, filter, &mut |found| {
        if let Found::Decision { record, .. } = found {
            newest = Some(record.clone());
        }
        ControlFlow::Continue(())
    });
    match read {
        Ok(_) => Ok(newest),
        Err(error) => Err(Problem::new(ProblemKind::Internal, error.to_string())),
    }
}

fn answer(view: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(view)).into_response()
}

/// A decision as it stands in the log.
fn logged(record: &Record) -> Value {
    let reasons = record.reasons.iter().map(
        |reason| json!({ "code": reason.code, "message": reason.message, "facts": reason.facts }),
    );
    json!({
        "at": moment(record.at),
        "client": record.client,
        "face": record.face,
        "identifiers": record.identifiers,
        "origin": record.origin,
        "stale": record.stale,
        "verdict": record.verdict.as_str(),
        "reasons": reasons.collect::<Vec<_>>(),
        "policy": record.policy.as_ref().map(|policy| &policy.name),
        "chain": record.chain_name,
        "quarantined": record.quarantined,
        "facts": record.facts,
        "source": record.source.as_ref().map(|source| &source.name),
    })
}

/// An explanation as operators see it.
#[derive(Debug, Serialize)]
struct View<'a> {
    answer: AnswerView<'a>,
    requested: Vec<String>,
    matched: Vec<String>,
    chain: &'a str,
    combine: &'static str,
    remembered_since: Option<String>,
    quarantined: bool,
    policies: Vec<PolicyView<'a>>,
    improvements: Vec<ImprovementView<'a>>,
}

#[derive(Debug, Serialize)]
struct PolicyView<'a> {
    name: &'a str,
    mode: &'static str,
    verdict: Option<&'static str>,
    reasons: Vec<Value>,
    failure: Option<&'a str>,
    facts: Vec<FactView<'a>>,
}

#[derive(Debug, Serialize)]
struct FactView<'a> {
    name: &'a str,
    value: &'a Value,
    source: Option<&'a str>,
    age_seconds: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ImprovementView<'a> {
    fact: &'a str,
    now: &'a Value,
    then: &'a Value,
    verdict: &'static str,
}

impl<'a> View<'a> {
    fn of(explanation: &'a Explanation) -> Self {
        let texts =
            |identifiers: &[Identifier]| identifiers.iter().map(ToString::to_string).collect();
        Self {
            answer: AnswerView(&explanation.answer),
            requested: texts(&explanation.requested),
            matched: texts(&explanation.matched),
            chain: &explanation.chain,
            combine: explanation.combine.as_str(),
            remembered_since: explanation.remembered_since.map(moment),
            quarantined: explanation.is_quarantined,
            policies: explanation.policies.iter().map(PolicyView::of).collect(),
            improvements: explanation
                .improvements
                .iter()
                .map(ImprovementView::of)
                .collect(),
        }
    }
}

impl<'a> PolicyView<'a> {
    fn of(word: &'a PolicyWord) -> Self {
        let decision = word.said.as_ref().ok();
        let reasons = decision.into_iter().flat_map(|decision| &decision.reasons);
        let reasons = reasons.map(|reason| {
            json!({ "code": reason.code, "message": reason.message, "facts": reason.facts })
        });
        Self {
            name: &word.name,
            mode: word.mode.as_str(),
            verdict: decision.map(|decision| decision.verdict.as_str()),
            reasons: reasons.collect(),
            failure: word.said.as_ref().err().map(String::as_str),
            facts: word.facts.iter().map(FactView::of).collect(),
        }
    }
}

impl<'a> FactView<'a> {
    fn of(fact: &'a FactRead) -> Self {
        Self {
            name: &fact.name,
            value: &fact.value,
            source: fact.source.as_deref(),
            age_seconds: fact.age.map(|age| age.as_secs()),
        }
    }
}

impl<'a> ImprovementView<'a> {
    fn of(improvement: &'a Improvement) -> Self {
        Self {
            fact: &improvement.fact,
            now: &improvement.now,
            then: &improvement.then,
            verdict: improvement.verdict.as_str(),
        }
    }
}
