//! What a policy is told, in the words of `wit/deps/{device,facts}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

use crate::Moment;

/// One way to name an endpoint, written `kind:value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    /// `mac`, `guid`, `serial`, …
    pub kind: String,
    /// The value as the host normalises it.
    pub value: String,
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once(':') {
            Some((kind, value)) if !kind.is_empty() && !value.is_empty() => Ok(Self {
                kind: kind.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(de::Error::custom(format!(
                "`{text}` is no identifier; expected `kind:value`, e.g. `mac:00:50:56:a4:89:5a`"
            ))),
        }
    }
}

/// Why no device record is at hand.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// Every source answered that it does not know the device.
    UnknownDevice,
    /// At least one source could not be asked.
    SourcesUnavailable,
    /// Several different devices match.
    Ambiguous,
}

/// A managed endpoint. What is not said is unknown, none or empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Device {
    /// Every identifier the source knows, best first.
    pub ids: Vec<Identifier>,
    /// Whether the device is under management.
    pub enrollment: Enrollment,
    /// The management system's own verdict.
    pub compliance: Compliance,
    /// What every NAC product asks about.
    pub posture: Posture,
    /// Whose device it is.
    pub ownership: Ownership,
    /// What it runs.
    pub os: Option<OperatingSystem>,
    /// Its primary user.
    pub user: Option<User>,
    /// Last contact with the source.
    pub last_seen: Option<Moment>,
    /// Everything else by name.
    pub attributes: BTreeMap<String, Value>,
}

/// Whether a device is under management.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Compliance {
    /// The verdict itself.
    pub state: ComplianceState,
    /// When the source computed it.
    pub evaluated_at: Option<Moment>,
    /// End of the grace period.
    pub grace_until: Option<Moment>,
    /// The checks that failed.
    pub failing: Vec<FailingCheck>,
}

/// The states of compliance that sources tell apart.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
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
    /// No verdict was computed yet.
    NotEvaluated,
    /// Verdicts contradict each other.
    Conflict,
    /// The source failed to compute a verdict.
    Failed,
}

/// One check that a device failed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FailingCheck {
    /// Stable code within its source.
    pub code: String,
    /// Text for an administrator.
    pub message: Option<String>,
}

/// A yes or no that a source may not have.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Tristate {
    /// The source does not say.
    #[default]
    Unknown,
    /// No.
    No,
    /// Yes.
    Yes,
}

/// What every NAC product asks about.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Posture {
    /// Storage is encrypted.
    pub disk_encrypted: Tristate,
    /// A screen lock is set.
    pub screen_lock: Tristate,
    /// The operating system's protection was removed.
    pub jailbroken: Tristate,
    /// A host firewall is on.
    pub firewall: Tristate,
    /// Protection against malware is on.
    pub antivirus: Tristate,
    /// The boot chain is verified.
    pub secure_boot: Tristate,
}

/// Whose device it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
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

/// What a device runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OperatingSystem {
    /// `windows`, `macos`, `ios`, …
    pub family: String,
    /// Version as the vendor writes it.
    pub version: Option<String>,
    /// Build as the vendor writes it.
    pub build: Option<String>,
    /// Security patch level as the vendor writes it.
    pub patch_level: Option<String>,
}

/// The primary user of a device.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Stable identifier within the source.
    pub id: Option<String>,
    /// Principal name.
    pub principal_name: Option<String>,
    /// Name for people.
    pub display_name: Option<String>,
    /// Groups the source reports.
    pub groups: Vec<String>,
}

/// The value of an attribute.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// A point in time, `{ timestamp = "3d ago" }`.
    Timestamp {
        /// The time.
        timestamp: Moment,
    },
}

/// The connection that is judged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Connection {
    /// How the endpoint connects.
    pub medium: Medium,
    /// How it was authenticated.
    pub authentication: Authentication,
    /// The client that asks, by its configured name.
    pub client: String,
    /// Switch, controller or gateway.
    pub nas: Option<String>,
    /// SSID, port or tunnel group.
    pub attachment: Option<String>,
    /// Where that is.
    pub location: Option<String>,
    /// The address that connected.
    pub mac: Option<String>,
}

/// How an endpoint connects.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// Not said.
    #[default]
    Unknown,
    /// A cable.
    Wired,
    /// IEEE 802.11.
    Wireless,
    /// A tunnel.
    Vpn,
}

/// How an endpoint was authenticated.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// Not said.
    #[default]
    Unknown,
    /// Not at all.
    None,
    /// By its interface address only.
    MacBypass,
    /// By a certificate.
    EapTls,
    /// By another method of IEEE 802.1X.
    EapOther,
    /// By a person at a portal.
    Web,
}

/// One source's part in the facts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// Instance name of the connector.
    pub name: String,
    /// What asking it came to.
    pub outcome: SourceOutcome,
    /// Age of what was used.
    pub fetched_at: Option<Moment>,
    /// Older than the operator likes.
    #[serde(default)]
    pub stale: bool,
}

/// What asking one source came to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum SourceOutcome {
    /// It knows the device.
    Found,
    /// It does not know the device.
    UnknownDevice,
    /// Several of its devices match.
    Ambiguous,
    /// It could not be asked.
    Failed,
    /// It was not asked.
    Skipped,
}
