//! `/v1/scep/…`: SCEP servers and other certification authorities ask whether a
//! certificate may be issued, tell what they did, and learn what to revoke.
//!
//! 200 is a yes and nothing else is: a server that only looks at the status
//! issues nothing it should not. All other answers are problems that say
//! `"approved": false`, whatever went wrong on the way.

mod body;
mod refusal;

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use portreeve_domain::scep::Declined;
use portreeve_gateway::{ScepAsker, ScepError, ScepSource, SourceErrorKind};
use serde::Serialize;
use serde_json::json;

use crate::body::read_json;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use body::{Addressed, IssuedBody, NotIssuedBody, RequestBody, ResultsBody, RevocationsBody};

pub(crate) use body::fuzz;
pub(crate) use refusal::of as refusal;

/// Bytes of a body: a request in base64 within JSON, or 500 results.
const LARGEST: usize = 256 << 10;

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/v1/scep/validate", post(validate))
        .route("/v1/scep/notify-success", post(notify_success))
        .route("/v1/scep/notify-failure", post(notify_failure))
        .route("/v1/scep/revocations", post(revocations))
        .route("/v1/scep/revocations/results", post(revocation_results))
}

async fn validate(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let work = async {
        let body: RequestBody = read(&faces, request).await?;
        let asked = body.read()?;
        let source = source(&faces, &caller, &body)?;
        let _place = faces.place()?;
        let approval = source.validate(&asked).await?;
        let ids: Vec<String> = approval.ids.iter().map(ToString::to_string).collect();
        Ok(answer(&json!({
            "approved": true,
            "connector": &**source.name(),
            "transaction_id": asked.transaction_id(),
            "identifiers": ids,
            "user": approval.user,
        })))
    };
    work.await.map_err(|no: No| no.into_response(&caller))
}

async fn notify_success(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let work = async {
        let body: IssuedBody = read(&faces, request).await?;
        let (asked, issued) = body.read()?;
        let source = source(&faces, &caller, &body)?;
        let _place = faces.place()?;
        source.notify_issued(&asked, &issued).await?;
        Ok(notified(&source, asked.transaction_id()))
    };
    work.await.map_err(|no: No| no.into_response(&caller))
}

async fn notify_failure(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let work = async {
        let body: NotIssuedBody = read(&faces, request).await?;
        let (asked, failed) = body.read()?;
        let source = source(&faces, &caller, &body)?;
        let _place = faces.place()?;
        source.notify_not_issued(&asked, &failed).await?;
        Ok(notified(&source, asked.transaction_id()))
    };
    work.await.map_err(|no: No| no.into_response(&caller))
}

async fn revocations(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let work = async {
        let body: RevocationsBody = read(&faces, request).await?;
        let (transaction, limit, issuer) = body.read()?;
        let source = source(&faces, &caller, &body)?;
        let _place = faces.place()?;
        let revocations = source.revocations(transaction, limit, issuer).await?;
        let revocations: Vec<_> = revocations
            .iter()
            .map(|it| {
                json!({
                    "context": it.context,
                    "serial": it.serial,
                    "issuer": it.issuer,
                    "ca_configuration": it.ca_configuration,
                })
            })
            .collect();
        Ok(answer(&json!({
            "connector": &**source.name(),
            "transaction_id": transaction,
            "revocations": revocations,
        })))
    };
    work.await.map_err(|no: No| no.into_response(&caller))
}

async fn revocation_results(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let work = async {
        let body: ResultsBody = read(&faces, request).await?;
        let (transaction, results) = body.read()?;
        let source = source(&faces, &caller, &body)?;
        let _place = faces.place()?;
        source.report_revocations(transaction, &results).await?;
        Ok(notified(&source, transaction))
    };
    work.await.map_err(|no: No| no.into_response(&caller))
}

/// Why a certificate may not be issued, or a notification was not taken.
enum No {
    Problem(Problem),
    Scep(ScepError),
}

impl From<Problem> for No {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ScepError> for No {
    fn from(error: ScepError) -> Self {
        Self::Scep(error)
    }
}

impl No {
    fn into_response(self, caller: &Caller) -> Response {
        let problem = match self {
            Self::Problem(problem) => problem,
            Self::Scep(ScepError::Declined(Declined::Refused(refused))) => {
                return refusal::with_code(&refused, caller.request_id.as_str());
            }
            Self::Scep(ScepError::Declined(Declined::Argument(problem))) => {
                Problem::malformed(problem)
            }
            Self::Scep(ScepError::Declined(Declined::Elsewhere(why))) => {
                Problem::new(ProblemKind::Elsewhere, why)
            }
            Self::Scep(ScepError::Failed(error)) => {
                let kind = match error.kind {
                    SourceErrorKind::RateLimited
                    | SourceErrorKind::Unavailable
                    | SourceErrorKind::Timeout => ProblemKind::SourceUnavailable,
                    SourceErrorKind::Misconfigured
                    | SourceErrorKind::BadResponse
                    | SourceErrorKind::PluginFault => ProblemKind::SourceFailed,
                };
                let problem = Problem::new(kind, error.message);
                match error.retry_after {
                    Some(after) => problem.retry_after(after),
                    None => problem,
                }
            }
        };
        problem.into_response()
    }
}

async fn read<T: for<'a> serde::Deserialize<'a>>(
    faces: &Faces,
    request: Request,
) -> Result<T, Problem> {
    let largest = LARGEST.min(faces.limits.max_body);
    let body: Bytes = read_json(request, largest, faces.limits.body_timeout).await?;
    body::parse(&body)
}

fn source(faces: &Faces, caller: &Caller, body: &impl Addressed) -> Result<ScepSource, Problem> {
    let asker = ScepAsker {
        client: &caller.client.name,
        sources: caller.client.connection.view.sources,
        connector: body.connector(),
    };
    let source = faces.gateway.scep(asker);
    source.map_err(|error| Problem::malformed(format!("`connector`: {error}")))
}

fn notified(source: &ScepSource, transaction: &str) -> Response {
    answer(&json!({
        "connector": &**source.name(),
        "transaction_id": transaction,
    }))
}

fn answer(view: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(view)).into_response()
}
