//! Actions that were asked for and what becomes of them.

use serde::{Deserialize, Serialize};

/// An entry of `deviceActionResults`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionResult {
    /// As Graph names it, e.g. `syncDevice`.
    pub name: String,
    /// How far it is.
    #[serde(default)]
    pub state: ActionState,
    /// When it was asked for, in milliseconds since 1970.
    #[serde(default)]
    pub started: i64,
    /// When the state changed last, in milliseconds since 1970.
    #[serde(default)]
    pub updated: i64,
}

/// Graph's words for how far an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ActionState {
    /// Nothing is known.
    None,
    /// The device does not know of it yet.
    #[default]
    Pending,
    /// It was taken back.
    Canceled,
    /// The device is at it.
    Active,
    /// The device has done it.
    Done,
    /// The device could not do it.
    Failed,
    /// The device cannot do such things.
    NotSupported,
}

impl ActionState {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Canceled => "canceled",
            Self::Active => "active",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::NotSupported => "notSupported",
        }
    }

    /// Whether it is still to come.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::None | Self::Pending | Self::Active)
    }
}

/// What was asked for over Graph, in the order in which it was taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acted {
    /// The device.
    pub device: uuid::Uuid,
    /// Its name in the path.
    pub action: String,
    /// The body as it came.
    pub body: String,
}
