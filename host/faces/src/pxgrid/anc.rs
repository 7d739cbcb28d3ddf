//! `/pxgrid/ise/config/anc/…`: the service `com.cisco.ise.config.anc`
//! ("adaptive network control"), pxGrid's words for the quarantine.
//!
//! What is applied is in force when the answer goes out: the next decision
//! respects it. Sessions that are up already are not touched.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http::StatusCode;
use parking_lot::Mutex;
use portreeve_domain::MacAddress;
use portreeve_gateway::quarantine::{Action, Assignment, Policy, Quarantine, QuarantineError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::asker::Asker;
use super::control::{answer, parse, peer_of, pxgrid, read};
use super::endpoint::spell;
use super::mdm::mac_address;
use super::right::Right;
use super::{NodeName, Pxgrid, STATUS_TOPIC};
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::text::one_line;

/// Operations that are remembered.
const REMEMBERED: usize = 1024;
/// Actions of one policy.
const MOST_ACTIONS: usize = 8;

const ALREADY: &str = "mac address is already associated with this policy";
const NO_POLICY: &str = "Policy is not configured";
const NOT_QUARANTINED: &str = "mac address is not associated with a policy";
const NO_SESSION: &str = "there is no active session with this address";

pub(super) fn routes() -> Router<Arc<Faces>> {
    let at = |method: &str| format!("/pxgrid/ise/config/anc/{method}");
    Router::new()
        .route(&at("getPolicies"), post(policies))
        .route(&at("getPolicyByName"), post(policy_by_name))
        .route(&at("createPolicy"), post(create_policy))
        .route(&at("deletePolicyByName"), post(delete_policy))
        .route(&at("getEndpoints"), post(endpoints))
        .route(&at("getEndpointPolicies"), post(endpoints))
        .route(&at("getEndpointByMacAddress"), post(endpoint_by_mac))
        .route(&at("getEndpointByNasIpAddress"), post(endpoint_by_mac))
        .route(&at("applyEndpointByMacAddress"), post(apply))
        .route(&at("applyEndpointPolicy"), post(apply))
        .route(&at("applyEndpointByIpAddress"), post(by_ip))
        .route(&at("clearEndpointByMacAddress"), post(clear))
        .route(&at("clearEndpointPolicy"), post(clear))
        .route(&at("clearEndpointByIpAddress"), post(by_ip))
        .route(&at("getOperationStatus"), post(operation_status))
}

/// Nothing is asked for, or nothing of it matters.
#[derive(Debug, Deserialize)]
struct Anything {}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
struct NewPolicy {
    name: String,
    actions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Apply {
    mac_address: String,
    // One client writes it so.
    #[serde(alias = "policy")]
    policy_name: String,
    nas_ip_address: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByMac {
    mac_address: String,
    nas_ip_address: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperationId {
    operation_id: String,
}

/// What became of an operation, as answered and published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    operation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nas_ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_name: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
}

/// The last operations, by number.
#[derive(Debug, Default)]
pub(super) struct Operations(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    last: u64,
    statuses: VecDeque<Report>,
}

impl Operations {
    /// Gives the operation its id and remembers what became of it. `published`
    /// happens in the order of ids.
    fn note(&self, host: &NodeName, mut status: Report, published: impl FnOnce(&Report)) -> Report {
        let mut remembered = self.0.lock();
        remembered.last += 1;
        status.operation_id = format!("{host}:{}", remembered.last);
        if remembered.statuses.len() >= REMEMBERED {
            remembered.statuses.pop_front();
        }
        remembered.statuses.push_back(status.clone());
        published(&status);
        status
    }

    fn find(&self, id: &str) -> Option<Report> {
        let remembered = self.0.lock();
        let mut statuses = remembered.statuses.iter();
        statuses.find(|status| status.operation_id == id).cloned()
    }
}

/// The word for an action in pxGrid.
const fn word(action: Action) -> &'static str {
    match action {
        Action::Quarantine => "QUARANTINE",
        Action::ShutDown => "SHUT_DOWN",
        Action::PortBounce => "PORT_BOUNCE",
        Action::ReAuthenticate => "RE_AUTHENTICATE",
    }
}

fn action(text: &str) -> Result<Action, Problem> {
    let found = Action::ALL.into_iter().find(|action| word(*action) == text);
    found.ok_or_else(|| {
        let found = one_line(text, 40);
        Problem::malformed(format!(
            "`actions`: expected `QUARANTINE`, `SHUT_DOWN`, `PORT_BOUNCE` or `RE_AUTHENTICATE`, found `{found}`"
        ))
    })
}

fn policy_view(policy: &Policy) -> serde_json::Value {
    let actions: Vec<_> = policy.actions.iter().map(|action| word(*action)).collect();
    json!({ "name": &*policy.name, "actions": actions, "id": &*policy.name })
}

fn endpoint_view(assignment: &Assignment) -> serde_json::Value {
    let mac = spell(assignment.mac);
    json!({
        "id": mac.replace(':', ""),
        "macAddress": mac,
        "policyName": &*assignment.policy.name,
    })
}

async fn policies(State(faces): State<Arc<Faces>>, request: Request) -> Result<Response, Problem> {
    asked::<Anything>(&faces, request).await?;
    let policies = faces.gateway.quarantine().policies();
    let policies: Vec<_> = policies.iter().map(|policy| policy_view(policy)).collect();
    Ok(answer(&json!({ "policies": policies })))
}

async fn policy_by_name(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, wanted) = asked::<Named>(&faces, request).await?;
    let policy = faces.gateway.quarantine().policy(&wanted.name);
    Ok(found(policy.map(|policy| policy_view(&policy))))
}

async fn create_policy(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let (asker, wanted) = asked::<NewPolicy>(&faces, request).await?;
    let count = wanted.actions.len();
    if !(1..=MOST_ACTIONS).contains(&count) {
        let detail = format!("`actions`: expected 1 to {MOST_ACTIONS}, found {count}");
        return Err(Problem::malformed(detail));
    }
    let actions = wanted.actions.iter().map(|text| action(text));
    let actions = actions.collect::<Result<Vec<_>, _>>()?;
    let policy = Policy::of_actions(&wanted.name, actions).map_err(|error| refused(&error))?;
    let quarantine = faces.gateway.quarantine();
    let created = quarantine.create_policy(policy, asker.name()).await;
    let policy = created.map_err(|error| refused(&error))?;
    Ok(answer(&policy_view(&policy)))
}

async fn delete_policy(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let (asker, wanted) = asked::<Named>(&faces, request).await?;
    let quarantine = faces.gateway.quarantine();
    match quarantine.delete_policy(&wanted.name, asker.name()).await {
        Ok(()) => Ok(answer(&json!({}))),
        Err(QuarantineError::NoPolicy(_)) => Ok(found(None)),
        Err(error) => Err(refused(&error)),
    }
}

async fn endpoints(State(faces): State<Arc<Faces>>, request: Request) -> Result<Response, Problem> {
    asked::<Anything>(&faces, request).await?;
    let list = faces.gateway.quarantine().list();
    let list: Vec<_> = list
        .iter()
        .map(|assignment| endpoint_view(assignment))
        .collect();
    Ok(answer(&json!({ "endpoints": list })))
}

async fn endpoint_by_mac(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, wanted) = asked::<ByMac>(&faces, request).await?;
    let mac = mac_address(&wanted.mac_address)?;
    let assignment = faces.gateway.quarantine().of(mac);
    Ok(found(
        assignment.map(|assignment| endpoint_view(&assignment)),
    ))
}

async fn apply(State(faces): State<Arc<Faces>>, request: Request) -> Result<Response, Problem> {
    let (asker, wanted) = asked::<Apply>(&faces, request).await?;
    let mac = mac_address(&wanted.mac_address)?;
    let quarantine = faces.gateway.quarantine();
    let applied = quarantine
        .apply(mac, &wanted.policy_name, asker.name())
        .await;
    let policy = one_line(&wanted.policy_name, 64);
    let failure = applied.err();
    operated(
        &faces,
        Some(mac),
        wanted.nas_ip_address,
        Some(policy),
        failure,
    )
}

async fn clear(State(faces): State<Arc<Faces>>, request: Request) -> Result<Response, Problem> {
    let (asker, wanted) = asked::<ByMac>(&faces, request).await?;
    let mac = mac_address(&wanted.mac_address)?;
    let quarantine: &Quarantine = faces.gateway.quarantine();
    let (policy, failure) = match quarantine.clear(mac, asker.name()).await {
        Ok(assignment) => (Some(assignment.policy.name.as_ref().to_owned()), None),
        Err(error) => (None, Some(error)),
    };
    operated(&faces, Some(mac), wanted.nas_ip_address, policy, failure)
}

/// The gateway does not know which endpoint has an address of the network.
async fn by_ip(State(faces): State<Arc<Faces>>, request: Request) -> Result<Response, Problem> {
    let (asker, _) = asked::<Anything>(&faces, request).await?;
    tracing::info!(
        target: "audit",
        by = &**asker.name(),
        outcome = NO_SESSION,
        "quarantine by an address of the network"
    );
    let status = status(None, None, None, Some(NO_SESSION.to_owned()));
    Ok(answer(&pxgrid(&faces)?.publish(status)))
}

async fn operation_status(
    State(faces): State<Arc<Faces>>,
    request: Request,
) -> Result<Response, Problem> {
    let (_, wanted) = asked::<OperationId>(&faces, request).await?;
    let status = pxgrid(&faces)?.operations.find(&wanted.operation_id);
    Ok(match status {
        Some(status) => answer(&status),
        None => found(None),
    })
}

/// Who asks, and for what.
async fn asked<T: serde::de::DeserializeOwned>(
    faces: &Faces,
    request: Request,
) -> Result<(Asker, T), Problem> {
    let pxgrid = pxgrid(faces)?;
    let peer = peer_of(&request)?;
    let node = pxgrid.authenticate_peer(faces, &peer, request.headers())?;
    pxgrid.expect_right(&node, Right::Anc)?;
    let asker = pxgrid.asker(faces, &peer, &node)?;
    let (_, wanted) = read(faces, request).await?;
    Ok((asker, wanted))
}

/// What was looked for, or 204.
fn found(view: Option<serde_json::Value>) -> Response {
    match view {
        Some(view) => answer(&view),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Answers and publishes what became of an operation. One that a client could
/// have known to fail is a failure in pxGrid's words; one that failed because
/// of us is an error.
fn operated(
    faces: &Faces,
    mac: Option<MacAddress>,
    nas: Option<String>,
    policy: Option<String>,
    failure: Option<QuarantineError>,
) -> Result<Response, Problem> {
    let reason = match failure {
        None => None,
        Some(QuarantineError::AlreadyApplied { .. }) => Some(ALREADY.to_owned()),
        Some(QuarantineError::NoPolicy(_)) => Some(NO_POLICY.to_owned()),
        Some(QuarantineError::NotQuarantined(_)) => Some(NOT_QUARANTINED.to_owned()),
        Some(error @ QuarantineError::NotKept(_)) => return Err(refused(&error)),
        Some(error) => Some(error.to_string()),
    };
    let nas = nas.map(|nas| one_line(&nas, 64));
    let status = status(mac, nas, policy, reason);
    Ok(answer(&pxgrid(faces)?.publish(status)))
}

fn status(
    mac: Option<MacAddress>,
    nas_ip_address: Option<String>,
    policy_name: Option<String>,
    failure_reason: Option<String>,
) -> Report {
    Report {
        operation_id: String::new(),
        mac_address: mac.map(spell),
        nas_ip_address,
        policy_name,
        status: if failure_reason.is_some() {
            "FAILURE"
        } else {
            "SUCCESS"
        },
        failure_reason,
    }
}

impl Pxgrid {
    fn publish(&self, status: Report) -> Report {
        self.operations.note(&self.own, status, |status| {
            // Texts always become JSON.
            let body = serde_json::to_vec(status).unwrap_or_default();
            self.publish_to(STATUS_TOPIC, &body);
        })
    }
}

fn refused(error: &QuarantineError) -> Problem {
    let detail = error.to_string();
    match error {
        QuarantineError::PolicyExists(_)
        | QuarantineError::PolicyInUse(_)
        | QuarantineError::PolicyConfigured(_) => Problem::new(ProblemKind::Conflict, detail),
        QuarantineError::NotKept(_) => Problem::new(ProblemKind::Internal, detail),
        _ => Problem::malformed(detail),
    }
}

/// For a fuzzer: every body that is taken here.
pub(super) fn fuzz_bodies(body: &[u8]) {
    let _ = parse::<Named>(body);
    let _ = parse::<NewPolicy>(body);
    let _ = parse::<Apply>(body);
    let _ = parse::<ByMac>(body);
    let _ = parse::<OperationId>(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_remembered_for_a_while() {
        let operations = Operations::default();
        let host: NodeName = "portreeve".parse().unwrap();
        let mac = "00:50:56:00:00:01".parse().unwrap();
        let mut published = Vec::new();
        for _ in 0..=REMEMBERED {
            let status = status(Some(mac), None, None, Some(ALREADY.to_owned()));
            operations.note(&host, status, |status| {
                published.push(serde_json::to_string(status).unwrap());
            });
        }
        assert!(operations.find("portreeve:1").is_none());
        assert!(operations.find("portreeve:1025").is_some());
        assert_eq!(
            published[1],
            r#"{"operationId":"portreeve:2","macAddress":"00:50:56:00:00:01","status":"FAILURE","failureReason":"mac address is already associated with this policy"}"#
        );
    }

    #[test]
    fn actions_have_pxgrids_words() {
        for action_of in Action::ALL {
            assert_eq!(action(word(action_of)).unwrap(), action_of);
        }
        assert!(action("quarantine").is_err());
    }
}
