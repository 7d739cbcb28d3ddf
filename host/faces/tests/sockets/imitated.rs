//! Faces that imitate a management system or a flat source of attributes.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::schema::assert_is;
use crate::stand::*;

const KANDJI: &str = "Bearer kandji-key";
const CLEARPASS: &str = "Bearer clearpass-key";
/// `jamf:jamf`
const JAMF: &str = "Basic amFtZjpqYW1m";

async fn status_and_body(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn kandji_lists_what_is_managed() {
    let stand = Stand::new().await;
    let ask = |mac: &str| stand.get(&format!("/api/v1/devices/?mac_address={mac}"), KANDJI);
    for (mac, installed) in [(COMPLIANT, true), (NOT_COMPLIANT, false)] {
        let (status, list) = status_and_body(ask(mac)).await;
        assert_eq!((status, list.as_array().unwrap().len()), (200, 1), "{list}");
        let device = &list[0];
        assert_eq!(device["mac_address"], mac);
        assert_eq!(device["agent_installed"], installed);
        assert_eq!(
            (&device["is_missing"], &device["is_removed"]),
            (&false.into(), &false.into())
        );
    }
    assert_eq!(status_and_body(ask(UNKNOWN)).await, (200, json!([])));
    for mac in [UNREACHABLE, AMBIGUOUS] {
        let response = ask(mac).send().await.unwrap();
        assert_eq!(
            (
                response.status().as_u16(),
                response.headers()["retry-after"].to_str().unwrap()
            ),
            (503, "7")
        );
    }
    assert_eq!(status_and_body(ask("x")).await.0, 400);
    let all = stand.get("/api/v1/devices", KANDJI);
    assert_eq!(status_and_body(all).await.0, 400);
    let stranger = stand.get("/api/v1/devices", SCRIPT);
    assert_eq!(status_and_body(stranger).await.0, 403);
}

#[tokio::test]
async fn jamf_finds_by_address() {
    let stand = Stand::new().await;
    let token = stand.request(Method::POST, "/api/v1/auth/token", JAMF);
    let (status, granted) = status_and_body(token).await;
    assert_eq!((status, &granted["expires_in"]), (200, &1800.into()));
    assert!(granted["expires"].as_str().unwrap().ends_with('Z'));
    let bearer = format!("Bearer {}", granted["token"].as_str().unwrap());
    for credential in [JAMF, &bearer] {
        let ask = |inventory: &str, mac: &str| {
            let mac = mac.replace(':', "%3A");
            let path = format!("/JSSResource/{inventory}/macaddress/{mac}");
            status_and_body(stand.get(&path, credential))
        };
        for (mac, managed) in [(COMPLIANT, true), (NOT_COMPLIANT, false)] {
            // What it runs is not known, so it is found as either.
            let (status, found) = ask("computers", mac).await;
            let general = &found["computer"]["general"];
            assert_eq!(
                (status, &general["remote_management"]["managed"]),
                (200, &managed.into())
            );
            let (status, found) = ask("mobiledevices", mac).await;
            let general = &found["mobile_device"]["general"];
            assert_eq!((status, &general["managed"]), (200, &managed.into()));
        }
        for (mac, expected) in [
            (UNKNOWN, 404),
            (UNREACHABLE, 503),
            (AMBIGUOUS, 503),
            ("x", 400),
        ] {
            assert_eq!(ask("computers", mac).await.0, expected, "{mac}");
        }
        assert_eq!(ask("printers", COMPLIANT).await.0, 404);
    }
}

/// A token is for one face, and is nothing without a key of this process.
#[tokio::test]
async fn jamf_takes_its_own_tokens_only() {
    let stand = Stand::new().await;
    let token = stand.request(Method::POST, "/api/v1/auth/token", JAMF);
    let (_, granted) = status_and_body(token).await;
    let token = granted["token"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    let path = format!("/JSSResource/computers/macaddress/{COMPLIANT}");
    for (path, credential, expected) in [
        (&*path, &*bearer, 200),
        (&path, &bearer[..bearer.len() - 2], 401),
        (&path, "Bearer kandji-key", 403),
        ("/v1/devices/x", &bearer, 401),
        (
            "/intune/ComplianceRetrievalService/ciscoise/mdminfo",
            &bearer,
            401,
        ),
    ] {
        let status = status_and_body(stand.get(path, credential)).await.0;
        assert_eq!(status, expected, "{path}");
    }
    let no_password = stand.request(Method::POST, "/api/v1/auth/token", "");
    assert_eq!(status_and_body(no_password).await.0, 401);
}

#[tokio::test]
async fn clearpass_has_texts_only() {
    let stand = Stand::new().await;
    let ask = |name: &str| stand.get(&format!("/clearpass/devices/{name}"), CLEARPASS);
    let (status, permitted) = status_and_body(ask("00-50-56-00-00-01")).await;
    assert_eq!(status, 200);
    for (name, expected) in [
        ("verdict", "permit"),
        ("known", "true"),
        ("registered", "true"),
        ("compliant", "true"),
        ("reason", "compliant"),
        ("vlan", "10"),
        ("source", "contoso"),
        ("source_compliance", "compliant"),
        ("mac", COMPLIANT),
        ("serial", ""),
        ("stale", "false"),
    ] {
        assert_eq!(permitted[name], expected, "{name}");
    }
    let (status, denied) = status_and_body(ask(NOT_COMPLIANT)).await;
    assert_eq!(
        (status, &denied["verdict"], &denied["compliant"]),
        (200, &"deny".into(), &"false".into())
    );
    let (status, unknown) = status_and_body(ask(UNKNOWN)).await;
    assert_eq!(
        (status, &unknown["known"], &unknown["registered"]),
        (404, &"false".into(), &"false".into())
    );
    assert_eq!(unknown["reason"], "not-registered");
    assert_is("FlatAnswer", &permitted);
    assert_is("FlatAnswer", &unknown);
    // The same names every time, and nothing but text.
    let names = |object: &Value| {
        object
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&permitted), names(&unknown));
    assert!(
        permitted
            .as_object()
            .unwrap()
            .values()
            .all(Value::is_string)
    );
    let response = ask(UNREACHABLE).send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()["retry-after"].to_str().unwrap()
        ),
        (503, "7")
    );
    assert_eq!(status_and_body(ask("x")).await.0, 400);
}
