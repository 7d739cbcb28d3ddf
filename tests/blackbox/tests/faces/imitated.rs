//! Faces that imitate a management system: the Intune shape, Kandji, Jamf, and
//! the flat answer for `ClearPass`.

use anyhow::{Context as _, bail};
use portreeve_harness::member;

use crate::asker::{Asker, Named, Said, json, text};
use crate::{INTUNE_CLIENT, PASSWORD, USER};

pub(crate) async fn intune(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", INTUNE_CLIENT),
        ("client_secret", PASSWORD),
        ("scope", "https://api.manage.microsoft.com//.default"),
    ];
    let token = asker.post("/intune/contoso/oauth2/v2.0/token").form(&form);
    let (_, granted) = json(token).await?;
    let token = member(&granted, "access_token").as_str();
    let token = token.with_context(|| granted.to_string())?;
    let path = format!(
        "/intune/ComplianceRetrievalService/cisco/devices/?paging=0\
         &querycriteria=macaddress&value={}&filter=all",
        named.digits()
    );
    let (status, xml) = text(asker.get(&path).bearer_auth(token)).await?;
    let says = |element: &str| xml.contains(element);
    let registered = says("<register_status>true</register_status>");
    Ok(match status {
        200 if says("<register_status>false</register_status>") => Said::Unknown,
        200 if registered && says("<status>true</status>") => Said::Permit,
        200 if registered && says("<status>false</status>") => Said::NotPermit,
        503 => Said::CannotTell,
        _ => bail!("{status}: {xml}"),
    })
}

/// As `PacketFence` reads it.
pub(crate) async fn kandji(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    let request = asker
        .get(&format!("/api/v1/devices/?mac_address={}", named.mac))
        .bearer_auth(PASSWORD);
    let (status, body) = json(request).await?;
    if status == 503 {
        return Ok(Said::CannotTell);
    }
    let devices = body.as_array().map_or(&[][..], Vec::as_slice);
    let says = |device, name| member(device, name).as_bool();
    Ok(match devices {
        [] if status == 200 && body.is_array() => Said::Unknown,
        [one] if says(one, "agent_installed") == Some(true) => {
            let there = says(one, "is_missing") == Some(false);
            anyhow::ensure!(there && says(one, "is_removed") == Some(false), "{one}");
            Said::Permit
        }
        [_] => Said::NotPermit,
        _ => bail!("{status}: {body}"),
    })
}

/// As `PacketFence` reads it: computers first.
pub(crate) async fn jamf(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    for (list, kind, inside) in [
        ("computers", "computer", Some("remote_management")),
        ("mobiledevices", "mobile_device", None),
    ] {
        let request = asker
            .get(&format!("/JSSResource/{list}/macaddress/{}", named.mac))
            .basic_auth(USER, Some(PASSWORD));
        let (status, body) = json(request).await?;
        let mut general = member(member(&body, kind), "general");
        if let Some(inside) = inside {
            general = member(general, inside);
        }
        match (status, member(general, "managed").as_bool()) {
            (404, _) => {}
            (200, Some(true)) => return Ok(Said::Permit),
            (200, Some(false)) => return Ok(Said::NotPermit),
            (503, _) => return Ok(Said::CannotTell),
            _ => bail!("{status}: {body}"),
        }
    }
    Ok(Said::Unknown)
}

pub(crate) async fn clearpass(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    let request = asker
        .get(&format!(
            "/clearpass/devices/{}",
            named.mac.replace(':', "-")
        ))
        .basic_auth(USER, Some(PASSWORD));
    let (status, body) = json(request).await?;
    let says = |name| member(&body, name).as_str();
    Ok(match (status, says("verdict"), says("compliant")) {
        (404, Some(_), _) => Said::Unknown,
        (200, Some("permit"), Some("true")) => Said::Permit,
        (200, Some("restrict" | "deny"), Some("false")) => Said::NotPermit,
        (503, None, _) => Said::CannotTell,
        _ => bail!("{status}: {body}"),
    })
}
