//! Reading the configuration again while the gateway runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use portreeve_domain::Timestamp;
use portreeve_faces::{
    Configuration, ConfigurationRefused, ConfigurationState, CredentialExpiry, CycleError, Cycled,
    Face, ReloadError, Reloader,
};
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use crate::assemble;
use crate::config::{Config, Problem, Problems, ProcessEnvironment};
use crate::connectors::Connectors;
use crate::deciders::Deciders;
use crate::expiry::{self, Expiries, Expiring};

/// Keys of `[server]` whose files are read again.
const SERVER: [&str; 3] = ["certificate", "key", "client-ca"];

/// Tables that are read again whole.
const TABLES: [&str; 9] = [
    "clients",
    "connectors",
    "egress",
    "trust",
    "chain",
    "chains",
    "policies",
    "policy-change",
    "lists",
];

/// The configuration of a gateway that runs.
pub(crate) struct Reloading {
    path: PathBuf,
    reloader: Reloader,
    connectors: Connectors,
    /// Whether changes are told, which is decided at the start.
    tells_changes: bool,
    deciders: Arc<Deciders>,
    /// With what the process was started.
    started: toml::Table,
    state: Mutex<ConfigurationState>,
    /// One after the other.
    turn: tokio::sync::Mutex<()>,
    outcomes: IntCounterVec,
    loaded_at: IntGauge,
    expiries: Expiries,
}

impl fmt::Debug for Reloading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reloading")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What is remembered of a configuration whose parts are in use.
#[derive(Debug)]
pub(crate) struct Snapshot {
    path: PathBuf,
    digest: String,
    tells_changes: bool,
    shown: toml::Table,
    expiring: Vec<Expiring>,
}

impl Snapshot {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn of(config: &Config) -> Self {
        Self {
            path: config.path.clone(),
            digest: config.digest.clone(),
            tells_changes: assemble::feed_settings(config).enabled,
            shown: shown(config),
            expiring: expiry::all(config),
        }
    }
}

impl Reloading {
    pub(crate) fn new(
        snapshot: Snapshot,
        reloader: Reloader,
        (connectors, deciders): (Connectors, Arc<Deciders>),
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let outcomes = IntCounterVec::new(
            Opts::new(
                "portreeve_configuration_reloads_total",
                "Readings of the configuration while running, by what became of them.",
            ),
            &["outcome"],
        )?;
        for outcome in ["done", "refused"] {
            outcomes.with_label_values(&[outcome]);
        }
        let loaded_at = IntGauge::new(
            "portreeve_configuration_loaded_timestamp_seconds",
            "When the configuration in force was read, in seconds since 1970.",
        )?;
        registry.register(Box::new(outcomes.clone()))?;
        registry.register(Box::new(loaded_at.clone()))?;
        let now = Timestamp::now();
        loaded_at.set(seconds(now));
        Ok(Self {
            path: snapshot.path,
            reloader,
            connectors,
            tells_changes: snapshot.tells_changes,
            deciders,
            started: snapshot.shown,
            state: Mutex::new(ConfigurationState {
                loaded_at: now,
                digest: snapshot.digest,
                needs_restart: Vec::new(),
                refused: None,
            }),
            turn: tokio::sync::Mutex::new(()),
            outcomes,
            loaded_at,
            expiries: Expiries::new(snapshot.expiring, registry)?,
        })
    }

    /// Tells the log once a day what expires. Does not end.
    pub(crate) async fn watch_expiries(&self) {
        self.expiries.watch().await;
    }

    async fn read(&self) -> Result<Config, Problems> {
        let path = self.path.clone();
        let read = move || Config::load(&path, &ProcessEnvironment);
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|error| Problem::nowhere(error.to_string()))?
    }

    async fn read_again(&self, forced: bool) -> Result<ConfigurationState, Problems> {
        let config = self.read().await?;
        let prepared = self.connectors.prepare(&config).await?;
        let mut needs_restart = differences(&self.started, &shown(&config));
        if !self.tells_changes {
            needs_restart.extend(wants_changes(&config));
        }
        let digest = config.digest.clone();
        let expiring = expiry::all(&config);
        let lists = Some(&*config.lists);
        let candidate = self.deciders.load(config.deciding(), lists).await?;
        if let Some(most) = config.policy_change.max_changed.filter(|_| !forced) {
            self.deciders.check_change(&candidate, most).await?;
        }
        let (clients, tls) = assemble::replaceable(config);
        self.reloader
            .replace(clients, tls)
            .map_err(|error| explain(&error))?;
        self.connectors.put_in_force(prepared)?;
        self.deciders.put_in_force(candidate);
        self.expiries.replace(expiring);
        Ok(ConfigurationState {
            loaded_at: Timestamp::now(),
            digest,
            needs_restart,
            refused: None,
        })
    }
}

/// The clients whose faces live of changes, which are told from the start or not
/// at all.
fn wants_changes(config: &Config) -> Vec<String> {
    let clients = config.clients.0.iter();
    let wanting = clients.filter(|client| client.faces.contains(&Face::Ise));
    let keys = wanting.map(|client| format!("clients.{}.faces", client.name.value));
    keys.collect()
}

impl Configuration for Reloading {
    fn reload(
        &self,
        forced: bool,
    ) -> BoxFuture<'_, Result<ConfigurationState, ConfigurationRefused>> {
        async move {
            let _turn = self.turn.lock().await;
            match self.read_again(forced).await {
                Ok(state) => {
                    self.outcomes.with_label_values(&["done"]).inc();
                    self.loaded_at.set(seconds(state.loaded_at));
                    tracing::info!(digest = state.digest, "the configuration was read again");
                    for key in &state.needs_restart {
                        tracing::warn!(key, "this takes effect with the next start only");
                    }
                    *self.state.lock() = state.clone();
                    Ok(state)
                }
                Err(Problems(problems)) => {
                    self.outcomes.with_label_values(&["refused"]).inc();
                    for problem in &problems {
                        let hint = problem.advice();
                        tracing::error!(%problem, hint, "the configuration was not taken, the one before stays in force");
                    }
                    let refused = ConfigurationRefused {
                        problems: problems.iter().map(text).collect(),
                    };
                    self.state.lock().refused = Some((Timestamp::now(), refused.clone()));
                    Err(refused)
                }
            }
        }
        .boxed()
    }

    fn expiries(&self) -> Vec<CredentialExpiry> {
        self.expiries.of_connectors()
    }

    fn cycle<'a>(
        &'a self,
        name: &'a str,
        by: &'a str,
        forced: bool,
    ) -> BoxFuture<'a, Result<Cycled, CycleError>> {
        async move {
            let _turn = self.turn.lock().await;
            let refused = |Problems(problems): Problems| {
                let problems = problems.iter().map(text).collect();
                CycleError::Refused(ConfigurationRefused { problems })
            };
            let config = self.read().await.map_err(refused)?;
            if config.connectors.get(name).is_none() {
                return Err(CycleError::NoSource(name.to_owned()));
            }
            self.connectors.cycle(&config, name, by, forced).await
        }
        .boxed()
    }

    fn state(&self) -> ConfigurationState {
        self.state.lock().clone()
    }
}

/// A problem in one line.
pub(crate) fn text(problem: &Problem) -> String {
    match problem.advice() {
        Some(hint) => format!("{problem} (hint: {hint})"),
        None => problem.to_string(),
    }
}

fn seconds(moment: Timestamp) -> i64 {
    i64::try_from(moment.as_millis() / 1000).unwrap_or(i64::MAX)
}

fn explain(error: &ReloadError) -> Problems {
    let hint = match error {
        ReloadError::Clients(_) => "see `[clients.NAME]`",
        ReloadError::Tls(_) => "see `certificate`, `key` and `client-ca` under `[server]`",
        ReloadError::Listeners => "restart the gateway to add or remove the listener with TLS",
        ReloadError::Ended => "the gateway is ending",
    };
    Problem::nowhere(error.to_string()).hint(hint).into()
}

/// A configuration as it is shown. One that cannot be shown is like no other.
fn shown(config: &Config) -> toml::Table {
    let text = config.to_toml().unwrap_or_default();
    text.parse().unwrap_or_default()
}

/// The keys in which two configurations differ and that are only read at the
/// start.
fn differences(started: &toml::Table, now: &toml::Table) -> Vec<String> {
    let mut found = Vec::new();
    let tables: std::collections::BTreeSet<&String> = started.keys().chain(now.keys()).collect();
    for table in tables {
        let (one, other) = (started.get(table), now.get(table));
        if TABLES.contains(&table.as_str()) || one == other {
            continue;
        }
        let both = (
            one.and_then(toml::Value::as_table),
            other.and_then(toml::Value::as_table),
        );
        let (Some(one), Some(other)) = both else {
            found.push(table.clone());
            continue;
        };
        let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        let read_again = |key: &str| match table.as_str() {
            "server" => SERVER.contains(&key),
            "sources" => key == "order",
            _ => false,
        };
        let differing = keys
            .into_iter()
            .filter(|key| !read_again(key) && one.get(*key) != other.get(*key));
        found.extend(differing.map(|key| format!("{table}.{key}")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(started: &str, now: &str, expected: &[&str]) {
        let table = |text: &str| text.parse::<toml::Table>().unwrap();
        assert_eq!(differences(&table(started), &table(now)), expected);
    }

    #[test]
    fn what_takes_a_restart_is_named() {
        check("", "", &[]);
        check(
            "[server]\ncertificate = 'a'\nkey = 'a'\n[clients.a]",
            "[server]\ncertificate = 'b'\nkey = 'b'\nclient-ca = 'c'\n[clients.b]",
            &[],
        );
        check(
            "[server]\nlisten = 'a'\n[cache]\nmax-devices = 1\n[chain]\nverdict-ttl = '1s'\n[sources]\norder = ['a']\n[connectors.a]\nttl = '1s'",
            "[server]\nlisten = 'b'\n[cache]\nmax-devices = 1\n[chain]\nverdict-ttl = '2s'\n[sources]\norder = []\nmax-calls = 1\n[connectors.a]\nttl = '2s'\n[store]",
            &["server.listen", "sources.max-calls", "store"],
        );
    }
}
