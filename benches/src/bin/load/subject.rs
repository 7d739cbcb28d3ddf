//! The gateway under load, with one device in memory that everybody asks for.

use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, ensure};
use portreeve_harness::{REST_KEY, Stand, StandBuilder};
use portreeve_tenant::device::generated_mac;
use portreeve_tenant::well_known::COMPLIANT;
use rustls::ClientConfig;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::generator::{Target, Version, client_config};
use crate::idle::only_when_idle;
use crate::servers::{Constant, Origins};

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls,
}

impl Transport {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "TLS 1.3",
        }
    }
}

/// Threads for the simulated tenant. It stands for a cloud that has machines of
/// its own, so it takes only what the gateway and the clients leave.
fn cloud() -> anyhow::Result<Handle> {
    static CLOUD: OnceLock<Runtime> = OnceLock::new();
    if let Some(threads) = CLOUD.get() {
        return Ok(threads.handle().clone());
    }
    let threads = Builder::new_multi_thread()
        .enable_all()
        .thread_name("cloud")
        .on_thread_start(only_when_idle)
        .build()?;
    Ok(CLOUD.get_or_init(|| threads).handle().clone())
}

/// A running gateway that has answered for one device.
pub(crate) struct Subject {
    pub(crate) stand: Stand,
    pub(crate) origins: Origins,
    /// Asks for the device that is in memory.
    pub(crate) path: String,
    pub(crate) constant: Constant,
    tls: Arc<ClientConfig>,
}

impl Subject {
    /// Starts it. Records stay fresh for the whole run: this is about hits.
    pub(crate) async fn start(builder: StandBuilder) -> anyhow::Result<Self> {
        let stand = builder.ttl("1h").cloud(cloud()?).start().await?;
        let plain = stand.gateway.origins.get(1).context("the plain listener")?;
        let origins = Origins {
            tls: stand.gateway.origin().to_owned(),
            plain: plain.clone(),
        };
        let tls = client_config(&stand.authority.pem())?;
        let path = format!("/v1/devices/{}", COMPLIANT.mac.separated('-'));
        let target = target_at(&origins, &tls, Transport::Plain, Version::Http1, REST_KEY)?;
        let mut connection = target.connect().await?;
        let first = connection.get(&path).await?;
        ensure!(first.status == 200, "the first answer: {first:?}");
        let warm = connection.get(&path).await?;
        let is_hit = String::from_utf8_lossy(&warm.body).contains("\"cached\"");
        ensure!(is_hit, "no hit: {warm:?}");
        Ok(Self {
            constant: Constant::of(&warm)?,
            stand,
            origins,
            path,
            tls,
        })
    }

    /// The gateway, for the client `rest`.
    pub(crate) fn target(&self, transport: Transport, version: Version) -> anyhow::Result<Target> {
        self.target_as(REST_KEY, transport, version)
    }

    /// The gateway, for the client with this key.
    pub(crate) fn target_as(
        &self,
        key: &str,
        transport: Transport,
        version: Version,
    ) -> anyhow::Result<Target> {
        target_at(&self.origins, &self.tls, transport, version, key)
    }

    /// Another server, which has the gateway's certificate.
    pub(crate) fn target_of(
        &self,
        origins: &Origins,
        transport: Transport,
        version: Version,
    ) -> anyhow::Result<Target> {
        target_at(origins, &self.tls, transport, version, REST_KEY)
    }
}

fn target_at(
    origins: &Origins,
    tls: &Arc<ClientConfig>,
    transport: Transport,
    version: Version,
    key: &str,
) -> anyhow::Result<Target> {
    let (origin, tls) = match transport {
        Transport::Plain => (origins.plain.strip_prefix("http://"), None),
        Transport::Tls => (origins.tls.strip_prefix("https://"), Some(Arc::clone(tls))),
    };
    Ok(Target {
        address: origin.context("the address of an origin")?.parse()?,
        tls,
        version,
        key: key.to_owned(),
    })
}

/// Asks for the generated device with this number.
pub(crate) fn generated_path(number: u32) -> String {
    format!("/v1/devices/{}", generated_mac(number).separated('-'))
}

/// Asks for an address that no device has.
pub(crate) fn unknown_path(number: u64) -> String {
    let low = portreeve_benches::scripted::scramble(number) >> 24;
    // Universally administered, and no prefix of the tenant's.
    format!("/v1/devices/a4{low:010x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_addresses_are_addresses() {
        let path = unknown_path(7);
        assert_eq!(path.len(), "/v1/devices/a40000000000".len(), "{path}");
        assert_ne!(path, unknown_path(8));
    }
}
