//! `/v1/admin/configuration`: which configuration is in force, and reading it
//! again.

use std::fmt;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::header::CACHE_CONTROL;
use portreeve_domain::Timestamp;
use portreeve_gateway::CheckReport;
use serde::{Deserialize, Serialize};

use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::text::Rfc3339;

/// The configuration of the process, which can be read again while it runs.
pub trait Configuration: Send + Sync + fmt::Debug {
    /// Reads it again, checks it whole, and puts in force what can be changed
    /// without a restart. One that has a mistake changes nothing, nor one that
    /// would change more verdicts than the operator allows, unless it is
    /// `forced`.
    fn reload(
        &self,
        forced: bool,
    ) -> BoxFuture<'_, Result<ConfigurationState, ConfigurationRefused>>;

    /// What is in force.
    fn state(&self) -> ConfigurationState;

    /// Secrets and certificates of connectors that end some day.
    fn expiries(&self) -> Vec<CredentialExpiry> {
        Vec::new()
    }

    /// Makes one connector anew, as the configuration has it now, with other
    /// connections and tokens; checks it, and puts it in force and switches it on
    /// if it passed or that is `forced`. Until then the one before goes on. `by`
    /// is the client that asks.
    fn cycle<'a>(
        &'a self,
        name: &'a str,
        _by: &'a str,
        _forced: bool,
    ) -> BoxFuture<'a, Result<Cycled, CycleError>> {
        std::future::ready(Err(CycleError::NoSource(name.to_owned()))).boxed()
    }
}

/// A secret or certificate of a connector that ends some day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialExpiry {
    /// Name of the connector.
    pub connector: String,
    /// Name of the credential, or `trust` for a certificate that is trusted.
    pub name: String,
    /// SHA-1 of a certificate, 40 hexadecimal digits in upper case.
    pub thumbprint: Option<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// What came of making a connector anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycled {
    /// What the check found.
    pub report: CheckReport,
    /// Whether it is in force.
    pub done: bool,
}

/// A connector that was not made anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CycleError {
    /// There is none of that name.
    #[error("there is no source `{0}`")]
    NoSource(String),
    /// The configuration has mistakes.
    #[error(transparent)]
    Refused(#[from] ConfigurationRefused),
    /// It cannot be made or put in force.
    #[error("{0}")]
    Failed(String),
}

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationState {
    /// When it was read.
    pub loaded_at: Timestamp,
    /// SHA-256 of its files, in hexadecimal.
    pub digest: String,
    /// Keys whose values in the files are others than those the process was
    /// started with, and that it cannot change while it runs.
    pub needs_restart: Vec<String>,
    /// The last time that it was refused, if that was after it was read.
    pub refused: Option<(Timestamp, ConfigurationRefused)>,
}

/// The configuration has mistakes. The one before stays in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct ConfigurationRefused {
    /// One text for each mistake. Never a secret.
    pub problems: Vec<String>,
}

/// How it is read again.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReloadQuery {
    /// However many verdicts it changes.
    force: bool,
}

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/v1/admin/configuration", get(state))
        .route("/v1/admin/configuration/reload", post(reload))
}

async fn state(State(faces): State<Arc<Faces>>) -> Result<Response, Problem> {
    Ok(answer(&View::of(configuration(&faces)?.state())))
}

async fn reload(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<ReloadQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let configuration = configuration(&faces)?;
    tracing::info!(
        client = &*caller.client.name,
        "the configuration is to be read again"
    );
    match configuration.reload(query.force).await {
        Ok(state) => Ok(answer(&View::of(state))),
        Err(refused) => Err(Problem::new(
            ProblemKind::ConfigurationRefused,
            refused.to_string(),
        )),
    }
}

fn configuration(faces: &Faces) -> Result<&dyn Configuration, Problem> {
    let configuration = faces.configuration.get();
    configuration.map(AsRef::as_ref).ok_or_else(|| {
        let detail = "this process has no configuration that could be read again";
        Problem::new(ProblemKind::NoSuchPath, detail)
    })
}

fn answer(view: &View) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(view)).into_response()
}

#[derive(Debug, Serialize)]
struct View {
    loaded_at: String,
    digest: String,
    needs_restart: Vec<String>,
    refused: Option<RefusedView>,
}

#[derive(Debug, Serialize)]
struct RefusedView {
    at: String,
    problems: Vec<String>,
}

impl View {
    fn of(state: ConfigurationState) -> Self {
        let moment = |moment| String::from_utf8_lossy(&Rfc3339(moment).to_bytes()).into_owned();
        Self {
            loaded_at: moment(state.loaded_at),
            digest: state.digest,
            needs_restart: state.needs_restart,
            refused: state.refused.map(|(at, refused)| RefusedView {
                at: moment(at),
                problems: refused.problems,
            }),
        }
    }
}
