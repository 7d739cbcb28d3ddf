//! What the operator allows to be done to devices.

use std::time::Duration;

use portreeve_domain::ActionKind;

use super::kept::Restored;

/// What the operator allows to be done to devices. By default nothing.
#[derive(Clone, Debug)]
pub struct ActionRules {
    /// The kinds that may be done at all. Which client may ask for which of
    /// them is said with the client.
    pub allow: Vec<ActionKind>,
    /// Kinds that are started without a confirmation, though they are not
    /// harmless. Never retiring and wiping.
    pub at_once: Vec<ActionKind>,
    /// Who has to confirm.
    pub confirm_by: ConfirmBy,
    /// How long a confirmation is waited for.
    pub confirm_within: Duration,
    /// Devices of one job.
    pub most_devices: usize,
    /// Jobs that are kept, with what became of them.
    pub most_jobs: usize,
    /// When a source is asked for the first time what became of an action. It
    /// is asked less and less often after that.
    pub first_look: Duration,
    /// What the store held at the start.
    pub restored: Restored,
}

/// Who has to confirm what is not harmless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConfirmBy {
    /// The client that asked for it.
    #[default]
    SameClient,
    /// Any other client that may ask for it as well: four eyes.
    AnotherClient,
}

impl Default for ActionRules {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            at_once: Vec::new(),
            confirm_by: ConfirmBy::default(),
            confirm_within: Duration::from_mins(5),
            most_devices: 5_000,
            most_jobs: 1_000,
            first_look: Duration::from_mins(1),
            restored: Restored::default(),
        }
    }
}

impl ActionRules {
    /// Whether anybody may ask for it.
    pub fn allows(&self, kind: &ActionKind) -> bool {
        self.allow.contains(kind)
    }

    /// Whether it starts only when somebody has confirmed it.
    pub fn wants_confirmation(&self, kind: &ActionKind) -> bool {
        match kind {
            ActionKind::Retire | ActionKind::Wipe => true,
            kind => !kind.is_harmless() && !self.at_once.contains(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wants_a_confirmation() {
        let reboot: ActionKind = "other:rebootNow".parse().unwrap();
        let rules = |at_once: &[ActionKind]| ActionRules {
            at_once: at_once.to_vec(),
            ..ActionRules::default()
        };
        for (kind, at_once, expected) in [
            (ActionKind::Sync, &[][..], false),
            (ActionKind::Notify, &[], false),
            (ActionKind::Retire, &[ActionKind::Retire], true),
            (ActionKind::Wipe, &[ActionKind::Wipe], true),
            (reboot.clone(), &[], true),
            (reboot.clone(), std::slice::from_ref(&reboot), false),
        ] {
            assert_eq!(rules(at_once).wants_confirmation(&kind), expected, "{kind}");
            assert!(!rules(at_once).allows(&kind));
        }
    }
}
