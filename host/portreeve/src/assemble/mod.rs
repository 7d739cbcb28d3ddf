//! From the configuration to parts that work together.

mod chains;
mod connector;
mod faces;
mod gateway;
mod memory;
mod plugin;
mod policy;
mod state;

use std::sync::Arc;

use futures_util::future::join_all;
use portreeve_runtime::{Connector, Runtime};
use portreeve_store::Store;

use crate::config::{Config, Deciding, Problem, Problems};

pub(crate) use chains::{chains, lists};
pub(crate) use connector::LoadedConnector;
pub(crate) use faces::{face_settings, replaceable};
pub(crate) use gateway::{feed_settings, gateway_settings, inventory_sources, sources};
pub(crate) use memory::{
    KeptMemory, actions, changed_lists, decisions, inventory_settings, memory, private_folder,
    quarantine, store,
};
pub(crate) use plugin::load_advice;
pub(crate) use policy::LoadedPolicy;

/// The plugins that the configuration names, loaded, with settings that fit.
#[derive(Debug)]
pub(crate) struct Parts {
    /// In the operator's order.
    pub(crate) connectors: Vec<LoadedConnector>,
    /// In the order of the configuration.
    pub(crate) policies: Vec<LoadedPolicy>,
    /// What the operator should know, though it is no error.
    pub(crate) warnings: Vec<Problem>,
}

/// Starts the engine.
pub(crate) fn runtime(config: &Config) -> Result<Runtime, Problems> {
    Runtime::new(&config.plugins.to_settings()).map_err(|error| {
        Problem::nowhere(error.to_string())
            .hint("see `[plugins]` in the configuration")
            .into()
    })
}

/// Loads all plugins at the same time. The network is not used. Without a store
/// connectors forget what they remember when the process ends.
pub(crate) async fn parts(
    config: &Config,
    runtime: &Runtime,
    store: Option<&Arc<Store>>,
) -> Result<Parts, Problems> {
    let connectors = config.connectors.0.iter();
    let connectors = join_all(connectors.map(|config| connector::load(config, runtime, store)));
    let (connectors, policies) = tokio::join!(connectors, policies(config.deciding(), runtime));

    let mut problems = Vec::new();
    let mut parts = Parts {
        connectors: Vec::new(),
        policies: Vec::new(),
        warnings: [config.warnings.clone(), useless(config)].concat(),
    };
    for loaded in connectors {
        match loaded {
            Ok(loaded) => {
                parts.warnings.extend(loaded.warnings.iter().cloned());
                parts.connectors.push(loaded);
            }
            Err(Problems(found)) => problems.extend(found),
        }
    }
    match policies {
        Ok(loaded) => parts.policies = loaded,
        Err(Problems(found)) => problems.extend(found),
    }
    if problems.is_empty() {
        Ok(parts)
    } else {
        Err(Problems(problems))
    }
}

/// Loads the policies that the configuration names, in its order.
pub(crate) async fn policies(
    config: Deciding<'_>,
    runtime: &Runtime,
) -> Result<Vec<LoadedPolicy>, Problems> {
    let policies = config.policies.0.iter();
    let loaded = join_all(policies.map(|config| policy::load(config, runtime))).await;
    let mut problems = Vec::new();
    let mut policies = Vec::new();
    for loaded in loaded {
        match loaded {
            Ok(policy) => policies.push(policy),
            Err(Problems(found)) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(policies)
    } else {
        Err(Problems(problems))
    }
}

/// What is allowed and helps nobody.
fn useless(config: &Config) -> Vec<Problem> {
    let parts = [
        (config.clients.0.is_empty(), "clients", "nobody may ask"),
        (
            config.connectors.0.is_empty(),
            "connectors",
            "no device is known",
        ),
        (
            config.policies.0.is_empty(),
            "policies",
            "every device is denied",
        ),
    ];
    let empty = parts.into_iter().filter(|(empty, ..)| *empty);
    empty
        .map(|(_, table, meaning)| {
            Problem::nowhere(format!("there are no `{table}`, so {meaning}"))
                .hint(format!("add `[{table}.NAME]`"))
        })
        .collect()
}

/// One connector alone.
pub(crate) async fn connector(
    config: &crate::config::ConnectorConfig,
    runtime: &Runtime,
    store: Option<&Arc<Store>>,
) -> Result<(Connector, Vec<Problem>), Problems> {
    let loaded = connector::load(config, runtime, store).await?;
    Ok((Connector::clone(&loaded.connector), loaded.warnings))
}

/// All connectors for a gateway that runs with those `before`: the ones in which
/// nothing has changed go on, with their connections and tokens. What is in
/// `anew` does not.
pub(crate) async fn connectors(
    config: &Config,
    runtime: &Runtime,
    store: Option<&Arc<Store>>,
    before: &[LoadedConnector],
    anew: Option<&str>,
) -> Result<Vec<LoadedConnector>, Problems> {
    let configured = config.connectors.0.iter();
    let loading = configured.map(|config| {
        let name = config.name.value.as_str();
        let same = before.iter().find(|before| before.connector.name() == name);
        let same = same.filter(|_| anew != Some(name));
        connector::load_changed(config, same, runtime, store)
    });
    let mut connectors = Vec::new();
    let mut problems = Vec::new();
    for loaded in join_all(loading).await {
        match loaded {
            Ok(loaded) => connectors.push(loaded),
            Err(Problems(found)) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(connectors)
    } else {
        Err(Problems(problems))
    }
}
