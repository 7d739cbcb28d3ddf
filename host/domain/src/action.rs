//! What a client may ask for beside answers.

use std::fmt;

/// One kind of action on an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// Make the device report to its management system now.
    Sync,
    /// Lock the screen.
    Lock,
    /// Erase corporate data and end management.
    Retire,
    /// Erase everything.
    Wipe,
    /// Show a message to the user.
    Notify,
}

impl ActionKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Sync,
        Self::Lock,
        Self::Retire,
        Self::Wipe,
        Self::Notify,
    ];

    /// The word for it in the configuration, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Lock => "lock",
            Self::Retire => "retire",
            Self::Wipe => "wipe",
            Self::Notify => "notify",
        }
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
