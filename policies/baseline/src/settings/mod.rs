//! The settings of the policy, as `schema.json` describes them.
//!
//! The host checks them against the schema and fills in defaults; the types
//! have the same defaults, so that a document without them means the same.

mod obligations;
mod rules;
mod span;
mod validate;

use serde::Deserialize;

pub use obligations::{Advice, Application, Kind, Obligations};
pub use rules::{
    AbsenceRule, ComplianceRules, EnrollmentRules, LastContactRules, MinimumOsRules, PostureItem,
    PostureRules, Treatment,
};
pub use span::Span;
pub use validate::validate;

/// Everything that the operator can set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Lists whose members are never let in.
    pub always_deny: Vec<String>,
    /// Lists whose members are let in without further questions.
    pub always_permit: Vec<String>,
    /// No source knows the device.
    pub unknown_device: AbsenceRule,
    /// Several devices match.
    pub ambiguous_device: AbsenceRule,
    /// A source could not be asked and none had an answer.
    pub sources_unavailable: AbsenceRule,
    /// Devices that are not simply under management.
    pub enrollment: EnrollmentRules,
    /// Devices that the management system does not call compliant.
    pub compliance: ComplianceRules,
    /// Devices that the management system has not heard of for long.
    pub last_contact: LastContactRules,
    /// Devices with an old operating system.
    pub minimum_os: MinimumOsRules,
    /// Devices in a bad state.
    pub posture: PostureRules,
    /// What the NAC product has to apply.
    pub obligations: Obligations,
    /// What would help, by code of a reason.
    #[serde(deserialize_with = "obligations::by_code")]
    pub remediation: Vec<(String, Advice)>,
    /// Where users find help. May have placeholders.
    pub remediation_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            always_deny: Vec::new(),
            always_permit: Vec::new(),
            unknown_device: AbsenceRule::Deny,
            ambiguous_device: AbsenceRule::Deny,
            sources_unavailable: AbsenceRule::Abstain,
            enrollment: EnrollmentRules::default(),
            compliance: ComplianceRules::default(),
            last_contact: LastContactRules::default(),
            minimum_os: MinimumOsRules::default(),
            posture: PostureRules::default(),
            obligations: Obligations::default(),
            remediation: Vec::new(),
            remediation_url: None,
        }
    }
}
