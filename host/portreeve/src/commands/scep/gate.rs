//! A gate before a SCEP server: what the server answers leaves only once the
//! management system has been told what was issued.
//!
//! A server that is told by nobody hands its certificates out at once. Behind
//! this gate a certificate whose notification is not taken stays in the depot:
//! its device gets 503 and tries again. Requests for certificates go one at a
//! time, so that what a request led to is known.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{Method, Response, StatusCode};
use reqwest::Client;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::notify::Notifier;
use crate::output;

/// Bytes of a request: a certificate request within two envelopes.
const LARGEST_REQUEST: usize = 256 << 10;
/// Bytes of an answer: certificates of an authority, or one that was issued.
const LARGEST_ANSWER: usize = 1 << 20;
/// How long the server may take, its verifier included.
const PATIENCE: Duration = Duration::from_mins(2);
/// Requests on the way; more are refused.
const PLACES: usize = 64;

/// The gate.
struct Gate {
    server: Url,
    client: Client,
    notifier: Notifier,
    turn: Mutex<()>,
    places: Semaphore,
}

/// Serves until it is stopped.
pub(super) async fn serve(
    listen: SocketAddr,
    server: &Url,
    notifier: Notifier,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on `{listen}`"))?;
    output::line(format!("listening on http://{}", listener.local_addr()?))?;
    // Fails only when there is one already, which then serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("cannot prepare the HTTP client")?;
    let gate = Gate {
        server: server.clone(),
        client,
        notifier,
        turn: Mutex::default(),
        places: Semaphore::new(PLACES),
    };
    let router = Router::new().fallback(pass).with_state(Arc::new(gate));
    axum::serve(listener, router)
        .await
        .context("the gate does not stand any more")
}

async fn pass(State(gate): State<Arc<Gate>>, request: Request) -> Response<Body> {
    let Ok(_place) = gate.places.try_acquire() else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "too many requests");
    };
    if !matches!(*request.method(), Method::GET | Method::POST) {
        let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "GET or POST");
        let allowed = axum::http::HeaderValue::from_static("GET, POST");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    match gate.answer(request).await {
        Ok(response) => response,
        Err(error) => {
            output::failure(&error);
            refused(
                StatusCode::BAD_GATEWAY,
                "the SCEP server cannot be asked just now",
            )
        }
    }
}

impl Gate {
    async fn answer(&self, request: Request) -> anyhow::Result<Response<Body>> {
        let (parts, body) = request.into_parts();
        let read = axum::body::to_bytes(body, LARGEST_REQUEST);
        let body = tokio::time::timeout(PATIENCE, read).await??;
        let query = parts.uri.query().unwrap_or_default();
        // RFC 8894, section 4.1: the operation is in the query, whatever the method.
        let asks_for_certificate = url::form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name == "operation" && value == "PKIOperation");
        let mut server = self.server.join(parts.uri.path())?;
        server.set_query(parts.uri.query());
        let kind = parts.headers.get(CONTENT_TYPE).cloned();
        if !asks_for_certificate {
            return self.forward(parts.method, server, kind, body).await;
        }
        let _turn = self.turn.lock().await;
        let before = self.waiting()?;
        let answer = self.forward(parts.method, server, kind, body).await?;
        let approved: Vec<String> = self
            .waiting()?
            .into_iter()
            .filter(|(transaction, since)| before.get(transaction) != Some(since))
            .map(|(transaction, _)| transaction)
            .collect();
        let failed = self.notifier.tell(Duration::ZERO, Some(&approved)).await?;
        if failed > 0 {
            return Ok(refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "the management system does not take the notification; try again",
            ));
        }
        Ok(answer)
    }

    /// Approved requests of which nobody has been told, and since when.
    fn waiting(&self) -> anyhow::Result<BTreeMap<String, SystemTime>> {
        let waiting = self.notifier.spool.waiting()?.into_iter();
        Ok(waiting
            .map(|waiting| (waiting.request.transaction_id(), waiting.since))
            .collect())
    }

    async fn forward(
        &self,
        method: Method,
        url: Url,
        kind: Option<axum::http::HeaderValue>,
        body: Bytes,
    ) -> anyhow::Result<Response<Body>> {
        let mut request = self.client.request(method, url).body(body);
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        let mut answer = request
            .send()
            .await
            .context("the SCEP server does not answer")?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        if let Some(kind) = answer.headers().get(CONTENT_TYPE) {
            response.headers_mut().insert(CONTENT_TYPE, kind.clone());
        }
        let mut content = Vec::new();
        while let Some(chunk) = answer.chunk().await.context("the SCEP server went away")? {
            content.extend_from_slice(&chunk);
            anyhow::ensure!(
                content.len() <= LARGEST_ANSWER,
                "the SCEP server answers too much"
            );
        }
        *response.body_mut() = Body::from(content);
        Ok(response)
    }
}

fn refused(status: StatusCode, why: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(why));
    *response.status_mut() = status;
    response
}
