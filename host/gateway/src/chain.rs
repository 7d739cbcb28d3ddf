//! What the pipeline needs of a policy module.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use portreeve_domain::{Decision, FactsRead, Subject, Verdict};

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

impl OnError {
    /// The word for it in the configuration and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Abstain => "abstain",
            Self::Skip => "skip",
        }
    }
}

/// What a policy's word counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It decides with the others. The default.
    #[default]
    Enforce,
    /// It is asked beside the answer, and what it says is counted and logged. It
    /// changes no answer.
    Monitor,
    /// It is not asked.
    Off,
}

impl Mode {
    /// The word for it in the configuration, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Monitor => "monitor",
            Self::Off => "off",
        }
    }
}

/// Whose word counts when several policies of a chain have an opinion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// The first that has one; those after it are not asked. The default.
    #[default]
    FirstDecides,
    /// The strictest; nobody is asked after a `deny`.
    DenyOverrides,
    /// The mildest; nobody is asked after a `permit`.
    PermitOverrides,
}

impl Combine {
    /// The word for it in the configuration and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstDecides => "first-decides",
            Self::DenyOverrides => "deny-overrides",
            Self::PermitOverrides => "permit-overrides",
        }
    }

    /// Whether no later policy can say anything that counts.
    pub(crate) const fn is_settled_by(self, verdict: Verdict) -> bool {
        matches!(
            (self, verdict),
            (Self::FirstDecides, _)
                | (Self::DenyOverrides, Verdict::Deny)
                | (Self::PermitOverrides, Verdict::Permit)
        )
    }

    /// Whether a later word counts more than an earlier one. Of equals the
    /// earlier one stays.
    pub(crate) fn prefers(self, later: Verdict, earlier: Verdict) -> bool {
        match self {
            Self::FirstDecides => false,
            Self::DenyOverrides => strictness(later) > strictness(earlier),
            Self::PermitOverrides => strictness(later) < strictness(earlier),
        }
    }
}

/// The greater, the less access.
pub(crate) const fn strictness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Permit => 0,
        Verdict::Restrict => 1,
        Verdict::Deny | Verdict::Abstain => 2,
    }
}
