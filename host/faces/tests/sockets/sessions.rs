//! What network access servers report, and what operators see of it.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::schema::assert_is;
use crate::stand::*;

const SESSIONS: &str = "/v1/admin/sessions";

async fn report(stand: &Stand, attributes: Value) -> (StatusCode, String) {
    let request = stand.post("/radius/accounting", RADIUS, &attributes.to_string());
    let response = request
        .header("x-freeradius-section", "accounting")
        .send()
        .await
        .unwrap();
    let status = response.status();
    (status, response.text().await.unwrap())
}

/// The sessions' ids, and how many there are in all.
async fn list(stand: &Stand, query: &str) -> (Vec<String>, u64) {
    let response = stand
        .get(&format!("{SESSIONS}{query}"), ADMIN)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200, "{query}");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: Value = response.json().await.unwrap();
    assert_is("Sessions", &body);
    let sessions = body["sessions"].as_array().unwrap().iter();
    let ids = sessions.map(|session| session["id"].as_str().unwrap().to_owned());
    (ids.collect(), body["total"].as_u64().unwrap())
}

fn session(status: &str, id: &str, nas: &str, mac: &str) -> Value {
    json!({
        "Acct-Status-Type": { "type": "integer", "value": [status] },
        "Acct-Session-Id": { "type": "string", "value": [id] },
        "NAS-IP-Address": { "type": "ipaddr", "value": [nas] },
        "Calling-Station-Id": { "type": "string", "value": [mac] },
        "User-Name": { "type": "string", "value": ["ada"] },
        "Cisco-AVPair": { "type": "string", "value": ["audit-session-id=0A0101"] },
    })
}

#[tokio::test]
async fn sessions_are_reported_and_seen() {
    let stand = Stand::new().await;
    let (one, other) = ("AA-BB-CC-00-00-01", "AABB.CC00.0002");
    for attributes in [
        session("Start", "1", "192.0.2.1", one),
        session("Start", "1", "192.0.2.2", other),
        session("Start", "2", "192.0.2.1", one),
        session("Interim-Update", "1", "192.0.2.1", one),
    ] {
        let answer = report(&stand, attributes).await;
        assert_eq!(answer, (StatusCode::NO_CONTENT, String::new()));
    }
    assert_eq!(list(&stand, "").await.1, 3);
    let (ids, total) = list(&stand, "?mac=aabbcc000001").await;
    assert_eq!((ids.len(), total), (2, 2));
    assert_eq!(list(&stand, "?mac=aa:bb:cc:00:00:02").await.0, ["1"]);
    assert_eq!(list(&stand, "?nas=192.0.2.1&limit=1").await.1, 2);
    assert_eq!(list(&stand, "?nas=switch-7").await.1, 0);

    let ended = session("Stop", "1", "192.0.2.1", one);
    assert_eq!(report(&stand, ended).await.0, StatusCode::NO_CONTENT);
    assert_eq!(list(&stand, "?mac=aabbcc000001").await.0, ["2"]);
    let restarted = json!({ "Acct-Status-Type": "Accounting-On", "NAS-IP-Address": "192.0.2.1" });
    assert_eq!(report(&stand, restarted).await.0, StatusCode::NO_CONTENT);
    assert_eq!(list(&stand, "").await.0, ["1"]);
    let metrics = stand.metrics().await;
    assert!(metrics.contains("\nportreeve_sessions 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_report_that_is_none_is_refused() {
    let stand = Stand::new().await;
    for attributes in [
        json!({}),
        json!([]),
        json!({ "Acct-Status-Type": "Start" }),
        json!({ "Acct-Status-Type": "Start", "Acct-Session-Id": "1" }),
    ] {
        let (status, body) = report(&stand, attributes).await;
        assert_eq!(status, 400, "{body}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_is("Problem", &problem);
    }
    // What else a server counts is nobody's session.
    let tunnel = json!({ "Acct-Status-Type": "Tunnel-Start", "Acct-Session-Id": "1" });
    assert_eq!(report(&stand, tunnel).await.0, StatusCode::NO_CONTENT);
    assert_eq!(list(&stand, "").await.1, 0);
}

#[tokio::test]
async fn only_operators_see_sessions() {
    let stand = Stand::new().await;
    for (credential, expected) in [("", 401), (RADIUS, 403), (SCRIPT, 403), (ADMIN, 200)] {
        let response = stand.get(SESSIONS, credential).send().await.unwrap();
        assert_eq!(response.status(), expected, "{credential}");
    }
    // Who may not report is told so in a way that says nothing of a device.
    let request = stand.post("/radius/accounting", SCRIPT, "{}");
    assert_eq!(request.send().await.unwrap().status(), 400);
    for query in ["?mac=x", "?limit=0", "?limit=10001", "?limit=x", "?other=1"] {
        let response = stand
            .get(&format!("{SESSIONS}{query}"), ADMIN)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400, "{query}");
        assert_is("Problem", &response.json().await.unwrap());
    }
}
