//! The tenant through real sockets: the way of one question, moves, switching off, control.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails loudly, its helpers included"
)]

mod support;

use std::time::Duration;

use portreeve_tenant::{Device, Moved, Resource, Step, Tenant, control, device, well_known};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{ask_token, client, token};

const DISCOVERY: &str =
    "v1.0/servicePrincipals/appId=0000000a-0000-0000-c000-000000000000/endpoints";

async fn discovered(client: &reqwest::Client, tenant: &Tenant, bearer: &str) -> String {
    let url = format!("{}/{DISCOVERY}", tenant.graph_url());
    let answer = client.get(url).bearer_auth(bearer).send().await.unwrap();
    let list: Value = answer.json().await.unwrap();
    let entries = list["value"].as_array().unwrap();
    let entry = entries
        .iter()
        .find(|e| e["providerName"] == "ComplianceRetrievalService");
    entry.unwrap()["uri"].as_str().unwrap().to_owned()
}

fn by_mac(service: &str, mac: impl std::fmt::Display) -> String {
    format!("{service}/cisco/devices/?paging=0&querycriteria=macaddress&value={mac}&filter=all")
}

#[tokio::test]
async fn the_way_of_one_question() {
    let tenant = Tenant::builder().devices(50).start().await.unwrap();
    let client = client(&tenant);
    let graph = token(&client, &tenant, Resource::Graph).await;
    let service = discovered(&client, &tenant, &graph).await;
    assert_eq!(service, tenant.compliance_url());

    let intune = token(&client, &tenant, Resource::Intune).await;
    let ask = async |url: String, bearer: &str| {
        let answer = client.get(url).bearer_auth(bearer).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let (status, xml) = ask(by_mac(&service, well_known::COMPLIANT.mac), &intune).await;
    assert_eq!(status, StatusCode::OK);
    assert!(xml.contains("<status>true</status>"), "{xml}");
    let (_, xml) = ask(by_mac(&service, device::generated_mac(16)), &intune).await;
    assert!(xml.contains("<status>false</status>"), "{xml}");
    let (_, xml) = ask(by_mac(&service, device::generated_mac(50)), &intune).await;
    assert!(
        xml.contains("<register_status>false</register_status>"),
        "{xml}"
    );
    let (_, xml) = ask(
        format!("{service}/ciscoise/mdminfo/?ise_api_version=3"),
        &intune,
    )
    .await;
    assert!(xml.contains("<api_version>3</api_version>"));
    let old = format!(
        "{}/StatelessNACService/ciscodeviceinfo/mdm/api/devices/?paging=0&querycriteria=macaddress&value={}&filter=all",
        tenant.origin(),
        well_known::COMPLIANT.mac
    );
    let (_, xml) = ask(old, &intune).await;
    assert!(xml.contains("<api_version>2</api_version>"), "{xml}");

    // The token of one service is not good for the other, and none is not good for either.
    let (status, body) = ask(by_mac(&service, well_known::COMPLIANT.mac), &graph).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body.contains("InvalidAuthenticationToken"));
    let bare = client
        .get(by_mac(&service, "005056000101"))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status(), StatusCode::UNAUTHORIZED);

    assert_eq!(tenant.requests(Step::Token), 2);
    assert_eq!(tenant.requests(Step::GraphToken), 1);
    assert_eq!(tenant.requests(Step::Discovery), 1);
    assert_eq!(tenant.requests(Step::ServerInfo), 1);
    assert_eq!(tenant.requests(Step::Compliance), 6);
    tenant.shutdown().await;
}

#[tokio::test]
async fn missing_permissions_are_named() {
    let tenant = Tenant::builder().start().await.unwrap();
    let client = client(&tenant);
    tenant.revoke(Resource::Graph);
    tenant.revoke(Resource::Intune);
    let graph = token(&client, &tenant, Resource::Graph).await;
    let url = format!("{}/{DISCOVERY}", tenant.graph_url());
    let answer = client.get(url).bearer_auth(graph).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("Authorization_RequestDenied")
    );
    let intune = token(&client, &tenant, Resource::Intune).await;
    let url = by_mac(&tenant.compliance_url(), "005056000101");
    let answer = client.get(&url).bearer_auth(intune).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("get_device_compliance")
    );

    tenant.grant(Resource::Intune, "get_device_compliance");
    let intune = token(&client, &tenant, Resource::Intune).await;
    let answer = client.get(&url).bearer_auth(intune).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn credentials_come_and_go() {
    let tenant = Tenant::builder().start().await.unwrap();
    let client = client(&tenant);
    let ask = async |secret: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &tenant.client_id().to_string()),
            ("client_secret", secret),
            ("scope", Resource::Graph.scope()),
        ];
        let answer = client
            .post(tenant.token_url_v2())
            .form(&form)
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["error_codes"][0].as_u64()
    };
    tenant.register_secret("second", Some(Duration::from_hours(1)));
    assert_eq!(ask("second").await, None);
    tenant.advance(Duration::from_hours(1));
    assert_eq!(ask("second").await, Some(7_000_222));
    assert_eq!(ask(tenant.client_secret()).await, None);
    tenant.set_enabled(false);
    assert_eq!(ask(tenant.client_secret()).await, Some(7_000_112));
    tenant.set_enabled(true);
    tenant.remove_credentials();
    assert_eq!(ask(tenant.client_secret()).await, Some(7_000_215));
}

#[tokio::test]
async fn tokens_expire_by_the_clock_of_the_tenant() {
    let tenant = Tenant::builder().start().await.unwrap();
    let client = client(&tenant);
    tenant.set_token_lifetime(Duration::from_mins(1));
    let intune = token(&client, &tenant, Resource::Intune).await;
    let url = by_mac(&tenant.compliance_url(), "005056000101");
    let status = async || {
        let answer = client.get(&url).bearer_auth(&intune).send().await.unwrap();
        answer.status()
    };
    assert_eq!(status().await, StatusCode::OK);
    tenant.advance(Duration::from_secs(61));
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn discovery_in_pages() {
    let tenant = Tenant::builder().page_size(100).start().await.unwrap();
    let client = client(&tenant);
    let graph = token(&client, &tenant, Resource::Graph).await;
    let mut url = format!("{}//{DISCOVERY}/", tenant.graph_url());
    let mut sizes = Vec::new();
    loop {
        let answer = client.get(&url).bearer_auth(&graph).send().await.unwrap();
        let page: Value = answer.json().await.unwrap();
        sizes.push(page["value"].as_array().unwrap().len());
        let Some(next) = page["@odata.nextLink"].as_str() else {
            break;
        };
        next.clone_into(&mut url);
    }
    assert_eq!(sizes, [100, 100, 19]);
    let other = format!(
        "{}/v1.0/servicePrincipals/appId={}/endpoints",
        tenant.graph_url(),
        tenant.client_id()
    );
    let answer = client.get(other).bearer_auth(&graph).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_scale_unit_moves() {
    let own = "127.0.0.1:0".parse().unwrap();
    let tenant = Tenant::builder().scale_unit(own).start().await.unwrap();
    let client = client(&tenant);
    let graph = token(&client, &tenant, Resource::Graph).await;
    let intune = token(&client, &tenant, Resource::Intune).await;
    let ask = async |service: &str| {
        let url = by_mac(service, well_known::COMPLIANT.mac);
        client.get(url).bearer_auth(&intune).send().await
    };
    let first = tenant.compliance_url();
    // The compliance service is not found at the address of Entra and Graph.
    let wrong = first.replace(&first[..first.find("/Traffic").unwrap()], tenant.origin());
    assert_eq!(ask(&wrong).await.unwrap().status(), StatusCode::NOT_FOUND);

    let second = tenant.move_scale_unit(Moved::NotFound).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(discovered(&client, &tenant, &graph).await, second);
    assert_eq!(ask(&first).await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(ask(&second).await.unwrap().status(), StatusCode::OK);

    let third = tenant.move_scale_unit(Moved::Redirected).await.unwrap();
    let answer = ask(&second).await.unwrap();
    assert_eq!(answer.status(), StatusCode::MOVED_PERMANENTLY);
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(&third), "{location}");

    let fourth = tenant.move_scale_unit(Moved::Refused).await.unwrap();
    assert!(ask(&third).await.unwrap_err().is_connect());
    assert_eq!(ask(&fourth).await.unwrap().status(), StatusCode::OK);

    tenant.stop_compliance().await.unwrap();
    assert!(ask(&fourth).await.unwrap_err().is_connect());
    assert_eq!(discovered(&client, &tenant, &graph).await, fourth);
    tenant.resume_compliance().await.unwrap();
    assert_eq!(ask(&fourth).await.unwrap().status(), StatusCode::OK);

    // A unit that was left stays off through a general restart.
    tenant.stop().await.unwrap();
    tenant.resume().await.unwrap();
    assert!(ask(&third).await.unwrap_err().is_connect());
    assert_eq!(ask(&fourth).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn switched_off_and_on_at_the_same_port() {
    let tenant = Tenant::builder().start().await.unwrap();
    let client = client(&tenant);
    for _ in 0..3 {
        assert!(ask_token(&client, &tenant, Resource::Graph).await.is_ok());
        tenant.stop().await.unwrap();
        assert!(!tenant.is_serving().await);
        let error = ask_token(&client, &tenant, Resource::Graph)
            .await
            .unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        tenant.resume().await.unwrap();
        tenant.resume().await.unwrap();
    }
    assert!(ask_token(&client, &tenant, Resource::Graph).await.is_ok());
    tenant.shutdown().await;
    assert!(ask_token(&client, &tenant, Resource::Graph).await.is_err());
}

#[tokio::test]
async fn metadata_for_microsofts_libraries() {
    let tenant = Tenant::builder().start().await.unwrap();
    let client = client(&tenant);
    let get = async |path: &str| {
        let answer = client
            .get(format!("{}{path}", tenant.origin()))
            .send()
            .await
            .unwrap();
        let status = answer.status();
        (status, answer.json::<Value>().await.unwrap())
    };
    let id = tenant.tenant_id();
    let (_, configuration) = get(&format!("/{id}/v2.0/.well-known/openid-configuration")).await;
    assert_eq!(configuration["token_endpoint"], tenant.token_url_v2());
    assert_eq!(
        configuration["issuer"],
        format!("{}/v2.0", tenant.authority_url())
    );
    let (_, keys) = get(&format!("/{id}/discovery/v2.0/keys")).await;
    assert_eq!(keys["keys"][0]["kty"], "EC");
    let (_, instance) = get("/common/discovery/instance?api-version=1.1").await;
    assert!(instance["metadata"][0]["aliases"][0].is_string());
    let (status, wrong) = get("/fabrikam.example/v2.0/.well-known/openid-configuration").await;
    assert_eq!(
        (status, &wrong["error_codes"][0]),
        (StatusCode::BAD_REQUEST, &json!(90_002))
    );
    assert_eq!(tenant.requests(Step::OpenidConfiguration), 3);
    assert_eq!(tenant.requests(Step::InstanceDiscovery), 1);
}

#[tokio::test]
async fn bad_requests_are_told_apart() {
    let tenant = Tenant::builder().start().await.unwrap();
    let client = client(&tenant);
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status();
    let origin = tenant.origin();
    assert_eq!(status(client.get(origin)).await, StatusCode::NOT_FOUND);
    assert_eq!(
        status(client.get(tenant.token_url_v2())).await,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let huge = client.post(tenant.token_url_v2()).body(vec![b'a'; 100_000]);
    assert_eq!(status(huge).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_control_interface() {
    let tenant = Tenant::builder().start().await.unwrap();
    let client = client(&tenant);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let control = format!("http://{}", listener.local_addr().unwrap());
    let tasks = tokio_util::task::TaskTracker::new();
    let router = control::router(tenant.clone());
    let serving = tasks.spawn(async move { axum::serve(listener, router).await });
    let send = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "{status}: {}",
            answer.text().await.unwrap()
        );
    };
    let url = |path: &str| format!("{control}/{path}");

    send(client.put(url("faults")).json(&json!({ "step": "token", "fault": { "kind": "too-many-requests", "retry_after": { "seconds": 2.128 } }, "times": 1 }))).await;
    let answer = ask_token(&client, &tenant, Resource::Graph).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "2.128");
    send(
        client
            .put(url("faults"))
            .json(&json!({ "step": "token", "fault": { "kind": "drip", "interval_ms": 50 } })),
    )
    .await;
    send(client.delete(url("faults"))).await;
    assert!(
        ask_token(&client, &tenant, Resource::Graph)
            .await
            .unwrap()
            .status()
            .is_success()
    );

    let device = Device::new("b0000000-0000-4000-8000-000000000001".parse().unwrap());
    send(client.put(url("devices")).json(&device)).await;
    assert_eq!(tenant.device(device.guid).as_ref(), Some(&device));
    send(client.put(url("devices")).json(
        &json!({ "guid": device.guid, "wifi_mac": "AABBCC001122", "compliance": "non-compliant" }),
    ))
    .await;
    assert_ne!(tenant.device(device.guid).as_ref(), Some(&device));
    send(client.delete(url(&format!("devices/{}", device.guid)))).await;
    assert_eq!(tenant.device(device.guid), None);

    send(
        client
            .put(url("options"))
            .json(&json!({ "generated_devices": 7 })),
    )
    .await;
    send(client.post(url("advance")).json(&5)).await;
    send(client.post(url("move")).json(&json!("not-found"))).await;
    send(client.post(url("stop"))).await;
    let state: Value = client
        .get(url(""))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(state["serving"], false);
    assert_eq!(state["devices"], well_known::ALL.len() - 1 + 7);
    assert_eq!(state["compliance_url"], tenant.compliance_url());
    assert_eq!(state["requests"]["token"], 2);
    send(client.post(url("resume"))).await;
    assert!(tenant.is_serving().await);
    send(client.delete(url("requests"))).await;
    assert_eq!(tenant.requests(Step::Token), 0);

    let wrong = client
        .put(url("faults"))
        .json(&json!({ "step": "tokens", "fault": { "kind": "timeout" } }));
    assert!(wrong.send().await.unwrap().status().is_client_error());
    serving.abort();
}
