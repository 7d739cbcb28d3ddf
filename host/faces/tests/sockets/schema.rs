//! What is really answered, against the OpenAPI document.

use jsonschema::Validator;
use portreeve_faces::OPENAPI;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stand::*;

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// Fails with the errors unless `instance` is of the document's schema.
#[track_caller]
pub(crate) fn assert_is(schema: &str, instance: &Value) {
    let mut document = document();
    let components = document["components"].take();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{schema}"),
        "components": components,
    });
    let validator: Validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(instance)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}\n{instance:#}", errors.join("\n"));
}

#[test]
fn a_schema_refuses_what_is_not_of_it() {
    let refused = std::panic::catch_unwind(|| assert_is("Problem", &json!({"type": "x:y"})));
    assert!(refused.is_err());
}

#[tokio::test]
async fn every_described_path_exists_and_takes_its_methods_only() {
    let stand = Stand::new().await;
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 10);
    for (path, methods) in paths {
        let path = path.replace("{identifier}", COMPLIANT);
        for credential in [SCRIPT, MONITOR] {
            let refused = stand
                .request(Method::DELETE, &path, credential)
                .send()
                .await
                .unwrap();
            if refused.status() == StatusCode::FORBIDDEN {
                continue;
            }
            assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            let allowed = refused.headers()["allow"].to_str().unwrap().to_lowercase();
            for method in methods.as_object().unwrap().keys() {
                assert!(
                    allowed.split(',').any(|word| word == method),
                    "{path}: {allowed}"
                );
            }
            assert_is("Problem", &refused.json().await.unwrap());
        }
    }
}

#[tokio::test]
async fn every_status_that_is_answered_is_described() {
    let stand = Stand::new().await;
    let document = document();
    let question = format!("{{\"identifiers\":[\"{COMPLIANT}\"]}}");
    let missing = format!("{{\"identifiers\":[\"{UNREACHABLE}\"]}}");
    let batch = format!("{{\"questions\":[{question}]}}");
    for (path, request) in [
        (
            "/v1/devices/{identifier}",
            stand.get(&format!("/v1/devices/{COMPLIANT}"), SCRIPT),
        ),
        (
            "/v1/devices/{identifier}",
            stand.get(&format!("/v1/devices/{UNKNOWN}"), SCRIPT),
        ),
        (
            "/v1/devices/{identifier}",
            stand.get(&format!("/v1/devices/{UNREACHABLE}"), SCRIPT),
        ),
        (
            "/v1/devices/{identifier}",
            stand.get("/v1/devices/x", SCRIPT),
        ),
        ("/v1/devices/{identifier}", stand.get("/v1/devices/x", "")),
        (
            "/v1/devices/{identifier}",
            stand.get("/v1/devices/x", MONITOR),
        ),
        (
            "/v1/decisions",
            stand.post("/v1/decisions", SCRIPT, &question),
        ),
        (
            "/v1/decisions",
            stand.post("/v1/decisions", SCRIPT, &missing),
        ),
        ("/v1/decisions", stand.post("/v1/decisions", SCRIPT, "{")),
        (
            "/v1/decisions",
            stand.request(Method::POST, "/v1/decisions", SCRIPT),
        ),
        (
            "/v1/decisions",
            stand.post("/v1/decisions", SCRIPT, &" ".repeat(70_000)),
        ),
        (
            "/v1/decisions/batch",
            stand.post("/v1/decisions/batch", SCRIPT, &batch),
        ),
        (
            "/v1/decisions/batch",
            stand.post("/v1/decisions/batch", SCRIPT, &question),
        ),
        ("/openapi.json", stand.get("/openapi.json", SCRIPT)),
        ("/openapi.json", stand.get("/openapi.json", "")),
        ("/metrics", stand.get("/metrics", MONITOR)),
        ("/metrics", stand.get("/metrics", SCRIPT)),
        ("/healthz", stand.get("/healthz", "")),
        ("/readyz", stand.get("/readyz", "")),
    ] {
        let response = request.send().await.unwrap();
        let method = if path.starts_with("/v1/decisions") {
            "post"
        } else {
            "get"
        };
        let status = response.status().as_u16().to_string();
        let mut described = &document["paths"][path][method]["responses"][&status];
        assert!(described.is_object(), "{path} {status} is not described");
        if let Some(name) = described["$ref"].as_str() {
            described = document.pointer(name.trim_start_matches('#')).unwrap();
        }
        let kind = response.headers()["content-type"].to_str().unwrap();
        let kind = kind.split(';').next().unwrap().to_owned();
        let schema = &described["content"][&kind]["schema"];
        assert!(
            schema.is_object(),
            "{path} {status} {kind} is not described"
        );
        assert!(response.headers().contains_key("x-request-id"));
        assert!(
            response.headers()["server-timing"]
                .to_str()
                .unwrap()
                .starts_with("total;dur=")
        );
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.rsplit('/').next().unwrap();
            assert_is(name, &response.json().await.unwrap());
        }
    }
}
