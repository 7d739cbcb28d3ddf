//! What speaks against a device, the severest first.

use portreeve_plugin::policy::Reason;

use crate::settings::Treatment;

/// Code of the one finding that is told although it may be no hindrance.
pub(super) const GRACE: &str = "in-grace-period";

/// Everything that was found, in the order in which it is told.
#[derive(Debug, Default)]
pub(super) struct Findings {
    all: Vec<(Treatment, Reason)>,
    /// Told last: it concerns the settings, not the device.
    remark: Option<Reason>,
}

impl Findings {
    /// Adds a finding behind all that are as severe.
    pub(super) fn add(
        &mut self,
        treatment: Treatment,
        code: &str,
        message: impl Into<String>,
        facts: &[&str],
    ) {
        let place = self.all.iter().position(|(other, _)| *other < treatment);
        let place = place.unwrap_or(self.all.len());
        self.all
            .insert(place, (treatment, reason(code, message, facts)));
    }

    /// Adds a finding unless nothing follows from it.
    pub(super) fn add_hindrance(
        &mut self,
        treatment: Treatment,
        code: &str,
        message: impl Into<String>,
        facts: &[&str],
    ) {
        if treatment != Treatment::Permit {
            self.add(treatment, code, message, facts);
        }
    }

    /// Notes something about the settings that does not change the verdict.
    pub(super) fn remark(&mut self, code: &str, message: String, facts: &[&str]) {
        self.remark = Some(reason(code, message, facts));
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether the grace period is all that was found.
    pub(super) fn is_grace_only(&self) -> bool {
        matches!(self.all.as_slice(), [(_, reason)] if reason.code == GRACE)
    }

    /// What follows from all of it.
    pub(super) fn severest(&self) -> Treatment {
        self.all
            .first()
            .map_or(Treatment::Permit, |(treatment, _)| *treatment)
    }

    /// All of it, the severest first.
    pub(super) fn into_reasons(self) -> Vec<Reason> {
        let found = self.all.into_iter().map(|(_, reason)| reason);
        found.chain(self.remark).collect()
    }
}

fn reason(code: &str, message: impl Into<String>, facts: &[&str]) -> Reason {
    Reason {
        code: code.to_owned(),
        message: message.into(),
        facts: facts.iter().map(|&fact| fact.to_owned()).collect(),
    }
}
