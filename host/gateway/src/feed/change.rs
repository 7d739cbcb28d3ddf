//! What subscribers are told.

use std::sync::Arc;

use portreeve_domain::{Device, Identifier, Outcome, Timestamp, Verdict};

/// One change of a device, or of what would be answered about it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Grows by one from change to change, without gaps, as long as the process
    /// lives.
    pub sequence: u64,
    /// When it was noticed.
    pub at: Timestamp,
    /// The same number in all changes of one endpoint, as long as it is known
    /// without a break. What was [`after`](Self::after) in one of them is
    /// [`before`](Self::before) in the next.
    pub endpoint: u64,
    /// The connector instance whose record is in use, or was.
    pub source: Arc<str>,
    /// Everything that the record names the endpoint by.
    pub identifiers: Arc<[Identifier]>,
    /// What is known now, `None`: the device is gone.
    pub device: Option<Arc<Device>>,
    /// What would have been answered before, `None`: it was not known.
    pub before: Option<Standing>,
    /// What would be answered now, `None`: it is not known any more.
    pub after: Option<Standing>,
}

impl Change {
    /// Whether another answer would be given than before: another verdict, or
    /// other obligations with it. If not, only facts or reasons are others.
    pub fn alters_verdict(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => !before.has_effect_of(after),
            (before, after) => before.is_some() != after.is_some(),
        }
    }
}

/// What the gateway would answer about a device now, from memory, asked by the
/// device's best identifier and without a connection.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The decision, or why there is none.
    pub outcome: Outcome,
    /// Whether the facts were older than the operator likes.
    pub stale: bool,
    /// Whether a client with a connection may be answered otherwise.
    pub(crate) rests_on_connection: bool,
}

impl Standing {
    /// Whether the device is compliant, in the words of faces that have only
    /// "yes" and "no": whether the verdict is `permit`. `None` when the gateway
    /// cannot tell.
    pub fn is_compliant(&self) -> Option<bool> {
        is_compliant(&self.outcome)
    }

    fn has_effect_of(&self, other: &Self) -> bool {
        match (&self.outcome, &other.outcome) {
            (Outcome::Decided(one), Outcome::Decided(other)) => {
                one.verdict == other.verdict && one.obligations == other.obligations
            }
            (Outcome::CannotTell(_), Outcome::CannotTell(_)) => true,
            _ => false,
        }
    }
}

pub(crate) fn is_compliant(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Decided(decision) => Some(decision.verdict == Verdict::Permit),
        Outcome::CannotTell(_) => None,
    }
}
