//! What is told to the log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::{
    Absence, Decision, Identifier, Origin, Outcome, Reason, Timestamp, Verdict,
};
use serde::{Deserialize, Serialize};

use super::line;

/// What a question came to, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ruling {
    /// Full access.
    Permit,
    /// Limited access.
    Restrict,
    /// No access.
    Deny,
    /// No policy could decide.
    CannotTell,
}

impl Ruling {
    /// The word for what came out of a question.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Decided(decision) => match decision.verdict {
                Verdict::Permit => Self::Permit,
                Verdict::Restrict => Self::Restrict,
                Verdict::Deny => Self::Deny,
                // No outcome abstains; if one did, nobody would be let in.
                Verdict::Abstain => Self::CannotTell,
            },
            Outcome::CannotTell(_) => Self::CannotTell,
        }
    }

    /// Whether the endpoint is kept out: such entries are the last to be
    /// dropped.
    pub const fn is_denial(self) -> bool {
        matches!(self, Self::Deny | Self::CannotTell)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Restrict => "restrict",
            Self::Deny => "deny",
            Self::CannotTell => "cannot-tell",
        }
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A policy and what identifies the code and settings that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDigest {
    /// Its configured name.
    pub name: Arc<str>,
    /// Hexadecimal.
    pub digest: Arc<str>,
}

/// The device record that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceKey {
    /// Name of the connector instance.
    pub name: Arc<str>,
    /// The source's own key of the device.
    pub key: Arc<str>,
}

/// What a verdict says and rests on.
#[derive(Clone, Debug)]
pub struct Grounds<'a> {
    /// What it came to.
    pub ruling: Ruling,
    /// Why, most important first.
    pub reasons: &'a [Reason],
    /// The policy that decided.
    pub policy: Option<PolicyDigest>,
    /// All policies in force, in order.
    pub chain: &'a [PolicyDigest],
    /// The facts that were read, by name, with their values; see
    /// [`fact_value`](super::fact_value).
    pub facts: Vec<(String, serde_json::Value)>,
    /// Whether these are all facts there were, not only those that were read.
    pub whole: bool,
    /// The name of the chain.
    pub chain_name: &'a str,
    /// What was decided, if anything was: a digest of it is kept.
    pub decision: Option<&'a Decision>,
    /// Whether the quarantine made the decision what it is.
    pub quarantined: bool,
    /// The device record that was judged.
    pub source: Option<SourceKey>,
    /// Why there is none.
    pub absence: Option<Absence>,
    /// What is missing when nobody can tell, for an administrator.
    pub detail: Option<&'a str>,
}

/// What a verdict says and rests on, rendered once and shared by all entries
/// about it. Remembered beside the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    ruling: Ruling,
    json: Box<str>,
}

impl Judged {
    /// Renders `grounds`.
    pub fn new(grounds: &Grounds<'_>) -> Self {
        Self {
            ruling: grounds.ruling,
            json: line::render_grounds(grounds).into(),
        }
    }

    /// What it came to.
    pub const fn ruling(&self) -> Ruling {
        self.ruling
    }

    /// Bytes it takes in memory besides itself.
    pub const fn heap_bytes(&self) -> usize {
        self.json.len()
    }

    /// Members of a JSON object, without the braces.
    pub(super) const fn members(&self) -> &str {
        &self.json
    }
}

/// One decision. Making and recording one from what is at hand on a hit
/// allocates nothing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When the question was asked.
    pub at: Timestamp,
    /// Who asked, by its configured name.
    pub client: Arc<str>,
    /// In which protocol.
    pub face: &'static str,
    /// The request's identifier in other logs.
    pub request: Option<Arc<str>>,
    /// What the client said about the endpoint.
    pub identifiers: Arc<[Identifier]>,
    /// What was decided, and on what it rests.
    pub judged: Arc<Judged>,
    /// How the decision came about.
    pub origin: Origin,
    /// Whether the facts were older than the operator likes.
    pub stale: bool,
    /// How long the answer took.
    pub latency: Duration,
    /// Whether it differs from the last decision about the endpoint.
    pub changed: bool,
}
