//! Who is quarantined, as decisions see it.

use std::collections::HashMap;
use std::sync::Arc;

use portreeve_domain::{Asked, Decision, Identifier, MacAddress, Reason, Subject, Verdict};

use super::Assignment;

/// The code of the reason that comes first.
const QUARANTINED: &str = "quarantined";

/// All endpoints that are quarantined, replaced as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Confined {
    /// Another number for other content.
    number: u64,
    by_mac: HashMap<MacAddress, Arc<Assignment>>,
}

impl Confined {
    pub(super) fn of(assignments: impl IntoIterator<Item = Arc<Assignment>>) -> Self {
        let by_mac = assignments.into_iter().map(|it| (it.mac, it));
        Self {
            number: 1,
            by_mac: by_mac.collect(),
        }
    }

    /// The same with one more, or with another policy for one.
    pub(super) fn with(&self, assignment: Arc<Assignment>) -> Self {
        let mut by_mac = self.by_mac.clone();
        by_mac.insert(assignment.mac, assignment);
        Self {
            number: self.number + 1,
            by_mac,
        }
    }

    pub(super) fn without(&self, mac: MacAddress) -> Self {
        let mut by_mac = self.by_mac.clone();
        by_mac.remove(&mac);
        Self {
            number: self.number + 1,
            by_mac,
        }
    }

    /// A prepared answer holds for one number only.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn len(&self) -> usize {
        self.by_mac.len()
    }

    pub(super) fn get(&self, mac: MacAddress) -> Option<&Arc<Assignment>> {
        self.by_mac.get(&mac)
    }

    pub(super) fn assignments(&self) -> impl Iterator<Item = &Arc<Assignment>> {
        self.by_mac.values()
    }

    /// Whether the question itself names an endpoint that is held back. No prepared
    /// answer says anything about that. Allocates nothing.
    pub(crate) fn names(&self, asked: Asked<'_>) -> bool {
        if self.by_mac.is_empty() {
            return false;
        }
        let macs = asked.identifiers.iter().filter_map(Identifier::as_mac);
        let mut macs = macs.chain(asked.connection.mac);
        macs.any(|mac| {
            let found = self.by_mac.get(&mac);
            found.is_some_and(|assignment| strictness(assignment.policy.verdict) > 0)
        })
    }

    /// What holds for the endpoint that a subject is about: by any address of
    /// the question, of the connection or of the device. Of several the
    /// strictest.
    pub(crate) fn of_subject(&self, subject: &Subject) -> Option<&Arc<Assignment>> {
        if self.by_mac.is_empty() {
            return None;
        }
        let known = subject.device().into_iter().flat_map(|device| &device.ids);
        let macs = subject.requested.iter().chain(known);
        let macs = macs.filter_map(Identifier::as_mac);
        let found = macs
            .chain(subject.connection.mac)
            .filter_map(|mac| self.by_mac.get(&mac));
        found.max_by_key(|assignment| strictness(assignment.policy.verdict))
    }
}

/// The decision on a quarantined endpoint. It is never better than the policy
/// says, and never better than it was. `None` when the policy takes nothing
/// away.
pub(crate) fn restrain(decision: Option<&Decision>, assignment: &Assignment) -> Option<Decision> {
    let policy = &assignment.policy;
    if strictness(policy.verdict) == 0 {
        return None;
    }
    let message = match &policy.message {
        Some(message) => format!("quarantined by policy `{}`: {message}", policy.name),
        None => format!("quarantined by policy `{}`", policy.name),
    };
    let mut verdict = policy.verdict;
    let mut reasons = vec![Reason {
        code: QUARANTINED.to_owned(),
        message,
        facts: Vec::new(),
    }];
    let mut remediation = Vec::new();
    let mut valid_for = None;
    if let Some(decision) = decision {
        if strictness(decision.verdict) > strictness(verdict) {
            verdict = decision.verdict;
        }
        reasons.extend(decision.reasons.iter().cloned());
        remediation.clone_from(&decision.remediation);
        valid_for = decision.valid_for;
    }
    Some(Decision {
        verdict,
        reasons,
        obligations: policy.obligations.clone(),
        remediation,
        valid_for,
    })
}

const fn strictness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Permit | Verdict::Abstain => 0,
        Verdict::Restrict => 1,
        Verdict::Deny => 2,
    }
}
