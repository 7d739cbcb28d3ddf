//! Actions on Graph's managed devices through real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails loudly, its helpers included"
)]

mod support;

use std::time::Duration;

use portreeve_tenant::{ActionState, Fault, Resource, RetryAfter, Step, Tenant, device};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use support::{client, token};
use uuid::Uuid;

struct Case {
    tenant: Tenant,
    client: Client,
    bearer: String,
}

impl Case {
    async fn new(roles: &[&str]) -> Self {
        let tenant = Tenant::builder().devices(100).start().await.unwrap();
        for role in roles {
            tenant.grant(Resource::Graph, role);
        }
        let client = client(&tenant);
        let bearer = token(&client, &tenant, Resource::Graph).await;
        Self {
            tenant,
            client,
            bearer,
        }
    }

    async fn act(&self, version: &str, device: Uuid, action: &str, body: &str) -> (u16, String) {
        let url = format!(
            "{}/{version}/deviceManagement/managedDevices/{device}/{action}",
            self.tenant.graph_url()
        );
        let request = self.client.post(url).bearer_auth(&self.bearer);
        let answer = request.body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn results(&self, device: Uuid) -> (StatusCode, Value) {
        let url = format!(
            "{}/v1.0/deviceManagement/managedDevices/{device}?$select=id,deviceActionResults",
            self.tenant.graph_url()
        );
        let answer = self.client.get(url).bearer_auth(&self.bearer).send();
        let answer = answer.await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        (status, body["deviceActionResults"].clone())
    }
}

const PRIVILEGED: &str = "DeviceManagementManagedDevices.PrivilegedOperations.All";

#[tokio::test]
async fn an_action_is_pending_until_the_device_had_time() {
    let case = Case::new(&[PRIVILEGED]).await;
    let guid = device::generated_guid(3);
    assert_eq!(case.act("v1.0", guid, "syncDevice", "").await.0, 204);
    let (_, results) = case.results(guid).await;
    assert_eq!(results[0]["actionName"], "syncDevice");
    assert_eq!(results[0]["actionState"], "pending");
    case.tenant.advance(Duration::from_secs(61));
    let (_, results) = case.results(guid).await;
    assert_eq!(results[0]["actionState"], "done");
    assert_eq!(results.as_array().unwrap().len(), 1);
    assert_eq!(case.tenant.acted().len(), 1);
    assert_eq!(case.tenant.requests(Step::DeviceAction), 1);
}

#[tokio::test]
async fn a_wiped_device_leaves() {
    let case = Case::new(&[PRIVILEGED]).await;
    let guid = device::generated_guid(4);
    let body = json!({ "keepUserData": false }).to_string();
    assert_eq!(case.act("v1.0", guid, "wipe", &body).await.0, 204);
    assert_eq!(case.tenant.acted()[0].body, body);
    case.tenant.advance(Duration::from_secs(61));
    assert_eq!(case.results(guid).await.0, StatusCode::NOT_FOUND);
    assert_eq!(case.act("v1.0", guid, "wipe", &body).await.0, 404);
}

#[tokio::test]
async fn every_action_wants_its_permission() {
    let case = Case::new(&["DeviceManagementManagedDevices.ReadWrite.All"]).await;
    let guid = device::generated_guid(5);
    for (version, action, body, expected) in [
        ("v1.0", "syncDevice", "", 403),
        ("v1.0", "rebootNow", "", 403),
        ("v1.0", "wipe", "{}", 204),
        (
            "beta",
            "sendCustomNotificationToCompanyPortal",
            r#"{"notificationTitle":"t","notificationBody":"b"}"#,
            204,
        ),
        (
            "v1.0",
            "sendCustomNotificationToCompanyPortal",
            r#"{"notificationTitle":"t","notificationBody":"b"}"#,
            404,
        ),
        ("beta", "sendCustomNotificationToCompanyPortal", "{}", 400),
        ("v1.0", "explode", "", 404),
    ] {
        let (status, text) = case.act(version, guid, action, body).await;
        assert_eq!(status, expected, "{action}: {text}");
        if expected == 403 {
            assert!(text.contains(PRIVILEGED), "{text}");
        }
    }
}

#[tokio::test]
async fn faults_and_states_by_hand() {
    let case = Case::new(&[PRIVILEGED]).await;
    let guid = device::generated_guid(6);
    let retry_after = RetryAfter::Seconds(2.128);
    let fault = Fault::TooManyRequests { retry_after };
    case.tenant.plan_fault(Step::DeviceAction, fault, 1);
    assert_eq!(case.act("v1.0", guid, "syncDevice", "").await.0, 429);
    assert_eq!(case.act("v1.0", guid, "syncDevice", "").await.0, 204);
    case.tenant.change_device(guid, |device| {
        device.action_results[0].state = ActionState::NotSupported;
    });
    case.tenant.advance(Duration::from_secs(61));
    let (_, results) = case.results(guid).await;
    assert_eq!(results[0]["actionState"], "notSupported");
}
