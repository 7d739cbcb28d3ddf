//! The pipeline in the gateway's words.

use std::sync::Arc;

use portreeve_cache::FreshnessRules;
use portreeve_faces::Face;
use portreeve_gateway::inventory::InventorySource;
use portreeve_gateway::quarantine::QuarantineSettings;
use portreeve_gateway::{
    FeedSettings, Gateway, GatewaySettings, Source, SourcePicture, SourceSettings,
};

use portreeve_store::decisions::DecisionLog;

use super::chains::{chains, lists};
use super::{KeptMemory, LoadedConnector, Parts, inventory_settings};
use crate::config::{Config, ConnectorConfig};

/// Sources and policies are in the order of the configuration. Nobody is
/// quarantined and no changes are told.
pub(crate) fn gateway_settings(
    config: &Config,
    parts: Parts,
    kept: &KeptMemory,
    log: Option<DecisionLog>,
) -> GatewaySettings {
    GatewaySettings {
        sources: sources(config, &parts.connectors),
        chains: chains(config.deciding(), parts.policies),
        lists: lists(&config.lists),
        memory: Arc::clone(&kept.memory),
        sessions: Arc::clone(&kept.sessions),
        log,
        max_verdicts: config.cache.max_verdicts,
        verdict_ttl: config.chain.verdict_ttl.0,
        quarantine: QuarantineSettings::default(),
        feed: FeedSettings::default(),
        actions: config.actions.to_rules(),
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

/// The connectors as sources, in the operator's order.
pub(crate) fn sources(config: &Config, connectors: &[LoadedConnector]) -> Vec<SourceSettings> {
    let sources = config.connectors.0.iter().zip(connectors);
    let sources = sources.map(|(config, loaded)| SourceSettings {
        name: config.name.value.as_str().into(),
        source: Arc::clone(&loaded.connector) as Arc<dyn Source>,
        freshness: freshness(config),
        timeout: config.timeout.0,
        enabled: config.enabled,
        requery: config.requery_interval.map(|interval| interval.0),
        about: Arc::clone(&loaded.about),
    });
    sources.collect()
}

/// The sources with the inventories that the operator wants to be read. Those
/// that the gateway does not know are read in full at first.
pub(crate) fn inventory_sources(
    config: &Config,
    connectors: &[LoadedConnector],
    gateway: &Gateway,
    is_start: bool,
) -> Vec<InventorySource> {
    let in_force = gateway.sources();
    let sources = config.connectors.0.iter().zip(connectors);
    sources
        .filter_map(|(config, loaded)| {
            let name = config.name.value.as_str();
            let known = in_force.iter().find(|source| &*source.name == name);
            let picture = SourcePicture::new(gateway.memory(), name)?;
            Some(InventorySource {
                name: name.into(),
                source: Arc::clone(&loaded.connector) as Arc<dyn Source>,
                picture: Arc::new(if is_start || known.is_some() {
                    picture
                } else {
                    picture.anew()
                }),
                settings: inventory_settings(config, false),
                switched_on: known.map_or(config.enabled, |source| source.enabled),
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
