//! Runtimes, guests and instances for the tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_domain::{Device, Identifier, Value};
use portreeve_egress::{CredentialKind, CredentialSettings, Egress, EgressSettings, Secret};
use portreeve_runtime::{
    BreakerSettings, CallError, Connector, ConnectorSettings, InstanceError, Limits, LookupOutcome,
    MemoryState, PageLimits, Plugin, Policy, PolicySettings, Runtime, RuntimeSettings,
};

use crate::server::Server;

/// Long enough for everything that is expected to end by itself.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Bytes of a guest that `cargo xtask guests` has built.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("PORTREEVE_GUESTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests"),
        PathBuf::from,
    );
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "cannot read `{}`: {error}; hint: run `cargo xtask guests`",
            path.display()
        )
    })
}

pub(crate) fn settings() -> RuntimeSettings {
    RuntimeSettings {
        // Shared by all tests, as it may be: they compile each guest once.
        compiled_cache: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")),
        threads: 2,
        instances: 16,
        ..RuntimeSettings::default()
    }
}

pub(crate) async fn plugin(name: &str) -> Plugin {
    let runtime = Runtime::new(&settings()).unwrap();
    runtime.load(&guest(name)).await.unwrap()
}

/// One kind of connector, about to be configured.
pub(crate) struct Setup {
    pub(crate) guest: &'static str,
    pub(crate) name: &'static str,
    pub(crate) settings: serde_json::Value,
    pub(crate) limits: Limits,
    pub(crate) pages: PageLimits,
    pub(crate) breaker: BreakerSettings,
    pub(crate) egress: EgressSettings,
}

/// Over `portreeve:host/http`, with this behaviour.
pub(crate) fn narrow(behaviour: &str) -> Setup {
    Setup::new("fixture-connector", behaviour)
}

/// Over `wasi:http`, with this behaviour.
pub(crate) fn wasi(behaviour: &str) -> Setup {
    Setup::new("fixture-wasi-connector", behaviour)
}

impl Setup {
    fn new(guest: &'static str, behaviour: &str) -> Self {
        Self {
            guest,
            name: "test",
            settings: serde_json::json!({ "behaviour": behaviour }),
            limits: Limits {
                wall_clock: PATIENCE,
                ..Limits::connector()
            },
            pages: PageLimits::default(),
            breaker: BreakerSettings::default(),
            egress: EgressSettings::default(),
        }
    }

    pub(crate) fn set(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.settings[key] = value.into();
        self
    }

    pub(crate) fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Asks this server, which is granted.
    pub(crate) fn asking(mut self, server: &Server, path: &str) -> Self {
        self.egress.allow.push(server.origin().parse().unwrap());
        self.egress.private_networks = vec!["127.0.0.0/8".parse().unwrap()];
        self.set("url", server.url(path))
    }

    /// Gives it a bearer token for this server.
    pub(crate) fn credential(mut self, server: &Server, token: &str) -> Self {
        self.egress.credentials.push(CredentialSettings {
            slot: "api".to_owned(),
            urls: vec![server.origin().parse().unwrap()],
            kind: CredentialKind::Bearer {
                token: Secret::new(token),
            },
        });
        self
    }

    pub(crate) async fn try_start_on(self, runtime: &Runtime) -> Result<Connector, InstanceError> {
        let plugin = runtime.load(&guest(self.guest)).await.unwrap();
        let settings = ConnectorSettings {
            settings: self.settings,
            limits: self.limits,
            pages: self.pages,
            breaker: self.breaker,
            egress: Egress::new(self.name, self.egress).unwrap(),
            state: Arc::new(MemoryState::default()),
        };
        plugin.connector(self.name, settings).await
    }

    pub(crate) async fn start_on(self, runtime: &Runtime) -> Connector {
        self.try_start_on(runtime).await.unwrap()
    }

    pub(crate) async fn try_start(self) -> Result<Connector, InstanceError> {
        self.try_start_on(&Runtime::new(&settings()).unwrap()).await
    }

    pub(crate) async fn start(self) -> Connector {
        self.try_start().await.unwrap()
    }
}

pub(crate) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

pub(crate) fn mac() -> Identifier {
    "00-50-56-A4-89-5A".parse().unwrap()
}

pub(crate) async fn find(connector: &Connector) -> Result<LookupOutcome, CallError> {
    connector.find(&[mac()], deadline()).await
}

/// The device that a fixture reports what it saw with.
pub(crate) async fn found(connector: &Connector) -> Device {
    match find(connector).await {
        Ok(LookupOutcome::Found(device)) => *device,
        other => panic!("expected a device, got {other:?}"),
    }
}

/// A text that a fixture reports.
#[track_caller]
pub(crate) fn text<'a>(device: &'a Device, name: &str) -> &'a str {
    match device.attribute(name) {
        Some(Value::Text(text)) => text,
        other => panic!("`{name}` is {other:?} in {:?}", device.attributes),
    }
}

/// A configured policy of the fixture.
pub(crate) async fn policy_on(
    runtime: &Runtime,
    table: serde_json::Value,
    limits: Limits,
) -> Policy {
    let plugin = runtime.load(&guest("fixture-policy")).await.unwrap();
    let settings = PolicySettings {
        settings: table,
        limits,
        breaker: BreakerSettings::default(),
    };
    plugin.policy("test", settings).await.unwrap()
}

pub(crate) async fn policy(behaviour: &str, count: u32) -> Policy {
    let limits = Limits {
        wall_clock: PATIENCE,
        ..Limits::policy()
    };
    let table = serde_json::json!({ "behaviour": behaviour, "count": count });
    policy_on(&Runtime::new(&settings()).unwrap(), table, limits).await
}
