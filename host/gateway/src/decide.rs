//! A policy chain: ordered policies, and whose word counts.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_cache::{ChainId, Provenance, VerdictCache};
use portreeve_domain::{Decision, FactsRead, Subject, Timestamp, Verdict};

use parking_lot::Mutex;
use portreeve_store::decisions::PolicyDigest;

use crate::metrics::Metrics;
use crate::monitor::Monitors;
use crate::prepared::Basis;
use crate::{ChainSettings, Combine, Evaluation, Mode, OnError, PolicyError, PolicySettings};

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
    /// Whether a policy failed on the way.
    pub(crate) is_failed: bool,
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
    name: Arc<str>,
    combine: Combine,
    /// All of them, in order, also those whose word does not count.
    policies: Vec<PolicySettings>,
    monitors: Monitors,
    /// The same for the decision log.
    digests: Vec<PolicyDigest>,
    /// Most decisions rest on the same facts and share them.
    shared: Mutex<HashSet<Arc<FactsRead>>>,
    verdicts: Arc<VerdictCache<Decided>>,
    /// How long a decision is reused when no policy says.
    verdict_ttl: Duration,
    metrics: Metrics,
}

/// What chains have in common.
#[derive(Clone, Debug)]
pub(crate) struct ChainParts {
    pub(crate) verdicts: Arc<VerdictCache<Decided>>,
    pub(crate) verdict_ttl: Duration,
    pub(crate) monitors: Monitors,
    pub(crate) metrics: Metrics,
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
    /// What each policy said, if that is wanted.
    said: Option<Vec<Said>>,
}

/// What one policy said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) policy: Arc<str>,
    pub(crate) mode: Mode,
    pub(crate) result: Result<Evaluation, PolicyError>,
}

impl Chain {
    pub(crate) fn new(id: ChainId, settings: ChainSettings, parts: &ChainParts) -> Self {
        let digests = enforced(&settings.policies).map(|policy| PolicyDigest {
            name: Arc::clone(&policy.name),
            digest: Arc::clone(&policy.digest),
        });
        Self {
            id,
            name: settings.name,
            combine: settings.combine,
            digests: digests.collect(),
            shared: Mutex::default(),
            policies: settings.policies,
            monitors: parts.monitors.clone(),
            verdicts: Arc::clone(&parts.verdicts),
            verdict_ttl: settings.verdict_ttl.unwrap_or(parts.verdict_ttl),
            metrics: parts.metrics.clone(),
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
        let decided = self.make(subject, &mut Run::default()).await;
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
        let monitored = self.policies.iter();
        for policy in monitored.filter(|policy| policy.mode == Mode::Monitor) {
            self.monitors.ask(policy, subject, &decided);
        }
        decided
    }

    /// Runs the policies. For those who look at every device and would drive
    /// out what is remembered for questions.
    /// A policy that fails would fail for all of them, so that is counted, but
    /// not logged each time.
    pub(crate) async fn consider(&self, subject: &Arc<Subject>) -> Decided {
        let mut run = Run {
            is_quiet: true,
            ..Run::default()
        };
        self.make(subject, &mut run).await
    }

    /// Runs the policies, and tells what each of them said, those that are only
    /// monitored last.
    pub(crate) async fn trace(&self, subject: &Arc<Subject>) -> (Decided, Vec<Said>) {
        let mut run = Run {
            is_quiet: true,
            said: Some(Vec::new()),
            ..Run::default()
        };
        let decided = self.make(subject, &mut run).await;
        let mut said = run.said.unwrap_or_default();
        let monitored = self.policies.iter();
        for policy in monitored.filter(|policy| policy.mode == Mode::Monitor) {
            said.push(Said {
                policy: Arc::clone(&policy.name),
                mode: policy.mode,
                result: policy.evaluator.evaluate(Arc::clone(subject)).await,
            });
        }
        (decided, said)
    }

    async fn make(&self, subject: &Arc<Subject>, run: &mut Run) -> Decided {
        let (decision, policy) = self.run(subject, run).await;
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
            is_failed: run.failed,
            is_confined: false,
            basis: Basis::of(&run.facts),
            facts: self.share(&run.facts),
        }
    }

    /// Whose word counts, `None` when nobody has an opinion.
    async fn run(
        &self,
        subject: &Arc<Subject>,
        run: &mut Run,
    ) -> (Option<Arc<Decision>>, Option<Arc<str>>) {
        let mut counts: Option<(Arc<Decision>, &Arc<str>)> = None;
        for policy in enforced(&self.policies) {
            let decision = match self.ask(policy, subject, run).await {
                Word::Decision(decision) => decision,
                Word::NoOpinion => continue,
                Word::NobodyDecides => return (None, None),
            };
            let verdict = decision.verdict;
            let is_first =
                |(earlier, _): &(Arc<Decision>, _)| self.combine.prefers(verdict, earlier.verdict);
            if counts.as_ref().is_none_or(is_first) {
                counts = Some((Arc::new(decision), &policy.name));
            }
            if self.combine.is_settled_by(verdict) {
                break;
            }
        }
        let (decision, policy) = counts.unzip();
        (decision, policy.cloned())
    }

    async fn ask(&self, policy: &PolicySettings, subject: &Arc<Subject>, run: &mut Run) -> Word {
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
        if let Some(said) = &mut run.said {
            said.push(Said {
                policy: Arc::clone(&policy.name),
                mode: policy.mode,
                result: result.clone(),
            });
        }
        let error = match result {
            Ok(evaluation) => {
                run.facts.extend(evaluation.facts_read);
                // The chain's answer holds no longer than the shortest of
                // those it rests on, abstentions and overruled ones included.
                run.valid_for = match (run.valid_for, evaluation.decision.valid_for) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
                return match evaluation.decision.verdict {
                    Verdict::Abstain => Word::NoOpinion,
                    _ => Word::Decision(evaluation.decision),
                };
            }
            Err(error) => error,
        };
        run.failed = true;
        if run.is_quiet {
            tracing::debug!(policy = &*policy.name, %error, "policy failed");
        } else {
            tracing::warn!(policy = &*policy.name, %error, "policy failed");
        }
        match policy.on_error {
            OnError::Skip => Word::NoOpinion,
            OnError::Abstain => Word::NobodyDecides,
            OnError::Deny => {
                let message = format!("policy `{}` failed: {error}", policy.name);
                Word::Decision(Decision::because(Verdict::Deny, "policy-failed", &message))
            }
        }
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

    /// The policies whose word counts, for the decision log.
    pub(crate) fn digests(&self) -> &[PolicyDigest] {
        &self.digests
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whose word counts.
    pub(crate) const fn combine(&self) -> Combine {
        self.combine
    }

    /// All policies, in order, also those whose word does not count.
    pub(crate) fn policies(&self) -> &[PolicySettings] {
        &self.policies
    }
}

/// What asking one policy came to.
enum Word {
    Decision(Decision),
    NoOpinion,
    /// It failed, and then the whole chain has no opinion.
    NobodyDecides,
}

fn enforced(policies: &[PolicySettings]) -> impl Iterator<Item = &PolicySettings> {
    let policies = policies.iter();
    policies.filter(|policy| policy.mode == Mode::Enforce)
}
