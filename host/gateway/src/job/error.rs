//! Why a job was not begun.

use std::sync::Arc;

use portreeve_domain::ActionKind;
use portreeve_store::{DocumentError, StoreError};

/// A request about jobs that was refused. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// The client may not ask for it.
    #[error("client `{client}` may not ask for the action `{kind}`; its `actions` say what it may")]
    NotAllowed {
        /// The client.
        client: Arc<str>,
        /// What it asked for.
        kind: ActionKind,
    },
    /// The operator allows it to nobody.
    #[error("the action `{0}` is not switched on; `allow` of `[actions]` does")]
    Off(ActionKind),
    /// What is not harmless is asked for under a key.
    #[error("the action `{0}` wants an idempotency key, so that it is not asked for twice")]
    KeyMissing(ActionKind),
    /// Something else was asked for under this key.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// No device is named or found.
    #[error("there is no device to act on")]
    NoDevice,
    /// More devices than a job may have.
    #[error("a job has {most} devices at most, these are {found}")]
    TooMany {
        /// As they came.
        found: usize,
        /// The most there may be.
        most: usize,
    },
    /// For none of the devices it can be done; the first reason.
    #[error("nothing can be done: {0}")]
    Nothing(Arc<str>),
    /// The query rests on a fact that the client may not see.
    #[error("the client may not see the fact `{0}`, which the query rests on")]
    HiddenFact(String),
    /// Nobody asked for this confirmation, or its time is over.
    #[error("the confirmation is unknown, was used, or came too late; ask for the action again")]
    NotToConfirm,
    /// The wrong client confirms.
    #[error("{0}")]
    WrongConfirmer(&'static str),
    /// There is no such job, or it is another client's.
    #[error("there is no job `{0}`")]
    NoSuchJob(Arc<str>),
    /// There are as many as there may be.
    #[error("too many {0}; try again later")]
    Full(&'static str),
    /// The store did not take it.
    #[error("it cannot be kept: {0}")]
    NotKept(String),
}

impl From<DocumentError> for JobError {
    fn from(error: DocumentError) -> Self {
        Self::NotKept(error.to_string())
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::NotKept(error.to_string())
    }
}
