//! What the operator decided about the pipeline.

use std::sync::Arc;
use std::time::Duration;

use portreeve_cache::FreshnessRules;
use portreeve_domain::Lists;
use portreeve_store::decisions::DecisionLog;

use crate::feed::FeedSettings;
use crate::job::ActionRules;
use crate::quarantine::QuarantineSettings;
use crate::{About, Combine, Evaluator, Memory, Mode, OnError, Selector, Sessions, Source};

/// One source, in the operator's order.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// Name of the connector instance.
    pub name: Arc<str>,
    /// How to ask it.
    pub source: Arc<dyn Source>,
    /// How long its records may be used.
    pub freshness: FreshnessRules,
    /// How long one call may take, also when no client waits any more.
    pub timeout: Duration,
    /// Whether it is asked and its records are used. While it is not, it is as if
    /// it were not there, only that nothing is unknown for want of its word.
    pub enabled: bool,
    /// How old its record of an endpoint with a session may become before it is
    /// asked again; never, if there is none.
    pub requery: Option<Duration>,
    /// What it is, for lists.
    pub about: Arc<About>,
}

impl SourceSettings {
    /// Whether nothing is different, the source itself included.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let Self {
            name,
            source,
            freshness,
            timeout,
            enabled,
            requery,
            about,
        } = self;
        *name == other.name
            && Arc::ptr_eq(source, &other.source)
            && *freshness == other.freshness
            && *timeout == other.timeout
            && *enabled == other.enabled
            && *requery == other.requery
            && *about == other.about
    }
}

/// One policy of a chain, in order.
#[derive(Clone, Debug)]
pub struct PolicySettings {
    /// Name of the policy instance.
    pub name: Arc<str>,
    /// Tells its code and settings from all others, for the decision log.
    pub digest: Arc<str>,
    /// How to ask it.
    pub evaluator: Arc<dyn Evaluator>,
    /// What its failure means.
    pub on_error: OnError,
    /// What its word counts for.
    pub mode: Mode,
}

/// One chain of policies.
#[derive(Clone, Debug)]
pub struct ChainSettings {
    /// Its name.
    pub name: Arc<str>,
    /// Which of the policies' words counts.
    pub combine: Combine,
    /// The policies, in the order in which they are asked.
    pub policies: Vec<PolicySettings>,
    /// How long its decisions are reused when no policy says; `None` for what
    /// the gateway does otherwise.
    pub verdict_ttl: Option<Duration>,
}

/// Name of the chain for all questions that no other chain is for.
pub const DEFAULT_CHAIN: &str = "default";

/// Everything that decides: the chains, and which of them for whom.
#[derive(Clone, Debug)]
pub struct ChainsSettings {
    /// For the questions that none of the others is for.
    pub default: ChainSettings,
    /// The first that is for a question decides about it.
    pub selected: Vec<(Selector, ChainSettings)>,
}

impl From<Vec<PolicySettings>> for ChainsSettings {
    /// One chain for all questions, in which the first policy that has an
    /// opinion decides.
    fn from(policies: Vec<PolicySettings>) -> Self {
        Self {
            default: ChainSettings {
                name: DEFAULT_CHAIN.into(),
                combine: Combine::default(),
                policies,
                verdict_ttl: None,
            },
            selected: Vec::new(),
        }
    }
}

/// Everything the pipeline is built from.
#[derive(Debug)]
pub struct GatewaySettings {
    /// The sources, most trusted first.
    pub sources: Vec<SourceSettings>,
    /// The policies, and which of them are asked for whom.
    pub chains: ChainsSettings,
    /// The operator's lists.
    pub lists: Lists,
    /// What is known about devices. It names the same sources.
    pub memory: Arc<Memory>,
    /// The sessions that network access servers have reported.
    pub sessions: Arc<Sessions>,
    /// Where decisions are kept, if they are.
    pub log: Option<DecisionLog>,
    /// Decisions that are remembered.
    pub max_verdicts: usize,
    /// How long a decision is reused when the policy does not say.
    pub verdict_ttl: Duration,
    /// Who is quarantined, and how.
    pub quarantine: QuarantineSettings,
    /// Whether and how changes are told.
    pub feed: FeedSettings,
    /// What may be done to devices.
    pub actions: ActionRules,
    /// When a client should ask again after "cannot tell".
    pub retry_after: Duration,
    /// How many calls to sources may be on the way at once.
    pub max_flights: usize,
}
