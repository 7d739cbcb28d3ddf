//! `/v1/admin/…`: for operators and nobody else.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::schema::assert_is;
use crate::stand::*;

const SYNC: &str = "/v1/admin/connectors/contoso/sync";
const BACKUP: &str = "/v1/admin/store/backup";

/// Expects a problem and gives its detail.
async fn refused(request: RequestBuilder, status: u16, kind: &str) -> String {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), status);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let problem: Value = response.json().await.unwrap();
    assert_is("Problem", &problem);
    assert_eq!(problem["type"], format!("urn:portreeve:problem:{kind}"));
    assert_eq!(problem["status"], status);
    problem["detail"].as_str().unwrap().to_owned()
}

async fn done(request: RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    response.json().await.unwrap()
}

#[tokio::test]
async fn only_operators_get_through() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    for (method, path) in [
        (Method::GET, "/v1/admin/connectors"),
        (Method::GET, SYNC),
        (Method::POST, SYNC),
        (Method::POST, BACKUP),
        (Method::GET, "/v1/admin/anything"),
    ] {
        let request = |credential| stand.request(method.clone(), path, credential);
        refused(request(""), 401, "not-authenticated").await;
        refused(request("Bearer wrong"), 401, "not-authenticated").await;
        for credential in [SCRIPT, RADIUS, MONITOR] {
            let detail = refused(request(credential), 403, "not-allowed").await;
            assert!(detail.contains("may not use the face `admin`"), "{detail}");
        }
    }
    // An operator asks about no device.
    let path = format!("/v1/devices/{COMPLIANT}");
    refused(stand.get(&path, ADMIN), 403, "not-allowed").await;
}

#[tokio::test]
async fn an_inventory_is_read_when_an_operator_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let before = done(stand.get(SYNC, ADMIN)).await;
    assert_eq!((&before["runs"], &before["read"]), (&json!(0), &json!(0)));
    assert_eq!(before["completed_at"], Value::Null);

    let read = done(stand.post(SYNC, ADMIN, "")).await;
    assert_eq!(
        (&read["kind"], &read["read"], &read["pages"]),
        (&json!("full"), &json!(1), &json!(1))
    );
    assert!(read["completed_at"].is_string(), "{read}");
    let path = format!("/v1/devices/{LISTED}");
    let answer: Value = stand
        .get(&path, SCRIPT)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&answer["verdict"], &answer["origin"]),
        (&json!("permit"), &json!("evaluated"))
    );
    let read = done(stand.post(&format!("{SYNC}?full=true"), ADMIN, "")).await;
    assert_eq!((&read["kind"], &read["runs"]), (&json!("full"), &json!(2)));
    let all = done(stand.get("/v1/admin/connectors", ADMIN)).await;
    let [contoso] = all["connectors"].as_array().unwrap().as_slice() else {
        panic!("{all}");
    };
    assert_eq!(contoso["name"], "contoso");
    assert_eq!(contoso["state"], "failing");
    assert_eq!(contoso["inventory"]["runs"], 2);

    stand.break_inventory();
    let full = format!("{SYNC}?full=true");
    let detail = refused(stand.post(&full, ADMIN, ""), 502, "source-failed").await;
    assert_eq!(detail, "the permission is missing");
    let after = done(stand.get(SYNC, ADMIN)).await;
    assert_eq!(after["last_error"], "the permission is missing");
}

#[tokio::test]
async fn what_is_wrong_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let other = "/v1/admin/connectors/fabrikam/sync";
    for request in [stand.get(other, ADMIN), stand.post(other, ADMIN, "")] {
        let detail = refused(request, 404, "no-such-path").await;
        assert_eq!(detail, "there is no source `fabrikam`");
    }
    for query in ["?full=perhaps", "?fall=true"] {
        let request = stand.post(&format!("{SYNC}{query}"), ADMIN, "");
        refused(request, 400, "malformed-request").await;
    }
    let nothing = stand.get("/v1/admin/nothing", ADMIN);
    refused(nothing, 404, "no-such-path").await;
    for (method, path, allowed) in [
        (Method::DELETE, SYNC, "GET"),
        (Method::GET, BACKUP, "POST"),
        (Method::POST, "/v1/admin/connectors", "GET"),
    ] {
        let request = stand.request(method, path, ADMIN);
        let response = request.try_clone().unwrap().send().await.unwrap();
        let allow = response.headers()["allow"].to_str().unwrap();
        assert!(allow.contains(allowed), "{path}: {allow}");
        refused(request, 405, "method-not-allowed").await;
    }
    // Without an inventory there is none to read.
    let bare = Stand::new().await;
    let detail = refused(bare.post(SYNC, ADMIN, ""), 404, "no-such-path").await;
    assert_eq!(detail, "source `contoso` has no inventory");
    let all = done(bare.get("/v1/admin/connectors", ADMIN)).await;
    assert_eq!(all["connectors"][0]["inventory"], Value::Null);
}

#[tokio::test]
async fn a_backup_is_made_for_whoever_is_on_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let copy = folder.path().join("copy");
    let wanted = json!({ "path": copy }).to_string();
    let detail = refused(stand.post(BACKUP, ADMIN, &wanted), 403, "not-allowed").await;
    assert!(detail.contains("portreeve store backup"), "{detail}");
    assert!(!copy.exists());

    let socket = folder.path().join("control.sock");
    let client = Client::builder().unix_socket(socket).build().unwrap();
    let post = |body: &str| {
        client
            .post(format!("http://localhost{BACKUP}"))
            .header("content-type", "application/json")
            .body(body.to_owned())
    };
    assert_eq!(done(post(&wanted)).await, json!({ "path": copy }));
    portreeve_store::verify(&copy, &mut |_, _| Ok(())).unwrap();
    // A file that is there is nobody's to replace.
    let before = std::fs::metadata(&copy).unwrap().modified().unwrap();
    let detail = refused(post(&wanted), 400, "malformed-request").await;
    assert!(detail.contains("already"), "{detail}");
    let after = std::fs::metadata(&copy).unwrap().modified().unwrap();
    assert_eq!(after, before);

    for body in [
        r#"{"path": "copy"}"#,
        "{}",
        "",
        r#"{"path": "/x", "more": 1}"#,
    ] {
        refused(post(body), 400, "malformed-request").await;
    }
    let bytes = vec![b' '; 3 << 20];
    let large = client
        .post(format!("http://localhost{BACKUP}"))
        .header("content-type", "application/json")
        .body(bytes);
    let large = large.send().await.unwrap();
    assert!(large.status().is_client_error(), "{}", large.status());
}

#[tokio::test]
async fn readiness_and_metrics_tell_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let ready = done(stand.get("/readyz", "")).await;
    assert_is("Readiness", &ready);
    assert_eq!(ready["kept"], json!([{ "name": "store", "state": "ok" }]));
    done(stand.post(SYNC, ADMIN, "")).await;
    let metrics = stand.metrics().await;
    for line in [
        "portreeve_store_failing 0",
        "portreeve_store_queued 0",
        "portreeve_store_failures_total 0",
        "portreeve_store_dropped_total 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
    assert!(!metrics.contains("portreeve_store_commits_total 0\n"));
}
