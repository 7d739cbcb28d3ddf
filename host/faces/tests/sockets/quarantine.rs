//! `/v1/admin/quarantine`: endpoints that are held back, as all faces see them.

use http::Method;
use portreeve_gateway::quarantine::{Action, Policy};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::schema::assert_is;
use crate::stand::*;

const PATH: &str = "/v1/admin/quarantine";

async fn said(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

async fn stand(folder: &std::path::Path) -> Stand {
    let stand = Stand::kept_in(folder).await;
    let shut = Policy::of_actions("shut", vec![Action::ShutDown]).unwrap();
    let quarantine = stand.gateway().quarantine();
    quarantine.create_policy(shut, "test").await.unwrap();
    stand
}

#[tokio::test]
async fn whoever_is_quarantined_is_denied_by_every_face_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(folder.path()).await;
    let device = format!("/v1/devices/{COMPLIANT}");
    let verdict = async || said(stand.get(&device, SCRIPT)).await.1["verdict"].clone();
    // Fetched, decided, and prepared.
    for _ in 0..3 {
        assert_eq!(verdict().await, "permit");
    }
    let endpoint = format!("{PATH}/{COMPLIANT}");
    let apply = || {
        stand
            .request(Method::PUT, &endpoint, ADMIN)
            .json(&json!({"policy": "shut"}))
    };
    let (status, applied) = said(apply()).await;
    assert_eq!(status, 200, "{applied}");
    assert_is("QuarantinedEndpoint", &applied);
    assert_eq!(applied["policy"], "shut");
    // Twice is the same as once.
    assert_eq!(said(apply()).await, (200, applied.clone()));
    for _ in 0..3 {
        let (_, answer) = said(stand.get(&device, SCRIPT)).await;
        assert_eq!(answer["verdict"], "deny");
        assert_eq!(answer["reasons"][0]["code"], "quarantined");
        assert_eq!(answer["policy"], "quarantine");
    }
    let (status, list) = said(stand.get(PATH, ADMIN)).await;
    assert_eq!(status, 200);
    assert_is("Quarantine", &list);
    assert_eq!(list["endpoints"], json!([applied]));
    assert_eq!(list["policies"][0]["verdict"], "deny");

    let clear = || stand.request(Method::DELETE, &endpoint, ADMIN);
    assert_eq!(said(clear()).await, (200, applied));
    assert_eq!(verdict().await, "permit");
    let (status, problem) = said(clear()).await;
    assert_eq!(status, 404);
    assert_is("Problem", &problem);
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(folder.path()).await;
    let endpoint = format!("{PATH}/{COMPLIANT}");
    for (path, body, status, detail) in [
        (&*endpoint, json!({"policy": "none"}), 409, "`none`"),
        (&endpoint, json!({}), 400, "policy"),
        (&endpoint, json!({"policy": "shut", "x": 1}), 400, "`x`"),
        (
            "/v1/admin/quarantine/00:50",
            json!({"policy": "shut"}),
            400,
            "address",
        ),
    ] {
        let request = stand.request(Method::PUT, path, ADMIN).json(&body);
        let (said, problem) = said(request).await;
        assert_eq!(said, status, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(detail),
            "{problem}"
        );
    }
    for (method, path) in [
        (Method::GET, PATH),
        (Method::PUT, &endpoint),
        (Method::DELETE, &endpoint),
    ] {
        for credential in [SCRIPT, RADIUS] {
            let request = stand.request(method.clone(), path, credential);
            assert_eq!(said(request.json(&json!({}))).await.0, 403);
        }
    }
}
