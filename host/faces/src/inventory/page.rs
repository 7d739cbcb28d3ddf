//! `GET /v1/devices/{identifier}?detail=all`: everything that is known about one
//! device, by source, with its age.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Response, StatusCode};
use http_body_util::{Either, Full};
use portreeve_domain::{Absence, Finding, Identifier, Question, Timestamp};
use portreeve_gateway::query::Fact;
use portreeve_gateway::selection::{DevicePage, Row, Telling};
use serde::Serialize;

use super::row::{write_record, write_value};
use super::{JSON, NO_STORE};
use crate::body::Reply;
use crate::clients::Client;
use crate::faces::Faces;
use crate::json::Json;
use crate::metrics::Outcome;
use crate::problem::{Problem, ProblemKind};
use crate::{path, quarantine, radius, rest};

/// Whether a query is one for the page.
pub(crate) fn is_wanted(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.starts_with("detail="))
}

/// The page. Sources are asked as for any question, if memory does not know
/// enough; but it is no question of a connection, so it is not in the log.
pub(crate) async fn page(
    faces: &Faces,
    client: &Arc<Client>,
    segment: &str,
    query: &str,
) -> Result<(Reply, Outcome), Problem> {
    if query != "detail=all" {
        let found = crate::text::one_line(query, 60);
        let detail = format!("expected `detail=all` and nothing else, found `{found}`");
        return Err(Problem::malformed(detail));
    }
    let text = path::decode(segment)?;
    let identifier: Identifier = text
        .parse()
        .map_err(|error| Problem::malformed(format!("the identifier in the path: {error}")))?;
    let connection = Arc::clone(&client.connection);
    let question = Question::new(vec![identifier.clone()], connection, client.patience);
    let answer = faces.answer(&question).await?.answer;
    let page = faces.gateway.device_page(&identifier, &client.connection);
    let is_known = page
        .tellings
        .iter()
        .any(|it| matches!(it, Telling::Known(_)));
    if !is_known && matches!(answer.finding, Finding::Absent(Absence::UnknownDevice)) {
        let detail = "every source was asked and none knows a device of this identifier";
        return Err(Problem::new(ProblemKind::UnknownDevice, detail));
    }
    let now = Timestamp::now();
    let mut json = Json::new();
    json.raw("{\"identifier\":").text(&identifier.to_string());
    json.raw(",\"answer\":");
    rest::write_answer(&mut json, &answer);
    json.raw(",\"records\":[")
        .each(&page.tellings, |json, telling| {
            write_telling(json, telling, now);
        });
    json.raw("],\"facts\":{");
    write_facts(&mut json, &page, now);
    json.raw("},\"sessions\":[")
        .each(&page.sessions, |json, session| {
            write_view(json, &radius::SessionView::of(session));
        });
    json.raw("],\"quarantine\":[")
        .each(&page.quarantine, |json, assignment| {
            write_view(json, &quarantine::EndpointView::of(assignment));
        });
    json.raw("]}");
    let mut reply = Response::new(Either::Left(Full::new(Bytes::from(json.into_bytes()))));
    *reply.status_mut() = StatusCode::OK;
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    Ok((reply, Outcome::of(&answer)))
}

fn write_telling(json: &mut Json, telling: &Telling, now: Timestamp) {
    let (source, word, fetched_at) = match telling {
        Telling::Known(row) => {
            json.raw("{\"outcome\":\"found\",");
            write_record(json, row, now);
            json.raw("}");
            return;
        }
        Telling::Unknown { source, fetched_at } => (source, "unknown-device", Some(*fetched_at)),
        Telling::Ambiguous { source } => (source, "ambiguous", None),
        Telling::Silent { source } => (source, "not-asked", None),
    };
    json.raw("{\"outcome\":\"").raw(word);
    json.raw("\",\"source\":").text(source);
    json.raw(",\"fetched_at\":").optional_moment(fetched_at);
    json.raw("}");
}

/// Every fact that any source tells, with who tells what, and its age.
fn write_facts(json: &mut Json, page: &DevicePage, now: Timestamp) {
    let rows = page.tellings.iter().filter_map(|telling| match telling {
        Telling::Known(row) => Some(&**row),
        _ => None,
    });
    let rows: Vec<&Row> = rows.collect();
    let told = facts(&rows).into_iter().filter_map(|fact| {
        let values = rows.iter().filter_map(|row| {
            let value = fact.of(&row.candidate())?;
            let is_told = !matches!(value, portreeve_gateway::query::FactValue::Absent);
            is_told.then_some((*row, value))
        });
        let values: Vec<_> = values.collect();
        (!values.is_empty()).then_some((fact, values))
    });
    json.each(told, |json, (fact, values)| {
        json.text(&fact.to_string()).raw(":[");
        json.each(values, |json, (row, value)| {
            json.raw("{\"source\":").text(&row.source);
            json.raw(",\"value\":");
            write_value(json, &value);
            json.raw(",\"age_seconds\":")
                .number(now.since(row.fetched_at).as_secs());
            json.raw(",\"stale\":").boolean(row.is_stale).raw("}");
        });
        json.raw("]");
    });
}

/// The facts that these records may have, each once. What is about the record
/// itself stands beside every value.
fn facts(rows: &[&Row]) -> Vec<Fact> {
    let is_of_record =
        |fact: &Fact| matches!(&*fact.to_string(), "source" | "fetched-at" | "stale");
    let mut facts: Vec<Fact> = Fact::common().filter(|fact| !is_of_record(fact)).collect();
    for row in rows {
        let attributes = row.device.attributes.iter();
        let attributes = attributes.map(|it| Fact::Attribute(it.name.as_str().into()));
        let kinds = row.device.ids.iter();
        let kinds = kinds.map(|id| Fact::Identifier(id.kind().into()));
        for fact in attributes.chain(kinds) {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
    }
    facts
}

fn write_view(json: &mut Json, view: &impl Serialize) {
    json.raw(&serde_json::to_string(view).unwrap_or_default());
}
