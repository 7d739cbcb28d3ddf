//! One policy of the configuration, ready to be asked.

use portreeve_runtime::{PluginKind, Policy, PolicySettings, Runtime};

use super::plugin;
use crate::config::{PolicyConfig, Problems};

pub(super) async fn load(config: &PolicyConfig, runtime: &Runtime) -> Result<Policy, Problems> {
    let plugin = plugin::load(&config.plugin, PluginKind::Policy, runtime).await?;
    let settings = PolicySettings {
        settings: config.settings.to_json(),
        limits: config.limits.to_limits(config.timeout),
        breaker: config.limits.to_breaker(),
    };
    plugin
        .policy(&config.name.value, settings)
        .await
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
