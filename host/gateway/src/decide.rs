//! The policy chain: ordered policies, asked until one decides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_cache::{ChainId, Record, VerdictCache};
use portreeve_domain::{Decision, FactsRead, Subject, Verdict};

use crate::metrics::Metrics;
use crate::{OnError, PartStatus, PolicySettings};

/// There is one chain so far; the cache can tell several apart.
const CHAIN: ChainId = ChainId(0);

/// What the chain came to.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    /// The decision, `None` when every policy abstained.
    pub(crate) decision: Option<Arc<Decision>>,
    /// Who made it.
    pub(crate) policy: Option<Arc<str>>,
}

/// The ordered policies and the decisions they made.
#[derive(Debug)]
pub(crate) struct Chain {
    policies: Vec<PolicySettings>,
    verdicts: Arc<VerdictCache<Decided>>,
    undecided: Arc<Decision>,
    metrics: Metrics,
}

/// What a run of the chain gathers on its way.
#[derive(Default)]
struct Run {
    facts: FactsRead,
    valid_for: Option<Duration>,
    /// Whether a policy failed: then nothing is remembered.
    failed: bool,
}

impl Chain {
    pub(crate) fn new(
        policies: Vec<PolicySettings>,
        verdicts: Arc<VerdictCache<Decided>>,
        metrics: Metrics,
    ) -> Self {
        let message = "no policy of the chain decided, and access is denied by default";
        Self {
            policies,
            verdicts,
            undecided: Arc::new(Decision::because(
                Verdict::Deny,
                "no-policy-decided",
                message,
            )),
            metrics,
        }
    }

    /// A decision made before on facts that are still the same.
    pub(crate) fn remembered(&self, subject: &Subject, record: Option<&Record>) -> Option<Decided> {
        self.verdicts.get(CHAIN, subject, record)
    }

    /// Runs the policies and remembers what came out.
    pub(crate) async fn decide(&self, subject: &Arc<Subject>, record: Option<&Record>) -> Decided {
        let mut run = Run::default();
        let decided = self.run(subject, &mut run).await;
        if !run.failed {
            let value = decided.clone();
            self.verdicts
                .insert(CHAIN, subject, record, &run.facts, run.valid_for, value);
        }
        decided
    }

    async fn run(&self, subject: &Arc<Subject>, run: &mut Run) -> Decided {
        for policy in &self.policies {
            let started = Instant::now();
            let result = policy.evaluator.evaluate(Arc::clone(subject)).await;
            let word = match &result {
                Ok(evaluation) => evaluation.decision.verdict.as_str(),
                Err(_) => "failed",
            };
            self.metrics
                .policy
                .with_label_values(&[&policy.name, word])
                .observe(started.elapsed().as_secs_f64());
            match result {
                Ok(evaluation) => {
                    run.facts.extend(evaluation.facts_read);
                    // The chain's answer holds no longer than the shortest of
                    // those it rests on, abstentions included.
                    run.valid_for = match (run.valid_for, evaluation.decision.valid_for) {
                        (Some(one), Some(other)) => Some(one.min(other)),
                        (one, other) => one.or(other),
                    };
                    if evaluation.decision.verdict != Verdict::Abstain {
                        return Decided {
                            decision: Some(Arc::new(evaluation.decision)),
                            policy: Some(Arc::clone(&policy.name)),
                        };
                    }
                }
                Err(error) => {
                    run.failed = true;
                    tracing::warn!(policy = &*policy.name, %error, "policy failed");
                    match policy.on_error {
                        OnError::Skip => {}
                        OnError::Abstain => break,
                        OnError::Deny => {
                            let message = format!("policy `{}` failed: {error}", policy.name);
                            let decision =
                                Decision::because(Verdict::Deny, "policy-failed", &message);
                            return Decided {
                                decision: Some(Arc::new(decision)),
                                policy: Some(Arc::clone(&policy.name)),
                            };
                        }
                    }
                }
            }
        }
        Decided {
            decision: None,
            policy: None,
        }
    }

    /// What holds when every policy abstains about a subject whose facts are
    /// known: access is denied by default.
    pub(crate) const fn undecided(&self) -> &Arc<Decision> {
        &self.undecided
    }

    pub(crate) fn status(&self) -> Vec<PartStatus> {
        let policies = self.policies.iter().map(|policy| PartStatus {
            name: Arc::clone(&policy.name),
            health: policy.evaluator.health(),
        });
        policies.collect()
    }
}
