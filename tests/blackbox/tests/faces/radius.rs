//! RADIUS-REST, as `rlm_rest` asks.

use anyhow::bail;
use portreeve_harness::{RADIUS_PASSWORD, member};
use serde_json::json;

use crate::asker::{Asker, Named, Said, json};

pub(crate) async fn authorize(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    let mut attributes = json!({
        "Calling-Station-Id": { "type": "string", "value": [named.mac.replace(':', "-")] },
    });
    if let (Some(guid), Some(object)) = (&named.guid, attributes.as_object_mut()) {
        let extension = format!("DNS:laptop, URI:IntuneDeviceId://{guid}");
        let name = "TLS-Client-Cert-X509v3-Subject-Alternative-Name";
        object.insert(name.to_owned(), json!({ "value": [extension] }));
    }
    let request = asker
        .post("/radius/post-auth")
        .basic_auth("radius", Some(RADIUS_PASSWORD))
        .json(&attributes);
    let (status, body) = json(request).await?;
    let word = member(member(&body, "control:NAC-Decision"), "value");
    Ok(match (status, word.as_str()) {
        (200, Some("permit")) => Said::Permit,
        (200, Some("quarantine")) | (401, Some("deny")) => Said::NotPermit,
        (404, Some("unknown")) => Said::Unknown,
        (503, Some("unavailable")) => Said::CannotTell,
        _ => bail!("{status}: {body}"),
    })
}
