//! What a client may have done to an endpoint.
//!
//! Nothing is done unless the client's configuration allows that kind of
//! action. Every request leaves an event with the target `audit`, and one that
//! is carried out leaves one before it as well.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::{
    Absence, ActionKind, Connection, Device, Finding, Identifier, Outcome, Question, Timestamp,
};

use serde_json::{Map, Value};

use crate::fetch::Fetcher;
use crate::{Gateway, SourceError};

/// Something that a source does to one of its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    kind: ActionKind,
    /// A JSON object that is not empty.
    arguments: Option<Arc<str>>,
}

/// Arguments that do not belong to an action.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentsError {
    /// The action takes none.
    #[error("the action `{0}` takes no arguments")]
    NotTaken(ActionKind),
    /// Of a message the text is missing, or something is no text.
    #[error("a message has a `body`, and may have a `title`, both texts that are not empty")]
    Message,
    /// There is too much of them.
    #[error("the arguments have {found} bytes as JSON, allowed are {most}")]
    TooLong {
        /// As they came.
        found: usize,
        /// The most there may be.
        most: usize,
    },
}

impl Action {
    /// Bytes of the arguments as JSON. They are kept with the job.
    pub const LONGEST_ARGUMENTS: usize = 4 << 10;

    /// One without arguments. A message without a text comes to nothing.
    pub const fn new(kind: ActionKind) -> Self {
        Self {
            kind,
            arguments: None,
        }
    }

    /// A message to the user.
    pub fn notify(title: Option<&str>, body: &str) -> Self {
        let mut arguments = Map::new();
        if let Some(title) = title {
            arguments.insert("title".to_owned(), title.into());
        }
        arguments.insert("body".to_owned(), body.into());
        Self {
            kind: ActionKind::Notify,
            arguments: Some(Value::Object(arguments).to_string().into()),
        }
    }

    /// One with arguments, which only messages, wiping and a source's own
    /// actions have.
    pub fn with(kind: ActionKind, arguments: &Map<String, Value>) -> Result<Self, ArgumentsError> {
        match kind {
            ActionKind::Sync | ActionKind::Lock | ActionKind::Retire if !arguments.is_empty() => {
                return Err(ArgumentsError::NotTaken(kind));
            }
            ActionKind::Notify => {
                let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
                let known = |(name, value): (&String, &Value)| {
                    matches!(name.as_str(), "title" | "body") && text(value)
                };
                if !arguments.contains_key("body") || !arguments.iter().all(known) {
                    return Err(ArgumentsError::Message);
                }
            }
            _ => {}
        }
        if arguments.is_empty() {
            return Ok(Self::new(kind));
        }
        let written = Value::Object(arguments.clone()).to_string();
        if written.len() > Self::LONGEST_ARGUMENTS {
            return Err(ArgumentsError::TooLong {
                found: written.len(),
                most: Self::LONGEST_ARGUMENTS,
            });
        }
        Ok(Self {
            kind,
            arguments: Some(written.into()),
        })
    }

    /// As it was kept.
    pub(crate) const fn restored(kind: ActionKind, arguments: Option<Arc<str>>) -> Self {
        Self { kind, arguments }
    }

    /// What has to be allowed for it.
    pub const fn kind(&self) -> &ActionKind {
        &self.kind
    }

    /// Its arguments as a JSON object, if it has any.
    pub fn arguments(&self) -> Option<&str> {
        self.arguments.as_deref()
    }
}

/// How far an action has come at its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionState {
    /// The source has taken it on.
    Pending,
    /// It is done.
    Done,
    /// The source did not take it on, and will not.
    Refused,
    /// It was taken on and came to nothing.
    Failed,
}

/// What a source says about an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionTicket {
    /// What to ask by how it goes on, if that can be asked.
    pub key: Option<Arc<str>>,
    /// How far it is.
    pub state: ActionState,
    /// What the source says to it, for people.
    pub detail: Option<Arc<str>>,
}

/// One action that a source knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PossibleAction {
    /// The source's name for it, as of [`ActionKind::name`].
    pub name: String,
    /// Why it cannot be done just now, e.g. which permission is missing.
    pub obstacle: Option<String>,
}

/// A source did not take an action on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionFailure {
    /// It cannot do that to this device.
    #[error("the source cannot do that{}", after_colon(.0))]
    NotSupported(String),
    /// It could not be asked, or refused.
    #[error(transparent)]
    Failed(#[from] SourceError),
}

fn after_colon(detail: &str) -> String {
    if detail.is_empty() {
        return String::new();
    }
    format!(": {detail}")
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
    /// The operator allows it to nobody.
    #[error("the action `{0}` is not switched on; `allow` of `[actions]` does")]
    Off(ActionKind),
    /// It wants a confirmation, which cannot be given in this protocol.
    #[error(
        "the action `{0}` wants a confirmation, which this protocol has not; the client's \
         `unconfirmed-actions` allows it without"
    )]
    Unconfirmed(ActionKind),
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
            Self::Off(_) => "off",
            Self::Unconfirmed(_) => "unconfirmed",
            Self::UnknownDevice => "unknown-device",
            Self::CannotTell(_) => "cannot-tell",
            Self::Source {
                failure: ActionFailure::NotSupported(_),
                ..
            } => "not-supported",
            Self::Source { .. } => "failed",
        }
    }
}

/// What the client's configuration says about an action it asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionRight {
    /// It may ask for actions of this kind.
    pub allowed: bool,
    /// It may do so where nobody confirms them.
    pub unconfirmed: bool,
}

impl Gateway {
    /// Starts an action on the endpoint of `question` at once, at the source
    /// whose record is in use: for protocols that know neither jobs nor
    /// confirmations.
    pub async fn act(
        &self,
        question: &Question,
        action: &Action,
        right: ActionRight,
    ) -> Result<ActionState, ActionError> {
        let kind = action.kind();
        let started = match self.forbids(question, kind, right) {
            Some(error) => Err(error),
            None => self.start(question, action).await,
        };
        let outcome = match &started {
            Ok(ActionState::Pending) => "handed-over",
            Ok(ActionState::Done) => "done",
            Ok(ActionState::Refused) => "refused",
            Ok(ActionState::Failed) => "failed",
            Err(error) => error.as_str(),
        };
        let detail = started.as_ref().err().map(ToString::to_string);
        audit(question, kind, outcome, detail.as_deref());
        started
    }

    fn forbids(
        &self,
        question: &Question,
        kind: &ActionKind,
        right: ActionRight,
    ) -> Option<ActionError> {
        let kind = kind.clone();
        if !right.allowed {
            let client = Arc::clone(&question.connection().client);
            return Some(ActionError::NotAllowed { client, kind });
        }
        if !self.jobs.rules().allows(&kind) {
            return Some(ActionError::Off(kind));
        }
        let confirmed = right.unconfirmed || !self.jobs.rules().wants_confirmation(&kind);
        (!confirmed).then_some(ActionError::Unconfirmed(kind))
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
        let (fetcher, device) = self.target(question).await?;
        audit(question, action.kind(), "requested", None);
        let ticket = fetcher.act(&device.key, action, &single_use_key()).await;
        let failed = |failure| ActionError::Source {
            source_name: Arc::clone(fetcher.name()),
            failure,
        };
        let ticket = ticket.map_err(failed)?;
        match ticket.state {
            ActionState::Pending | ActionState::Done => Ok(ticket.state),
            ActionState::Refused | ActionState::Failed => {
                let detail = ticket.detail.unwrap_or_default();
                let failure = ActionFailure::NotSupported(detail.to_string());
                Err(failed(failure))
            }
        }
    }

    /// The device that a question is about, and the source whose record of it
    /// is in use.
    pub(crate) async fn target(
        &self,
        question: &Question,
    ) -> Result<(Arc<Fetcher>, Arc<Device>), ActionError> {
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
        Ok((Arc::clone(fetcher), Arc::clone(device)))
    }
}

/// A key under which nothing was started before.
fn single_use_key() -> String {
    let mut bytes = [0; 16];
    // Without randomness the time tells requests apart.
    if getrandom::fill(&mut bytes).is_err() {
        return format!("at-{}", Timestamp::now().as_millis());
    }
    format!("once-{:032x}", u128::from_be_bytes(bytes))
}

fn audit(question: &Question, kind: &ActionKind, outcome: &'static str, detail: Option<&str>) {
    let connection: &Connection = question.connection();
    tracing::info!(
        target: "audit",
        client = &*connection.client,
        endpoint = %Listed(question.identifiers()),
        action = %kind,
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
