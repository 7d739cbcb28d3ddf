//! Graph's managed devices through real sockets, and the window of the other list.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails loudly, its helpers included"
)]

mod support;

use std::time::Duration;

use portreeve_tenant::{
    Compliance, Fault, Resource, RetryAfter, Step, Tenant, control, device, well_known,
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use support::{client, token};

struct Case {
    tenant: Tenant,
    client: Client,
    bearer: String,
}

impl Case {
    async fn new(devices: u32) -> Self {
        let tenant = Tenant::builder().devices(devices).start().await.unwrap();
        let client = client(&tenant);
        let bearer = token(&client, &tenant, Resource::Graph).await;
        Self {
            tenant,
            client,
            bearer,
        }
    }

    async fn get(&self, rest: &str) -> reqwest::Result<reqwest::Response> {
        let url = format!(
            "{}/v1.0/deviceManagement/managedDevices{rest}",
            self.tenant.graph_url()
        );
        self.follow(&url).await
    }

    async fn follow(&self, url: &str) -> reqwest::Result<reqwest::Response> {
        self.client.get(url).bearer_auth(&self.bearer).send().await
    }

    async fn ids(&self) -> Vec<String> {
        let mut answer = self.get("?$select=id&$top=400").await.unwrap();
        let mut ids = Vec::new();
        loop {
            let page: Value = answer.json().await.unwrap();
            let devices = page["value"].as_array().unwrap();
            ids.extend(
                devices
                    .iter()
                    .map(|device| device["id"].as_str().unwrap().to_owned()),
            );
            match page["@odata.nextLink"].as_str() {
                Some(next) => answer = self.follow(next).await.unwrap(),
                None => return ids,
            }
        }
    }
}

#[tokio::test]
async fn a_second_read_sees_what_changed() {
    let case = Case::new(1_000).await;
    let first = case.ids().await;
    assert_eq!(first.len(), case.tenant.device_count());
    let gone = device::generated_guid(500);
    assert!(case.tenant.remove_device(gone));
    let changed = device::generated_guid(3);
    let now = case.tenant.now_ms();
    assert!(case.tenant.change_device(changed, |device| {
        device.compliance = Compliance::NonCompliant;
        device.last_check_in = now;
    }));
    assert!(!case.tenant.change_device(gone, |_| ()));
    let second = case.ids().await;
    assert_eq!(second.len(), first.len() - 1);
    assert!(!second.contains(&gone.to_string()));
    assert_eq!(case.tenant.requests(Step::DeviceList), 6);

    let answer = case
        .get(&format!("/{changed}?$select=complianceState"))
        .await
        .unwrap();
    let one: Value = answer.json().await.unwrap();
    assert_eq!(one["complianceState"], "noncompliant");
    let answer = case.get(&format!("('{gone}')")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], "ResourceNotFound");
    assert_eq!(case.tenant.requests(Step::Device), 2);
}

#[tokio::test]
async fn the_permission_is_another_than_that_of_discovery() {
    let case = Case::new(0).await;
    case.tenant.revoke(Resource::Graph);
    case.tenant.grant(Resource::Graph, "Application.Read.All");
    let case = Case {
        bearer: token(&case.client, &case.tenant, Resource::Graph).await,
        ..case
    };
    let answer = case.get("").await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let body = answer.text().await.unwrap();
    assert!(
        body.contains("scopes: DeviceManagementManagedDevices.Read.All, DeviceManagementManagedDevices.ReadWrite.All - Operation"),
        "{body}"
    );
    case.tenant.grant(
        Resource::Graph,
        "DeviceManagementManagedDevices.ReadWrite.All",
    );
    let case = Case {
        bearer: token(&case.client, &case.tenant, Resource::Graph).await,
        ..case
    };
    assert_eq!(case.get("").await.unwrap().status(), StatusCode::OK);
    let bare = case.client.get(format!(
        "{}/v1.0/deviceManagement/managedDevices",
        case.tenant.graph_url()
    ));
    assert_eq!(
        bare.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn faults() {
    let case = Case::new(20).await;
    let plan = |fault| case.tenant.plan_fault(Step::DeviceList, fault, 1);
    for (fault, status, code) in [
        (
            Fault::TooManyRequests {
                retry_after: RetryAfter::Seconds(2.128),
            },
            429,
            "TooManyRequests",
        ),
        (
            Fault::Unavailable {
                retry_after: RetryAfter::Date(60),
            },
            503,
            "ServiceUnavailable",
        ),
        (Fault::ExpiredLink { gone: true }, 410, "syncStateNotFound"),
        (Fault::ExpiredLink { gone: false }, 400, "BadRequest"),
        (Fault::MissingPermission, 403, "Forbidden"),
    ] {
        plan(fault.clone());
        let answer = case.get("").await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{fault:?}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], code, "{fault:?}");
    }
    plan(Fault::Truncated);
    assert!(case.get("").await.unwrap().text().await.is_err());
    plan(Fault::OneSerial);
    let page: Value = case
        .get("?$select=serialNumber")
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let devices = page["value"].as_array().unwrap();
    assert!(devices.len() > 20 && devices.iter().all(|device| device == &devices[0]));
    plan(Fault::Slow { delay_ms: 10_000 });
    // The client waits two seconds.
    assert!(case.get("").await.unwrap_err().is_timeout());
    plan(Fault::Slow { delay_ms: 1 });
    assert_eq!(case.get("").await.unwrap().status(), StatusCode::OK);
    for wrong in ["?$select=nonsense", "?$skiptoken=nonsense", "?$top=-1"] {
        let answer = case.get(wrong).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn the_list_of_the_compliance_service_has_a_window() {
    let case = Case::new(20).await;
    case.tenant.set_token_lifetime(Duration::from_hours(24));
    let intune = token(&case.client, &case.tenant, Resource::Intune).await;
    let list = format!(
        "{}/cisco/devices/?paging=0&querycriteria=compliance&value=false&deviceidentifier=guid&filter=all",
        case.tenant.compliance_url()
    );
    let ask = async |forward: u64| {
        case.tenant.advance(Duration::from_mins(forward));
        let answer = case
            .client
            .get(&list)
            .bearer_auth(&intune)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, body) = ask(0).await;
    assert_eq!(status, 200);
    assert!(body.contains(&well_known::NON_COMPLIANT.guid.to_string()));
    assert!(!body.contains(&well_known::COMPLIANT.guid.to_string()));
    assert_eq!(ask(59).await.0, 200);
    assert_eq!(ask(1).await.0, 503);
    assert_eq!(ask(179).await.0, 503);
    assert_eq!(ask(1).await.0, 200);
    // Single devices are answered all the time.
    assert_eq!(case.tenant.requests(Step::NonCompliantList), 5);
}

#[tokio::test]
async fn a_device_is_changed_by_the_control_interface() {
    let case = Case::new(5).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let control = format!("http://{}", listener.local_addr().unwrap());
    let tasks = tokio_util::task::TaskTracker::new();
    let router = control::router(case.tenant.clone());
    let serving = tasks.spawn(async move { axum::serve(listener, router).await });
    let guid = device::generated_guid(2);
    let patch = async |guid: &str, fields: Value| {
        let request = case.client.patch(format!("{control}/devices/{guid}"));
        request
            .json(&fields)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let guid_text = guid.to_string();
    let fields = json!({ "compliance": "non-compliant", "compliance_state": "conflict" });
    assert_eq!(patch(&guid_text, fields).await, 204);
    let changed = case.tenant.device(guid).unwrap();
    assert_eq!(changed.compliance, Compliance::NonCompliant);
    assert_eq!(changed.serial_number, "GEN-0000000002");
    assert_eq!(patch(&guid_text, json!({ "colour": "red" })).await, 422);
    let unknown = device::generated_guid(9).to_string();
    assert_eq!(patch(&unknown, json!({})).await, 404);
    serving.abort();
}
