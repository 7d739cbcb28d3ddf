//! pxGrid: nodes, and what they may ask for.

mod anc;
mod control;
mod mdm;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::schema::assert_is;
use crate::stand::*;

pub(crate) fn basic(node: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{node}:{password}")))
}

/// Asks the control API.
pub(crate) async fn control(
    stand: &Stand,
    credential: &str,
    method: &str,
    body: &Value,
) -> (u16, Value) {
    let path = format!("/pxgrid/control/{method}");
    let response = stand.post(&path, credential, &body.to_string());
    let response = response.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

pub(crate) async fn admin(
    stand: &Stand,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let path = format!("/v1/admin/pxgrid/nodes{path}");
    let is_post = method == Method::POST;
    let name = method.as_str().to_lowercase();
    let mut request = stand.request(method, &path, ADMIN);
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let answer = response.json().await.unwrap();
    let document: Value = serde_json::from_str(portreeve_faces::OPENAPI).unwrap();
    let (place, wanted) = match path.strip_prefix("/v1/admin/pxgrid/nodes/") {
        None => (
            "",
            if is_post {
                "PxgridPassword"
            } else {
                "PxgridNodes"
            },
        ),
        Some(rest) if rest.ends_with("/approve") => ("/{name}/approve", "PxgridNode"),
        Some(rest) if rest.ends_with("/disable") => ("/{name}/disable", "PxgridNode"),
        Some(_) => ("/{name}", "PxgridForgotten"),
    };
    let described = &document["paths"][format!("/v1/admin/pxgrid/nodes{place}")][&name];
    let described = &described["responses"][status.to_string()];
    assert!(described.is_object(), "{name} {path} {status}");
    assert_is(if status == 200 { wanted } else { "Problem" }, &answer);
    (status, answer)
}

/// An account that is approved, as its `Authorization` header.
pub(crate) async fn approved(stand: &Stand, node: &str, may: &[&str]) -> String {
    let request = json!({ "name": node, "may": may });
    let (status, added) = admin(stand, Method::POST, "", Some(&request)).await;
    assert_eq!(status, 200, "{added}");
    basic(node, added["password"].as_str().unwrap())
}

pub(crate) async fn secret(stand: &Stand, credential: &str, peer: &str) -> String {
    let asked = json!({ "peerNodeName": peer });
    let (status, answer) = control(stand, credential, "AccessSecret", &asked).await;
    assert_eq!(status, 200, "{answer}");
    answer["secret"].as_str().unwrap().to_owned()
}

/// An approved node with its secret for the gateway's services.
pub(crate) async fn peer(stand: &Stand, node: &str, may: &[&str]) -> String {
    let own = approved(stand, node, may).await;
    basic(node, &secret(stand, &own, "portreeve").await)
}

/// Asks one of the gateway's services; an empty answer is `null`.
pub(crate) async fn ask(stand: &Stand, peer: &str, method: &str, body: &Value) -> (u16, Value) {
    let path = format!("/pxgrid/ise/{method}");
    let response = stand.post(&path, peer, &body.to_string());
    let response = response.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let answer = serde_json::from_str(&text).unwrap_or_else(|_| {
        assert_eq!(text, "");
        Value::Null
    });
    (status, answer)
}
