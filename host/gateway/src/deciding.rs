//! What decides, as operators look at it.

use std::sync::Arc;

use portreeve_domain::Timestamp;

use crate::decide::Chain;
use crate::{Combine, Gateway, Health, Mode, OnError, Selector};

/// The chains in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deciding {
    /// When they were put in force.
    pub loaded_at: Timestamp,
    /// In the order in which they are tried; the one for all other questions
    /// last.
    pub chains: Vec<ChainState>,
}

/// One chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainState {
    /// Its name.
    pub name: Arc<str>,
    /// Which questions it is for, `None` for all others.
    pub selector: Option<Selector>,
    /// Whose word counts.
    pub combine: Combine,
    /// In the order in which they are asked.
    pub policies: Vec<PolicyState>,
}

/// One policy of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyState {
    /// Its configured name.
    pub name: Arc<str>,
    /// Tells its code and settings from all others.
    pub digest: Arc<str>,
    /// What its word counts for.
    pub mode: Mode,
    /// What its failure means.
    pub on_error: OnError,
    /// Whether it is in use.
    pub health: Health,
}

impl Gateway {
    /// The chains in force and their policies.
    pub fn deciding(&self) -> Deciding {
        let rules = self.rules.load();
        Deciding {
            loaded_at: rules.chains.loaded_at(),
            chains: rules
                .chains
                .selectors()
                .map(|(selector, chain)| state(selector, chain))
                .collect(),
        }
    }
}

fn state(selector: Option<&Selector>, chain: &Chain) -> ChainState {
    let policies = chain.policies().iter().map(|policy| PolicyState {
        name: Arc::clone(&policy.name),
        digest: Arc::clone(&policy.digest),
        mode: policy.mode,
        on_error: policy.on_error,
        health: policy.evaluator.health(),
    });
    ChainState {
        name: Arc::clone(chain.name()),
        selector: selector.cloned(),
        combine: chain.combine(),
        policies: policies.collect(),
    }
}
