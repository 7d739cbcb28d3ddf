//! Devices enrol at a real SCEP server (micromdm's, of Debian) that asks the
//! gateway whether it may issue certificates; the gateway asks a simulated
//! Intune that really checks challenge and request.

mod device;
mod enrolment;
mod matrix;
mod notification;
mod refusal;
mod revocation;
mod server;

use portreeve_harness::{Client, Stand};
use portreeve_tenant::Resource;

/// Bearer key of the client `scep`.
const KEY: &str = "scep-server-key-0123456789abcdef";

/// A gateway whose tenant lets it validate challenges.
async fn stand() -> anyhow::Result<Stand> {
    let stand = Stand::builder()
        .extra("[clients.scep]\nfaces = [\"scep\"]\nbearer = { file = \"scep-key\" }\n")
        .secret("scep-key", KEY)
        .start()
        .await?;
    stand
        .tenant
        .grant(Resource::Intune, "scep_challenge_provider");
    Ok(stand)
}

/// The client `scep`, without a SCEP server.
fn client(stand: &Stand) -> anyhow::Result<Client> {
    stand.client_with(Some(KEY), None)
}
