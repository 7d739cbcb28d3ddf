//! What follows from each state of a device.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::Span;
use crate::version::Minimum;

/// What follows from one finding. The severest of all findings is the verdict.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Treatment {
    /// It is no hindrance.
    Permit,
    /// Limited access.
    Restrict,
    /// No access.
    Deny,
}

/// What follows when there is no device to judge.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum AbsenceRule {
    /// The next policy is asked; without one, the gateway cannot tell.
    Abstain,
    /// Full access.
    Permit,
    /// Limited access.
    Restrict,
    /// No access.
    Deny,
}

/// What follows from not being simply enrolled.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct EnrollmentRules {
    /// Enrolment has begun.
    pub pending: Treatment,
    /// Known, but not under management.
    pub not_enrolled: Treatment,
    /// No longer under management.
    pub retired: Treatment,
    /// The source does not say.
    pub unknown: Treatment,
}

/// What follows from not being simply compliant.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ComplianceRules {
    /// Not compliant, or the grace period is over.
    pub non_compliant: Treatment,
    /// Not compliant, but still tolerated.
    pub in_grace_period: Treatment,
    /// Whether a grace period whose end is not known counts as over.
    pub grace_needs_end: bool,
    /// No verdict yet.
    pub not_evaluated: Treatment,
    /// Verdicts that contradict each other.
    pub conflict: Treatment,
    /// The source failed to compute a verdict.
    pub failed: Treatment,
    /// The source gave no verdict.
    pub unknown: Treatment,
}

/// What follows from a long silence.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LastContactRules {
    /// From this age on the contact is too old. Not checked without it.
    pub max_age: Option<Span>,
    /// The last contact is older.
    pub too_old: Treatment,
    /// The source does not say when it was.
    pub unknown: Treatment,
}

/// What follows from an old operating system.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MinimumOsRules {
    /// Minimum version by family. Not checked when it is empty.
    #[serde(deserialize_with = "by_family")]
    pub(crate) versions: Vec<(String, Minimum)>,
    /// The version is lower.
    pub too_old: Treatment,
    /// Family or version is not known, or is no version.
    pub unknown: Treatment,
    /// The family has no minimum.
    pub other_family: Treatment,
}

/// What follows from a bad state.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PostureRules {
    /// States that mean no access.
    pub deny: Vec<PostureItem>,
    /// States that mean limited access.
    pub restrict: Vec<PostureItem>,
    /// The source does not say; never severer than the state itself.
    pub unknown: Treatment,
}

/// A bad state of a device.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum PostureItem {
    /// The operating system's protection was removed.
    Jailbroken,
    /// Storage is not encrypted.
    NotEncrypted,
    /// No screen lock.
    NoScreenLock,
    /// No host firewall.
    NoFirewall,
    /// No protection against malware.
    NoAntivirus,
    /// The boot chain is not verified.
    NoSecureBoot,
}

impl Default for EnrollmentRules {
    fn default() -> Self {
        Self {
            pending: Treatment::Deny,
            not_enrolled: Treatment::Deny,
            retired: Treatment::Deny,
            unknown: Treatment::Deny,
        }
    }
}

impl Default for ComplianceRules {
    fn default() -> Self {
        Self {
            non_compliant: Treatment::Deny,
            in_grace_period: Treatment::Permit,
            grace_needs_end: false,
            not_evaluated: Treatment::Deny,
            conflict: Treatment::Deny,
            failed: Treatment::Deny,
            unknown: Treatment::Deny,
        }
    }
}

impl Default for LastContactRules {
    fn default() -> Self {
        Self {
            max_age: None,
            too_old: Treatment::Deny,
            unknown: Treatment::Deny,
        }
    }
}

impl Default for MinimumOsRules {
    fn default() -> Self {
        Self {
            versions: Vec::new(),
            too_old: Treatment::Deny,
            unknown: Treatment::Deny,
            other_family: Treatment::Permit,
        }
    }
}

impl Default for PostureRules {
    fn default() -> Self {
        Self {
            deny: vec![PostureItem::Jailbroken],
            restrict: Vec::new(),
            // Sources that know compliance only say nothing about posture.
            unknown: Treatment::Permit,
        }
    }
}

impl EnrollmentRules {
    /// Whether any state matters.
    pub fn matter(&self) -> bool {
        [self.pending, self.not_enrolled, self.retired, self.unknown] != [Treatment::Permit; 4]
    }
}

impl ComplianceRules {
    /// Whether any state matters.
    pub fn matter(&self) -> bool {
        let all = [
            self.non_compliant,
            self.in_grace_period,
            self.not_evaluated,
            self.conflict,
            self.failed,
            self.unknown,
        ];
        all != [Treatment::Permit; 6]
    }
}

impl PostureRules {
    /// Whether any state matters.
    pub fn matter(&self) -> bool {
        !(self.deny.is_empty() && self.restrict.is_empty())
    }
}

/// Reads an object into pairs: a handful of entries needs no tree.
fn by_family<'de, D>(deserializer: D) -> Result<Vec<(String, Minimum)>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Families;

    impl<'de> Visitor<'de> for Families {
        type Value = Vec<(String, Minimum)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object of families and minimum versions")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut families = Vec::new();
            while let Some(entry) = map.next_entry()? {
                families.push(entry);
            }
            Ok(families)
        }
    }

    deserializer.deserialize_map(Families)
}
