//! Policies, chains and lists of a gateway that runs: loaded again beside those
//! in force, checked, and put in their place at once.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use portreeve_domain::Lists;
use portreeve_gateway::trial::{self, Headway, Impact};
use portreeve_gateway::{ChainsSettings, Gateway};
use portreeve_runtime::Runtime;
use tokio::runtime::Handle;

use crate::assemble;
use crate::config::{Deciding, ListConfig, Problem, Problems, Share};

/// What decides in a gateway that runs.
pub(crate) struct Deciders {
    runtime: Runtime,
    gateway: Arc<Gateway>,
    in_force: Mutex<InForce>,
}

/// What tells those in force from all others.
struct InForce {
    print: String,
    lists: Lists,
}

impl fmt::Debug for Deciders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Deciders").finish_non_exhaustive()
    }
}

/// What is loaded and not in force.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Tells its chains from all that decide differently.
    print: String,
    chains: ChainsSettings,
    /// `None` for those in force.
    lists: Option<Lists>,
}

impl Deciders {
    /// `print` and `lists` are what the gateway was started with.
    pub(crate) fn new(
        runtime: Runtime,
        gateway: Arc<Gateway>,
        print: String,
        lists: Lists,
    ) -> Self {
        Self {
            runtime,
            gateway,
            in_force: Mutex::new(InForce { print, lists }),
        }
    }

    fn is_in_force(&self, candidate: &Candidate) -> bool {
        let in_force = self.in_force.lock();
        let lists = candidate.lists.as_ref();
        in_force.print == candidate.print && lists.is_none_or(|lists| *lists == in_force.lists)
    }

    /// Loads what a configuration says, without putting it in force.
    pub(crate) async fn load(
        &self,
        deciding: Deciding<'_>,
        lists: Option<&[(String, ListConfig)]>,
    ) -> Result<Candidate, Problems> {
        let policies = assemble::policies(deciding, &self.runtime).await?;
        let chains = assemble::chains(deciding, policies);
        Ok(Candidate {
            print: print(deciding, &chains),
            chains,
            lists: lists.map(assemble::lists),
        })
    }

    /// Puts it in force; this cannot fail. Policies that stay the same go on with
    /// all that they have decided.
    pub(crate) fn put_in_force(&self, candidate: Candidate) {
        if self.is_in_force(&candidate) {
            return;
        }
        let mut in_force = self.in_force.lock();
        let lists = candidate.lists.unwrap_or_else(|| in_force.lists.clone());
        if in_force.print == candidate.print {
            self.gateway.replace_lists(lists.clone());
        } else {
            self.gateway.replace_rules(candidate.chains, lists.clone());
            in_force.print = candidate.print;
            tracing::info!("other policies are in force");
        }
        in_force.lists = lists;
    }

    /// What it would change, as far as the gateway knows endpoints. `None` when
    /// it was stopped.
    pub(crate) async fn impact(
        &self,
        candidate: Candidate,
        headway: &Arc<Headway>,
    ) -> Option<Impact> {
        let gateway = Arc::clone(&self.gateway);
        let runtime = Handle::current();
        let candidate = trial::Candidate {
            chains: candidate.chains,
            lists: candidate.lists,
        };
        let headway = Arc::clone(headway);
        let work = move || gateway.impact(candidate, &headway, &runtime);
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }

    /// Refuses what would change the verdicts of more endpoints than the operator
    /// wants to change at once.
    pub(crate) async fn check_change(
        &self,
        candidate: &Candidate,
        most: Share,
    ) -> Result<(), Problems> {
        if self.is_in_force(candidate) {
            return Ok(());
        }
        let impact = self.impact(candidate.clone(), &Arc::default()).await;
        let Some(Impact {
            endpoints, changed, ..
        }) = impact
        else {
            return Err(Problem::nowhere("nobody can tell what it would change").into());
        };
        if !most.is_exceeded_by(changed, endpoints) {
            return Ok(());
        }
        let message = format!(
            "{changed} of {endpoints} endpoints would get another verdict, more than `max-changed` \
             of `[policy-change]` allows ({most})"
        );
        Err(Problem::nowhere(message)
            .hint("see which with `portreeve policy impact FILE`, then `portreeve reload --force`")
            .into())
    }
}

/// What tells chains from all others: the configuration of everything that
/// decides, and the digests of the components.
pub(crate) fn print(deciding: Deciding<'_>, chains: &ChainsSettings) -> String {
    let shown = toml::to_string(&deciding).unwrap_or_default();
    let selected = chains.selected.iter().map(|(_, chain)| chain);
    let all = std::iter::once(&chains.default).chain(selected);
    let policies = all.flat_map(|chain| &chain.policies);
    let digests: Vec<&str> = policies.map(|policy| &*policy.digest).collect();
    format!("{shown}{digests:?}")
}
