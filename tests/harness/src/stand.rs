//! Tenant and gateway together.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use portreeve_tenant::Tenant;
use tempfile::TempDir;

use crate::certificates::write_private;
use crate::{Authority, Client, Gateway, guest};

/// Bearer key of the client `rest`, which may ask.
pub const REST_KEY: &str = "demo-rest-key-0123456789abcdef";
/// Bearer key of the client `operator`, which may read metrics.
pub const ADMIN_KEY: &str = "demo-operator-key-0123456789abcdef";
/// Password of the client `radius`, whose name is `radius` too.
pub const RADIUS_PASSWORD: &str = "demo-radius-password";

/// What a stand is made of.
#[derive(Debug)]
pub struct StandBuilder {
    devices: u32,
    gateway_port: u16,
    tenant_port: u16,
    ttl: String,
    negative_ttl: String,
    policy: String,
    extra: String,
}

impl Default for StandBuilder {
    fn default() -> Self {
        Self {
            devices: 0,
            gateway_port: 0,
            tenant_port: 0,
            ttl: "5m".to_owned(),
            negative_ttl: "1m".to_owned(),
            policy: String::new(),
            extra: String::new(),
        }
    }
}

impl StandBuilder {
    /// Adds this many generated devices to the well-known ones.
    #[must_use]
    pub fn devices(mut self, devices: u32) -> Self {
        self.devices = devices;
        self
    }

    /// Ports, 0 for free ones.
    #[must_use]
    pub fn ports(mut self, gateway: u16, tenant: u16) -> Self {
        self.gateway_port = gateway;
        self.tenant_port = tenant;
        self
    }

    /// How long a record is fresh, e.g. `1ms`.
    #[must_use]
    pub fn ttl(mut self, ttl: &str) -> Self {
        ttl.clone_into(&mut self.ttl);
        self
    }

    /// How long "unknown" is remembered.
    #[must_use]
    pub fn negative_ttl(mut self, ttl: &str) -> Self {
        ttl.clone_into(&mut self.negative_ttl);
        self
    }

    /// Settings of the baseline policy, TOML below `[policies.baseline.settings]`.
    #[must_use]
    pub fn policy(mut self, settings: &str) -> Self {
        settings.clone_into(&mut self.policy);
        self
    }

    /// More TOML at the end of the configuration.
    #[must_use]
    pub fn extra(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.extra);
        self
    }

    /// Starts tenant and gateway, and waits until both serve.
    pub async fn start(self) -> anyhow::Result<Stand> {
        let directory = tempfile::tempdir()?;
        let tenant = Tenant::builder()
            .listen(SocketAddr::from((Ipv4Addr::LOCALHOST, self.tenant_port)))
            .devices(self.devices)
            .rich()
            .start()
            .await
            .context("the simulated tenant")?;
        let authority = Authority::generate("Portreeve demo, throw-away authority")?;
        authority.server(directory.path(), "server")?;
        std::fs::write(directory.path().join("ca.pem"), authority.pem())?;
        std::fs::write(directory.path().join("tenant-ca.pem"), tenant.ca_pem())?;
        for (file, secret) in [
            ("tenant-secret", tenant.client_secret()),
            ("rest-key", REST_KEY),
            ("operator-key", ADMIN_KEY),
            ("radius-password", RADIUS_PASSWORD),
        ] {
            write_private(&directory.path().join(file), secret)?;
        }
        let config = directory.path().join("portreeve.toml");
        std::fs::write(&config, self.configuration(&tenant)?)?;
        let log = directory.path().join("portreeve.log");
        let gateway = Gateway::start(&config, &log, 2).await?;
        let client = Client::new(gateway.origin(), &authority.pem(), Some(REST_KEY), None)?;
        Ok(Stand {
            tenant,
            gateway,
            client,
            authority,
            directory,
        })
    }

    fn configuration(&self, tenant: &Tenant) -> anyhow::Result<String> {
        let mut text = String::new();
        let path = |path: PathBuf| format!("{:?}", path.display().to_string());
        write!(
            text,
            r#"[server]
listen = "127.0.0.1:{gateway_port}"
certificate = "server.pem"
key = "server.key"
client-ca = "ca.pem"

[server.plain]
listen = "127.0.0.1:0"

[clients.rest]
faces = ["rest"]
bearer = {{ file = "rest-key" }}
patience = "5s"

[clients.operator]
faces = ["metrics", "admin"]
bearer = {{ file = "operator-key" }}

[clients.radius]
faces = ["radius"]
basic = {{ username = "radius", password = {{ file = "radius-password" }} }}
networks = ["127.0.0.0/8"]
patience = "1500ms"

[clients.switch]
faces = ["rest"]
certificate = {{ san = "urn:example:switch" }}

[connectors.contoso]
plugin = {intune}
egress = ["{tenant_host}"]
private-networks = ["127.0.0.0/8"]
trust = ["tenant-ca.pem"]
ttl = "{ttl}"
negative-ttl = "{negative_ttl}"
timeout = "10s"

[connectors.contoso.settings]
graph-url = "{graph}"
service-hosts = ["127.0.0.1"]

[connectors.contoso.credentials.graph]
kind = "oauth2-client-secret"
urls = ["{graph}/v1.0/"]
token-url = "{token_url}"
client-id = "{client_id}"
scope = "https://graph.microsoft.com/.default"
secret = {{ file = "tenant-secret" }}

[connectors.contoso.credentials.intune]
kind = "oauth2-client-secret"
urls = ["{origin}/TrafficGateway/"]
token-url = "{token_url}"
client-id = "{client_id}"
scope = "https://api.manage.microsoft.com//.default"
secret = {{ file = "tenant-secret" }}

[policies.baseline]
plugin = {baseline}

[policies.baseline.settings]
{policy}

[chain]
policies = ["baseline"]

[plugins]
compiled-cache = {compiled}

{extra}
"#,
            gateway_port = self.gateway_port,
            intune = path(guest("intune")?),
            baseline = path(guest("baseline")?),
            compiled = path(compiled_cache()?),
            tenant_host = tenant.origin().trim_start_matches("https://"),
            origin = tenant.origin(),
            graph = tenant.graph_url(),
            token_url = tenant.token_url_v2(),
            client_id = tenant.client_id(),
            ttl = self.ttl,
            negative_ttl = self.negative_ttl,
            policy = self.policy,
            extra = self.extra,
        )?;
        Ok(text)
    }
}

/// Compiled plugins are shared between stands, as they are between starts of a
/// real gateway.
fn compiled_cache() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/compiled");
    std::fs::create_dir_all(&folder)?;
    Ok(folder.canonicalize()?)
}

/// Tenant, gateway and a client of it, all of them running.
#[derive(Debug)]
pub struct Stand {
    /// The simulated tenant.
    pub tenant: Tenant,
    /// The gateway.
    pub gateway: Gateway,
    /// The client `rest`.
    pub client: Client,
    /// Who signed the gateway's certificate, and signs those of clients.
    pub authority: Authority,
    directory: TempDir,
}

impl Stand {
    /// A stand with other than the usual parts.
    pub fn builder() -> StandBuilder {
        StandBuilder::default()
    }

    /// Where configuration, certificates and log are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The gateway's configuration file.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("portreeve.toml")
    }

    /// What the gateway has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("portreeve.log")).unwrap_or_default()
    }

    /// Another client of the gateway.
    pub fn client_with(
        &self,
        key: Option<&str>,
        identity: Option<&[u8]>,
    ) -> anyhow::Result<Client> {
        Client::new(self.gateway.origin(), &self.authority.pem(), key, identity)
    }
}
