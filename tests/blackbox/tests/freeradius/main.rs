//! A real NAC: FreeRADIUS, configured as `docs/freeradius.md` says, asks the
//! real gateway by MAC address and by certificate.

mod accounting;
mod by_certificate;
mod by_mac;
mod careless;
mod programs;
mod raddb;
mod server;
mod supplicant;
mod switch;
mod trust;

use anyhow::ensure;
use portreeve_harness::{Stand, StandBuilder};
use portreeve_tenant::well_known;

/// VLANs: the first two are the policy's, the last two those of portreeve.conf.
const STAFF: &str = "10";
const QUARANTINE: &str = "66";
const UNKNOWN: &str = "50";
const UNAVAILABLE: &str = "999";

const REDIRECT: &str = "url-redirect=https://help.example.com/?why=non-compliant";

/// Who the RADIUS server is when it has a certificate for the gateway.
const CERTIFIED: &str = "urn:example:radius";

/// How tenant and gateway are set up.
fn settings() -> StandBuilder {
    Stand::builder()
        .policy(&format!(
            r#"compliance = {{ non-compliant = "restrict" }}
[policies.baseline.settings.obligations]
permit = {{ vlan = "{STAFF}", role = "staff", acl = "STAFF", sgt = 16, session-timeout = "8h" }}
restrict = {{ vlan = "{QUARANTINE}", redirect = "https://help.example.com/?why={{reason}}" }}"#
        ))
        .extra(&format!(
            "[clients.radius-certified]\nfaces = [\"radius\"]\n\
             certificate = {{ san = \"{CERTIFIED}\" }}\npatience = \"1500ms\"\n"
        ))
}

/// Tenant and gateway. The gateway has its tokens and knows its way, so that
/// the first device has the whole patience of the RADIUS server for itself.
async fn stand() -> anyhow::Result<Stand> {
    ready(settings()).await
}

async fn ready(settings: StandBuilder) -> anyhow::Result<Stand> {
    let stand = settings.start().await?;
    let path = format!("/v1/devices/guid:{}", well_known::OLD_OS.guid);
    let reply = stand.client.get(&path).await?;
    ensure!(reply.status.is_success(), "not ready: {}", reply.body);
    Ok(stand)
}

fn https(stand: &Stand) -> &str {
    stand.gateway.origin()
}

/// The listener without TLS.
fn plain(stand: &Stand) -> &str {
    let mut origins = stand.gateway.origins.iter();
    let plain = origins.find(|origin| origin.starts_with("http://"));
    plain.map_or("none", String::as_str)
}
