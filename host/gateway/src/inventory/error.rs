//! What keeps an inventory from being complete.

use std::sync::Arc;
use std::time::Duration;

use super::PictureError;
use crate::{SourceError, SourceErrorKind};

/// A run that did not get to its end. What it applied stays, and the next one
/// goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// The source could not be asked.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Starting over did not help.
    #[error("the source forgets its cursors before everything is read")]
    CursorExpired,
    /// The source gives pages, but they lead nowhere. The next run starts over.
    #[error("the source does not come to an end: {0}")]
    Stalled(String),
    /// The pages could not be kept.
    #[error("the picture cannot be kept: {0}")]
    Picture(#[from] PictureError),
    /// The gateway shuts down.
    #[error("stopped before the end")]
    Stopped,
}

impl SyncError {
    /// The word for it in logs and metrics, from a closed set.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Source(error) => error.kind.as_str(),
            Self::CursorExpired => "cursor-expired",
            Self::Stalled(_) => "stalled",
            Self::Picture(_) => "not-kept",
            Self::Stopped => "stopped",
        }
    }

    /// Whether asking again soon will not help: somebody has to change
    /// something.
    pub(super) const fn lasts(&self) -> bool {
        match self {
            Self::Source(error) => matches!(error.kind, SourceErrorKind::Misconfigured),
            Self::CursorExpired | Self::Stalled(_) => true,
            Self::Picture(_) | Self::Stopped => false,
        }
    }

    /// Whether the source is there, and only wants to be asked less.
    pub(super) const fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Source(error) if matches!(error.kind, SourceErrorKind::RateLimited))
    }

    /// How long the source asks to be left alone.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Source(error) => error.retry_after,
            _ => None,
        }
    }
}

/// A run that cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no source of this name.
    #[error("there is no source `{0}`")]
    NoSource(Arc<str>),
    /// The source cannot be read as a whole.
    #[error("source `{0}` has no inventory")]
    NoInventory(Arc<str>),
    /// The operator does not want it.
    #[error("the inventory of source `{0}` is switched off")]
    Disabled(Arc<str>),
    /// The operator does not want the source to be asked.
    #[error("source `{0}` is switched off")]
    SwitchedOff(Arc<str>),
}
