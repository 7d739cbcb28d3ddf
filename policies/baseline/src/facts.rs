//! The facts that this policy may read.

use portreeve_plugin::device::{Compliance, DeviceId, Enrollment, OperatingSystem, Posture};
use portreeve_plugin::policy::Subject;
use portreeve_plugin::policy::facts::Absence;

/// What the policy asks its subject. Every call is noted by the host, so none
/// is made whose answer does not matter.
pub trait Facts {
    /// The time of the question, in milliseconds since the Unix epoch.
    fn now(&self) -> u64;
    /// The identifiers in the question.
    fn requested_ids(&self) -> Vec<DeviceId>;
    /// Why there is no device record.
    fn absence(&self) -> Option<Absence>;
    /// The identifiers of the device.
    fn ids(&self) -> Vec<DeviceId>;
    /// Whether the device is under management.
    fn enrollment(&self) -> Enrollment;
    /// The management system's own verdict.
    fn compliance(&self) -> Compliance;
    /// Encryption, jailbreak and the like.
    fn posture(&self) -> Posture;
    /// What the device runs.
    fn os(&self) -> Option<OperatingSystem>;
    /// Last contact with the source, in milliseconds since the Unix epoch.
    fn last_seen(&self) -> Option<u64>;
    /// Whether the member is in a list of the operator, `None` when there is no
    /// such list.
    fn in_list(&self, list: &str, member: &str) -> Option<bool>;
}

impl Facts for Subject {
    fn now(&self) -> u64 {
        Self::now(self)
    }

    fn requested_ids(&self) -> Vec<DeviceId> {
        Self::requested_ids(self)
    }

    fn absence(&self) -> Option<Absence> {
        Self::absence(self)
    }

    fn ids(&self) -> Vec<DeviceId> {
        Self::ids(self)
    }

    fn enrollment(&self) -> Enrollment {
        Self::enrollment(self)
    }

    fn compliance(&self) -> Compliance {
        Self::compliance(self)
    }

    fn posture(&self) -> Posture {
        Self::posture(self)
    }

    fn os(&self) -> Option<OperatingSystem> {
        Self::os(self)
    }

    fn last_seen(&self) -> Option<u64> {
        Self::last_seen(self)
    }

    fn in_list(&self, list: &str, member: &str) -> Option<bool> {
        Self::in_list(self, list, member)
    }
}

/// Kind and value of an identifier, as the operator writes them.
pub(crate) fn kind_and_value(id: &DeviceId) -> (&str, &str) {
    match id {
        DeviceId::Mac(value) => ("mac", value),
        DeviceId::Guid(value) => ("guid", value),
        DeviceId::Serial(value) => ("serial", value),
        DeviceId::Imei(value) => ("imei", value),
        DeviceId::Meid(value) => ("meid", value),
        DeviceId::Udid(value) => ("udid", value),
        DeviceId::Hostname(value) => ("hostname", value),
        DeviceId::User(value) => ("user", value),
        DeviceId::Other(named) => (&named.kind, &named.value),
    }
}

/// An identifier as a member of the operator's lists: MAC addresses and GUIDs
/// stand for themselves, others are written `kind:value`.
pub(crate) fn member(id: &DeviceId) -> String {
    match (id, kind_and_value(id)) {
        (DeviceId::Mac(value) | DeviceId::Guid(value), _) => value.clone(),
        (_, (kind, value)) => [kind, ":", value].concat(),
    }
}
