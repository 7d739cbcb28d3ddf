//! A device record as JSON.

use portreeve_domain::{
    Attribute, Compliance, ComplianceState, Device, Enrollment, Identifier, OperatingSystem,
    Ownership, Posture, Tristate, User, Value,
};
use serde::ser::{SerializeMap as _, SerializeSeq as _, SerializeStruct as _};
use serde::{Serialize, Serializer};

use crate::text::Rfc3339;

/// What a source says about a device.
#[derive(Debug)]
pub(super) struct DeviceView<'a>(pub(super) &'a Device);

impl Serialize for DeviceView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let device = self.0;
        let mut object = serializer.serialize_struct("Device", 14)?;
        object.serialize_field("key", &device.key)?;
        object.serialize_field("identifiers", &Identifiers(&device.ids))?;
        object.serialize_field("enrollment", enrollment(device.enrollment))?;
        object.serialize_field("compliance", &ComplianceView(&device.compliance))?;
        object.serialize_field("ownership", ownership(device.ownership))?;
        object.serialize_field("posture", &PostureView(device.posture))?;
        object.serialize_field("user", &device.user.as_ref().map(UserView))?;
        object.serialize_field("os", &device.os.as_ref().map(SystemView))?;
        object.serialize_field("manufacturer", &device.manufacturer)?;
        object.serialize_field("model", &device.model)?;
        object.serialize_field("name", &device.name)?;
        object.serialize_field("enrolled_at", &device.enrolled_at.map(Rfc3339))?;
        object.serialize_field("last_seen", &device.last_seen.map(Rfc3339))?;
        object.serialize_field("attributes", &Attributes(&device.attributes))?;
        object.end()
    }
}

#[derive(Debug)]
struct Identifiers<'a>(&'a [Identifier]);

impl Serialize for Identifiers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(IdentifierView))
    }
}

#[derive(Debug)]
struct IdentifierView<'a>(&'a Identifier);

impl Serialize for IdentifierView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Identifier", 2)?;
        object.serialize_field("kind", self.0.kind())?;
        match self.0 {
            Identifier::Mac(mac) => object.serialize_field("value", &Shown(mac))?,
            Identifier::Guid(guid) => object.serialize_field("value", &Shown(guid))?,
            Identifier::Serial(value)
            | Identifier::Imei(value)
            | Identifier::Meid(value)
            | Identifier::Udid(value)
            | Identifier::Hostname(value)
            | Identifier::User(value)
            | Identifier::Other { value, .. } => object.serialize_field("value", &**value)?,
        }
        object.end()
    }
}

#[derive(Debug)]
struct Shown<'a, T>(&'a T);

impl<T: std::fmt::Display> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

const fn enrollment(enrollment: Enrollment) -> &'static str {
    match enrollment {
        Enrollment::Unknown => "unknown",
        Enrollment::NotEnrolled => "not-enrolled",
        Enrollment::Pending => "pending",
        Enrollment::Enrolled => "enrolled",
        Enrollment::Retired => "retired",
    }
}

const fn ownership(ownership: Ownership) -> &'static str {
    match ownership {
        Ownership::Unknown => "unknown",
        Ownership::Corporate => "corporate",
        Ownership::Personal => "personal",
        Ownership::Shared => "shared",
    }
}

const fn state(state: ComplianceState) -> &'static str {
    match state {
        ComplianceState::Unknown => "unknown",
        ComplianceState::Compliant => "compliant",
        ComplianceState::NonCompliant => "non-compliant",
        ComplianceState::InGracePeriod => "in-grace-period",
        ComplianceState::NotEvaluated => "not-evaluated",
        ComplianceState::Conflict => "conflict",
        ComplianceState::Failed => "failed",
    }
}

#[derive(Debug)]
struct ComplianceView<'a>(&'a Compliance);

impl Serialize for ComplianceView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Check<'a> {
            code: &'a str,
            message: Option<&'a str>,
        }
        struct Checks<'a>(&'a Compliance);
        impl Serialize for Checks<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut list = serializer.serialize_seq(Some(self.0.failing.len()))?;
                for check in &self.0.failing {
                    let code = &check.code;
                    let message = check.message.as_deref();
                    list.serialize_element(&Check { code, message })?;
                }
                list.end()
            }
        }

        let mut object = serializer.serialize_struct("Compliance", 4)?;
        object.serialize_field("state", state(self.0.state))?;
        object.serialize_field("evaluated_at", &self.0.evaluated_at.map(Rfc3339))?;
        object.serialize_field("grace_until", &self.0.grace_until.map(Rfc3339))?;
        object.serialize_field("failing", &Checks(self.0))?;
        object.end()
    }
}

/// Yes, no, or `null` when the source does not say.
const fn yes_or_no(value: Tristate) -> Option<bool> {
    match value {
        Tristate::Unknown => None,
        Tristate::No => Some(false),
        Tristate::Yes => Some(true),
    }
}

#[derive(Debug)]
struct PostureView(Posture);

impl Serialize for PostureView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let posture = self.0;
        let mut object = serializer.serialize_struct("Posture", 6)?;
        object.serialize_field("disk_encrypted", &yes_or_no(posture.disk_encrypted))?;
        object.serialize_field("screen_lock", &yes_or_no(posture.screen_lock))?;
        object.serialize_field("jailbroken", &yes_or_no(posture.jailbroken))?;
        object.serialize_field("firewall", &yes_or_no(posture.firewall))?;
        object.serialize_field("antivirus", &yes_or_no(posture.antivirus))?;
        object.serialize_field("secure_boot", &yes_or_no(posture.secure_boot))?;
        object.end()
    }
}

#[derive(Debug)]
struct UserView<'a>(&'a User);

impl Serialize for UserView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("User", 4)?;
        object.serialize_field("id", &self.0.id)?;
        object.serialize_field("principal_name", &self.0.principal_name)?;
        object.serialize_field("display_name", &self.0.display_name)?;
        object.serialize_field("groups", &self.0.groups)?;
        object.end()
    }
}

#[derive(Debug)]
struct SystemView<'a>(&'a OperatingSystem);

impl Serialize for SystemView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("OperatingSystem", 4)?;
        object.serialize_field("family", &self.0.family)?;
        object.serialize_field("version", &self.0.version)?;
        object.serialize_field("build", &self.0.build)?;
        object.serialize_field("patch_level", &self.0.patch_level)?;
        object.end()
    }
}

#[derive(Debug)]
struct Attributes<'a>(&'a [Attribute]);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for attribute in self.0 {
            match &attribute.value {
                Value::Boolean(value) => object.serialize_entry(&attribute.name, value)?,
                Value::Integer(value) => object.serialize_entry(&attribute.name, value)?,
                Value::Text(value) => object.serialize_entry(&attribute.name, value)?,
                Value::Timestamp(value) => {
                    object.serialize_entry(&attribute.name, &Rfc3339(*value))?;
                }
                Value::Texts(value) => object.serialize_entry(&attribute.name, value)?,
            }
        }
        object.end()
    }
}
