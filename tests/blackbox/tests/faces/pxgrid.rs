//! pxGrid: `com.cisco.ise.mdm`, as a node that the operator has approved.

use anyhow::{Context as _, bail};
use portreeve_harness::member;
use serde_json::{Value, json};

use crate::asker::{Asker, Named, Said, text};

pub(crate) async fn endpoint(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    let (node, password) = &asker.node;
    let request = asker
        .post("/pxgrid/control/AccessSecret")
        .basic_auth(node, Some(password))
        .json(&json!({ "peerNodeName": "portreeve" }));
    let (status, body) = text(request).await?;
    let answer: Value = serde_json::from_str(&body).with_context(|| format!("{status}: {body}"))?;
    let secret = member(&answer, "secret").as_str();
    let secret = secret.with_context(|| format!("{status}: {body}"))?;
    let request = asker
        .post("/pxgrid/ise/mdm/getEndpointByMacAddress")
        .basic_auth(node, Some(secret))
        .json(&json!({ "macAddress": named.mac.to_uppercase() }));
    let (status, body) = text(request).await?;
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    Ok(match (status, member(&answer, "compliant").as_bool()) {
        (204, None) => Said::Unknown,
        (200, Some(true)) => Said::Permit,
        (200, Some(false)) => Said::NotPermit,
        (503, None) => Said::CannotTell,
        _ => bail!("{status}: {body}"),
    })
}
