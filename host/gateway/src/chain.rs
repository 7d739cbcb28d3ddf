//! What the pipeline needs of a policy module.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use portreeve_domain::{Decision, FactsRead, Subject};

use crate::Health;

/// One configured policy.
pub trait Evaluator: Send + Sync + fmt::Debug {
    /// Decides. Bounded in time by the policy's own limits.
    fn evaluate(&self, subject: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>>;

    /// Whether it is in use, for status pages.
    fn health(&self) -> Health;
}

/// A decision and what it rests on.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// What the policy decided.
    pub decision: Decision,
    /// What it read to get there.
    pub facts_read: FactsRead,
}

/// The policy gave no decision; its failure rule applies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(pub String);

/// What a policy's failure means for the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// No access. The default.
    #[default]
    Deny,
    /// The whole chain has no opinion.
    Abstain,
    /// Go on with the next policy as if this one were not there.
    Skip,
}
