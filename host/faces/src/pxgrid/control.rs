//! `/pxgrid/control/…`: accounts, services and secrets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::request::Parts;
use portreeve_domain::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::access::Side;
use super::accounts::AccountError;
use super::name::NodeName;
use super::right::Right;
use super::services::{Properties, Provider, REREGISTER, RegisterError};
use super::{ANC, ENDPOINT_TOPIC, MDM, PUBSUB, Pxgrid, STATUS_TOPIC};
use crate::body::read_json;
use crate::clients::Peer;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::text::one_line;

/// The version of the protocol, in the words of a controller.
const VERSION: &str = "2.0.0.13";
/// Bytes of a request.
const LARGEST: usize = 64 << 10;
/// Characters of a description.
const LONGEST_DESCRIPTION: usize = 50;
/// When a node that found no room for its account should ask again.
const LATER: Duration = Duration::from_mins(1);

pub(super) fn routes() -> Router<Arc<Faces>> {
    Router::new()
        .route("/pxgrid/control/version", get(version))
        .route("/pxgrid/control/AccountCreate", post(account_create))
        .route("/pxgrid/control/AccountActivate", post(account_activate))
        .route("/pxgrid/control/ServiceLookup", post(service_lookup))
        .route("/pxgrid/control/ServiceRegister", post(service_register))
        .route(
            "/pxgrid/control/ServiceReregister",
            post(service_reregister),
        )
        .route(
            "/pxgrid/control/ServiceUnregister",
            post(service_unregister),
        )
        .route("/pxgrid/control/AccessSecret", post(access_secret))
        .route("/pxgrid/control/Authorization", post(authorization))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountCreate {
    node_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AccountActivate {
    description: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ServiceLookup {
    name: String,
}

#[derive(Debug, Deserialize)]
struct ServiceRegister {
    name: String,
    #[serde(default)]
    properties: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct ServiceOf {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessSecret {
    peer_node_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    request_node_name: String,
    service_name: String,
    #[serde(default)]
    service_operation: String,
}

async fn version(State(faces): State<Arc<Faces>>) -> Result<Response, Problem> {
    pxgrid(&faces)?;
    Ok(([(CONTENT_TYPE, "text/plain")], VERSION).into_response())
}

async fn account_create(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let pxgrid = pxgrid(&faces)?;
    if !pxgrid.settings.accounts {
        let detail = "accounts with passwords are made by the operator here";
        return Err(Problem::new(ProblemKind::NotAllowed, detail));
    }
    let (parts, wanted): (Parts, AccountCreate) = read(&faces, request).await?;
    let name = node_name("nodeName", &wanted.node_name)?;
    if name == *pxgrid.own() {
        return Err(refused(&AccountError::Taken(name)));
    }
    let now = Timestamp::now();
    let created = pxgrid.accounts.create(&name, now).await;
    let password = created.map_err(|error| refused(&error))?;
    tracing::info!(node = %name, peer = %peer(&parts)?.address, "a pxGrid node made an account");
    Ok(answer(&json!({
        "nodeName": name.as_str(),
        "userName": name.as_str(),
        "password": &*password,
    })))
}

async fn account_activate(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let pxgrid = pxgrid(&faces)?;
    let peer = peer_of(&request)?;
    let (name, proof) = pxgrid.authenticate(&faces, &peer, request.headers())?;
    let (_, wanted): (_, AccountActivate) = read(&faces, request).await?;
    let description = wanted.description.as_deref().map(description).transpose()?;
    let is_certified = matches!(proof, super::Proof::Certificate(_));
    let is_approved = is_certified && pxgrid.settings.approve_certificates;
    let activated = pxgrid
        .accounts
        .activate(&name, &proof, description, is_approved, Timestamp::now())
        .await;
    let state = activated.map_err(|error| refused(&error))?;
    tracing::info!(node = %name, state = state.as_str(), "a pxGrid node is there");
    Ok(answer(
        &json!({ "accountState": state.as_str(), "version": VERSION }),
    ))
}

async fn service_lookup(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let pxgrid = pxgrid(&faces)?;
    let peer = peer_of(&request)?;
    pxgrid.authenticate_approved(&faces, &peer, request.headers())?;
    let (parts, wanted): (_, ServiceLookup) = read(&faces, request).await?;
    let services = match pxgrid.own_service(&wanted.name, &parts)? {
        Some(own) => vec![own],
        None => pxgrid.providers(&wanted.name),
    };
    Ok(answer(&json!({ "services": services })))
}

async fn service_register(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let pxgrid = pxgrid(&faces)?;
    let peer = peer_of(&request)?;
    let node = pxgrid.authenticate_approved(&faces, &peer, request.headers())?;
    pxgrid.expect_right(&node, Right::Publish)?;
    let (_, wanted): (_, ServiceRegister) = read(&faces, request).await?;
    let properties = wanted.properties.into_iter().map(|(name, value)| {
        let value = match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        (name, value)
    });
    let properties: Properties = properties.collect();
    let id = uuid::Uuid::new_v4().to_string();
    let now = Timestamp::now();
    let registered = pxgrid
        .services
        .register(&node, wanted.name.clone(), properties, &id, now);
    registered.map_err(|error| match error {
        RegisterError::Full => {
            Problem::new(ProblemKind::Busy, error.to_string()).retry_after(LATER)
        }
        RegisterError::Reserved(_) => Problem::new(ProblemKind::NotAllowed, error.to_string()),
        _ => Problem::malformed(error.to_string()),
    })?;
    tracing::info!(%node, service = wanted.name, "a pxGrid node registered a service");
    let millis = u64::try_from(REREGISTER.as_millis()).unwrap_or(u64::MAX);
    Ok(answer(&json!({ "id": id, "reregisterTimeMillis": millis })))
}

async fn service_reregister(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let pxgrid = pxgrid(&faces)?;
    let peer = peer_of(&request)?;
    let node = pxgrid.authenticate_approved(&faces, &peer, request.headers())?;
    pxgrid.expect_right(&node, Right::Publish)?;
    let (_, service): (_, ServiceOf) = read(&faces, request).await?;
    if pxgrid.services.renew(&node, &service.id, Timestamp::now()) {
        Ok(answer(&json!({})))
    } else {
        Err(not_registered())
    }
}

async fn service_unregister(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let pxgrid = pxgrid(&faces)?;
    let peer = peer_of(&request)?;
    let node = pxgrid.authenticate_approved(&faces, &peer, request.headers())?;
    let (_, service): (_, ServiceOf) = read(&faces, request).await?;
    if pxgrid.services.unregister(&node, &service.id) {
        Ok(answer(&json!({})))
    } else {
        Err(not_registered())
    }
}

async fn access_secret(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let pxgrid = pxgrid(&faces)?;
    let peer = peer_of(&request)?;
    let node = pxgrid.authenticate_approved(&faces, &peer, request.headers())?;
    let (_, wanted): (_, AccessSecret) = read(&faces, request).await?;
    let other = node_name("peerNodeName", &wanted.peer_node_name)?;
    let unknown = |name: &NodeName| {
        Problem::malformed(format!(
            "`peerNodeName`: there is no approved node `{name}`"
        ))
    };
    let salt = pxgrid.accounts.with(&node, |account| account.salt);
    let one = Side {
        name: &node,
        salt: salt.ok_or_else(|| unknown(&node))?,
    };
    let other_side = if other == *pxgrid.own() {
        pxgrid.own_side()
    } else {
        pxgrid
            .expect_approved(&other, None)
            .map_err(|_| unknown(&other))?;
        let salt = pxgrid.accounts.with(&other, |account| account.salt);
        Side {
            name: &other,
            salt: salt.ok_or_else(|| unknown(&other))?,
        }
    };
    let secret = pxgrid.secrets.of(one, other_side, Timestamp::now());
    Ok(answer(&json!({ "secret": &*secret })))
}

async fn authorization(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let pxgrid = pxgrid(&faces)?;
    let peer = peer_of(&request)?;
    let provider = pxgrid.authenticate_approved(&faces, &peer, request.headers())?;
    let (_, asked): (_, Authorization) = read(&faces, request).await?;
    let node = node_name("requestNodeName", &asked.request_node_name)?;
    let service = &*asked.service_name;
    // Only who offers a service has to know who may use it.
    let is_permitted = pxgrid.services.offers(&provider, service, Timestamp::now())
        && pxgrid.authorize(&node, service, &asked.service_operation);
    let word = if is_permitted { "PERMIT" } else { "DENY" };
    Ok(answer(&json!({ "authorization": word })))
}

impl Pxgrid {
    /// One of the gateway's own services, with the addresses at which this
    /// client can reach it.
    fn own_service(&self, name: &str, parts: &Parts) -> Result<Option<Provider>, Problem> {
        let base = || match &self.settings.url {
            Some(url) => Ok(url.trim_end_matches('/').to_owned()),
            None => host(parts).map(|host| format!("https://{host}")),
        };
        let properties = match name {
            MDM => {
                let url = format!("{}/pxgrid/ise/mdm", base()?);
                vec![
                    ("restBaseUrl", url.clone()),
                    // As older versions wrote it.
                    ("restBaseURL", url),
                    ("wsPubsubService", PUBSUB.to_owned()),
                    ("endpointTopic", ENDPOINT_TOPIC.to_owned()),
                ]
            }
            PUBSUB => {
                let base = base()?;
                let rest = base.split_once("://").map_or(&*base, |(_, rest)| rest);
                let scheme = if base.starts_with("http://") {
                    "ws"
                } else {
                    "wss"
                };
                vec![("wsUrl", format!("{scheme}://{rest}/pxgrid/ise/pubsub"))]
            }
            ANC => vec![
                ("restBaseUrl", format!("{}/pxgrid/ise/config/anc", base()?)),
                ("wsPubsubService", PUBSUB.to_owned()),
                ("statusTopic", STATUS_TOPIC.to_owned()),
            ],
            _ => return Ok(None),
        };
        let properties = properties
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value));
        Ok(Some(Provider {
            name: name.to_owned(),
            node_name: self.own.to_string(),
            properties: properties.collect(),
        }))
    }

    /// Other nodes that offer a service and may.
    fn providers(&self, name: &str) -> Vec<Provider> {
        let providers = self.services.providers(name, Timestamp::now());
        providers
            .into_iter()
            .filter(|(node, _)| self.may(node, Right::Publish))
            .map(|(_, provider)| provider)
            .collect()
    }
}

/// The host that the client wrote into its request.
fn host(parts: &Parts) -> Result<&str, Problem> {
    let written = match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(HOST).and_then(|host| host.to_str().ok()),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    written
        .filter(|host| !host.is_empty() && host.len() <= 262 && host.bytes().all(fits))
        .ok_or_else(|| Problem::malformed("`Host`: expected the gateway's name and port"))
}

/// The face, or nothing is here.
pub(super) fn pxgrid(faces: &Faces) -> Result<&Arc<Pxgrid>, Problem> {
    faces.pxgrid.as_ref().ok_or_else(|| {
        let detail = "pxGrid is off; see `[pxgrid]` in the gateway's configuration";
        Problem::new(ProblemKind::NoSuchPath, detail)
    })
}

fn peer(parts: &Parts) -> Result<Peer, Problem> {
    let peer = parts.extensions.get::<Peer>().cloned();
    peer.ok_or_else(|| Problem::new(ProblemKind::Internal, "the peer is not known"))
}

/// Where a request comes from.
pub(super) fn peer_of(request: &Request) -> Result<Peer, Problem> {
    let peer = request.extensions().get::<Peer>().cloned();
    peer.ok_or_else(|| Problem::new(ProblemKind::Internal, "the peer is not known"))
}

/// Reads a body. Whoever sends it is authenticated before, if anybody has to be.
pub(super) async fn read<T: DeserializeOwned>(
    faces: &Faces,
    request: Request,
) -> Result<(Parts, T), Problem> {
    let (parts, body) = request.into_parts();
    let mut request = http::Request::new(body);
    request.headers_mut().clone_from(&parts.headers);
    let body = read_json(request, LARGEST, faces.limits.body_timeout).await?;
    Ok((parts, parse(&body)?))
}

/// A body as what is expected. No body is as good as `{}`. The error says
/// where it is wrong and never what was sent.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    serde_json::from_slice(body).map_err(|error| Problem::malformed(format!("the body: {error}")))
}

/// A name of a node in the named field.
fn node_name(field: &str, text: &str) -> Result<NodeName, Problem> {
    let name = text.parse();
    name.map_err(|error| Problem::malformed(format!("`{field}`: {error}")))
}

fn description(text: &str) -> Result<String, Problem> {
    let count = text.chars().count();
    if count > LONGEST_DESCRIPTION {
        let detail = format!(
            "`description`: expected at most {LONGEST_DESCRIPTION} characters, found {count}"
        );
        return Err(Problem::malformed(detail));
    }
    Ok(one_line(text, usize::MAX))
}

/// What an account's error is in HTTP.
pub(super) fn refused(error: &AccountError) -> Problem {
    let detail = error.to_string();
    match error {
        AccountError::Taken(_) => Problem::new(ProblemKind::Conflict, detail),
        AccountError::Full | AccountError::TooOften => {
            Problem::new(ProblemKind::Busy, detail).retry_after(LATER)
        }
        AccountError::Unknown(_) => Problem::new(ProblemKind::NoSuchPath, detail),
        AccountError::NoRandomness(_) | AccountError::NotKept(_) => {
            tracing::error!(error = detail, "an account of a pxGrid node is not kept");
            Problem::new(ProblemKind::Internal, detail)
        }
    }
}

fn not_registered() -> Problem {
    let detail = "`id`: this node has no such registration; register again";
    Problem::new(ProblemKind::NoSuchPath, detail)
}

pub(super) fn answer(document: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(document)).into_response()
}

/// For a fuzzer: every body that is taken here.
pub(super) fn fuzz_bodies(body: &[u8]) {
    let _ = parse::<AccountCreate>(body);
    let _ = parse::<AccountActivate>(body)
        .map(|request| description(&request.description.unwrap_or_default()));
    let _ = parse::<ServiceLookup>(body);
    let _ = parse::<ServiceRegister>(body);
    let _ = parse::<ServiceOf>(body);
    let _ = parse::<AccessSecret>(body)
        .map(|request| node_name("peerNodeName", &request.peer_node_name));
    let _ = parse::<Authorization>(body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check<T: DeserializeOwned + std::fmt::Debug>(body: &str, expected: &str) {
        let said = match parse::<T>(body.as_bytes()) {
            Ok(read) => format!("{read:?}"),
            Err(problem) => problem.detail().to_owned(),
        };
        assert_eq!(said, expected, "{body}");
    }

    #[test]
    fn bodies() {
        check::<AccountActivate>("", "AccountActivate { description: None }");
        check::<AccountActivate>("{}", "AccountActivate { description: None }");
        check::<AccountCreate>(
            "{}",
            "the body: missing field `nodeName` at line 1 column 2",
        );
        check::<AccountCreate>(
            r#"{"nodeName":7}"#,
            "the body: invalid type: integer `7`, expected a string at line 1 column 13",
        );
        check::<ServiceLookup>("[", "the body: EOF while parsing a list at line 1 column 1");
        check::<Authorization>(
            r#"{"requestNodeName":"n","serviceName":"s","more":[1]}"#,
            r#"Authorization { request_node_name: "n", service_name: "s", service_operation: "" }"#,
        );
    }

    #[test]
    fn hosts() {
        for (host, expected) in [
            ("gw.example:8910", Some("gw.example:8910")),
            ("[::1]:8910", Some("[::1]:8910")),
            ("", None),
            ("gw.example/evil", None),
            ("gw\"x", None),
        ] {
            let request = http::Request::builder()
                .header(HOST, host)
                .body(())
                .unwrap();
            let (parts, ()) = request.into_parts();
            assert_eq!(super::host(&parts).ok(), expected, "{host}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<ServiceRegister>(&body);
            let _ = parse::<Authorization>(&body);
        }
    }
}
