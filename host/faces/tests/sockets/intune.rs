//! The face Intune: token, discovery, compliance service.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::stand::*;

const GRAPH: &str = "https://graph.microsoft.com/.default";
const INTUNE: &str = "https://api.manage.microsoft.com//.default";
const PRINCIPAL: &str = "servicePrincipals/appId=0000000a-0000-0000-c000-000000000000/endpoints";

fn form(pairs: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(pairs);
    text.finish()
}

fn post(stand: &Stand, path: &str, pairs: &[(&str, &str)]) -> RequestBuilder {
    stand
        .request(Method::POST, path, "")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form(pairs))
}

async fn token(stand: &Stand, scope: &str) -> String {
    let request = post(
        stand,
        "/intune/t1/oauth2/v2.0/token",
        &[
            ("grant_type", "client_credentials"),
            ("client_id", "intune"),
            ("client_secret", "intune"),
            ("scope", scope),
        ],
    );
    let granted: Value = request.send().await.unwrap().json().await.unwrap();
    let token = granted["access_token"].as_str();
    format!("Bearer {}", token.unwrap_or_else(|| panic!("{granted}")))
}

async fn text(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_product_finds_its_way() {
    let stand = Stand::new().await;
    let metadata = stand.get("/intune/t1/v2.0/.well-known/openid-configuration", "");
    let metadata: Value = metadata.send().await.unwrap().json().await.unwrap();
    let origin = format!("https://localhost:{}", stand.tls.port());
    assert_eq!(
        metadata["token_endpoint"],
        format!("{origin}/intune/t1/oauth2/v2.0/token")
    );

    let graph = token(&stand, GRAPH).await;
    // Cisco ISE's double slash.
    let found = stand.get(&format!("/intune/graph//v1.0/{PRINCIPAL}"), &graph);
    let found: Value = found.send().await.unwrap().json().await.unwrap();
    let services: Vec<_> = found["value"].as_array().unwrap().iter().collect();
    assert_eq!(services[0]["providerName"], "ComplianceRetrievalService");
    assert_eq!(
        services[0]["uri"],
        format!("{origin}/intune/ComplianceRetrievalService")
    );
    assert_eq!(services[1]["providerName"], "NACAPIService");

    let old = "/intune/t1/servicePrincipalsByAppId/0000000a-0000-0000-c000-000000000000/serviceEndpoints?api-version=1.6";
    let found: Value = stand
        .get(old, &graph)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        found["value"][0]["serviceName"],
        "ComplianceRetrievalService"
    );

    let intune = token(&stand, INTUNE).await;
    let (status, info) = text(stand.get(
        "/intune/ComplianceRetrievalService/ciscoise/mdminfo/?ise_api_version=3",
        &intune,
    ))
    .await;
    assert_eq!(status, 200);
    assert!(info.contains("<api_path>/intune/ComplianceRetrievalService/cisco</api_path>"));
}

#[tokio::test]
async fn devices_in_every_state() {
    let stand = Stand::new().await;
    let intune = token(&stand, INTUNE).await;
    let newer = "/intune/ComplianceRetrievalService/cisco/devices/";
    let older = "/intune/StatelessNACService/ciscodeviceinfo/mdm/api/devices/";
    let flat = "/intune/StatelessNACService/devices/";
    for (mac, registered, compliant) in [
        (COMPLIANT, true, Some(true)),
        (NOT_COMPLIANT, true, Some(false)),
        (UNKNOWN, false, None),
    ] {
        let value = mac.replace(':', "").to_uppercase();
        let query = format!("?paging=0&querycriteria=macaddress&value={value}&filter=all");
        for path in [newer, older] {
            let (status, xml) = text(stand.get(&format!("{path}{query}"), &intune)).await;
            assert_eq!(status, 200);
            assert!(
                xml.contains(&format!("<register_status>{registered}</register_status>")),
                "{xml}"
            );
            let said = compliant.map(|compliant| format!("<status>{compliant}</status>"));
            let expected =
                said.map_or_else(|| !xml.contains("<status>"), |said| xml.contains(&said));
            assert!(expected, "{xml}");
        }
        let (status, json) =
            text(stand.get(&format!("{flat}{query}&api-version=1.1"), &intune)).await;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((status, &json["isManaged"]), (200, &registered.into()));
        assert_eq!(json["complianceState"].as_bool(), compliant);
    }
    for mac in [UNREACHABLE, AMBIGUOUS] {
        let query = format!("{newer}?querycriteria=macaddress&value={mac}");
        let response = stand.get(&query, &intune).send().await.unwrap();
        assert_eq!(
            (
                response.status().as_u16(),
                response.headers()["retry-after"].to_str().unwrap()
            ),
            (503, "7")
        );
    }
    for wrong in [
        "",
        "?querycriteria=guid&value=x",
        "?querycriteria=username&value=x",
    ] {
        let (status, _) = text(stand.get(&format!("{newer}{wrong}"), &intune)).await;
        assert_eq!(status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_token_is_for_what_it_was_asked_for() {
    let stand = Stand::new().await;
    let own = format!("https://localhost:{}/intune/.default", stand.tls.port());
    let (graph, intune, both) = (
        token(&stand, GRAPH).await,
        token(&stand, INTUNE).await,
        token(&stand, &own).await,
    );
    let discovery = format!("/intune/graph/v1.0/{PRINCIPAL}");
    let service = "/intune/ComplianceRetrievalService/ciscoise/mdminfo";
    for (path, credential, expected) in [
        (&*discovery, &*graph, 200),
        (&discovery, &intune, 401),
        (&discovery, &both, 200),
        (service, &graph, 401),
        (service, &intune, 200),
        (service, &both, 200),
        (service, "", 401),
        (service, "Bearer x", 401),
        ("/intune/nothing", &both, 404),
        ("/v1/devices/x", &both, 401),
        ("/JSSResource/computers/macaddress/x", &both, 401),
    ] {
        let status = text(stand.get(path, credential)).await.0;
        assert_eq!(status, expected, "{path}");
    }
    let put = stand
        .request(Method::PUT, service, &intune)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            put.status().as_u16(),
            put.headers()["allow"].to_str().unwrap()
        ),
        (405, "GET")
    );
}

#[tokio::test]
async fn refusals_have_entras_codes() {
    let stand = Stand::new().await;
    let grant = ("grant_type", "client_credentials");
    let id = ("client_id", "intune");
    let secret = ("client_secret", "intune");
    let scope = ("scope", GRAPH);
    let v2 = "/intune/t1/oauth2/v2.0/token";
    let v1 = "/intune/t1/oauth2/token";
    for (path, pairs, status, error, code) in [
        (v2, vec![grant, id, secret], 400, "invalid_request", 900_144),
        (v2, vec![id, secret, scope], 400, "invalid_request", 900_144),
        (
            v2,
            vec![grant, secret, scope],
            400,
            "invalid_request",
            900_144,
        ),
        (
            v2,
            vec![("grant_type", "password"), id, secret, scope],
            400,
            "unsupported_grant_type",
            70_003,
        ),
        (v2, vec![grant, id, scope], 401, "invalid_client", 7_000_216),
        (
            v2,
            vec![grant, id, ("client_secret", "x"), scope],
            401,
            "invalid_client",
            7_000_215,
        ),
        (
            v2,
            vec![grant, ("client_id", "a:b"), secret, scope],
            401,
            "invalid_client",
            7_000_215,
        ),
        (
            v2,
            vec![grant, id, secret, ("scope", "https://example.com/.default")],
            400,
            "invalid_resource",
            500_011,
        ),
        (
            v2,
            vec![grant, id, secret, ("resource", "x")],
            400,
            "invalid_request",
            901_002,
        ),
        (
            v1,
            vec![grant, id, secret, scope],
            400,
            "invalid_request",
            900_144,
        ),
        (
            v2,
            vec![
                grant,
                ("client_id", "jamf"),
                ("client_secret", "jamf"),
                scope,
            ],
            403,
            "unauthorized_client",
            53_003,
        ),
        (
            v2,
            vec![
                grant,
                id,
                scope,
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", "a.b.c"),
            ],
            400,
            "invalid_request",
            50_027,
        ),
    ] {
        let response = post(&stand, path, &pairs).send().await.unwrap();
        let answered = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        let codes = &body["error_codes"][0];
        assert_eq!(
            (answered, &body["error"], codes),
            (status, &error.into(), &code.into()),
            "{body}"
        );
        let text = body["error_description"].as_str().unwrap();
        assert!(text.starts_with(&format!("AADSTS{code}: ")), "{text}");
        assert!(!text.contains("client_secret=") && body["correlation_id"].is_string());
    }
    let metrics = stand.metrics().await;
    assert!(
        metrics.contains("portreeve_face_authentication_failures_total{reason=\"wrong\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn v1_and_odd_ways_of_asking() {
    let stand = Stand::new().await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "intune"),
        ("client_secret", "intune"),
        ("resource", "https://api.manage.microsoft.com/"),
        ("scope", "openid"),
    ];
    let granted: Value = post(&stand, "/intune/t1/oauth2/token", &pairs)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(granted["expires_in"], "3599");
    assert_eq!(granted["resource"], "https://api.manage.microsoft.com/");

    // Identifier and secret in the header; a body that comes with GET.
    let body = form(&[("grant_type", "client_credentials"), ("scope", GRAPH)]);
    let basic = stand
        .get(
            "/intune/t1/oauth2/v2.0/token/",
            "Basic aW50dW5lOmludHVuZQ==",
        )
        .header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )
        .header("client-request-id", "my-request-1")
        .body(body);
    assert_eq!(text(basic).await.0, 200);

    // What is no form is refused as quickly as what is too large for one.
    let path = "/intune/t1/oauth2/v2.0/token";
    let json = stand.post(path, "", "{}");
    assert_eq!(text(json).await.0, 400);
    let large = "x".repeat(40_000);
    let large = post(&stand, path, &[("client_secret", &large)]);
    assert_eq!(text(large).await.0, 413);
    let delete = stand
        .request(Method::DELETE, path, "")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            delete.status().as_u16(),
            delete.headers()["allow"].to_str().unwrap()
        ),
        (405, "GET, POST")
    );
}
