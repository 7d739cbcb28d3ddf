//! What the operator decided about the pipeline.

use std::sync::Arc;
use std::time::Duration;

use portreeve_cache::FreshnessRules;
use portreeve_domain::Lists;
use portreeve_store::decisions::DecisionLog;

use crate::feed::FeedSettings;
use crate::job::ActionRules;
use crate::quarantine::QuarantineSettings;
use crate::{Evaluator, Memory, OnError, Sessions, Source};

/// One source, in the operator's order.
#[derive(Debug)]
pub struct SourceSettings {
    /// Name of the connector instance.
    pub name: Arc<str>,
    /// How to ask it.
    pub source: Arc<dyn Source>,
    /// How long its records may be used.
    pub freshness: FreshnessRules,
    /// How long one call may take, also when no client waits any more.
    pub timeout: Duration,
}

/// One policy of the chain, in order.
#[derive(Debug)]
pub struct PolicySettings {
    /// Name of the policy instance.
    pub name: Arc<str>,
    /// Tells its code and settings from all others, for the decision log.
    pub digest: Arc<str>,
    /// How to ask it.
    pub evaluator: Arc<dyn Evaluator>,
    /// What its failure means.
    pub on_error: OnError,
}

/// Everything the pipeline is built from.
#[derive(Debug)]
pub struct GatewaySettings {
    /// The sources, most trusted first.
    pub sources: Vec<SourceSettings>,
    /// The policies, asked in order until one decides.
    pub chain: Vec<PolicySettings>,
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
