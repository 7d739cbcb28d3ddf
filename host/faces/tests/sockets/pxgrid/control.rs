//! Accounts, services and secrets.

use reqwest::Method;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_node_from_its_account_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let version = stand.get("/pxgrid/control/version", "").send().await;
    assert_eq!(version.unwrap().status(), 200);

    let create = json!({ "nodeName": "Siem" });
    let (status, made) = control(&stand, "", "AccountCreate", &create).await;
    assert_eq!((status, &made["nodeName"]), (200, &json!("siem")));
    assert_eq!(control(&stand, "", "AccountCreate", &create).await.0, 409);
    let own = basic("SIEM", made["password"].as_str().unwrap());
    let description = json!({ "description": "SIEM 1.0" });
    let activate = async || control(&stand, &own, "AccountActivate", &description).await;
    assert_eq!(activate().await.1["accountState"], "PENDING");
    let lookup = json!({ "name": "com.cisco.ise.mdm" });
    assert_eq!(control(&stand, &own, "ServiceLookup", &lookup).await.0, 403);

    let (_, nodes) = admin(&stand, Method::GET, "", None).await;
    assert_eq!(nodes["nodes"][0]["state"], "PENDING");
    assert_eq!(nodes["nodes"][0]["description"], "SIEM 1.0");
    assert_eq!(nodes["nodes"][0]["proof"], "password");
    let (status, node) = admin(&stand, Method::POST, "/siem/approve", Some(&json!({}))).await;
    assert_eq!((status, &node["may"]), (200, &json!(["mdm", "subscribe"])));
    assert_eq!(activate().await.1["accountState"], "ENABLED");

    let (_, found) = control(&stand, &own, "ServiceLookup", &lookup).await;
    let service = &found["services"][0];
    assert_eq!(service["nodeName"], "portreeve");
    let url = format!("https://localhost:{}/pxgrid/ise/mdm", stand.tls.port());
    assert_eq!(service["properties"]["restBaseUrl"], url);
    let unknown = json!({ "name": "com.example.none" });
    let (_, nothing) = control(&stand, &own, "ServiceLookup", &unknown).await;
    assert_eq!(nothing, json!({ "services": [] }));
    // The right to publish was not given.
    let register = json!({ "name": "com.example.svc", "properties": {} });
    assert_eq!(
        control(&stand, &own, "ServiceRegister", &register).await.0,
        403
    );

    admin(&stand, Method::POST, "/siem/disable", None).await;
    assert_eq!(activate().await.1["accountState"], "DISABLED");
    assert_eq!(control(&stand, &own, "ServiceLookup", &lookup).await.0, 403);
    assert_eq!(admin(&stand, Method::DELETE, "/siem", None).await.0, 200);
    assert_eq!(activate().await.0, 401);
    assert_eq!(admin(&stand, Method::DELETE, "/siem", None).await.0, 404);
}

#[tokio::test]
async fn a_certificate_is_enough_for_its_client() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let identity = stand.authority.issue(&["ise.example"]);
    let client = stand.authority.client(Some(&identity));
    let url = format!(
        "https://localhost:{}/pxgrid/control/AccountActivate",
        stand.tls.port()
    );
    for (credential, expected) in [
        (basic("ise", "None"), 200),
        (basic("ISE", ""), 200),
        (basic("other", "None"), 401),
    ] {
        let request = client.post(&url).header("authorization", &credential);
        let response = request.json(&json!({})).send().await.unwrap();
        assert_eq!(response.status(), expected, "{credential}");
    }
    let response = client.post(&url).json(&json!({})).send().await.unwrap();
    let state: Value = response.json().await.unwrap();
    assert_eq!(state["accountState"], "ENABLED");
    // Without the certificate its name opens nothing.
    let (status, _) = control(&stand, &basic("ise", "None"), "AccountActivate", &json!({})).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn services_of_third_parties() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let provider = approved(&stand, "provider", &["publish"]).await;
    let consumer = approved(&stand, "consumer", &["subscribe"]).await;
    approved(&stand, "nobody", &[]).await;
    let register = json!({
        "name": "com.example.svc",
        "properties": { "customTopic": "/topic/com.example.svc", "port": 7 },
    });
    let (status, registered) = control(&stand, &provider, "ServiceRegister", &register).await;
    assert_eq!(
        (status, &registered["reregisterTimeMillis"]),
        (200, &json!(300_000))
    );
    let foreign = json!({ "name": "com.example.x", "properties": { "t": "/topic/com.cisco.ise.mdm.endpoint" } });
    assert_eq!(
        control(&stand, &provider, "ServiceRegister", &foreign)
            .await
            .0,
        400
    );
    let ours = json!({ "name": "com.cisco.ise.mdm" });
    assert_eq!(
        control(&stand, &provider, "ServiceRegister", &ours).await.0,
        403
    );

    let lookup = json!({ "name": "com.example.svc" });
    let (_, found) = control(&stand, &consumer, "ServiceLookup", &lookup).await;
    assert_eq!(found["services"][0]["nodeName"], "provider");
    assert_eq!(found["services"][0]["properties"]["port"], "7");
    // Both sides get the same secret, and nobody else's.
    let shared = secret(&stand, &consumer, "provider").await;
    assert_eq!(secret(&stand, &provider, "consumer").await, shared);
    assert_ne!(secret(&stand, &provider, "portreeve").await, shared);
    let unknown = json!({ "peerNodeName": "unknown" });
    assert_eq!(
        control(&stand, &consumer, "AccessSecret", &unknown).await.0,
        400
    );

    for (asker, node, service, expected) in [
        (&provider, "consumer", "com.example.svc", "PERMIT"),
        (&provider, "nobody", "com.example.svc", "DENY"),
        (&provider, "unknown", "com.example.svc", "DENY"),
        (&provider, "consumer", "com.example.other", "DENY"),
        (&consumer, "consumer", "com.example.svc", "DENY"),
    ] {
        let asked = json!({
            "requestNodeName": node,
            "serviceName": service,
            "serviceOperation": "gets",
        });
        let (_, answer) = control(&stand, asker, "Authorization", &asked).await;
        assert_eq!(answer["authorization"], expected, "{asked}");
    }
    let id = json!({ "id": registered["id"] });
    assert_eq!(
        control(&stand, &provider, "ServiceReregister", &id).await,
        (200, json!({}))
    );
    assert_eq!(
        control(&stand, &consumer, "ServiceUnregister", &id).await.0,
        404
    );
    assert_eq!(
        control(&stand, &provider, "ServiceUnregister", &id).await.0,
        200
    );
    assert_eq!(
        control(&stand, &provider, "ServiceReregister", &id).await.0,
        404
    );
}

#[tokio::test]
async fn bad_requests_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let own = approved(&stand, "siem", &["mdm"]).await;
    for (credential, method, body, status, expected) in [
        ("", "AccountCreate", "{", 400, "the body: EOF"),
        (
            "",
            "AccountCreate",
            "{}",
            400,
            "the body: missing field `nodeName`",
        ),
        (
            "",
            "AccountCreate",
            r#"{"nodeName":"a b"}"#,
            400,
            "`nodeName`: expected 1 to 100",
        ),
        (
            "",
            "AccountCreate",
            r#"{"nodeName":"portreeve"}"#,
            409,
            "`nodeName`: `portreeve`",
        ),
        ("", "AccountActivate", "{}", 401, "expected `Authorization"),
        (
            "Bearer script-key",
            "AccountActivate",
            "{}",
            401,
            "expected `Authorization",
        ),
        (&own, "ServiceLookup", "[]", 400, "the body: invalid"),
        (&own, "Nothing", "{}", 404, "there is nothing at"),
    ] {
        let path = format!("/pxgrid/control/{method}");
        let response = stand.post(&path, credential, body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {body}");
        let problem: Value = response.json().await.unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(expected), "{method} {body}: {detail}");
    }
    let deep = "[".repeat(60_000);
    let response = stand.post("/pxgrid/control/AccountCreate", "", &deep);
    assert_eq!(response.send().await.unwrap().status(), 400);
    let (status, _) = admin(
        &stand,
        Method::POST,
        "/siem/approve",
        Some(&json!({"may": ["all"]})),
    )
    .await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn without_its_section_there_is_no_pxgrid() {
    let stand = Stand::new().await;
    let response = stand
        .get("/pxgrid/control/version", "")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
    let response = stand
        .get("/v1/admin/pxgrid/nodes", ADMIN)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 404);
}
