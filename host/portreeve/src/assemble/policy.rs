//! One policy of the configuration, ready to be asked.

use portreeve_runtime::{PluginKind, Policy, PolicySettings, Runtime};

use sha2::{Digest as _, Sha256};

use super::plugin;
use crate::config::{PolicyConfig, Problems};

/// A policy, and the digest that tells it and its settings from all others.
#[derive(Debug)]
pub(crate) struct LoadedPolicy {
    pub(crate) policy: Policy,
    pub(crate) digest: String,
}

pub(super) async fn load(
    config: &PolicyConfig,
    runtime: &Runtime,
) -> Result<LoadedPolicy, Problems> {
    let plugin = plugin::load(&config.plugin, PluginKind::Policy, runtime).await?;
    let digest = digest(plugin.digest(), &config.settings.to_json());
    let settings = PolicySettings {
        settings: config.settings.to_json(),
        limits: config.limits.to_limits(config.timeout),
        breaker: config.limits.to_breaker(),
    };
    plugin
        .policy(&config.name.value, settings)
        .await
        .map(|policy| LoadedPolicy { policy, digest })
        .map_err(|error| {
            plugin::instance_problems(
                &config.name,
                &config.plugin,
                &config.settings,
                &plugin,
                error,
            )
        })
}

/// SHA-256 of the component's digest and the settings, in hexadecimal.
fn digest(component: &str, settings: &serde_json::Value) -> String {
    let mut hash = Sha256::new();
    hash.update(component);
    // Members of an object are in one order, whatever order they are written in.
    hash.update(settings.to_string());
    hex::encode(hash.finalize())
}
