//! What a client may have done to an endpoint.
//!
//! Nothing is done unless the client's configuration allows that kind of
//! action. Every request leaves an event with the target `audit`, and one that
//! is carried out leaves one before it as well.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::{
    Absence, ActionKind, Connection, Finding, Identifier, Outcome, Question, Timestamp,
};

use crate::{Gateway, SourceError};

/// Something that a source does to one of its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make the device report to its management system now.
    Sync,
    /// Lock the screen.
    Lock,
    /// Erase corporate data and end management.
    Retire,
    /// Erase everything.
    Wipe,
    /// Show a message to the user.
    Notify(String),
}

impl Action {
    /// What has to be allowed for it.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Sync => ActionKind::Sync,
            Self::Lock => ActionKind::Lock,
            Self::Retire => ActionKind::Retire,
            Self::Wipe => ActionKind::Wipe,
            Self::Notify(_) => ActionKind::Notify,
        }
    }
}

/// How far an action has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionState {
    /// The source has taken it on.
    Pending,
    /// It is done.
    Done,
}

/// A source did not take an action on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionFailure {
    /// It cannot do that to this device.
    #[error("the source cannot do that")]
    NotSupported,
    /// It could not be asked, or refused.
    #[error(transparent)]
    Failed(#[from] SourceError),
}

/// An action that was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The client may not ask for it.
    #[error("client `{client}` may not ask for the action `{kind}`")]
    NotAllowed {
        /// The client.
        client: Arc<str>,
        /// What it asked for.
        kind: ActionKind,
    },
    /// No source knows the device.
    #[error("no source knows this device")]
    UnknownDevice,
    /// Whether a source knows the device, or which device is meant, cannot be
    /// told now.
    #[error("{0}")]
    CannotTell(Arc<str>),
    /// The source did not take it on.
    #[error("source `{source_name}`: {failure}")]
    Source {
        /// Name of the connector instance.
        source_name: Arc<str>,
        /// What it said.
        #[source]
        failure: ActionFailure,
    },
}

impl ActionError {
    /// The word for it in the audit log.
    const fn as_str(&self) -> &'static str {
        match self {
            Self::NotAllowed { .. } => "not-allowed",
            Self::UnknownDevice => "unknown-device",
            Self::CannotTell(_) => "cannot-tell",
            Self::Source {
                failure: ActionFailure::NotSupported,
                ..
            } => "not-supported",
            Self::Source { .. } => "failed",
        }
    }
}

impl Gateway {
    /// Starts an action on the endpoint of `question`, at the source whose
    /// record is in use. `allowed` says whether the client's configuration
    /// lists this kind of action.
    pub async fn act(
        &self,
        question: &Question,
        action: &Action,
        allowed: bool,
    ) -> Result<ActionState, ActionError> {
        let kind = action.kind();
        let started = if allowed {
            self.start(question, action).await
        } else {
            let client = Arc::clone(&question.connection().client);
            Err(ActionError::NotAllowed { client, kind })
        };
        let outcome = match &started {
            Ok(ActionState::Pending) => "pending",
            Ok(ActionState::Done) => "done",
            Err(error) => error.as_str(),
        };
        let detail = started.as_ref().err().map(ToString::to_string);
        audit(question, kind, outcome, detail.as_deref());
        started
    }

    /// How long the sources that asked to be left alone want that still, the
    /// longest of them.
    pub fn pause(&self) -> Option<Duration> {
        let now = Timestamp::now();
        let rules = self.rules.load();
        let asked = rules.sources.asked().iter();
        let pauses = asked.map(|fetcher| fetcher.pause(now));
        pauses.max().filter(|pause| !pause.is_zero())
    }

    async fn start(
        &self,
        question: &Question,
        action: &Action,
    ) -> Result<ActionState, ActionError> {
        // What the client is shown of the device makes no difference to what
        // is done, and the source's key may be hidden from him.
        let mut connection = Connection::clone(question.connection());
        connection.view.facts = None;
        let whole = Question::new(
            question.identifiers().to_vec(),
            Arc::new(connection),
            question.patience(),
        );
        let answered = self.answer(&whole).await;
        let answer = &answered.answer;
        let device = match (&answer.finding, &answer.outcome) {
            (Finding::Device(device), _) => device,
            (Finding::Absent(Absence::UnknownDevice), _) => return Err(ActionError::UnknownDevice),
            (Finding::Absent(_), Outcome::CannotTell(missing)) => {
                return Err(ActionError::CannotTell(Arc::clone(&missing.detail)));
            }
            (Finding::Absent(Absence::Ambiguous), _) => {
                return Err(ActionError::CannotTell("several devices match".into()));
            }
            (Finding::Absent(_), _) => {
                let detail = "not every source could be asked which device this is";
                return Err(ActionError::CannotTell(detail.into()));
            }
        };
        let source = answer.source().map(|report| &report.name);
        let sources = Arc::clone(&self.rules.load().sources);
        let mut asked = sources.asked().iter();
        let Some(fetcher) = asked.find(|it| Some(it.name()) == source) else {
            let detail = "the source of the device's record is gone";
            return Err(ActionError::CannotTell(detail.into()));
        };
        audit(question, action.kind(), "requested", None);
        let state = fetcher.act(&device.key, action).await;
        state.map_err(|failure| ActionError::Source {
            source_name: Arc::clone(fetcher.name()),
            failure,
        })
    }
}

fn audit(question: &Question, kind: ActionKind, outcome: &'static str, detail: Option<&str>) {
    let connection: &Connection = question.connection();
    tracing::info!(
        target: "audit",
        client = &*connection.client,
        endpoint = %Listed(question.identifiers()),
        action = kind.as_str(),
        outcome,
        detail,
        "an action was asked for"
    );
}

struct Listed<'a>(&'a [Identifier]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, identifier) in self.0.iter().enumerate() {
            let comma = if position > 0 { ", " } else { "" };
            write!(formatter, "{comma}{identifier}")?;
        }
        Ok(())
    }
}
