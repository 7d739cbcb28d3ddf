//! What other policies would have answered to what was asked before.

use std::sync::Arc;

use portreeve_cache::VerdictCache;
use portreeve_domain::{Fact, Outcome};
use portreeve_store::decisions::{NotRecorded, Record, Recorded, Ruling, decision_digest};
use prometheus::Registry;
use tokio_util::task::TaskTracker;

use super::Tally;
use super::tally::{first_reason, reason};
use crate::ChainsSettings;
use crate::answer::untold;
use crate::decide::ChainParts;
use crate::metrics::Metrics;
use crate::monitor::Monitors;
use crate::select::Chains;

/// Policies that decide once more about what is in the decision log.
#[derive(Debug)]
pub struct Replay {
    chains: Chains,
}

/// What became of one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It is the same, to the last obligation, if the log says how it was.
    Same,
    /// The verdict is the same, something else of the decision is not.
    OtherDetails,
    /// The verdict is another one.
    Changed {
        /// The ruling then.
        then: Ruling,
        /// The code of its first reason.
        reason: String,
    },
    /// It could not be decided again.
    Not(Unreplayed),
}

/// Why a decision could not be made again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreplayed {
    /// The line does not say what was decided about.
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
    /// The policies read what nobody read then.
    #[error("the log does not have the fact `{0}`")]
    FactNotRecorded(String),
    /// The operator had the endpoint held back, whatever policies said.
    #[error("the quarantine decided")]
    Quarantined,
    /// A policy failed, now or then.
    #[error("a policy failed")]
    PolicyFailed,
}

impl Replay {
    /// Policies for decisions of the past.
    ///
    /// # Errors
    ///
    /// Never in practice: the metrics are in a registry of their own.
    pub fn new(chains: ChainsSettings) -> Result<Self, prometheus::Error> {
        let metrics = Metrics::register(&Registry::new())?;
        let parts = ChainParts {
            // Every decision is made anew.
            verdicts: Arc::new(VerdictCache::new(0, std::time::Duration::ZERO)),
            verdict_ttl: std::time::Duration::ZERO,
            monitors: Monitors::new(TaskTracker::new(), metrics.clone()),
            metrics,
        };
        let numbers = std::sync::atomic::AtomicU64::new(0);
        Ok(Self {
            chains: Chains::new(chains, &numbers, &parts),
        })
    }

    /// Whether one of the chains is the one that decided then: the same code and
    /// settings in the same order.
    pub fn is_same_chain(&self, record: &Record) -> bool {
        let mut chains = self.chains.iter();
        chains.any(|chain| chain.digests() == record.chain)
    }

    /// Decides once more about what a line of the log says.
    pub async fn decide(&self, record: &Record) -> Replayed {
        match self.try_decide(record).await {
            Ok(replayed) => replayed,
            Err(unreplayed) => Replayed::Not(unreplayed),
        }
    }

    async fn try_decide(&self, record: &Record) -> Result<Replayed, Unreplayed> {
        if record.quarantined {
            return Err(Unreplayed::Quarantined);
        }
        let reasons = record.reasons.iter();
        if reasons.clone().any(|reason| reason.code == "policy-failed") {
            return Err(Unreplayed::PolicyFailed);
        }
        let recorded = Recorded::of(record)?;
        let subject = Arc::new(recorded.subject.clone());
        let chain = self.chains.of(&subject.connection);
        if self.chains.rest_on_connection() && !recorded.knows(&Fact::Connection) {
            return Err(Unreplayed::FactNotRecorded(Fact::Connection.to_string()));
        }
        let decided = chain.consider(&subject).await;
        if let Some(fact) = decided.facts.iter().find(|fact| !recorded.knows(fact)) {
            return Err(Unreplayed::FactNotRecorded(fact.to_string()));
        }
        if decided.is_failed {
            return Err(Unreplayed::PolicyFailed);
        }
        let (then, reason, digest) = match (&decided.decision, untold(&subject)) {
            (Some(decision), _) => (
                Ruling::of(&Outcome::Decided(Arc::clone(decision))),
                first_reason(decision).to_owned(),
                Some(decision_digest(decision)),
            ),
            (None, Some(_)) => (Ruling::CannotTell, "cannot-tell".to_owned(), None),
            (None, None) => {
                let undecided = Outcome::Decided(Arc::clone(self.chains.undecided()));
                let digest = decision_digest(self.chains.undecided());
                (Ruling::of(&undecided), reason(&undecided), Some(digest))
            }
        };
        Ok(if then != record.verdict {
            Replayed::Changed { then, reason }
        } else if record.decision.is_some() && record.decision != digest {
            Replayed::OtherDetails
        } else {
            Replayed::Same
        })
    }

    /// Adds what became of a line to what was found before.
    pub fn note(&self, tally: &mut Tally, record: &Record, replayed: &Replayed) {
        match replayed {
            Replayed::Same => tally.compared += 1,
            Replayed::OtherDetails => {
                tally.compared += 1;
                tally.other_obligations += 1;
            }
            Replayed::Changed { then, reason } => {
                tally.compared += 1;
                let before = record.reasons.first();
                let before = before.map_or("cannot-tell", |reason| reason.code.as_str());
                let identifier = || record.identifiers.first().cloned().unwrap_or_default();
                tally.note(
                    (record.verdict, *then),
                    (before, reason.as_str()),
                    identifier,
                );
            }
            Replayed::Not(_) => {}
        }
    }
}
