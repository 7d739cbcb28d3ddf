//! Health, readiness, metrics.

use serde_json::{Value, json};

use crate::schema::assert_is;
use crate::stand::*;

#[tokio::test]
async fn readiness_names_parts_and_tells_nothing_else() {
    let stand = Stand::new().await;
    let response = stand.get("/readyz", "").send().await.unwrap();
    // The source fails, and still there are answers to give.
    assert_eq!(response.status(), 200);
    let body: Value = response.json().await.unwrap();
    assert_is("Readiness", &body);
    let expected = json!({
        "ready": true,
        "stopping": false,
        "sources": [{"name": "contoso", "state": "failing"}],
        "policies": [{"name": "baseline", "state": "ok"}],
    });
    assert_eq!(body, expected);
    stand.break_policy();
    let response = stand.get("/readyz", "").send().await.unwrap();
    assert_eq!(response.status(), 503);
    let body: Value = response.json().await.unwrap();
    assert_is("Readiness", &body);
    assert_eq!(body["policies"][0]["state"], "failing");
    assert_eq!(
        stand.get("/healthz", "").send().await.unwrap().status(),
        200
    );
}

#[tokio::test]
async fn metrics_tell_face_and_outcome() {
    let stand = Stand::new().await;
    for mac in [COMPLIANT, NOT_COMPLIANT, UNKNOWN, UNREACHABLE, "x"] {
        stand
            .get(&format!("/v1/devices/{mac}"), SCRIPT)
            .send()
            .await
            .unwrap();
    }
    let body = json!({"Calling-Station-Id": COMPLIANT}).to_string();
    stand
        .post("/radius/authorize", RADIUS, &body)
        .send()
        .await
        .unwrap();
    let metrics = stand.metrics().await;
    for (face, outcome, times) in [
        ("rest", "permit", 1),
        ("rest", "deny", 2),
        ("rest", "cannot-tell", 1),
        ("rest", "refused", 1),
        ("radius", "permit", 1),
    ] {
        let line = format!(
            "portreeve_face_request_seconds_count{{face=\"{face}\",outcome=\"{outcome}\"}} {times}\n"
        );
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    // The request for the metrics itself.
    assert!(
        metrics.contains("portreeve_face_requests_in_flight{face=\"metrics\"} 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("portreeve_face_requests_in_flight{face=\"rest\"} 0\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("portreeve_face_connections 1\n"),
        "{metrics}"
    );
}
