//! `com.cisco.ise.mdm`

use serde_json::json;

use super::*;
use crate::subscriber::Subscriber;

#[tokio::test]
async fn one_endpoint_by_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let node = peer(&stand, "siem", &["mdm"]).await;
    for (mac, status, compliant) in [
        (COMPLIANT, 200, json!(true)),
        (NOT_COMPLIANT, 200, json!(false)),
        (UNKNOWN, 204, json!(null)),
        (UNREACHABLE, 503, json!(null)),
        (AMBIGUOUS, 503, json!(null)),
        (HANGING, 503, json!(null)),
    ] {
        let asked = json!({ "macAddress": mac.replace(':', "-") });
        let (found, answer) = ask(&stand, &node, "mdm/getEndpointByMacAddress", &asked).await;
        assert_eq!(found, status, "{mac}: {answer}");
        assert_eq!(answer["compliant"], compliant, "{mac}: {answer}");
        if status == 200 {
            assert_eq!(answer["macAddress"], mac.to_uppercase());
            assert_eq!(answer["registered"], true);
            assert_eq!(answer["deviceManager"], "contoso");
        }
    }
    let asked = json!({ "macAddress": UNREACHABLE });
    let path = "/pxgrid/ise/mdm/getEndpointByMacAddress";
    let response = stand.post(path, &node, &asked.to_string()).send().await;
    assert!(response.unwrap().headers().contains_key("retry-after"));
}

#[tokio::test]
async fn lists_are_of_a_complete_picture() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let node = peer(&stand, "siem", &["mdm"]).await;
    let (status, problem) = ask(&stand, &node, "mdm/getEndpoints", &json!({})).await;
    assert_eq!(status, 503, "{problem}");
    let sync = "/v1/admin/connectors/contoso/sync";
    let synced = stand
        .request(Method::POST, sync, ADMIN)
        .send()
        .await
        .unwrap();
    assert_eq!(synced.status(), 200);
    let listed = json!([{
        "macAddress": LISTED,
        "registered": true,
        "compliant": true,
        "deviceManager": "contoso",
    }]);
    let nothing = json!([]);
    for (method, body, expected) in [
        ("getEndpoints", json!({}), &listed),
        ("getEndpoints", json!({ "filter": {} }), &listed),
        (
            "getEndpoints",
            json!({ "filter": { "compliant": true } }),
            &listed,
        ),
        (
            "getEndpoints",
            json!({ "filter": { "compliant": false } }),
            &nothing,
        ),
        (
            "getEndpointsByType",
            json!({ "type": "REGISTERED" }),
            &listed,
        ),
        (
            "getEndpointsByType",
            json!({ "type": "NON_COMPLIANT" }),
            &nothing,
        ),
        (
            "getEndpointsByType",
            json!({ "type": "DISCONNECTED" }),
            &nothing,
        ),
        (
            "getEndpointsByOsType",
            json!({ "osType": "WINDOWS" }),
            &nothing,
        ),
    ] {
        let (status, answer) = ask(&stand, &node, &format!("mdm/{method}"), &body).await;
        assert_eq!(status, 200, "{method} {body}: {answer}");
        assert_eq!(answer["endpoints"], *expected, "{method} {body}");
    }
}

#[tokio::test]
async fn only_who_may_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let node = peer(&stand, "siem", &["mdm"]).await;
    let other = peer(&stand, "other", &["subscribe", "publish", "anc"]).await;
    let password = approved(&stand, "third", &["mdm"]).await;
    let body = json!({ "macAddress": COMPLIANT });
    for (credential, status) in [
        (&*node, 200),
        (&other, 403),
        // A password opens the control API only.
        (&password, 401),
        (SCRIPT, 401),
        ("", 401),
    ] {
        let path = "/pxgrid/ise/mdm/getEndpointByMacAddress";
        let response = stand.post(path, credential, &body.to_string()).send().await;
        assert_eq!(response.unwrap().status(), status, "{credential}");
    }
    admin(&stand, Method::POST, "/siem/disable", None).await;
    assert_eq!(ask(&stand, &node, "mdm/getEndpoints", &body).await.0, 403);
    // An account that is made again does not open to the old one's secret.
    admin(&stand, Method::DELETE, "/siem", None).await;
    approved(&stand, "siem", &["mdm"]).await;
    assert_eq!(ask(&stand, &node, "mdm/getEndpoints", &body).await.0, 401);
}

#[tokio::test]
async fn bad_questions_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let node = peer(&stand, "siem", &["mdm"]).await;
    for (method, body, expected) in [
        (
            "getEndpoints",
            json!({ "filter": "x" }),
            "the body: invalid type: string",
        ),
        (
            "getEndpoints",
            json!({ "filter": { "user": "x" } }),
            "the body: unknown field `user`",
        ),
        (
            "getEndpointByMacAddress",
            json!({}),
            "the body: missing field `macAddress`",
        ),
        (
            "getEndpointByMacAddress",
            json!({ "macAddress": "x" }),
            "`macAddress`: unexpected character",
        ),
        (
            "getEndpointsByType",
            json!({ "type": "X" }),
            "the body: unknown variant `X`",
        ),
        (
            "getEndpointsByOsType",
            json!({ "osType": "OS2" }),
            "the body: unknown variant `OS2`",
        ),
    ] {
        let (status, problem) = ask(&stand, &node, &format!("mdm/{method}"), &body).await;
        assert_eq!(status, 400, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(expected), "{method} {body}: {detail}");
    }
}

#[tokio::test]
async fn a_certificate_node_sees_what_its_client_may_see() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    for (client, certificate, subscribes) in [
        ("ise", "ise.example", true),
        ("partial", "partial.example", false),
    ] {
        let identity = stand.authority.issue(&[certificate]);
        let http = stand.authority.client(Some(&identity));
        let control = async |method: &str, body: Value| -> Value {
            let url = format!(
                "https://localhost:{}/pxgrid/control/{method}",
                stand.tls.port()
            );
            let response = http.post(url).json(&body).send().await.unwrap();
            assert_eq!(response.status(), 200);
            response.json().await.unwrap()
        };
        let state = control("AccountActivate", json!({})).await;
        assert_eq!(state["accountState"], "ENABLED");
        let secret = control("AccessSecret", json!({ "peerNodeName": "portreeve" })).await;
        let node = basic(client, secret["secret"].as_str().unwrap());
        let asked = json!({ "macAddress": COMPLIANT });
        let (status, answer) = ask(&stand, &node, "mdm/getEndpointByMacAddress", &asked).await;
        assert_eq!((status, &answer["compliant"]), (200, &json!(true)));

        // Topics show everything.
        let stream = tokio::net::TcpStream::connect(stand.plain).await.unwrap();
        let mut subscriber = Subscriber::open(stream, "ws", &node).await.unwrap();
        subscriber.connect().await;
        let topic = "/topic/com.cisco.ise.mdm.endpoint";
        let frame = format!("SUBSCRIBE\ndestination:{topic}\nid:1\nreceipt:1\n\n\0");
        subscriber.send(&frame).await;
        let heard = subscriber.heard().await;
        let expected = if subscribes { "RECEIPT" } else { "ERROR" };
        assert!(heard.starts_with(expected), "{client}: {heard}");
        if subscribes {
            // A node goes with its client.
            let others = clients().into_iter().filter(|other| &*other.name != client);
            stand.reload(others.collect()).unwrap();
            assert!(subscriber.heard().await.starts_with("ERROR"));
            stand.reload(clients()).unwrap();
        }
    }
}
