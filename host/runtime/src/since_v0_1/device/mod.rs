//! Devices: the domain's words for what a connector says, and the other way
//! round for policies.

use portreeve_domain as domain;
use portreeve_domain::{Device, Identifier, Timestamp};
use tracing::Level;

use super::bindings::connector::portreeve::device::types as wit;
use crate::error::CallError;
use crate::plugin_log::PluginLog;

// A record beyond these bounds is refused as a whole: one that was cut might
// lack the very fact that a policy denies for.
const MOST_IDS: usize = 256;
const MOST_ATTRIBUTES: usize = 1024;
const MOST_CHECKS: usize = 512;
const MOST_TEXTS: usize = 4096;
const LONGEST_NAME: usize = 256;
const RECORD_BYTES: usize = 256 << 10;

/// A device as the domain knows it.
///
/// An identifier that is none is left out and logged: a look-up by it could not
/// come out here anyway, and the others still name the device.
pub(super) fn device_from_wit(device: wit::Device, log: &PluginLog) -> Result<Device, CallError> {
    check_size(&device)?;
    let ids = device.ids.into_iter().filter_map(|id| {
        id_from_wit(&id)
            .inspect_err(|error| {
                let error = error.to_string();
                log.write(
                    Level::WARN,
                    "identifier left out",
                    [("error", error.as_str())],
                );
            })
            .ok()
    });
    let compliance = device.compliance;
    Ok(Device {
        key: device.key,
        ids: ids.collect(),
        enrollment: enrollment_from_wit(device.enrollment),
        compliance: domain::Compliance {
            state: state_from_wit(compliance.state),
            evaluated_at: compliance.evaluated_at.map(Timestamp::from_millis),
            grace_until: compliance.grace_until.map(Timestamp::from_millis),
            failing: compliance
                .failing
                .into_iter()
                .map(|check| domain::FailingCheck {
                    code: check.code,
                    message: check.message,
                })
                .collect(),
        },
        ownership: ownership_from_wit(device.ownership),
        posture: domain::Posture {
            disk_encrypted: tristate_from_wit(device.posture.disk_encrypted),
            screen_lock: tristate_from_wit(device.posture.screen_lock),
            jailbroken: tristate_from_wit(device.posture.jailbroken),
            firewall: tristate_from_wit(device.posture.firewall),
            antivirus: tristate_from_wit(device.posture.antivirus),
            secure_boot: tristate_from_wit(device.posture.secure_boot),
        },
        user: device.user.map(|user| domain::User {
            id: user.id,
            principal_name: user.principal_name,
            display_name: user.display_name,
            groups: user.groups,
        }),
        os: device.os.map(|os| domain::OperatingSystem {
            family: os.family,
            version: os.version,
            build: os.build,
            patch_level: os.patch_level,
        }),
        manufacturer: device.manufacturer,
        model: device.model,
        name: device.name,
        enrolled_at: device.enrolled_at.map(Timestamp::from_millis),
        last_seen: device.last_seen.map(Timestamp::from_millis),
        attributes: device
            .attributes
            .into_iter()
            .map(|attribute| domain::Attribute {
                name: attribute.name,
                value: value_from_wit(attribute.value),
            })
            .collect(),
    })
}

fn check_size(device: &wit::Device) -> Result<(), CallError> {
    let over = |what: &str| Err(CallError::LimitHit(format!("a device record has {what}")));
    if device.key.is_empty() {
        return Err(CallError::BadResponse(
            "a device record has no key".to_owned(),
        ));
    }
    if device.ids.len() > MOST_IDS {
        return over("too many identifiers");
    }
    if device.attributes.len() > MOST_ATTRIBUTES {
        return over("too many attributes");
    }
    if device.compliance.failing.len() > MOST_CHECKS {
        return over("too many failing checks");
    }
    let names = device
        .attributes
        .iter()
        .map(|attribute| attribute.name.len());
    if names.max().unwrap_or(0) > LONGEST_NAME {
        return over("an attribute with too long a name");
    }
    let groups = device.user.iter().map(|user| user.groups.len());
    let texts = device
        .attributes
        .iter()
        .map(|attribute| match &attribute.value {
            wit::Value::Texts(texts) => texts.len(),
            _ => 0,
        });
    if groups.chain(texts).sum::<usize>() > MOST_TEXTS {
        return over("too many texts");
    }
    if text_bytes(device) > RECORD_BYTES {
        return over("too much text");
    }
    Ok(())
}

fn text_bytes(device: &wit::Device) -> usize {
    fn of(text: Option<&String>) -> usize {
        text.map_or(0, String::len)
    }
    let ids = device.ids.iter().map(|id| match id {
        wit::DeviceId::Mac(text)
        | wit::DeviceId::Guid(text)
        | wit::DeviceId::Serial(text)
        | wit::DeviceId::Imei(text)
        | wit::DeviceId::Meid(text)
        | wit::DeviceId::Udid(text)
        | wit::DeviceId::Hostname(text)
        | wit::DeviceId::User(text) => text.len(),
        wit::DeviceId::Other(named) => named.kind.len() + named.value.len(),
    });
    let attributes = device.attributes.iter().map(|attribute| {
        let value = match &attribute.value {
            wit::Value::Text(text) => text.len(),
            wit::Value::Texts(texts) => texts.iter().map(String::len).sum(),
            wit::Value::Boolean(_) | wit::Value::Integer(_) | wit::Value::Timestamp(_) => 0,
        };
        attribute.name.len() + value
    });
    let failing = device.compliance.failing.iter();
    let checks = failing.map(|check| check.code.len() + of(check.message.as_ref()));
    let user = device.user.iter().map(|user| {
        let names = [&user.id, &user.principal_name, &user.display_name];
        let names: usize = names.into_iter().map(|name| of(name.as_ref())).sum();
        names + user.groups.iter().map(String::len).sum::<usize>()
    });
    let os = device.os.iter().map(|os| {
        let more = [&os.version, &os.build, &os.patch_level];
        let more: usize = more.into_iter().map(|text| of(text.as_ref())).sum();
        os.family.len() + more
    });
    let plain = [&device.manufacturer, &device.model, &device.name];
    let plain = plain.into_iter().map(|text| of(text.as_ref()));
    let all = ids.chain(attributes).chain(checks).chain(user).chain(os);
    device.key.len() + all.chain(plain).sum::<usize>()
}

pub(super) fn id_from_wit(id: &wit::DeviceId) -> Result<Identifier, domain::IdentifierError> {
    let (kind, value) = match id {
        wit::DeviceId::Mac(value) => ("mac", value),
        wit::DeviceId::Guid(value) => ("guid", value),
        wit::DeviceId::Serial(value) => ("serial", value),
        wit::DeviceId::Imei(value) => ("imei", value),
        wit::DeviceId::Meid(value) => ("meid", value),
        wit::DeviceId::Udid(value) => ("udid", value),
        wit::DeviceId::Hostname(value) => ("hostname", value),
        wit::DeviceId::User(value) => ("user", value),
        wit::DeviceId::Other(named) => (named.kind.as_str(), &named.value),
    };
    Identifier::of_kind(kind, value)
}

pub(super) fn id_to_wit(id: &Identifier) -> wit::DeviceId {
    match id {
        Identifier::Mac(mac) => wit::DeviceId::Mac(mac.to_string()),
        Identifier::Guid(guid) => wit::DeviceId::Guid(guid.to_string()),
        Identifier::Serial(value) => wit::DeviceId::Serial(value.to_string()),
        Identifier::Imei(value) => wit::DeviceId::Imei(value.to_string()),
        Identifier::Meid(value) => wit::DeviceId::Meid(value.to_string()),
        Identifier::Udid(value) => wit::DeviceId::Udid(value.to_string()),
        Identifier::Hostname(value) => wit::DeviceId::Hostname(value.to_string()),
        Identifier::User(value) => wit::DeviceId::User(value.to_string()),
        Identifier::Other { kind, value } => wit::DeviceId::Other(wit::NamedId {
            kind: kind.to_string(),
            value: value.to_string(),
        }),
    }
}

fn value_from_wit(value: wit::Value) -> domain::Value {
    match value {
        wit::Value::Boolean(value) => domain::Value::Boolean(value),
        wit::Value::Integer(value) => domain::Value::Integer(value),
        wit::Value::Text(value) => domain::Value::Text(value),
        wit::Value::Timestamp(value) => domain::Value::Timestamp(Timestamp::from_millis(value)),
        wit::Value::Texts(values) => domain::Value::Texts(values),
    }
}

pub(super) fn value_to_wit(value: &domain::Value) -> wit::Value {
    match value {
        domain::Value::Boolean(value) => wit::Value::Boolean(*value),
        domain::Value::Integer(value) => wit::Value::Integer(*value),
        domain::Value::Text(value) => wit::Value::Text(value.clone()),
        domain::Value::Timestamp(value) => wit::Value::Timestamp(value.as_millis()),
        domain::Value::Texts(values) => wit::Value::Texts(values.clone()),
    }
}

/// Writes both directions between two enums with the same cases, so that a
/// case that is added to one does not compile until it is in the other.
macro_rules! same_cases {
    ($from_wit:ident, $to_wit:ident, $name:ident { $($case:ident),+ $(,)? }) => {
        fn $from_wit(value: wit::$name) -> domain::$name {
            match value { $(wit::$name::$case => domain::$name::$case),+ }
        }

        pub(super) fn $to_wit(value: domain::$name) -> wit::$name {
            match value { $(domain::$name::$case => wit::$name::$case),+ }
        }
    };
}

same_cases!(
    tristate_from_wit,
    tristate_to_wit,
    Tristate { Unknown, No, Yes }
);
same_cases!(
    enrollment_from_wit,
    enrollment_to_wit,
    Enrollment {
        Unknown,
        NotEnrolled,
        Pending,
        Enrolled,
        Retired
    }
);
same_cases!(
    ownership_from_wit,
    ownership_to_wit,
    Ownership {
        Unknown,
        Corporate,
        Personal,
        Shared
    }
);
same_cases!(
    state_from_wit,
    state_to_wit,
    ComplianceState {
        Unknown,
        Compliant,
        NonCompliant,
        InGracePeriod,
        NotEvaluated,
        Conflict,
        Failed,
    }
);

pub(super) fn compliance_to_wit(compliance: &domain::Compliance) -> wit::Compliance {
    let failing = compliance.failing.iter().map(|check| wit::FailingCheck {
        code: check.code.clone(),
        message: check.message.clone(),
    });
    wit::Compliance {
        state: state_to_wit(compliance.state),
        evaluated_at: compliance.evaluated_at.map(Timestamp::as_millis),
        grace_until: compliance.grace_until.map(Timestamp::as_millis),
        failing: failing.collect(),
    }
}

pub(super) fn posture_to_wit(posture: domain::Posture) -> wit::Posture {
    wit::Posture {
        disk_encrypted: tristate_to_wit(posture.disk_encrypted),
        screen_lock: tristate_to_wit(posture.screen_lock),
        jailbroken: tristate_to_wit(posture.jailbroken),
        firewall: tristate_to_wit(posture.firewall),
        antivirus: tristate_to_wit(posture.antivirus),
        secure_boot: tristate_to_wit(posture.secure_boot),
    }
}

pub(super) fn user_to_wit(user: &domain::User) -> wit::User {
    wit::User {
        id: user.id.clone(),
        principal_name: user.principal_name.clone(),
        display_name: user.display_name.clone(),
        groups: user.groups.clone(),
    }
}

pub(super) fn os_to_wit(os: &domain::OperatingSystem) -> wit::OperatingSystem {
    wit::OperatingSystem {
        family: os.family.clone(),
        version: os.version.clone(),
        build: os.build.clone(),
        patch_level: os.patch_level.clone(),
    }
}

#[cfg(test)]
pub(super) mod tests;
