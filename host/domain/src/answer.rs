//! Questions and answers, as every face passes them on.

use std::sync::Arc;
use std::time::Duration;

use crate::{Absence, Connection, Decision, Finding, Identifier, SourceReport, Timestamp};

/// What a client asks: may this endpoint use the port?
#[derive(Clone, Debug)]
pub struct Question {
    identifiers: Arc<[Identifier]>,
    connection: Arc<Connection>,
    patience: Duration,
}

impl Question {
    /// A question about the endpoint that all of `identifiers` name.
    ///
    /// They are put in order of trust, most trustworthy first. `patience` is
    /// how long the client waits for an answer.
    pub fn new(
        mut identifiers: Vec<Identifier>,
        connection: Arc<Connection>,
        patience: Duration,
    ) -> Self {
        identifiers.sort_by(|one, other| (one.rank(), one).cmp(&(other.rank(), other)));
        identifiers.dedup();
        Self {
            identifiers: identifiers.into(),
            connection,
            patience,
        }
    }

    /// What the client said about the endpoint, most trustworthy first.
    pub const fn identifiers(&self) -> &Arc<[Identifier]> {
        &self.identifiers
    }

    /// The connection that is being judged.
    pub const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// How long the client waits for an answer.
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// The same without owning it.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            identifiers: &self.identifiers,
            connection: &self.connection,
        }
    }
}

/// What a client asks, borrowed: for questions that memory answers, which are
/// gone before anything of them has to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What the client said about the endpoint, most trustworthy first, none
    /// twice, as in [`Question::identifiers`].
    pub identifiers: &'a [Identifier],
    /// The connection that is being judged.
    pub connection: &'a Connection,
}

/// Why no decision could be made. Neither a "no" nor an "unknown device".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotTell {
    /// What is missing.
    pub absence: Absence,
    /// Text for an administrator. Never a secret.
    pub detail: Arc<str>,
    /// When asking again may help.
    pub retry_after: Duration,
}

/// What came out of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A policy decided; its verdict is not `abstain`.
    Decided(Arc<Decision>),
    /// The facts are missing and no policy decided without them.
    CannotTell(CannotTell),
}

/// How the decision came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// From memory; no WebAssembly ran.
    Cached,
    /// A policy was run on facts from memory.
    Evaluated,
    /// A source was asked first.
    Fetched,
}

impl Origin {
    /// The word for it in protocols, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cached => "cached",
            Self::Evaluated => "evaluated",
            Self::Fetched => "fetched",
        }
    }
}

/// The answer to a question, the same for every face.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The decision, or why there is none.
    pub outcome: Outcome,
    /// What the sources know.
    pub finding: Finding,
    /// Every source that could have known, in the operator's order.
    pub sources: Vec<SourceReport>,
    /// The policy that decided, by its configured name.
    pub policy: Option<Arc<str>>,
    /// How the decision came about.
    pub origin: Origin,
    /// When the question was asked.
    pub at: Timestamp,
}

impl Answer {
    /// The source whose facts were used.
    pub fn source(&self) -> Option<&SourceReport> {
        self.sources
            .iter()
            .find(|report| report.outcome == crate::SourceOutcome::Found)
    }

    /// Whether the facts are older than the operator likes.
    pub fn is_stale(&self) -> bool {
        self.source().is_some_and(|report| report.stale)
    }
}
