//! Policies, chains and lists of a gateway that runs: loaded again beside those
//! in force, checked, and put in their place at once.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use portreeve_domain::Lists;
use portreeve_gateway::{ChainsSettings, Gateway};
use portreeve_runtime::Runtime;

use crate::assemble;
use crate::config::{Config, Problems};

/// What decides in a gateway that runs.
pub(crate) struct Deciders {
    runtime: Runtime,
    gateway: Arc<Gateway>,
    in_force: Mutex<String>,
}

impl fmt::Debug for Deciders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Deciders").finish_non_exhaustive()
    }
}

/// What is loaded and not in force yet.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Tells it from all that decide differently.
    print: String,
    chains: ChainsSettings,
    lists: Lists,
}

impl Candidate {
    /// Loads the policies of a configuration. Those in force are not touched.
    pub(crate) async fn load(config: &Config, runtime: &Runtime) -> Result<Self, Problems> {
        let policies = assemble::policies(config, runtime).await?;
        let chains = assemble::chains(config, policies);
        Ok(Self {
            print: print(config, &chains),
            chains,
            lists: assemble::lists(config),
        })
    }
}

impl Deciders {
    /// `print` tells what the gateway was started with.
    pub(crate) fn new(runtime: Runtime, gateway: Arc<Gateway>, print: String) -> Self {
        Self {
            runtime,
            gateway,
            in_force: Mutex::new(print),
        }
    }

    /// Loads what a configuration says, without putting it in force.
    pub(crate) async fn load(&self, config: &Config) -> Result<Candidate, Problems> {
        Candidate::load(config, &self.runtime).await
    }

    /// Puts it in force; this cannot fail. Policies that stay the same go on with
    /// all that they have decided.
    pub(crate) fn put_in_force(&self, candidate: Candidate) {
        let mut in_force = self.in_force.lock();
        if *in_force == candidate.print {
            self.gateway.replace_lists(candidate.lists);
            return;
        }
        self.gateway
            .replace_rules(candidate.chains, candidate.lists);
        *in_force = candidate.print;
        tracing::info!("other policies are in force");
    }
}

/// What tells chains from all others: the configuration of everything that
/// decides, and the digests of the components.
pub(crate) fn print(config: &Config, chains: &ChainsSettings) -> String {
    let shown = config.to_toml().unwrap_or_default();
    let shown: toml::Table = shown.parse().unwrap_or_default();
    let tables = ["chain", "chains", "policies"].map(|table| shown.get(table));
    let selected = chains.selected.iter().map(|(_, chain)| chain);
    let all = std::iter::once(&chains.default).chain(selected);
    let policies = all.flat_map(|chain| &chain.policies);
    let digests: Vec<&str> = policies.map(|policy| &*policy.digest).collect();
    format!("{tables:?} {digests:?}")
}
