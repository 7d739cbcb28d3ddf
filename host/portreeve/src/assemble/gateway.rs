//! The pipeline in the gateway's words.

use std::sync::Arc;

use portreeve_cache::FreshnessRules;
use portreeve_faces::Face;
use portreeve_gateway::inventory::InventorySource;
use portreeve_gateway::quarantine::QuarantineSettings;
use portreeve_gateway::{
    FeedSettings, GatewaySettings, Memory, Source, SourcePicture, SourceSettings,
};

use portreeve_store::decisions::DecisionLog;

use super::chains::{chains, lists};
use super::{KeptMemory, Parts, inventory_settings};
use crate::config::{Config, ConnectorConfig};

/// Sources and policies are in the order of the configuration. Nobody is
/// quarantined and no changes are told.
pub(crate) fn gateway_settings(
    config: &Config,
    parts: Parts,
    kept: &KeptMemory,
    log: Option<DecisionLog>,
) -> GatewaySettings {
    let sources = config.connectors.0.iter().zip(parts.connectors);
    let sources = sources.map(|(config, connector)| SourceSettings {
        name: config.name.value.as_str().into(),
        source: connector,
        freshness: freshness(config),
        timeout: config.timeout.0,
    });
    GatewaySettings {
        sources: sources.collect(),
        chains: chains(config.deciding(), parts.policies),
        lists: lists(&config.lists),
        memory: Arc::clone(&kept.memory),
        sessions: Arc::clone(&kept.sessions),
        log,
        max_verdicts: config.cache.max_verdicts,
        verdict_ttl: config.chain.verdict_ttl.0,
        quarantine: QuarantineSettings::default(),
        feed: FeedSettings::default(),
        retry_after: config.sources.retry_after.0,
        max_flights: config.sources.max_calls,
    }
}

/// Changes are told if pxGrid is on or any client has a face that lists devices.
/// For others the verdicts of all devices are not worth being kept.
pub(crate) fn feed_settings(config: &Config) -> FeedSettings {
    let clients = config.clients.0.iter();
    let mut faces = clients.flat_map(|client| &client.faces);
    FeedSettings {
        enabled: config.pxgrid.is_some() || faces.any(|face| *face == Face::Ise),
        ..FeedSettings::default()
    }
}

/// The sources whose inventory the operator wants to be read.
pub(crate) fn inventory_sources(
    config: &Config,
    parts: &Parts,
    memory: &Arc<Memory>,
) -> Vec<InventorySource> {
    let sources = config.connectors.0.iter().zip(&parts.connectors);
    sources
        .filter_map(|(config, connector)| {
            let name = config.name.value.as_str();
            let source: Arc<dyn Source> = Arc::clone(connector) as Arc<dyn Source>;
            Some(InventorySource {
                name: name.into(),
                source,
                picture: Arc::new(SourcePicture::new(memory, name)?),
                settings: inventory_settings(config, false),
            })
        })
        .collect()
}

fn freshness(config: &ConnectorConfig) -> FreshnessRules {
    FreshnessRules {
        ttl: config.ttl.0,
        max_stale_compliant: config.max_stale_compliant.0,
        max_stale_other: config.max_stale_other.0,
        negative_ttl: config.negative_ttl.0,
    }
}
