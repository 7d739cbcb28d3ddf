//! The facts about a device, by name.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use portreeve_domain::{
    ComplianceState, Device, DeviceType, Enrollment, Identifier, OperatingSystem, Outcome,
    Ownership, Posture, ShownFact, Tristate, User, Value, View,
};

use super::{Candidate, FactValue, Prospect};

/// A fact about a device as one source tells it, or about its record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// One that every device can have, by name.
    Known(Known),
    /// The identifiers of a kind; the kinds that devices of all sources have
    /// need no `id:` before them.
    Identifier(Box<str>),
    /// An attribute of the source.
    Attribute(Box<str>),
}

/// A fact that every device can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// The connector instance that tells of it.
    Source,
    /// Its key there.
    Key,
    /// When the source told it last.
    FetchedAt,
    /// Whether that is longer ago than the operator likes.
    Stale,
    /// What would be answered: a verdict, or `cannot-tell`.
    Verdict,
    /// The codes of the reasons for that.
    Reason,
    /// Phone, computer or what it is.
    Type,
    /// Whether it is under management.
    Enrollment,
    /// The management system's own verdict.
    Compliance,
    /// When that was computed.
    EvaluatedAt,
    /// End of the grace period.
    GraceUntil,
    /// The codes of the checks that failed.
    Failing,
    /// Whose device it is.
    Ownership,
    /// Storage is encrypted.
    DiskEncrypted,
    /// A screen lock is set.
    ScreenLock,
    /// The operating system's protection was removed.
    Jailbroken,
    /// A firewall is on.
    Firewall,
    /// Protection against malware is on.
    Antivirus,
    /// The boot chain is verified.
    SecureBoot,
    /// The user's identifier within the source.
    UserId,
    /// The user's principal name.
    UserPrincipalName,
    /// The user's name for people.
    UserDisplayName,
    /// The user's groups.
    UserGroups,
    /// The family of the operating system.
    OsFamily,
    /// Its version.
    OsVersion,
    /// Its build.
    OsBuild,
    /// Its patch level.
    OsPatchLevel,
    /// Who made the device.
    Manufacturer,
    /// The model.
    Model,
    /// What its owner calls it.
    Name,
    /// When it came under management.
    EnrolledAt,
    /// Its last contact with the source.
    LastSeen,
}

/// What values a fact can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Boolean,
    Moment,
    Words(Words),
    Mac,
    /// Whatever the source says.
    Any,
}

/// A closed set of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    Verdicts,
    Types,
    Enrollments,
    States,
    Ownerships,
}

impl Words {
    pub(super) fn list(self) -> Vec<&'static str> {
        match self {
            Self::Verdicts => VERDICTS.to_vec(),
            Self::Types => DeviceType::ALL.map(DeviceType::as_str).to_vec(),
            Self::Enrollments => Enrollment::ALL.map(Enrollment::as_str).to_vec(),
            Self::States => ComplianceState::ALL.map(ComplianceState::as_str).to_vec(),
            Self::Ownerships => Ownership::ALL.map(Ownership::as_str).to_vec(),
        }
    }
}

const CANNOT_TELL: &str = "cannot-tell";
const VERDICTS: [&str; 4] = ["permit", "restrict", "deny", CANNOT_TELL];

/// All names, in the order of tables.
const KNOWN: [(&str, Known, Kind); 32] = [
    ("source", Known::Source, Kind::Text),
    ("key", Known::Key, Kind::Text),
    ("name", Known::Name, Kind::Text),
    ("type", Known::Type, Kind::Words(Words::Types)),
    ("verdict", Known::Verdict, Kind::Words(Words::Verdicts)),
    ("reason", Known::Reason, Kind::Text),
    (
        "enrollment",
        Known::Enrollment,
        Kind::Words(Words::Enrollments),
    ),
    ("compliance", Known::Compliance, Kind::Words(Words::States)),
    ("compliance.evaluated-at", Known::EvaluatedAt, Kind::Moment),
    ("compliance.grace-until", Known::GraceUntil, Kind::Moment),
    ("compliance.failing", Known::Failing, Kind::Text),
    (
        "ownership",
        Known::Ownership,
        Kind::Words(Words::Ownerships),
    ),
    ("os.family", Known::OsFamily, Kind::Text),
    ("os.version", Known::OsVersion, Kind::Text),
    ("os.build", Known::OsBuild, Kind::Text),
    ("os.patch-level", Known::OsPatchLevel, Kind::Text),
    ("manufacturer", Known::Manufacturer, Kind::Text),
    ("model", Known::Model, Kind::Text),
    ("user.id", Known::UserId, Kind::Text),
    ("user.principal-name", Known::UserPrincipalName, Kind::Text),
    ("user.display-name", Known::UserDisplayName, Kind::Text),
    ("user.groups", Known::UserGroups, Kind::Text),
    (
        "posture.disk-encrypted",
        Known::DiskEncrypted,
        Kind::Boolean,
    ),
    ("posture.screen-lock", Known::ScreenLock, Kind::Boolean),
    ("posture.jailbroken", Known::Jailbroken, Kind::Boolean),
    ("posture.firewall", Known::Firewall, Kind::Boolean),
    ("posture.antivirus", Known::Antivirus, Kind::Boolean),
    ("posture.secure-boot", Known::SecureBoot, Kind::Boolean),
    ("enrolled-at", Known::EnrolledAt, Kind::Moment),
    ("last-seen", Known::LastSeen, Kind::Moment),
    ("fetched-at", Known::FetchedAt, Kind::Moment),
    ("stale", Known::Stale, Kind::Boolean),
];

/// Kinds of identifiers that need no `id:` before them.
const IDENTIFIERS: [&str; 7] = ["guid", "udid", "serial", "imei", "meid", "mac", "hostname"];

/// The text names no fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is no fact; expected `attribute:NAME`, `id:KIND` or one of {}",
    listed()
)]
pub struct UnknownFact {
    name: String,
}

fn listed() -> String {
    let known = KNOWN.iter().map(|(name, _, _)| *name);
    let names = known.chain(IDENTIFIERS).map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

impl FromStr for Fact {
    type Err = UnknownFact;

    fn from_str(text: &str) -> Result<Self, UnknownFact> {
        if let Some((_, known, _)) = KNOWN.iter().find(|(name, _, _)| *name == text) {
            return Ok(Self::Known(*known));
        }
        if IDENTIFIERS.contains(&text) {
            return Ok(Self::Identifier(text.into()));
        }
        match text.split_once(':') {
            Some(("id", kind)) if !kind.is_empty() => Ok(Self::Identifier(kind.into())),
            Some(("attribute", name)) if !name.is_empty() => Ok(Self::Attribute(name.into())),
            _ => Err(UnknownFact {
                name: text.chars().take(64).collect(),
            }),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => formatter.write_str(known.entry().0),
            Self::Identifier(kind) if IDENTIFIERS.contains(&&**kind) => formatter.write_str(kind),
            Self::Identifier(kind) => write!(formatter, "id:{kind}"),
            Self::Attribute(name) => write!(formatter, "attribute:{name}"),
        }
    }
}

impl Known {
    fn entry(self) -> (&'static str, Self, Kind) {
        let entry = KNOWN.into_iter().find(|(_, known, _)| *known == self);
        entry.unwrap_or(("", self, Kind::Any))
    }
}

impl Fact {
    /// All facts but attributes and rare identifiers, in the order of tables.
    pub fn common() -> impl Iterator<Item = Self> {
        let known = KNOWN.into_iter().map(|(_, known, _)| Self::Known(known));
        let identifiers = IDENTIFIERS.into_iter();
        known.chain(identifiers.map(|kind| Self::Identifier(kind.into())))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Known(known) => known.entry().2,
            Self::Identifier(kind) if **kind == *"mac" => Kind::Mac,
            Self::Identifier(_) => Kind::Text,
            Self::Attribute(_) => Kind::Any,
        }
    }

    /// Whether it is about what would be answered, which somebody has to find
    /// out first.
    pub fn is_prospect(&self) -> bool {
        matches!(self, Self::Known(Known::Verdict | Known::Reason))
    }

    /// Whether an asker is shown it.
    pub fn is_shown(&self, view: &View) -> bool {
        let shown = match self {
            Self::Identifier(_) => ShownFact::Identifiers,
            Self::Attribute(name) => ShownFact::Attribute(name.to_string()),
            Self::Known(known) => match known {
                Known::Key => ShownFact::Identifiers,
                Known::Ownership => ShownFact::Ownership,
                Known::DiskEncrypted
                | Known::ScreenLock
                | Known::Jailbroken
                | Known::Firewall
                | Known::Antivirus
                | Known::SecureBoot => ShownFact::Posture,
                Known::UserId
                | Known::UserPrincipalName
                | Known::UserDisplayName
                | Known::UserGroups => ShownFact::User,
                Known::Type
                | Known::OsFamily
                | Known::OsVersion
                | Known::OsBuild
                | Known::OsPatchLevel => ShownFact::System,
                Known::Manufacturer => ShownFact::Manufacturer,
                Known::Model => ShownFact::Model,
                Known::Name => ShownFact::Name,
                Known::EnrolledAt => ShownFact::EnrolledAt,
                Known::LastSeen => ShownFact::LastSeen,
                // What every answer is about, and where it comes from.
                Known::Source
                | Known::FetchedAt
                | Known::Stale
                | Known::Verdict
                | Known::Reason
                | Known::Enrollment
                | Known::Compliance
                | Known::EvaluatedAt
                | Known::GraceUntil
                | Known::Failing => return true,
            },
        };
        view.shows(&shown)
    }

    /// Its value; `None` while nobody has looked what would be answered.
    pub fn of<'a>(&self, candidate: &Candidate<'a>) -> Option<FactValue<'a>> {
        Some(match self {
            Self::Known(known) => return known.of(candidate),
            Self::Identifier(kind) => identifiers(candidate.device, kind),
            Self::Attribute(name) => candidate
                .device
                .attribute(name)
                .map_or(FactValue::Absent, attribute),
        })
    }
}

impl Known {
    fn of<'a>(self, candidate: &Candidate<'a>) -> Option<FactValue<'a>> {
        let device = candidate.device;
        let posture = device.posture;
        let user = |part: fn(&User) -> Option<&str>| text(device.user.as_ref().and_then(part));
        let os =
            |part: fn(&OperatingSystem) -> Option<&str>| text(device.os.as_ref().and_then(part));
        Some(match self {
            Self::Source => text(Some(candidate.source)),
            Self::Key => text(Some(&device.key)),
            Self::FetchedAt => FactValue::Moment(candidate.fetched_at),
            Self::Stale => FactValue::Boolean(candidate.is_stale),
            Self::Verdict | Self::Reason => return self.of_prospect(candidate.prospect),
            Self::Type => text(Some(DeviceType::of(device.os.as_ref()).as_str())),
            Self::Enrollment => text(Some(device.enrollment.as_str())),
            Self::Compliance => text(Some(device.compliance.state.as_str())),
            Self::EvaluatedAt => moment(device.compliance.evaluated_at),
            Self::GraceUntil => moment(device.compliance.grace_until),
            Self::Failing => texts(device.compliance.failing.iter().map(|check| &*check.code)),
            Self::Ownership => text(Some(device.ownership.as_str())),
            Self::DiskEncrypted => tristate(posture, |it| it.disk_encrypted),
            Self::ScreenLock => tristate(posture, |it| it.screen_lock),
            Self::Jailbroken => tristate(posture, |it| it.jailbroken),
            Self::Firewall => tristate(posture, |it| it.firewall),
            Self::Antivirus => tristate(posture, |it| it.antivirus),
            Self::SecureBoot => tristate(posture, |it| it.secure_boot),
            Self::UserId => user(|user| user.id.as_deref()),
            Self::UserPrincipalName => user(|user| user.principal_name.as_deref()),
            Self::UserDisplayName => user(|user| user.display_name.as_deref()),
            Self::UserGroups => {
                let groups = device.user.iter().flat_map(|user| &user.groups);
                texts(groups.map(String::as_str))
            }
            Self::OsFamily => os(|os| Some(&os.family)),
            Self::OsVersion => os(|os| os.version.as_deref()),
            Self::OsBuild => os(|os| os.build.as_deref()),
            Self::OsPatchLevel => os(|os| os.patch_level.as_deref()),
            Self::Manufacturer => text(device.manufacturer.as_deref()),
            Self::Model => text(device.model.as_deref()),
            Self::Name => text(device.name.as_deref()),
            Self::EnrolledAt => moment(device.enrolled_at),
            Self::LastSeen => moment(device.last_seen),
        })
    }

    fn of_prospect(self, prospect: Prospect<'_>) -> Option<FactValue<'_>> {
        let outcome = match prospect {
            Prospect::Open => return None,
            Prospect::Unasked => return Some(FactValue::Absent),
            Prospect::Outcome(outcome) => outcome,
        };
        Some(match (self, outcome) {
            (Self::Verdict, Outcome::Decided(decision)) => text(Some(decision.verdict.as_str())),
            (Self::Verdict, Outcome::CannotTell(_)) => text(Some(CANNOT_TELL)),
            (_, Outcome::Decided(decision)) => {
                texts(decision.reasons.iter().map(|reason| &*reason.code))
            }
            (_, Outcome::CannotTell(_)) => FactValue::Absent,
        })
    }
}

fn text(text: Option<&str>) -> FactValue<'_> {
    match text {
        Some(text) if !text.is_empty() => FactValue::Text(Cow::Borrowed(text)),
        _ => FactValue::Absent,
    }
}

fn texts<'a>(all: impl Iterator<Item = &'a str>) -> FactValue<'a> {
    let all: Vec<Cow<'a, str>> = all.map(Cow::Borrowed).collect();
    if all.is_empty() {
        FactValue::Absent
    } else {
        FactValue::Texts(all)
    }
}

fn moment<'a>(at: Option<portreeve_domain::Timestamp>) -> FactValue<'a> {
    at.map_or(FactValue::Absent, FactValue::Moment)
}

fn tristate<'a>(posture: Posture, part: fn(Posture) -> Tristate) -> FactValue<'a> {
    match part(posture) {
        Tristate::Unknown => FactValue::Absent,
        Tristate::No => FactValue::Boolean(false),
        Tristate::Yes => FactValue::Boolean(true),
    }
}

fn identifiers<'a>(device: &'a Device, kind: &str) -> FactValue<'a> {
    let of_kind = device.ids.iter().filter(|id| id.kind() == kind);
    let values = of_kind.map(|id| match id {
        Identifier::Mac(_) | Identifier::Guid(_) => Cow::Owned(id.value()),
        Identifier::Serial(value)
        | Identifier::Imei(value)
        | Identifier::Meid(value)
        | Identifier::Udid(value)
        | Identifier::Hostname(value)
        | Identifier::User(value)
        | Identifier::Other { value, .. } => Cow::Borrowed(&**value),
    });
    let values: Vec<Cow<'a, str>> = values.collect();
    if values.is_empty() {
        FactValue::Absent
    } else {
        FactValue::Texts(values)
    }
}

fn attribute(value: &Value) -> FactValue<'_> {
    match value {
        Value::Boolean(value) => FactValue::Boolean(*value),
        Value::Integer(number) => FactValue::Integer(*number),
        Value::Text(value) => text(Some(value)),
        Value::Timestamp(at) => FactValue::Moment(*at),
        Value::Texts(values) => texts(values.iter().map(String::as_str)),
    }
}
