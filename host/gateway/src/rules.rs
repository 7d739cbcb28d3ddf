//! What decides: the sources, the chains, the operator's lists and the
//! quarantine, each replaced as a whole.

use std::sync::Arc;

use portreeve_domain::{Connection, Lists, Subject};

use crate::decide::{Chain, Decided};
use crate::quarantine::{Confined, restrain};
use crate::select::Chains;
use crate::sources::Sources;

/// The rules in force. A question is answered under those it began with.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) sources: Arc<Sources>,
    pub(crate) chains: Arc<Chains>,
    pub(crate) lists: Arc<Lists>,
    /// Another number for other lists, never 0.
    pub(crate) lists_number: u64,
    /// Who is quarantined.
    pub(crate) confined: Arc<Confined>,
}

impl Rules {
    /// The chain that decides about a question with this connection.
    pub(crate) fn chain(&self, connection: &Connection) -> &Arc<Chain> {
        self.chains.of(connection)
    }

    /// What the chain decided, with the quarantine on top of it.
    ///
    /// Also when the chain has no opinion because the facts are missing: an
    /// operator's word is enough to hold an endpoint back.
    pub(crate) fn confine(&self, decided: Decided, subject: &Subject) -> Decided {
        let Some(assignment) = self.confined.of_subject(subject) else {
            return decided;
        };
        let is_untold = crate::answer::untold(subject).is_some();
        let without = match &decided.decision {
            Some(decision) => Some(&**decision),
            None if is_untold => None,
            None => Some(&**self.chains.undecided()),
        };
        let Some(decision) = restrain(without, assignment) else {
            return decided;
        };
        let is_changed = without.is_none_or(|without| without.verdict != decision.verdict);
        Decided {
            decision: Some(Arc::new(decision)),
            policy: if is_changed {
                Some("quarantine".into())
            } else {
                decided.policy
            },
            is_confined: true,
            ..decided
        }
    }
}
