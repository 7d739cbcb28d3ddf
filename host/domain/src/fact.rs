//! Which facts a policy read, and whether they are still the same.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{BuildHasher, Hash};

use crate::{Subject, Value};

/// One thing a policy can ask a subject about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// The time of the request.
    Now,
    /// The connection that is being judged.
    Connection,
    /// The identifiers in the request.
    RequestedIdentifiers,
    /// Why there is no device record.
    Absence,
    /// The sources and what asking them came to.
    Sources,
    /// The identifiers of the device.
    Identifiers,
    /// Whether it is under management.
    Enrollment,
    /// The management system's own verdict.
    Compliance,
    /// Encryption, jailbreak and the like.
    Posture,
    /// Whose device it is.
    Ownership,
    /// What it runs.
    OperatingSystem,
    /// Its primary user.
    User,
    /// Its last contact with the source.
    LastSeen,
    /// An attribute by name.
    Attribute(Box<str>),
    /// The names of all attributes with a prefix.
    AttributeNames(Box<str>),
    /// Whether a member is in one of the operator's lists.
    ListMembership {
        /// The list.
        list: Box<str>,
        /// The member that was asked for.
        member: Box<str>,
    },
}

impl Fact {
    /// A digest of the fact's present value in `subject`.
    ///
    /// Keyed by `hasher`, so that nobody who names a device can aim at a
    /// collision. [`Fact::Now`] has a constant digest: how long a decision may
    /// be reused as time goes by is what its validity says.
    pub fn digest(&self, subject: &Subject, hasher: &impl BuildHasher) -> u64 {
        let device = subject.device();
        match self {
            Self::Now => 0,
            Self::Connection => hasher.hash_one(&*subject.connection),
            Self::RequestedIdentifiers => hasher.hash_one(&*subject.requested),
            Self::Absence => hasher.hash_one(subject.absence()),
            Self::Sources => hasher.hash_one(&subject.sources),
            Self::Identifiers => hasher.hash_one(device.map(|device| &device.ids)),
            Self::Enrollment => hasher.hash_one(device.map(|device| device.enrollment)),
            Self::Compliance => hasher.hash_one(device.map(|device| &device.compliance)),
            Self::Posture => hasher.hash_one(device.map(|device| device.posture)),
            Self::Ownership => hasher.hash_one(device.map(|device| device.ownership)),
            Self::OperatingSystem => hasher.hash_one(device.map(|device| &device.os)),
            Self::User => hasher.hash_one(device.map(|device| &device.user)),
            Self::LastSeen => hasher.hash_one(device.map(|device| device.last_seen)),
            Self::Attribute(name) => {
                let value: Option<&Value> = device.and_then(|device| device.attribute(name));
                hasher.hash_one(value)
            }
            Self::AttributeNames(prefix) => {
                let names = device.into_iter().flat_map(|device| &device.attributes);
                let names: Vec<&str> = names
                    .map(|attribute| attribute.name.as_str())
                    .filter(|name| name.starts_with(&**prefix))
                    .collect();
                hasher.hash_one(names)
            }
            Self::ListMembership { list, member } => {
                hasher.hash_one(subject.lists.contains(list, member))
            }
        }
    }

    /// Whether the fact comes from the device record alone, so cannot change
    /// while the record is the same.
    pub const fn belongs_to_device(&self) -> bool {
        matches!(
            self,
            Self::Absence
                | Self::Identifiers
                | Self::Enrollment
                | Self::Compliance
                | Self::Posture
                | Self::Ownership
                | Self::OperatingSystem
                | Self::User
                | Self::LastSeen
                | Self::Attribute(_)
                | Self::AttributeNames(_)
        )
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => formatter.write_str("now"),
            Self::Connection => formatter.write_str("connection"),
            Self::RequestedIdentifiers => formatter.write_str("requested-ids"),
            Self::Absence => formatter.write_str("absence"),
            Self::Sources => formatter.write_str("sources"),
            Self::Identifiers => formatter.write_str("ids"),
            Self::Enrollment => formatter.write_str("enrollment"),
            Self::Compliance => formatter.write_str("compliance"),
            Self::Posture => formatter.write_str("posture"),
            Self::Ownership => formatter.write_str("ownership"),
            Self::OperatingSystem => formatter.write_str("os"),
            Self::User => formatter.write_str("user"),
            Self::LastSeen => formatter.write_str("last-seen"),
            Self::Attribute(name) => write!(formatter, "attribute({name})"),
            Self::AttributeNames(prefix) => write!(formatter, "attribute-names({prefix})"),
            Self::ListMembership { list, member } => write!(formatter, "in-list({list}, {member})"),
        }
    }
}

/// The facts that one decision rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FactsRead(BTreeSet<Fact>);

impl FactsRead {
    /// Notes that a fact was read.
    pub fn note(&mut self, fact: Fact) {
        self.0.insert(fact);
    }

    /// Adds what another policy of the chain read.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The facts, in a stable order.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.0.iter()
    }

    /// Whether this fact was read.
    pub fn contains(&self, fact: &Fact) -> bool {
        self.0.contains(fact)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;
    use std::sync::Arc;

    use super::*;
    use crate::{Device, Finding, Posture, Timestamp, Tristate};

    fn subject(device: Device) -> Subject {
        Subject {
            now: Timestamp::from_millis(1),
            connection: Arc::default(),
            requested: Arc::new([]),
            finding: Finding::Device(Arc::new(device)),
            sources: Vec::new(),
            lists: Arc::default(),
        }
    }

    #[test]
    fn only_the_changed_fact_has_another_digest() {
        let hasher = RandomState::new();
        let before = subject(Device::default());
        let posture = Posture {
            disk_encrypted: Tristate::Yes,
            ..Posture::default()
        };
        let after = subject(Device {
            posture,
            ..Device::default()
        });
        for fact in [Fact::Compliance, Fact::User, Fact::Attribute("x.y".into())] {
            assert_eq!(
                fact.digest(&before, &hasher),
                fact.digest(&after, &hasher),
                "{fact}"
            );
        }
        let fact = Fact::Posture;
        assert_ne!(fact.digest(&before, &hasher), fact.digest(&after, &hasher));
    }

    #[test]
    fn no_record_is_not_an_empty_record() {
        let hasher = RandomState::new();
        let known = subject(Device::default());
        let mut absent = known.clone();
        absent.finding = Finding::Absent(crate::Absence::SourcesUnavailable);
        for fact in [Fact::Compliance, Fact::Absence, Fact::Enrollment] {
            assert_ne!(
                fact.digest(&known, &hasher),
                fact.digest(&absent, &hasher),
                "{fact}"
            );
        }
    }
}
