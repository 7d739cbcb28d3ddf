//! The way out against real servers on loopback: what leaves, what comes back, what does not.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails here"
)]

mod credentials;
mod guard;
mod limits;
mod oauth;
mod proxy;
mod server;
mod tls;

use bytes::Bytes;
use portreeve_egress::{CredentialKind, CredentialSettings, Egress, EgressError, EgressSettings};
use tokio::time::{Duration, Instant};

use server::Server;

/// Long enough for a busy machine, short enough for a test that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Settings that trust the server and grant it and its address.
fn settings(server: &Server) -> EgressSettings {
    EgressSettings {
        allow: vec![server.origin().parse().unwrap()],
        private_networks: vec!["127.0.0.0/8".parse().unwrap()],
        roots: vec![server.root()],
        request_timeout: PATIENCE,
        ..EgressSettings::default()
    }
}

fn egress(settings: EgressSettings) -> Egress {
    Egress::new("test", settings).unwrap()
}

fn credential(slot: &str, url: &str, kind: CredentialKind) -> CredentialSettings {
    CredentialSettings {
        slot: slot.to_owned(),
        urls: vec![url.parse().unwrap()],
        kind,
    }
}

async fn send(
    egress: &Egress,
    url: &str,
    headers: &[(&str, &str)],
) -> Result<http::Response<Bytes>, EgressError> {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()));
    let request = portreeve_egress::request("GET", url, headers, Bytes::new())?;
    egress.send(request, Instant::now() + PATIENCE).await
}

async fn get(egress: &Egress, url: &str) -> Result<http::Response<Bytes>, EgressError> {
    send(egress, url, &[]).await
}
