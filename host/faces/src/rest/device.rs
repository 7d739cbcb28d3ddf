//! A device record as JSON.

use portreeve_domain::{
    Attribute, Compliance, ComplianceState, Device, Enrollment, Identifier, OperatingSystem,
    Ownership, Posture, Tristate, User, Value,
};

use crate::json::Json;

/// Writes what a source says about a device.
pub(crate) fn write(json: &mut Json, device: &Device) {
    json.raw("{\"key\":").text(&device.key);
    json.raw(",\"identifiers\":[")
        .each(&device.ids, write_identifier);
    json.raw("],\"enrollment\":\"")
        .raw(enrollment(device.enrollment));
    json.raw("\",\"compliance\":");
    write_compliance(json, &device.compliance);
    json.raw(",\"ownership\":\"")
        .raw(ownership(device.ownership));
    json.raw("\",\"posture\":");
    write_posture(json, device.posture);
    json.raw(",\"user\":")
        .optional(device.user.as_ref(), write_user);
    json.raw(",\"os\":")
        .optional(device.os.as_ref(), write_system);
    json.raw(",\"manufacturer\":")
        .optional_text(device.manufacturer.as_deref());
    json.raw(",\"model\":")
        .optional_text(device.model.as_deref());
    json.raw(",\"name\":").optional_text(device.name.as_deref());
    json.raw(",\"enrolled_at\":")
        .optional_moment(device.enrolled_at);
    json.raw(",\"last_seen\":")
        .optional_moment(device.last_seen);
    json.raw(",\"attributes\":{")
        .each(&device.attributes, write_attribute);
    json.raw("}}");
}

fn write_identifier(json: &mut Json, identifier: &Identifier) {
    // A kind is kebab-case: nothing in it has to be escaped.
    json.raw("{\"kind\":\"")
        .raw(identifier.kind())
        .raw("\",\"value\":");
    match identifier {
        Identifier::Mac(mac) => json.mac(*mac),
        Identifier::Guid(guid) => json.guid(*guid),
        Identifier::Serial(value)
        | Identifier::Imei(value)
        | Identifier::Meid(value)
        | Identifier::Udid(value)
        | Identifier::Hostname(value)
        | Identifier::User(value)
        | Identifier::Other { value, .. } => json.text(value),
    };
    json.raw("}");
}

pub(crate) const fn enrollment(enrollment: Enrollment) -> &'static str {
    enrollment.as_str()
}

const fn ownership(ownership: Ownership) -> &'static str {
    ownership.as_str()
}

pub(crate) const fn state(state: ComplianceState) -> &'static str {
    state.as_str()
}

fn write_compliance(json: &mut Json, compliance: &Compliance) {
    json.raw("{\"state\":\"").raw(state(compliance.state));
    json.raw("\",\"evaluated_at\":")
        .optional_moment(compliance.evaluated_at);
    json.raw(",\"grace_until\":")
        .optional_moment(compliance.grace_until);
    json.raw(",\"failing\":[")
        .each(&compliance.failing, |json, check| {
            json.raw("{\"code\":").text(&check.code);
            json.raw(",\"message\":")
                .optional_text(check.message.as_deref());
            json.raw("}");
        });
    json.raw("]}");
}

fn write_posture(json: &mut Json, posture: Posture) {
    json.raw("{\"disk_encrypted\":")
        .raw(yes_or_no(posture.disk_encrypted));
    json.raw(",\"screen_lock\":")
        .raw(yes_or_no(posture.screen_lock));
    json.raw(",\"jailbroken\":")
        .raw(yes_or_no(posture.jailbroken));
    json.raw(",\"firewall\":").raw(yes_or_no(posture.firewall));
    json.raw(",\"antivirus\":")
        .raw(yes_or_no(posture.antivirus));
    json.raw(",\"secure_boot\":")
        .raw(yes_or_no(posture.secure_boot));
    json.raw("}");
}

/// Yes, no, or `null` when the source does not say.
const fn yes_or_no(value: Tristate) -> &'static str {
    match value {
        Tristate::Unknown => "null",
        Tristate::No => "false",
        Tristate::Yes => "true",
    }
}

fn write_user(json: &mut Json, user: &User) {
    json.raw("{\"id\":").optional_text(user.id.as_deref());
    json.raw(",\"principal_name\":")
        .optional_text(user.principal_name.as_deref());
    json.raw(",\"display_name\":")
        .optional_text(user.display_name.as_deref());
    json.raw(",\"groups\":").texts(&user.groups);
    json.raw("}");
}

fn write_system(json: &mut Json, system: &OperatingSystem) {
    json.raw("{\"family\":").text(&system.family);
    json.raw(",\"version\":")
        .optional_text(system.version.as_deref());
    json.raw(",\"build\":")
        .optional_text(system.build.as_deref());
    json.raw(",\"patch_level\":")
        .optional_text(system.patch_level.as_deref());
    json.raw("}");
}

fn write_attribute(json: &mut Json, attribute: &Attribute) {
    json.text(&attribute.name).raw(":");
    match &attribute.value {
        Value::Boolean(value) => json.boolean(*value),
        Value::Integer(value) => json.signed(*value),
        Value::Text(value) => json.text(value),
        Value::Timestamp(value) => json.moment(*value),
        Value::Texts(value) => json.texts(value),
    };
}
