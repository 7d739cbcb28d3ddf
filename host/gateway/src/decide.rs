//! The policy chain: ordered policies, asked until one decides.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_cache::{ChainId, Provenance, VerdictCache};
use portreeve_domain::{Decision, FactsRead, Subject, Timestamp, Verdict};

use parking_lot::Mutex;
use portreeve_store::decisions::PolicyDigest;

use crate::metrics::Metrics;
use crate::prepared::Basis;
use crate::{OnError, PartStatus, PolicySettings};

/// Sets of facts that decisions share.
const MOST_SHARED: usize = 1024;

/// What the chain came to.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    /// The decision, `None` when every policy abstained.
    pub(crate) decision: Option<Arc<Decision>>,
    /// Who made it.
    pub(crate) policy: Option<Arc<str>>,
    /// When, and for how long it may be repeated. Zero: not at all.
    pub(crate) at: Timestamp,
    pub(crate) valid_for: Duration,
    /// Whether a policy said so, so that another decision is to be expected
    /// then, or a policy failed.
    pub(crate) is_timed: bool,
    /// Whether the quarantine made it what it is.
    pub(crate) is_confined: bool,
    /// What it rests on beside the device.
    pub(crate) basis: Basis,
    /// What was read on the way.
    pub(crate) facts: Arc<FactsRead>,
}

/// The ordered policies and the decisions they made.
#[derive(Debug)]
pub(crate) struct Chain {
    id: ChainId,
    policies: Vec<PolicySettings>,
    /// The same for the decision log.
    digests: Vec<PolicyDigest>,
    /// Most decisions rest on the same facts and share them.
    shared: Mutex<HashSet<Arc<FactsRead>>>,
    verdicts: Arc<VerdictCache<Decided>>,
    /// How long a decision is reused when no policy says.
    verdict_ttl: Duration,
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
    /// Whether nobody waits to hear of a failure.
    is_quiet: bool,
}

impl Chain {
    pub(crate) fn new(
        id: ChainId,
        policies: Vec<PolicySettings>,
        verdicts: Arc<VerdictCache<Decided>>,
        verdict_ttl: Duration,
        metrics: Metrics,
    ) -> Self {
        let message = "no policy of the chain decided, and access is denied by default";
        let digests = policies.iter().map(|policy| PolicyDigest {
            name: Arc::clone(&policy.name),
            digest: Arc::clone(&policy.digest),
        });
        Self {
            id,
            digests: digests.collect(),
            shared: Mutex::default(),
            policies,
            verdicts,
            verdict_ttl,
            undecided: Arc::new(Decision::because(
                Verdict::Deny,
                "no-policy-decided",
                message,
            )),
            metrics,
        }
    }

    pub(crate) const fn id(&self) -> ChainId {
        self.id
    }

    /// A decision made before on facts that are still the same.
    pub(crate) fn remembered(
        &self,
        subject: &Subject,
        provenance: Option<Provenance>,
    ) -> Option<Decided> {
        self.verdicts.get(self.id, subject, provenance)
    }

    /// Runs the policies and remembers what came out.
    pub(crate) async fn decide(
        &self,
        subject: &Arc<Subject>,
        provenance: Option<Provenance>,
    ) -> Decided {
        let decided = self.make(subject, Run::default()).await;
        if !decided.valid_for.is_zero() {
            self.verdicts.insert(
                self.id,
                subject,
                provenance,
                &decided.facts,
                Some(decided.valid_for),
                decided.clone(),
            );
        }
        decided
    }

    /// Runs the policies. For those who look at every device and would drive
    /// out what is remembered for questions.
    /// A policy that fails would fail for all of them, so that is counted, but
    /// not logged each time.
    pub(crate) async fn consider(&self, subject: &Arc<Subject>) -> Decided {
        let run = Run {
            is_quiet: true,
            ..Run::default()
        };
        self.make(subject, run).await
    }

    async fn make(&self, subject: &Arc<Subject>, mut run: Run) -> Decided {
        let (decision, policy) = self.run(subject, &mut run).await;
        // What came of a failure is not repeated.
        let valid_for = if run.failed {
            Duration::ZERO
        } else {
            run.valid_for.unwrap_or(self.verdict_ttl)
        };
        Decided {
            decision,
            policy,
            at: subject.now,
            valid_for,
            is_timed: run.failed || run.valid_for.is_some(),
            is_confined: false,
            basis: Basis::of(&run.facts),
            facts: self.share(&run.facts),
        }
    }

    async fn run(
        &self,
        subject: &Arc<Subject>,
        run: &mut Run,
    ) -> (Option<Arc<Decision>>, Option<Arc<str>>) {
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
                        let decision = Arc::new(evaluation.decision);
                        return (Some(decision), Some(Arc::clone(&policy.name)));
                    }
                }
                Err(error) => {
                    run.failed = true;
                    if run.is_quiet {
                        tracing::debug!(policy = &*policy.name, %error, "policy failed");
                    } else {
                        tracing::warn!(policy = &*policy.name, %error, "policy failed");
                    }
                    match policy.on_error {
                        OnError::Skip => {}
                        OnError::Abstain => break,
                        OnError::Deny => {
                            let message = format!("policy `{}` failed: {error}", policy.name);
                            let decision =
                                Decision::because(Verdict::Deny, "policy-failed", &message);
                            return (Some(Arc::new(decision)), Some(Arc::clone(&policy.name)));
                        }
                    }
                }
            }
        }
        (None, None)
    }

    fn share(&self, facts: &FactsRead) -> Arc<FactsRead> {
        let mut shared = self.shared.lock();
        if let Some(known) = shared.get(facts) {
            return Arc::clone(known);
        }
        if shared.len() >= MOST_SHARED {
            shared.clear();
        }
        let facts = Arc::new(facts.clone());
        shared.insert(Arc::clone(&facts));
        facts
    }

    /// The policies, for the decision log.
    pub(crate) fn digests(&self) -> &[PolicyDigest] {
        &self.digests
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
