//! `GET /pxgrid/ise/pubsub`: from HTTP to WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Method, StatusCode};

use super::handshake::{self, HandshakeError};
use super::{Permissions, Session};
use crate::faces::Faces;
use crate::metrics::Outcome;
use crate::problem::{Problem, ProblemKind};
use crate::pxgrid::control;

/// When a node that found no room should come again; it is told to wait a
/// minute by the protocol as well.
const LATER: Duration = Duration::from_mins(1);

/// Stands in a response's extensions: the connection goes on with this.
#[derive(Clone, Debug)]
pub(crate) struct Upgrade(pub(crate) Arc<Session>);

pub(in super::super) fn routes() -> Router<Arc<Faces>> {
    Router::new().route("/pxgrid/ise/pubsub", get(subscribe))
}

async fn subscribe(State(faces): State<Arc<Faces>>, request: Request) -> Result<Response, Problem> {
    let pxgrid = control::pxgrid(&faces)?;
    let peer = control::peer_of(&request)?;
    if request.method() != Method::GET {
        let problem = Problem::new(ProblemKind::MethodNotAllowed, "expected GET");
        return Err(problem.allow(Some(HeaderValue::from_static("GET"))));
    }
    let accepted = match handshake::accept(request.version(), request.headers()) {
        Ok(accepted) => accepted,
        Err(HandshakeError::Version) => return Ok(other_version()),
        Err(error) => return Err(Problem::malformed(error.to_string())),
    };
    let node = pxgrid.authenticate_peer(&faces, &peer, request.headers())?;
    let permissions: Arc<dyn Permissions> = Arc::clone(pxgrid) as _;
    let session = pxgrid.pubsub.enter(node, permissions).map_err(|error| {
        tracing::warn!(%error, peer = %peer.address, "a pxGrid node found no room");
        Problem::new(ProblemKind::Busy, error.to_string()).retry_after(LATER)
    })?;
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(key) = HeaderValue::from_str(&accepted.key) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    }
    if let Some(protocol) = accepted.protocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let extensions = response.extensions_mut();
    extensions.insert(Outcome::Served);
    extensions.insert(Upgrade(Arc::new(session)));
    Ok(response)
}

/// RFC 6455, section 4.4.
fn other_version() -> Response {
    let mut response = StatusCode::UPGRADE_REQUIRED.into_response();
    let headers = response.headers_mut();
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}
