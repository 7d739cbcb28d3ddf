//! Tenant and gateway together.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use portreeve_tenant::Tenant;
use tempfile::TempDir;

use crate::certificates::write_private;
use crate::program::{self, Following, Output};
use crate::source::Source;
use crate::{Authority, Client, Gateway, Stopped, guest};

/// Bearer key of the client `rest`, which may ask.
pub const REST_KEY: &str = "demo-rest-key-0123456789abcdef";
/// Bearer key of the client `operator`, which may read metrics.
pub const ADMIN_KEY: &str = "demo-operator-key-0123456789abcdef";
/// Password of the client `radius`, whose name is `radius` too.
pub const RADIUS_PASSWORD: &str = "demo-radius-password";

/// How the connector proves to the tenant who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credential {
    /// A client secret, at the second version of the token endpoint.
    #[default]
    Secret,
    /// A client secret, at the first version of it.
    SecretV1,
    /// A certificate as PEM files.
    CertificatePem,
    /// A certificate as a PFX file with a password, signing RS256.
    CertificatePfx,
}

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
    server: String,
    inventory: Option<String>,
    details: bool,
    store: bool,
    cloud: Option<tokio::runtime::Handle>,
    credential: Credential,
    scale_unit: bool,
    fabrikam: Option<portreeve_tenant::Builder>,
    secrets: Vec<(String, String)>,
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
            server: String::new(),
            inventory: None,
            details: false,
            store: false,
            cloud: None,
            credential: Credential::default(),
            scale_unit: false,
            fabrikam: None,
            secrets: Vec::new(),
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

    /// How the connector proves who it is.
    #[must_use]
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = credential;
        self
    }

    /// Gives the compliance service an address of its own, so that it can move.
    #[must_use]
    pub fn scale_unit(mut self) -> Self {
        self.scale_unit = true;
        self
    }

    /// Reads the tenant's devices as a whole, as this TOML below
    /// `[connectors.contoso.inventory]` says.
    #[must_use]
    pub fn inventory(mut self, settings: &str) -> Self {
        self.inventory = Some(settings.to_owned());
        self
    }

    /// Reads with the devices which checks they failed.
    #[must_use]
    pub fn compliance_details(mut self) -> Self {
        self.details = true;
        self
    }

    /// Adds a second source, `fabrikam`: another tenant, asked after `contoso`.
    /// Inventories are read of both or of none.
    #[must_use]
    pub fn fabrikam(mut self, tenant: portreeve_tenant::Builder) -> Self {
        self.fabrikam = Some(tenant);
        self
    }

    /// Runs the tenant on other threads than the caller's.
    #[must_use]
    pub fn cloud(mut self, threads: tokio::runtime::Handle) -> Self {
        self.cloud = Some(threads);
        self
    }

    /// Keeps what is known in the folder [`Stand::data`].
    #[must_use]
    pub fn store(mut self) -> Self {
        self.store = true;
        self
    }

    /// More TOML below `[server]`.
    #[must_use]
    pub fn server(mut self, settings: &str) -> Self {
        settings.clone_into(&mut self.server);
        self
    }

    /// A further file beside the configuration, e.g. a key of a client that
    /// [`StandBuilder::extra`] adds.
    #[must_use]
    pub fn secret(mut self, file: &str, content: &str) -> Self {
        self.secrets.push((file.to_owned(), content.to_owned()));
        self
    }

    /// More TOML at the end of the configuration.
    #[must_use]
    pub fn extra(mut self, toml: &str) -> Self {
        toml.clone_into(&mut self.extra);
        self
    }

    /// Starts tenant and gateway, and waits until both serve.
    pub async fn start(mut self) -> anyhow::Result<Stand> {
        let directory = tempfile::tempdir()?;
        let mut tenant = Tenant::builder()
            .listen(SocketAddr::from((Ipv4Addr::LOCALHOST, self.tenant_port)))
            .devices(self.devices)
            .rich();
        if self.scale_unit {
            tenant = tenant.scale_unit(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        }
        let tenant = match &self.cloud {
            Some(threads) => threads.spawn(tenant.start()).await?,
            None => tenant.start().await,
        };
        let tenant = tenant.context("the simulated tenant")?;
        let fabrikam = match self.fabrikam.take() {
            Some(other) => Some(other.rich().start().await.context("the second tenant")?),
            None => None,
        };
        let authority = Authority::generate("Portreeve demo, throw-away authority")?;
        authority.server(directory.path(), "server")?;
        std::fs::write(directory.path().join("ca.pem"), authority.pem())?;
        for (file, secret) in [
            ("rest-key", REST_KEY),
            ("operator-key", ADMIN_KEY),
            ("radius-password", RADIUS_PASSWORD),
        ] {
            write_private(&directory.path().join(file), secret.as_bytes())?;
        }
        for (file, content) in &self.secrets {
            write_private(&directory.path().join(file), content.as_bytes())?;
        }
        let mut sources = self.source("contoso", &tenant, directory.path())?;
        if let Some(other) = &fabrikam {
            sources.push_str(&self.source("fabrikam", other, directory.path())?);
        }
        let config = directory.path().join("portreeve.toml");
        std::fs::write(config, self.configuration(&sources)?)?;
        let stopped = Stopped {
            tenant,
            fabrikam,
            authority,
            directory,
        };
        Ok(stopped.start().await?.0)
    }

    /// The configuration of a tenant's connector; its files are written.
    fn source(&self, name: &str, tenant: &Tenant, directory: &Path) -> anyhow::Result<String> {
        let source = Source {
            name,
            tenant,
            credential: self.credential,
            ttl: &self.ttl,
            negative_ttl: &self.negative_ttl,
            inventory: self.inventory.as_deref(),
            details: self.details,
        };
        source.write_files(directory)?;
        source.configuration()
    }

    fn configuration(&self, sources: &str) -> anyhow::Result<String> {
        let mut text = String::new();
        let path = |path: PathBuf| format!("{:?}", path.display().to_string());
        write!(
            text,
            r#"[server]
listen = "127.0.0.1:{gateway_port}"
certificate = "server.pem"
key = "server.key"
client-ca = "ca.pem"
{server}

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

{sources}
[policies.baseline]
plugin = {baseline}

[policies.baseline.settings]
{policy}

[chain]
policies = ["baseline"]

[plugins]
compiled-cache = {compiled}

{store}
{extra}
"#,
            store = if self.store {
                "[store]\ndirectory = \"data\""
            } else {
                ""
            },
            gateway_port = self.gateway_port,
            server = self.server,
            baseline = path(guest("baseline")?),
            compiled = path(compiled_cache()?),
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
    /// The simulated tenant, source `contoso`.
    pub tenant: Tenant,
    /// The other one, source `fabrikam`, if there is one.
    pub fabrikam: Option<Tenant>,
    /// The gateway.
    pub gateway: Gateway,
    /// The client `rest`.
    pub client: Client,
    /// Who signed the gateway's certificate, and signs those of clients.
    pub authority: Authority,
    pub(crate) directory: TempDir,
}

impl Stand {
    /// A stand with other than the usual parts.
    pub fn builder() -> StandBuilder {
        StandBuilder::default()
    }

    /// Ends the gateway in order.
    pub async fn stop(self) -> anyhow::Result<Stopped> {
        let (gateway, stopped) = self.apart();
        gateway.stop().await?;
        Ok(stopped)
    }

    /// Ends the gateway at once, as a crash does.
    pub async fn kill(self) -> anyhow::Result<Stopped> {
        let (gateway, stopped) = self.apart();
        gateway.kill().await?;
        Ok(stopped)
    }

    fn apart(self) -> (Gateway, Stopped) {
        let Self {
            tenant,
            fabrikam,
            gateway,
            authority,
            directory,
            ..
        } = self;
        let stopped = Stopped {
            tenant,
            fabrikam,
            authority,
            directory,
        };
        (gateway, stopped)
    }

    /// Ends the gateway in order and starts it again with the same
    /// configuration; free ports may be others. Tells when it was started.
    pub async fn restart(self) -> anyhow::Result<(Self, Instant)> {
        self.stop().await?.start().await
    }

    /// Ends the gateway at once, as a crash does, and starts it again.
    pub async fn crash(self) -> anyhow::Result<(Self, Instant)> {
        self.kill().await?.start().await
    }

    /// Runs `portreeve` with the gateway's configuration to its end.
    pub async fn program(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        program::run(&self.config(), arguments).await
    }

    /// The same for a command that goes on printing.
    pub fn follow(&self, arguments: &[&str]) -> anyhow::Result<Following> {
        Following::start(&self.config(), arguments)
    }

    /// The client `operator`, which may read metrics and do what operators do.
    pub fn operator(&self) -> anyhow::Result<Client> {
        self.client_with(Some(ADMIN_KEY), None)
    }

    /// Where the store is, if there is one.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
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
