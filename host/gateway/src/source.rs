//! What the pipeline needs of a connector instance.

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_domain::{Device, Identifier};

use crate::action::{Action, ActionFailure, ActionTicket, PossibleAction};
use crate::scep::Vouching;

/// One configured tenant of a device-management system.
pub trait Source: Send + Sync + fmt::Debug {
    /// Asks for one endpoint by everything that is known about it, most
    /// trustworthy identifier first. Ends by `deadline`.
    fn find<'a>(
        &'a self,
        identifiers: &'a [Identifier],
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>>;

    /// Whether everything it has can be read, page by page.
    fn has_inventory(&self) -> bool {
        false
    }

    /// Reads the page after `cursor`, the first of a full read without one.
    /// `limit` devices are wished for. Ends by `deadline`.
    fn next_page<'a>(
        &'a self,
        _cursor: Option<&'a str>,
        _limit: u32,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<InventoryPage, InventoryError>> {
        std::future::ready(Err(InventoryError::Failed(SourceError {
            kind: SourceErrorKind::Misconfigured,
            message: "the source has no inventory".to_owned(),
            retry_after: None,
        })))
        .boxed()
    }

    /// Whether it can act on devices.
    fn has_actions(&self) -> bool {
        false
    }

    /// What can be done to the device that the source calls `key`. Ends by
    /// `deadline`.
    fn possible_actions<'a>(
        &'a self,
        _key: &'a str,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<PossibleAction>, SourceError>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }

    /// Starts an action on the device that the source calls `key`. The same
    /// `once` never starts it twice. Ends by `deadline`.
    fn act<'a>(
        &'a self,
        _key: &'a str,
        _action: &'a Action,
        _once: &'a str,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<ActionTicket, ActionFailure>> {
        std::future::ready(Err(ActionFailure::NotSupported(String::new()))).boxed()
    }

    /// Asks how the action with this ticket goes on. Ends by `deadline`.
    fn action_status<'a>(
        &'a self,
        _key: &'a str,
        _ticket: &'a str,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<ActionTicket, ActionFailure>> {
        std::future::ready(Err(ActionFailure::NotSupported(String::new()))).boxed()
    }

    /// What it does with certificate requests, if it does anything.
    fn vouching(&self) -> Option<&dyn Vouching> {
        None
    }

    /// Talks to the source, past every cache, and says what works and what does
    /// not. Ends by `deadline`.
    fn check(&self, deadline: Instant) -> BoxFuture<'_, CheckReport>;

    /// Hosts at which it was reached, and that it found out itself.
    fn discovered(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether it is in use, for status pages: `ok`, or what is wrong.
    fn health(&self) -> Health;
}

/// A source's answer for one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// One device matches.
    Found(Box<Device>),
    /// The source does not know it. A fact, not a failure.
    Unknown,
    /// Several devices match.
    Ambiguous,
}

/// One page of everything a source has, or of what changed there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InventoryPage {
    /// Devices that are new or may have changed.
    pub upserts: Vec<Device>,
    /// The source's keys of devices that are gone.
    pub removals: Vec<String>,
    /// Where the next call goes on, opaque. Empty on the last page of a full
    /// read: the source cannot tell changes.
    pub cursor: String,
    /// Whether more is waiting. When not, `cursor` is for the next time.
    pub more: bool,
    /// How many devices there are in all, as the source estimates.
    pub total: Option<u64>,
    /// Records that were left out because they are unusable.
    pub unusable: u64,
}

/// A page that was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// The cursor is no longer valid: start over without one.
    #[error("the source no longer knows the cursor")]
    CursorExpired,
    /// Nothing was learnt.
    #[error(transparent)]
    Failed(#[from] SourceError),
}

/// The source could not be asked; nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What an administrator, or the pipeline, can do about it.
    pub kind: SourceErrorKind,
    /// Text for an administrator. Never a secret.
    pub message: String,
    /// How long the source asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// Classes of failure, also used as metric labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceErrorKind {
    /// The settings or the credential are at fault: asking again will not help.
    Misconfigured,
    /// The source asked to slow down.
    RateLimited,
    /// The source or the way to it failed: asking again may help.
    Unavailable,
    /// The answer did not come in time.
    Timeout,
    /// The source answered something that the connector does not understand.
    BadResponse,
    /// The connector itself broke or was cut off.
    PluginFault,
}

impl SourceErrorKind {
    /// The word for it in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Misconfigured => "misconfigured",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::BadResponse => "bad-response",
            Self::PluginFault => "plugin-fault",
        }
    }
}

/// Whether one part of the gateway is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// In use.
    Ok,
    /// Not usable just now; why.
    Failing(String),
    /// The operator has switched it off.
    Disabled,
}

/// What checking a source came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// One line for each probed condition, in the order probed.
    pub findings: Vec<CheckFinding>,
}

impl CheckReport {
    /// The worst of all findings; a report without findings failed.
    pub fn verdict(&self) -> CheckVerdict {
        let verdicts = self.findings.iter().map(|finding| finding.verdict);
        verdicts.max().unwrap_or(CheckVerdict::Failed)
    }
}

/// How one probe went, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckVerdict {
    /// In order.
    Passed,
    /// Usable, but something is missing.
    Degraded,
    /// Not usable.
    Failed,
}

impl CheckVerdict {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
        }
    }
}

/// One probed condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFinding {
    /// What was probed, e.g. `token`.
    pub subject: String,
    /// How it went.
    pub verdict: CheckVerdict,
    /// The stable code of what was found, e.g. `client-secret-expired`; what passed needs none.
    pub code: Option<String>,
    /// What was seen.
    pub message: String,
    /// What an administrator can do about it.
    pub hint: Option<String>,
}
