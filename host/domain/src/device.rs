//! What one source knows about one endpoint.

use crate::{Identifier, Timestamp};

/// A managed endpoint as one source describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Device {
    /// The source's own key, opaque outside the connector that made it.
    pub key: String,
    /// Every identifier the source knows, best first.
    pub ids: Vec<Identifier>,
    /// Whether the device is under management.
    pub enrollment: Enrollment,
    /// The management system's own verdict.
    pub compliance: Compliance,
    /// Whose device it is.
    pub ownership: Ownership,
    /// What every network access control product asks about.
    pub posture: Posture,
    /// The primary user.
    pub user: Option<User>,
    /// What it runs.
    pub os: Option<OperatingSystem>,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// The maker's name of the model.
    pub model: Option<String>,
    /// What its owner calls it.
    pub name: Option<String>,
    /// When it came under management.
    pub enrolled_at: Option<Timestamp>,
    /// Last contact between the device and the source.
    pub last_seen: Option<Timestamp>,
    /// Everything else, by name.
    pub attributes: Vec<Attribute>,
}

impl Device {
    /// The value of one attribute.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| &attribute.value)
    }
}

/// Whether a device is under management.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Enrollment {
    /// The source does not say.
    #[default]
    Unknown,
    /// Known, but not under management.
    NotEnrolled,
    /// Enrolment has begun.
    Pending,
    /// Under management.
    Enrolled,
    /// No longer under management.
    Retired,
}

/// The management system's own verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Compliance {
    /// The verdict itself.
    pub state: ComplianceState,
    /// When the source computed it.
    pub evaluated_at: Option<Timestamp>,
    /// End of the grace period.
    pub grace_until: Option<Timestamp>,
    /// The checks that failed.
    pub failing: Vec<FailingCheck>,
}

/// The states of compliance that sources tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ComplianceState {
    /// The source gave no verdict.
    #[default]
    Unknown,
    /// It meets what the source demands.
    Compliant,
    /// It does not.
    NonCompliant,
    /// It does not, but the source still tolerates it.
    InGracePeriod,
    /// Enrolled, but no verdict was computed yet.
    NotEvaluated,
    /// Verdicts of several policies contradict each other.
    Conflict,
    /// The source failed to compute a verdict.
    Failed,
}

/// One check that a device failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FailingCheck {
    /// Stable code within its source, e.g. `bitlocker-enabled`.
    pub code: String,
    /// Text for an administrator, in English.
    pub message: Option<String>,
}

/// Whose device it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ownership {
    /// The source does not say.
    #[default]
    Unknown,
    /// The organisation's.
    Corporate,
    /// The user's own.
    Personal,
    /// Used by several people.
    Shared,
}

/// A yes or no that a source may not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tristate {
    /// The source does not say.
    #[default]
    Unknown,
    /// No.
    No,
    /// Yes.
    Yes,
}

/// The security posture every network access control product asks about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Posture {
    /// Storage is encrypted.
    pub disk_encrypted: Tristate,
    /// A screen lock with a secret is set.
    pub screen_lock: Tristate,
    /// The operating system's protection was removed.
    pub jailbroken: Tristate,
    /// A host firewall is on.
    pub firewall: Tristate,
    /// Protection against malware is on and current.
    pub antivirus: Tristate,
    /// The boot chain is verified.
    pub secure_boot: Tristate,
}

/// The primary user of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// Stable identifier within the source.
    pub id: Option<String>,
    /// Principal name, e.g. `ada@example.com`.
    pub principal_name: Option<String>,
    /// Name for people.
    pub display_name: Option<String>,
    /// Groups the source reports.
    pub groups: Vec<String>,
}

/// What a device runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OperatingSystem {
    /// `windows`, `macos`, `ios`, `ipados`, `android`, `linux`, `chromeos`, …
    pub family: String,
    /// Version as the vendor writes it.
    pub version: Option<String>,
    /// Build as the vendor writes it.
    pub build: Option<String>,
    /// Security patch level as the vendor writes it.
    pub patch_level: Option<String>,
}

/// One named fact, e.g. `intune.partner-threat-state`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    /// Dotted, lower-case, kebab-case name. The first label is the source.
    pub name: String,
    /// What it is.
    pub value: Value,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// A point in time.
    Timestamp(Timestamp),
    /// Several texts.
    Texts(Vec<String>),
}
