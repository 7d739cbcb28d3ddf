//! `/v1/admin/connectors`: the connections to device-management systems, and
//! switching them on and off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use portreeve_domain::Timestamp;
use portreeve_gateway::{CheckReport, ConnectionRecord, Health, SwitchError};
use serde::{Deserialize, Serialize};

use crate::admin::{ProgressView, answer};
use crate::configuration::{CredentialExpiry, CycleError};
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::text::Rfc3339;

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/v1/admin/connectors", get(list))
        .route("/v1/admin/connectors/{name}", get(show))
        .route("/v1/admin/connectors/{name}/enable", post(enable))
        .route("/v1/admin/connectors/{name}/disable", post(disable))
        .route("/v1/admin/connectors/{name}/cycle", post(cycle))
}

/// How a source is switched on.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EnableQuery {
    /// Though nobody has tested it.
    force: bool,
    /// Check it first.
    check: bool,
}

/// How a source is made anew.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CycleQuery {
    /// Put it in force though the check failed.
    force: bool,
}

/// How long a check may take.
const LONGEST_CHECK: Duration = Duration::from_mins(1);

async fn list(State(faces): State<Arc<Faces>>) -> Response {
    let records = faces.gateway.records().into_iter();
    let views: Vec<View> = records.map(|record| View::of(&faces, record)).collect();
    answer(&serde_json::json!({ "connectors": views }))
}

async fn show(
    State(faces): State<Arc<Faces>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let record = faces
        .gateway
        .record(&name)
        .map_err(|error| refused(&error))?;
    Ok(answer(&View::of(&faces, record)))
}

async fn enable(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    query: Result<Query<EnableQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    if query.check {
        let deadline = Instant::now() + LONGEST_CHECK;
        // What came of it is looked at below.
        let _ = faces.gateway.check(&name, deadline).await;
    }
    let by = &caller.client.name;
    let enabled = faces.gateway.enable(&name, by, query.force).await;
    enabled.map_err(|error| refused(&error))?;
    show(State(faces), Path(name)).await
}

async fn disable(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let disabled = faces.gateway.disable(&name, &caller.client.name).await;
    disabled.map_err(|error| refused(&error))?;
    show(State(faces), Path(name)).await
}

/// A client that leaves does not end it.
async fn cycle(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    query: Result<Query<CycleQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let Some(configuration) = faces.configuration.get() else {
        let detail = "this process has no configuration that could be read again";
        return Err(Problem::new(ProblemKind::NoSuchPath, detail));
    };
    let cycled = configuration.cycle(&name, &caller.client.name, query.force);
    let cycled = cycled.await.map_err(|error| match &error {
        CycleError::NoSource(_) => Problem::new(ProblemKind::NoSuchPath, error.to_string()),
        CycleError::Refused(_) => {
            Problem::new(ProblemKind::ConfigurationRefused, error.to_string())
        }
        CycleError::Failed(_) => Problem::new(ProblemKind::Internal, error.to_string()),
    })?;
    Ok(answer(&CycledView {
        done: cycled.done,
        report: ReportView::of(&cycled.report),
    }))
}

fn refused(error: &SwitchError) -> Problem {
    let kind = match error {
        SwitchError::NoSource(_) => ProblemKind::NoSuchPath,
        SwitchError::Untested { .. } => ProblemKind::NotTested,
        SwitchError::Store(_) | SwitchError::Sources(_) => ProblemKind::Internal,
    };
    let detail = match error {
        SwitchError::Untested { name, .. } => {
            format!("{error}; `portreeve connector enable {name} --check` checks it first")
        }
        _ => error.to_string(),
    };
    Problem::new(kind, detail)
}

/// One connection record.
#[derive(Debug, Serialize)]
struct View {
    name: Arc<str>,
    enabled: bool,
    /// The operator's command that holds, if it is not the configuration's word.
    switched: Option<SwitchedView>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    provider: String,
    description: Option<String>,
    template: Option<String>,
    plugin: String,
    version: String,
    /// Hosts that it found out itself.
    discovered: Vec<String>,
    requery_interval_seconds: Option<u64>,
    check: Option<CheckedView>,
    inventory: Option<ProgressView>,
    /// Secrets and certificates that end some day.
    expires: Vec<ExpiryView>,
}

#[derive(Debug, Serialize)]
struct ExpiryView {
    name: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbprint: Option<String>,
}

impl ExpiryView {
    fn of(expiry: CredentialExpiry) -> Self {
        Self {
            name: expiry.name,
            expires_at: moment(expiry.expires_at),
            thumbprint: expiry.thumbprint,
        }
    }
}

fn expires(faces: &Faces, connector: &str) -> Vec<ExpiryView> {
    let configuration = faces.configuration.get();
    let all = configuration.map_or_else(Vec::new, |it| it.expiries());
    let own = all
        .into_iter()
        .filter(|expiry| expiry.connector == connector);
    own.map(ExpiryView::of).collect()
}

#[derive(Debug, Serialize)]
struct SwitchedView {
    at: String,
    by: Arc<str>,
}

#[derive(Debug, Serialize)]
struct CheckedView {
    at: String,
    verdict: &'static str,
    detail: Option<String>,
    /// Whether it was of the settings in force.
    current: bool,
}

#[derive(Debug, Serialize)]
struct CycledView {
    done: bool,
    #[serde(flatten)]
    report: ReportView,
}

#[derive(Debug, Serialize)]
struct ReportView {
    verdict: &'static str,
    findings: Vec<FindingView>,
}

#[derive(Debug, Serialize)]
struct FindingView {
    subject: String,
    verdict: &'static str,
    code: Option<String>,
    message: String,
    hint: Option<String>,
}

impl ReportView {
    fn of(report: &CheckReport) -> Self {
        let findings = report.findings.iter().map(|finding| FindingView {
            subject: finding.subject.clone(),
            verdict: finding.verdict.as_str(),
            code: finding.code.clone(),
            message: finding.message.clone(),
            hint: finding.hint.clone(),
        });
        Self {
            verdict: report.verdict().as_str(),
            findings: findings.collect(),
        }
    }
}

impl View {
    fn of(faces: &Faces, record: ConnectionRecord) -> Self {
        let settings = &record.settings;
        let about = &settings.about;
        let inventory = faces.inventory.as_deref();
        let progress = inventory.and_then(|it| it.progress(&settings.name).ok());
        let (state, detail) = match settings.source.health() {
            _ if !settings.enabled => ("disabled", None),
            Health::Ok => ("ok", None),
            Health::Disabled => ("disabled", None),
            Health::Failing(detail) => ("failing", Some(detail)),
        };
        Self {
            name: Arc::clone(&settings.name),
            enabled: settings.enabled,
            switched: record.word.as_ref().map(|word| SwitchedView {
                at: moment(word.at),
                by: Arc::clone(&word.by),
            }),
            state,
            detail,
            kind: about.kind.clone(),
            provider: about.provider.clone(),
            description: about.description.clone(),
            template: about.template.clone(),
            plugin: about.plugin.clone(),
            version: about.version.clone(),
            discovered: record.discovered,
            requery_interval_seconds: settings.requery.map(|it| it.as_secs()),
            check: record.check.as_ref().map(|check| CheckedView {
                at: moment(check.at),
                verdict: check.verdict.as_str(),
                detail: check.detail.clone(),
                current: record.check_is_current,
            }),
            inventory: progress.map(|progress| ProgressView::of(&progress.borrow())),
            expires: expires(faces, &settings.name),
        }
    }
}

fn moment(at: Timestamp) -> String {
    String::from_utf8_lossy(&Rfc3339(at).to_bytes()).into_owned()
}
