//! From the gateway's stream of changes to the endpoint topic.

use portreeve_domain::Identifier;
use portreeve_gateway::Gateway;
use portreeve_gateway::feed::{Change, Subscription};
use tokio_util::sync::CancellationToken;

use super::Broker;
use crate::pxgrid::ENDPOINT_TOPIC;
use crate::pxgrid::endpoint::Endpoint;

/// Publishes every change until the gateway or the server ends. Each message
/// carries one endpoint; a device with several addresses is as many of them.
pub(crate) async fn relay(gateway: &Gateway, broker: &Broker, stopping: &CancellationToken) {
    let mut changes: Subscription = gateway.subscribe();
    while let Some(Some(change)) = stopping.run_until_cancelled(changes.next()).await {
        match change {
            Ok(change) if broker.has_subscribers(ENDPOINT_TOPIC) => {
                for endpoint in endpoints(&change) {
                    broker.publish(ENDPOINT_TOPIC, &endpoint.to_json());
                }
            }
            // Whoever comes later reads the state of things first.
            Ok(_) => {}
            Err(missed) => {
                tracing::warn!(%missed, "subscribers of the endpoint topic are told to begin anew");
                broker.give_up(ENDPOINT_TOPIC);
            }
        }
    }
}

/// What a change is in pxGrid's words. A device that is gone is not registered,
/// and its compliance is no question any more.
fn endpoints(change: &Change) -> Vec<Endpoint> {
    let outcome = change.after.as_ref().map(|after| &after.outcome);
    if let Some(device) = &change.device {
        return Endpoint::each(device, &change.source, outcome);
    }
    let addresses = change
        .identifiers
        .iter()
        .filter(|identifier| identifier.as_mac().is_some());
    addresses
        .map(|address: &Identifier| {
            Endpoint::unknown(std::slice::from_ref(address), Some(false), outcome)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portreeve_domain::{Device, Timestamp};

    use super::*;

    #[track_caller]
    fn check(ids: &[&str], is_gone: bool, expected: &[&str]) {
        let ids: Vec<Identifier> = ids.iter().map(|id| id.parse().unwrap()).collect();
        let device = Device {
            key: "1".to_owned(),
            ids: ids.clone(),
            ..Device::default()
        };
        let change = Change {
            sequence: 1,
            at: Timestamp::from_millis(0),
            endpoint: 1,
            source: "contoso".into(),
            identifiers: ids.into(),
            device: (!is_gone).then(|| Arc::new(device)),
            before: None,
            after: None,
        };
        let found: Vec<String> = endpoints(&change)
            .iter()
            .map(|endpoint| String::from_utf8(endpoint.to_json()).unwrap())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn one_message_for_each_address() {
        let (one, other) = ("00:50:56:0a:0b:01", "00:50:56:0a:0b:02");
        check(
            &["serial:x", one, other],
            false,
            &[
                r#"{"macAddress":"00:50:56:0A:0B:01","registered":true,"serialNumber":"x","deviceManager":"contoso"}"#,
                r#"{"macAddress":"00:50:56:0A:0B:02","registered":true,"serialNumber":"x","deviceManager":"contoso"}"#,
            ],
        );
        check(
            &["serial:x", one, other],
            true,
            &[
                r#"{"macAddress":"00:50:56:0A:0B:01","registered":false}"#,
                r#"{"macAddress":"00:50:56:0A:0B:02","registered":false}"#,
            ],
        );
        check(
            &["serial:x"],
            false,
            &[r#"{"registered":true,"serialNumber":"x","deviceManager":"contoso"}"#],
        );
        // Nothing that a client knows has changed.
        check(&["serial:x"], true, &[]);
    }
}
