//! `POST /v1/admin/connectors/{name}/check`: what works and what does not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::header::CACHE_CONTROL;
use portreeve_gateway::CheckReport;
use serde::{Deserialize, Serialize};

use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};

/// How long a check may take, in seconds.
const LONGEST: u64 = 300;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CheckQuery {
    /// The longest it may take, in seconds.
    timeout: u64,
}

impl Default for CheckQuery {
    fn default() -> Self {
        Self { timeout: 60 }
    }
}

/// Talks to the source, past every cache, and answers when that is done. A client that leaves ends
/// it.
pub(crate) async fn check(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    query: Result<Query<CheckQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    if !(1..=LONGEST).contains(&query.timeout) {
        return Err(Problem::malformed(format!(
            "`timeout` has to be 1 to {LONGEST} seconds"
        )));
    }
    tracing::info!(
        client = &*caller.client.name,
        source = name,
        "a check was asked for"
    );
    let deadline = Instant::now() + Duration::from_secs(query.timeout);
    let Some(report) = faces.gateway.check(&name, deadline).await else {
        let detail = format!("there is no connector `{name}`");
        return Err(Problem::new(ProblemKind::NoSuchPath, detail));
    };
    let view = ReportView::of(&name, &report);
    Ok(([(CACHE_CONTROL, "no-store")], Json(view)).into_response())
}

#[derive(Debug, Serialize)]
struct ReportView<'a> {
    connector: &'a str,
    verdict: &'static str,
    findings: Vec<FindingView<'a>>,
}

#[derive(Debug, Serialize)]
struct FindingView<'a> {
    subject: &'a str,
    verdict: &'static str,
    code: Option<&'a str>,
    message: &'a str,
    hint: Option<&'a str>,
}

impl<'a> ReportView<'a> {
    fn of(connector: &'a str, report: &'a CheckReport) -> Self {
        let findings = report.findings.iter().map(|finding| FindingView {
            subject: &finding.subject,
            verdict: finding.verdict.as_str(),
            code: finding.code.as_deref(),
            message: &finding.message,
            hint: finding.hint.as_deref(),
        });
        Self {
            connector,
            verdict: report.verdict().as_str(),
            findings: findings.collect(),
        }
    }
}
