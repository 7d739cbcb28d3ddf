//! `/v1/actions…`: acting on devices, and what became of it.

mod request;
mod view;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use http::header::CACHE_CONTROL;
use portreeve_domain::{ActionKind, Identifier, Question};
use portreeve_gateway::ActionError;
use portreeve_gateway::job::{JobError, JobRequest, Submitted, Targets};
use serde::{Deserialize, Serialize};

use crate::body::read_json;
use crate::clients::{Client, Face};
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::path;
use crate::problem::{Problem, ProblemKind};
use request::{Asked, Confirmation};
use view::{JobView, PossibleView, SummaryView};

/// Jobs of one list.
const MOST_JOBS: usize = 1_000;

/// When there may be room again.
const LATER: Duration = Duration::from_secs(10);

pub(crate) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/v1/actions", post(start))
        .route("/v1/actions/confirm", post(confirm))
        .route("/v1/actions/jobs", get(list))
        .route("/v1/actions/jobs/{id}", get(show))
        .route("/v1/actions/jobs/{id}/cancel", post(cancel))
        .route("/v1/devices/{identifier}/actions", get(possible))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ListQuery {
    limit: Option<usize>,
}

async fn start(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let header = request::idempotency_key(request.headers())?;
    let limits = &faces.limits;
    let body = read_json(request, limits.max_body, limits.body_timeout).await?;
    let asked = Asked::read(&body, header)?;
    let client = &caller.client;
    if let Targets::Identifiers(identifiers) = &asked.targets {
        let more = (identifiers.len() as u64).saturating_sub(1);
        client.charge(more, Instant::now());
    }
    let right = client.right_to(asked.action.kind());
    let request = JobRequest {
        action: asked.action,
        targets: asked.targets,
        connection: Arc::clone(&client.connection),
        patience: client.patience,
        right,
        once: asked.once,
    };
    let submitted = Box::pin(faces.gateway.submit(request)).await;
    Ok(match submitted.map_err(|error| refused(&error))? {
        Submitted::Started(job) | Submitted::Repeated(job) => answer(&JobView::of(&job)),
        Submitted::ToConfirm {
            job,
            token,
            expires_at,
        } => answer(&JobView::of(&job).waiting_for_word(Some(&token), expires_at)),
    })
}

async fn confirm(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let limits = &faces.limits;
    let body = read_json(request, limits.max_body, limits.body_timeout).await?;
    let confirmation = Confirmation::read(&body)?;
    let client = &caller.client;
    let gateway = &faces.gateway;
    if confirmation.show {
        let waiting = gateway.to_confirm(&confirmation.token);
        let (job, expires_at) = waiting.map_err(|error| refused(&error))?;
        let kind = job.action.kind();
        if !client.right_to(kind).allowed {
            let client = Arc::clone(&client.name);
            let kind = kind.clone();
            return Err(refused(&JobError::NotAllowed { client, kind }));
        }
        return Ok(answer(
            &JobView::of(&job).waiting_for_word(None, expires_at),
        ));
    }
    let right = |kind: &ActionKind| client.right_to(kind);
    let confirmed = Box::pin(gateway.confirm(&confirmation.token, &client.name, right)).await;
    let job = confirmed.map_err(|error| refused(&error))?;
    Ok(answer(&JobView::of(&job)))
}

async fn list(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let most = query.limit.unwrap_or(100);
    if !(1..=MOST_JOBS).contains(&most) {
        let detail = format!("`limit`: expected 1 to {MOST_JOBS}, found {most}");
        return Err(Problem::malformed(detail));
    }
    let jobs = faces.gateway.jobs().list(scope(&caller.client), most);
    let jobs: Vec<SummaryView<'_>> = jobs.iter().map(SummaryView::of).collect();
    Ok(answer(&serde_json::json!({ "jobs": jobs })))
}

async fn show(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let job = faces.gateway.jobs().get(&id, scope(&caller.client));
    Ok(answer(&JobView::of(&job.map_err(|error| refused(&error))?)))
}

async fn cancel(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let client = &caller.client;
    let jobs = faces.gateway.jobs();
    let job = jobs.cancel(&id, scope(client), &client.name).await;
    Ok(answer(&JobView::of(&job.map_err(|error| refused(&error))?)))
}

async fn possible(
    State(faces): State<Arc<Faces>>,
    Extension(caller): Extension<Caller>,
    Path(identifier): Path<String>,
) -> Result<Response, Problem> {
    let client = &caller.client;
    let identifier = path::decode(&identifier)?;
    let identifier = identifier.parse::<Identifier>();
    let identifier =
        identifier.map_err(|error| Problem::malformed(format!("the identifier: {error}")))?;
    let connection = Arc::clone(&client.connection);
    let question = Question::new(vec![identifier], connection, client.patience);
    let possible = Box::pin(faces.gateway.possible_actions(&question)).await;
    let possible = possible.map_err(|error| match error {
        ActionError::UnknownDevice => Problem::new(ProblemKind::UnknownDevice, error.to_string()),
        error => Problem::new(ProblemKind::CannotTell, error.to_string()).retry_after(LATER),
    })?;
    let rules = faces.gateway.jobs().rules();
    let right = |kind: &ActionKind| client.right_to(kind).allowed;
    Ok(answer(&PossibleView::of(&possible, rules, right)))
}

/// Operators see the jobs of all clients, everybody else his own.
fn scope(client: &Client) -> Option<&str> {
    (!client.may_use(Face::Admin)).then_some(&*client.name)
}

fn refused(error: &JobError) -> Problem {
    let kind = match error {
        JobError::NotAllowed { .. }
        | JobError::Off(_)
        | JobError::HiddenFact(_)
        | JobError::WrongConfirmer(_) => ProblemKind::NotAllowed,
        JobError::KeyMissing(_) | JobError::NoDevice | JobError::TooMany { .. } => {
            ProblemKind::Malformed
        }
        JobError::KeyReused | JobError::Nothing(_) => ProblemKind::Conflict,
        JobError::NotToConfirm => ProblemKind::Gone,
        JobError::NoSuchJob(_) => ProblemKind::NoSuchPath,
        JobError::Full(_) => ProblemKind::Busy,
        JobError::NotKept(_) => ProblemKind::Internal,
    };
    let problem = Problem::new(kind, error.to_string());
    if kind == ProblemKind::Busy {
        return problem.retry_after(LATER);
    }
    problem
}

fn answer(view: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(view)).into_response()
}
