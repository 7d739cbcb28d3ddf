//! Policies that are tried out: asked beside the answer, without a say in it.

use std::sync::Arc;

use portreeve_domain::{Subject, Verdict};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::PolicySettings;
use crate::decide::Decided;
use crate::metrics::Metrics;

/// Monitored policies that are asked at the same time. What comes beyond is
/// counted and left out: trying out a policy slows down no answer.
const MOST: usize = 16;

/// Asks monitored policies, after the answer is decided.
#[derive(Clone, Debug)]
pub(crate) struct Monitors {
    tasks: TaskTracker,
    permits: Arc<Semaphore>,
    metrics: Metrics,
}

impl Monitors {
    pub(crate) fn new(tasks: TaskTracker, metrics: Metrics) -> Self {
        Self {
            tasks,
            permits: Arc::new(Semaphore::new(MOST)),
            metrics,
        }
    }

    /// Has the policy say what it thinks of a subject that was decided about.
    /// Nobody waits for it.
    pub(crate) fn ask(&self, policy: &PolicySettings, subject: &Arc<Subject>, decided: &Decided) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            let labels = [&*policy.name, "left-out", "unknown"];
            self.metrics.monitored.with_label_values(&labels).inc();
            return;
        };
        let name = Arc::clone(&policy.name);
        let evaluator = Arc::clone(&policy.evaluator);
        let subject = Arc::clone(subject);
        let answered = decided.decision.as_ref().map(|decision| decision.verdict);
        let monitored = self.metrics.monitored.clone();
        self.tasks.spawn(async move {
            let result = evaluator.evaluate(subject).await;
            drop(permit);
            let (outcome, agrees) = match &result {
                Ok(evaluation) => {
                    let verdict = evaluation.decision.verdict;
                    let agrees = verdict == Verdict::Abstain || Some(verdict) == answered;
                    (verdict.as_str(), if agrees { "yes" } else { "no" })
                }
                Err(_) => ("failed", "unknown"),
            };
            let labels = [&*name, outcome, agrees];
            monitored.with_label_values(&labels).inc();
            let answered = answered.map_or("undecided", Verdict::as_str);
            match result {
                Ok(evaluation) if agrees == "no" => {
                    let reason = evaluation.decision.reasons.first();
                    let reason = reason.map_or("", |reason| &reason.code);
                    tracing::info!(
                        policy = &*name,
                        outcome,
                        answered,
                        reason,
                        "a monitored policy says something else"
                    );
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(policy = &*name, %error, "a monitored policy failed");
                }
            }
        });
    }
}
