//! Who gets in.

use portreeve_faces::{BindError, FaceSettings, IseSettings, Limits, ListenerSettings};
use reqwest::{Method, Version, tls};
use serde_json::Value;

use crate::authority::Authority;
use crate::schema::assert_is;
use crate::stand::*;

const DEVICE: &str = "/v1/devices/00:50:56:00:00:01";

#[tokio::test]
async fn the_table() {
    let stand = Stand::new().await;
    let get = |path: &'static str| (Method::GET, path);
    let post = |path: &'static str| (Method::POST, path);
    for ((method, path), credential, expected) in [
        (get(DEVICE), SCRIPT, 200),
        (get(DEVICE), "bearer script-key", 200),
        (get(DEVICE), "", 401),
        (get(DEVICE), "Bearer wrong", 401),
        (get(DEVICE), "Bearer SCRIPT-KEY", 401),
        (get(DEVICE), "Basic cmFkaXVzOndyb25n", 401),
        (get(DEVICE), "Negotiate abc", 401),
        (get(DEVICE), "Basic", 401),
        // The right key from the wrong network.
        (get(DEVICE), "Bearer elsewhere-key", 401),
        (get(DEVICE), MONITOR, 403),
        (get(DEVICE), RADIUS, 403),
        (post("/v1/decisions"), "", 401),
        (post("/v1/decisions/batch"), "", 401),
        (post("/v1/decisions/batch"), RADIUS, 403),
        (get("/metrics"), MONITOR, 200),
        (get("/metrics"), SCRIPT, 403),
        (get("/metrics"), "", 401),
        (get("/openapi.json"), RADIUS, 200),
        (get("/openapi.json"), "", 401),
        (get("/v1/admin/clients"), SCRIPT, 403),
        (get("/v1/admin/clients"), "", 401),
        (get("/nothing"), "", 401),
        (get("/nothing"), SCRIPT, 404),
        (get("/healthz"), "", 200),
        (get("/healthz"), "Bearer wrong", 200),
        (get("/readyz"), "", 200),
        // What `rlm_rest` would take for a word about the device is 400.
        (post("/radius/authorize"), "", 400),
        (post("/radius/authorize"), "Basic cmFkaXVzOndyb25n", 400),
        (post("/radius/authorize"), SCRIPT, 400),
        (post("/radius/autorise"), RADIUS, 400),
        (post("/radius/autorise"), "", 400),
    ] {
        let response = stand
            .request(method, path, credential)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), expected, "{path} {credential}");
        let challenges = response
            .headers()
            .get_all("www-authenticate")
            .iter()
            .count();
        assert_eq!(
            challenges,
            if expected == 401 { 2 } else { 0 },
            "{path} {credential}"
        );
        if expected >= 400 {
            assert_eq!(
                response.headers()["content-type"],
                "application/problem+json"
            );
            let problem: Value = response.json().await.unwrap();
            assert_is("Problem", &problem);
            assert_eq!(problem["status"], expected);
            assert!(!problem.to_string().contains("script-key"));
        }
    }
}

#[tokio::test]
async fn freeradius_at_a_wrong_path_is_not_told_about_a_device() {
    let stand = Stand::new().await;
    let request = stand.post("/authorize", RADIUS, "{}");
    let response = request
        .header("X-FreeRADIUS-Section", "authorize")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["type"], "urn:portreeve:problem:no-such-path");
}

#[tokio::test]
async fn failures_are_counted_by_reason() {
    let stand = Stand::new().await;
    for (credential, times) in [
        ("", 1),
        ("Bearer wrong", 2),
        ("Bearer elsewhere-key", 3),
        ("Negotiate x", 4),
        (MONITOR, 5),
    ] {
        for _ in 0..times {
            stand.get(DEVICE, credential).send().await.unwrap();
        }
    }
    let metrics = stand.metrics().await;
    for (reason, times) in [
        ("missing", 1),
        ("wrong", 2),
        ("network", 3),
        ("malformed", 4),
        ("not-allowed", 5),
    ] {
        let line = format!(
            "portreeve_face_authentication_failures_total{{reason=\"{reason}\"}} {times}\n"
        );
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn certificates() {
    let stand = Stand::new().await;
    let url = format!("https://localhost:{}{DEVICE}", stand.tls.port());
    let known = stand.authority.issue(&["ise.example"]);
    let response = stand
        .authority
        .client(Some(&known))
        .get(&url)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    // Of the right issuer, but of no client.
    let nobody = stand.authority.issue(&["other.example"]);
    let response = stand
        .authority
        .client(Some(&nobody))
        .get(&url)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
    // A wrong header is not made good by a certificate.
    let wrong = stand
        .authority
        .client(Some(&known))
        .get(&url)
        .header("authorization", "Bearer wrong");
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    // The right name, but of somebody else's issuer: no TLS at all.
    let forged = Authority::new("authority").issue(&["ise.example"]);
    let refused = stand.authority.client(Some(&forged)).get(&url).send().await;
    assert!(refused.is_err(), "{refused:?}");
    let metrics = stand.metrics().await;
    assert!(
        metrics.contains("portreeve_face_connections_total{outcome=\"handshake-failed\"} 1\n"),
        "{metrics}"
    );
    // A certificate says nothing on a listener without TLS.
    let plain = format!("http://{}{DEVICE}", stand.plain);
    let response = stand
        .authority
        .client(Some(&known))
        .get(plain)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn versions_of_tls_and_http() {
    let stand = Stand::new().await;
    let url = format!("https://localhost:{}{DEVICE}", stand.tls.port());
    for version in [tls::Version::TLS_1_2, tls::Version::TLS_1_3] {
        for http2 in [false, true] {
            let builder = stand
                .authority
                .builder(None)
                .tls_version_min(version)
                .tls_version_max(version);
            let builder = if http2 { builder } else { builder.http1_only() };
            let request = builder
                .build()
                .unwrap()
                .get(&url)
                .header("authorization", SCRIPT);
            let response = request.send().await.unwrap();
            let expected = if http2 {
                Version::HTTP_2
            } else {
                Version::HTTP_11
            };
            assert_eq!(response.version(), expected);
            assert_eq!(response.status(), 200);
        }
    }
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    let settings = FaceSettings {
        listeners: vec![ListenerSettings::Plain {
            address: "0.0.0.0:0".parse().unwrap(),
        }],
        clients: Vec::new(),
        limits: Limits::default(),
        inventory: None,
        ise: IseSettings::default(),
        pxgrid: None,
    };
    let error = bind(settings).await.unwrap_err();
    assert!(
        matches!(error, BindError::PlainOutsideLoopback(_)),
        "{error}"
    );
    let nowhere = FaceSettings {
        listeners: Vec::new(),
        clients: Vec::new(),
        limits: Limits::default(),
        inventory: None,
        ise: IseSettings::default(),
        pxgrid: None,
    };
    assert!(matches!(
        bind(nowhere).await.unwrap_err(),
        BindError::NoListener
    ));
}
