//! Microsoft Graph: the list of endpoints of the Intune service principal, and managed devices.

mod action;
mod devices;
mod filter;
mod policy_states;
mod property;

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::graph_timestamp;
use crate::entra::{Denied, Resource, Right};

pub(crate) use action::{Kind as ActionKind, kind as action_kind};
pub(crate) use devices::{Refused, device, page};
pub(crate) use policy_states::policy_states;

/// A real list of 21 August 2026, with 219 entries.
const ENDPOINTS: &str = include_str!("../../data/intune-endpoints-2026-08-21.json");
/// The application id of Intune.
pub(crate) const INTUNE: &str = "0000000a-0000-0000-c000-000000000000";

/// The entries of the list, with addresses still to be filled in.
#[derive(Debug)]
pub(crate) struct Endpoints(Vec<Value>);

impl Endpoints {
    /// Reads the recorded list.
    pub(crate) fn recorded() -> Result<Self, serde_json::Error> {
        serde_json::from_str(ENDPOINTS).map(Self)
    }

    /// One page of the answer. `graph` is the origin of Graph, `unit` that of the scale unit which
    /// serves the tenant: it takes the place of every host of Intune.
    pub(crate) fn page(&self, graph: &str, unit: &str, size: Option<usize>, skip: usize) -> Value {
        let size = size.unwrap_or(usize::MAX).max(1);
        let entries: Vec<Value> = self
            .0
            .iter()
            .skip(skip)
            .take(size)
            .map(|entry| rewritten(entry, unit))
            .collect();
        let mut answer = json!({
            "@odata.context":
                format!("{graph}/v1.0/$metadata#servicePrincipals('{INTUNE}')/endpoints"),
        });
        let end = skip.saturating_add(size);
        if let Some(map) = answer.as_object_mut() {
            if end < self.0.len() {
                map.insert(
                    "@odata.nextLink".to_owned(),
                    json!(format!(
                        "{graph}/v1.0/servicePrincipals/appId={INTUNE}/endpoints?$skiptoken={end}"
                    )),
                );
            }
            map.insert("value".to_owned(), Value::Array(entries));
        }
        answer
    }
}

/// The entry with the host of Intune replaced; other values of `uri` stay, some are no URLs.
fn rewritten(entry: &Value, unit: &str) -> Value {
    let mut entry = entry.clone();
    if let Some(uri) = entry.get_mut("uri") {
        let own = uri.as_str().and_then(|text| {
            let rest = text.strip_prefix("https://")?;
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let ours = host == "manage.microsoft.com" || host.ends_with(".manage.microsoft.com");
            ours.then(|| format!("{unit}{path}"))
        });
        if let Some(own) = own {
            *uri = Value::String(own);
        }
    }
    entry
}

/// Graph's error object, `now` in seconds since 1970.
pub(crate) fn error(code: &str, message: &str, correlation: &str, now: i64) -> Value {
    json!({ "error": {
        "code": code,
        "message": message,
        "innerError": {
            "date": graph_timestamp(now),
            "request-id": Uuid::new_v4(),
            "client-request-id": correlation,
        },
    } })
}

/// How Graph (for directory data) and Intune's services say no.
pub(crate) fn denied(
    denied: Denied,
    right: Right,
    correlation: &str,
    now: i64,
) -> (StatusCode, Value) {
    let resource = right.resource();
    let invalid = |message: &str| {
        let body = error("InvalidAuthenticationToken", message, correlation, now);
        (StatusCode::UNAUTHORIZED, body)
    };
    match (denied, resource) {
        (Denied::Missing, _) => invalid("Access token is empty."),
        (Denied::Invalid(message), _) => invalid(message),
        (Denied::Role, Resource::Graph) if right != Right::Discover => (
            StatusCode::FORBIDDEN,
            error(
                "Forbidden",
                &intune_message(&right.roles().join(", ")),
                correlation,
                now,
            ),
        ),
        (Denied::Role, Resource::Graph) => {
            let message = "Insufficient privileges to complete the operation.";
            let body = error("Authorization_RequestDenied", message, correlation, now);
            (StatusCode::FORBIDDEN, body)
        }
        (Denied::Role, Resource::Intune) => (
            StatusCode::FORBIDDEN,
            error(
                "Forbidden",
                &intune_message(&right.roles().join(", ")),
                correlation,
                now,
            ),
        ),
    }
}

/// Intune's message: JSON text within JSON text.
fn intune_message(role: &str) -> String {
    let operation = Uuid::new_v4();
    let activity = Uuid::new_v4();
    let inner = json!({
        "_version": 3,
        "Message": format!(
            "Application is not authorized to perform this operation. Application must have one of the following scopes: {role} - Operation ID (for customer support): {operation} - Activity ID: {activity} - Url: https://fef.msud01.manage.microsoft.com/"
        ),
        "CustomApiErrorPhrase": "",
        "RetryAfter": null,
        "ErrorSourceService": "",
        "HttpHeaders": "{}",
    });
    let inner = serde_json::to_string_pretty(&inner)
        .unwrap_or_default()
        .replace('\n', "\r\n");
    json!({
        "ErrorCode": "Forbidden",
        "Message": inner,
        "Target": null,
        "Details": null,
        "InnerError": null,
        "InstanceAnnotations": [],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(page: &Value, provider: &str) -> String {
        let entries = page["value"].as_array().unwrap();
        let entry = entries
            .iter()
            .find(|e| e["providerName"] == provider)
            .unwrap();
        entry["uri"].as_str().unwrap().to_owned()
    }

    #[test]
    fn hosts_are_rewritten_and_other_values_stay() {
        let endpoints = Endpoints::recorded().unwrap();
        let page = endpoints.page("https://graph", "https://unit:1", None, 0);
        assert_eq!(page["value"].as_array().unwrap().len(), 219);
        assert!(page.get("@odata.nextLink").is_none());
        assert_eq!(
            uri(&page, "ComplianceRetrievalService"),
            "https://unit:1/TrafficGateway/TrafficRoutingService/ResourceAccess/ComplianceRetrievalService"
        );
        assert_eq!(
            uri(&page, "NACAPIService"),
            "https://unit:1/StatelessNACService"
        );
        assert_eq!(uri(&page, "ASUName"), "AMSUD0101");
        for entry in page["value"].as_array().unwrap() {
            let uri = entry["uri"].as_str().unwrap();
            let host = uri
                .strip_prefix("https://")
                .and_then(|rest| rest.split('/').next());
            assert!(
                !host.is_some_and(|host| host.ends_with("manage.microsoft.com")),
                "{uri}"
            );
        }
    }

    #[test]
    fn pages_cover_the_list_once() {
        let endpoints = Endpoints::recorded().unwrap();
        let mut total = 0;
        let mut skip = 0;
        loop {
            let page = endpoints.page("https://graph", "https://unit", Some(100), skip);
            total += page["value"].as_array().unwrap().len();
            let Some(next) = page["@odata.nextLink"].as_str() else {
                break;
            };
            skip = next.rsplit_once('=').unwrap().1.parse().unwrap();
        }
        assert_eq!(total, 219);
    }

    #[test]
    fn intune_nests_its_message_three_deep() {
        let (status, body) = denied(Denied::Role, Right::AskCompliance, "c", 0);
        assert_eq!(status, StatusCode::FORBIDDEN);
        let outer: Value =
            serde_json::from_str(body["error"]["message"].as_str().unwrap()).unwrap();
        let inner: Value = serde_json::from_str(outer["Message"].as_str().unwrap()).unwrap();
        let message = inner["Message"].as_str().unwrap();
        assert!(message.contains(
            "must have one of the following scopes: get_device_compliance - Operation ID"
        ));
    }
}
