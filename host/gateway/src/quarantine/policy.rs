//! What being quarantined means.

use std::fmt;
use std::sync::Arc;

use portreeve_domain::{Obligation, Verdict};

use super::QuarantineError;

/// The longest name of a policy, in bytes.
const LONGEST_NAME: usize = 64;

/// What a network access control product does to a quarantined endpoint, as
/// pxGrid's ANC service names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Limit its access.
    Quarantine,
    /// Close its port.
    ShutDown,
    /// Close and open its port.
    PortBounce,
    /// Have it authenticate again.
    ReAuthenticate,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Quarantine,
        Self::ShutDown,
        Self::PortBounce,
        Self::ReAuthenticate,
    ];

    /// The word for it in configuration, store and protocols that are ours.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::ShutDown => "shut-down",
            Self::PortBounce => "port-bounce",
            Self::ReAuthenticate => "re-authenticate",
        }
    }

    /// The action of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }

    /// Whether it takes access away, rather than having it proved again.
    pub const fn restrains(self) -> bool {
        matches!(self, Self::Quarantine | Self::ShutDown)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A named way to be quarantined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name, as it was given.
    pub name: Arc<str>,
    /// What the network access control product is told to do.
    pub actions: Vec<Action>,
    /// The best verdict that a quarantined endpoint can get: `restrict` or
    /// `deny`. `permit` takes nothing away: such a policy is there for its
    /// actions only.
    pub verdict: Verdict,
    /// What has to be applied along with it.
    pub obligations: Vec<Obligation>,
    /// Why, for an administrator.
    pub message: Option<String>,
    /// Whether the operator's configuration has it. Others were created while
    /// the gateway ran and are in the store.
    pub is_configured: bool,
}

impl Policy {
    /// A policy that is created by its actions alone, as a client of pxGrid
    /// does: those that take access away deny it, for nobody said which
    /// obligations would limit it.
    pub fn of_actions(name: &str, actions: Vec<Action>) -> Result<Self, QuarantineError> {
        check_name(name)?;
        let restrains = actions.iter().any(|action| action.restrains());
        Ok(Self {
            name: name.into(),
            actions,
            verdict: if restrains {
                Verdict::Deny
            } else {
                Verdict::Permit
            },
            obligations: Vec::new(),
            message: None,
            is_configured: false,
        })
    }

    /// Stands for a policy that an endpoint is under and nobody knows any more:
    /// taking it out of the configuration sets nobody free.
    pub(super) fn forgotten(name: &str) -> Self {
        Self {
            name: name.into(),
            actions: vec![Action::Quarantine],
            verdict: Verdict::Deny,
            obligations: Vec::new(),
            message: Some("the policy it was quarantined by is not configured any more".to_owned()),
            is_configured: false,
        }
    }
}

/// Whether it can be the name of a policy.
pub(super) fn check_name(name: &str) -> Result<(), QuarantineError> {
    let fits = (1..=LONGEST_NAME).contains(&name.len());
    if fits && !name.chars().any(char::is_control) && name.trim() == name {
        return Ok(());
    }
    Err(QuarantineError::InvalidName)
}
