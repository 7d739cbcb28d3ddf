//! What decides, in the gateway's words: chains of policies, and lists.

use std::sync::Arc;

use portreeve_domain::Lists;
use portreeve_gateway::{ChainSettings, ChainsSettings, DEFAULT_CHAIN, OnError, PolicySettings};

use super::LoadedPolicy;
use crate::config::{self, Deciding, ListConfig};

/// The chains of a configuration. `policies` are those that it names, in its
/// order.
pub(crate) fn chains(config: Deciding<'_>, policies: Vec<LoadedPolicy>) -> ChainsSettings {
    let policies = config.policies.0.iter().zip(policies);
    let policies: Vec<PolicySettings> = policies
        .map(|(config, loaded)| PolicySettings {
            name: config.name.value.as_str().into(),
            digest: loaded.digest.into(),
            evaluator: Arc::new(loaded.policy),
            on_error: match config.on_error {
                config::OnError::Deny => OnError::Deny,
                config::OnError::Abstain => OnError::Abstain,
                config::OnError::Skip => OnError::Skip,
            },
            mode: config.mode,
        })
        .collect();
    let named = |names: &[String]| {
        let found = names.iter().filter_map(|name| {
            let mut policies = policies.iter();
            policies.find(|policy| *policy.name == **name).cloned()
        });
        found.collect()
    };
    let selected = config.chains.0.iter().map(|chain| {
        let settings = ChainSettings {
            name: chain.name.value.as_str().into(),
            combine: chain.combine,
            policies: named(&chain.policies),
            verdict_ttl: Some(chain.verdict_ttl.0),
        };
        (chain.selector(), settings)
    });
    ChainsSettings {
        selected: selected.collect(),
        default: ChainSettings {
            name: DEFAULT_CHAIN.into(),
            combine: config.chain.combine,
            policies: named(&config.chain.policies),
            verdict_ttl: Some(config.chain.verdict_ttl.0),
        },
    }
}

/// Lists in the gateway's words.
pub(crate) fn lists(configured: &[(String, ListConfig)]) -> Lists {
    let mut lists = Lists::default();
    for (name, list) in configured {
        lists.insert(name, list.members().iter().map(String::as_str));
    }
    lists
}
