//! `com.cisco.ise.config.anc`

use serde_json::json;

use super::*;

#[tokio::test]
async fn an_endpoint_in_quarantine_and_out() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let node = peer(&stand, "siem", &["anc", "mdm"]).await;
    let anc = async |method: &str, body: Value| {
        ask(&stand, &node, &format!("config/anc/{method}"), &body).await
    };
    let compliant = async || {
        let asked = json!({ "macAddress": COMPLIANT });
        let (_, answer) = ask(&stand, &node, "mdm/getEndpointByMacAddress", &asked).await;
        answer["compliant"].as_bool().unwrap()
    };
    assert_eq!(
        anc("getPolicies", json!({})).await,
        (200, json!({ "policies": [] }))
    );
    let policy = json!({ "name": "ANC-Lock", "actions": ["QUARANTINE"] });
    let view = json!({ "name": "ANC-Lock", "actions": ["QUARANTINE"], "id": "ANC-Lock" });
    assert_eq!(
        anc("createPolicy", policy.clone()).await,
        (200, view.clone())
    );
    assert_eq!(anc("createPolicy", policy).await.0, 409);
    let named = json!({ "name": "ANC-Lock" });
    assert_eq!(anc("getPolicyByName", named.clone()).await, (200, view));
    assert_eq!(
        anc("getPolicyByName", json!({ "name": "x" })).await,
        (204, Value::Null)
    );

    assert!(compliant().await);
    let endpoint = json!({ "macAddress": COMPLIANT });
    let apply = json!({ "macAddress": COMPLIANT, "policyName": "ANC-Lock" });
    let (status, done) = anc("applyEndpointByMacAddress", apply.clone()).await;
    assert_eq!((status, &done["status"]), (200, &json!("SUCCESS")));
    assert!(!compliant().await);
    let operation = json!({ "operationId": done["operationId"] });
    assert_eq!(anc("getOperationStatus", operation).await, (200, done));
    let (_, again) = anc("applyEndpointByMacAddress", apply).await;
    assert_eq!(again["status"], "FAILURE");
    assert_eq!(
        again["failureReason"],
        "mac address is already associated with this policy"
    );
    // One client calls the policy so.
    let unknown = json!({ "macAddress": COMPLIANT, "policy": "x", "nasIpAddress": "192.0.2.1" });
    let (_, unknown) = anc("applyEndpointPolicy", unknown).await;
    assert_eq!(unknown["failureReason"], "Policy is not configured");
    assert_eq!(unknown["nasIpAddress"], "192.0.2.1");
    let by_ip = json!({ "ipAddress": "192.0.2.1", "policyName": "ANC-Lock" });
    let (_, by_ip) = anc("applyEndpointByIpAddress", by_ip).await;
    assert_eq!(by_ip["status"], "FAILURE");

    let there = json!({ "id": "005056000001", "macAddress": COMPLIANT, "policyName": "ANC-Lock" });
    let (_, list) = anc("getEndpoints", json!({})).await;
    assert_eq!(list, json!({ "endpoints": [there] }));
    assert_eq!(
        anc("getEndpointByMacAddress", endpoint.clone()).await,
        (200, there)
    );
    assert_eq!(anc("deletePolicyByName", named.clone()).await.0, 409);
    let (_, cleared) = anc("clearEndpointByMacAddress", endpoint.clone()).await;
    assert_eq!(cleared["status"], "SUCCESS");
    assert!(compliant().await);
    let (_, cleared) = anc("clearEndpointByMacAddress", endpoint.clone()).await;
    assert_eq!(cleared["status"], "FAILURE");
    assert_eq!(anc("getEndpointByMacAddress", endpoint).await.0, 204);
    assert_eq!(
        anc("deletePolicyByName", named.clone()).await,
        (200, json!({}))
    );
    assert_eq!(anc("deletePolicyByName", named).await.0, 204);
    assert_eq!(
        anc("getOperationStatus", json!({ "operationId": "x" }))
            .await
            .0,
        204
    );
}

#[tokio::test]
async fn only_with_the_right_and_in_good_form() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let reader = peer(&stand, "reader", &["mdm", "subscribe", "publish"]).await;
    let node = peer(&stand, "siem", &["anc"]).await;
    for (credential, method, body, expected) in [
        (&reader, "getPolicies", json!({}), 403),
        (&reader, "applyEndpointByMacAddress", json!({}), 403),
        (&node, "applyEndpointByMacAddress", json!({}), 400),
        (
            &node,
            "applyEndpointByMacAddress",
            json!({ "macAddress": "x", "policyName": "p" }),
            400,
        ),
        (
            &node,
            "createPolicy",
            json!({ "name": "p", "actions": [] }),
            400,
        ),
        (
            &node,
            "createPolicy",
            json!({ "name": "p", "actions": ["EXPLODE"] }),
            400,
        ),
        (
            &node,
            "createPolicy",
            json!({ "name": "", "actions": ["QUARANTINE"] }),
            400,
        ),
    ] {
        let (status, problem) =
            ask(&stand, credential, &format!("config/anc/{method}"), &body).await;
        assert_eq!(status, expected, "{method} {body}: {problem}");
    }
}
