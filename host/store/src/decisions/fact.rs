//! The values of facts, as the log shows them.

use portreeve_domain::{
    Absence, Authentication, Compliance, ComplianceState, Connection, Enrollment, Fact, Medium,
    OperatingSystem, Ownership, Posture, SourceOutcome, SourceReport, Subject, Timestamp, Tristate,
    User, Value as Attribute,
};
use serde_json::{Value, json};

use super::time::format_time;

/// The present value of a fact. `null` when the subject does not have it, e.g.
/// facts of a device when there is no device record.
pub fn fact_value(fact: &Fact, subject: &Subject) -> Value {
    let device = subject.device();
    match fact {
        Fact::Now => time(subject.now),
        Fact::Connection => connection(&subject.connection),
        Fact::RequestedIdentifiers => texts(&subject.requested),
        Fact::Absence => subject.absence().map(absence_word).into(),
        Fact::Sources => subject.sources.iter().map(source).collect(),
        Fact::Identifiers => device.map_or(Value::Null, |device| texts(&device.ids)),
        Fact::Enrollment => device.map(|device| enrollment(device.enrollment)).into(),
        Fact::Compliance => device.map_or(Value::Null, |device| compliance(&device.compliance)),
        Fact::Posture => device.map_or(Value::Null, |device| posture(device.posture)),
        Fact::Ownership => device.map(|device| ownership(device.ownership)).into(),
        Fact::OperatingSystem => device
            .and_then(|device| device.os.as_ref())
            .map_or(Value::Null, system),
        Fact::User => device
            .and_then(|device| device.user.as_ref())
            .map_or(Value::Null, user),
        Fact::LastSeen => optional_time(device.and_then(|device| device.last_seen)),
        Fact::Attribute(name) => device
            .and_then(|device| device.attribute(name))
            .map_or(Value::Null, attribute),
        Fact::AttributeNames(prefix) => {
            let attributes = device.into_iter().flat_map(|device| &device.attributes);
            let names = attributes.map(|attribute| attribute.name.as_str());
            names.filter(|name| name.starts_with(&**prefix)).collect()
        }
        Fact::ListMembership { list, member } => subject.lists.contains(list, member).into(),
    }
}

/// The word for why there is no device record.
pub(super) const fn absence_word(absence: Absence) -> &'static str {
    match absence {
        Absence::UnknownDevice => "unknown-device",
        Absence::SourcesUnavailable => "sources-unavailable",
        Absence::Ambiguous => "ambiguous",
    }
}

fn time(at: Timestamp) -> Value {
    format_time(at).into()
}

fn optional_time(at: Option<Timestamp>) -> Value {
    at.map(format_time).into()
}

fn texts(values: &[impl ToString]) -> Value {
    values.iter().map(ToString::to_string).collect()
}

fn connection(connection: &Connection) -> Value {
    json!({
        "medium": medium(connection.medium),
        "authentication": authentication(connection.authentication),
        "client": &*connection.client,
        "nas": connection.nas,
        "attachment": connection.attachment,
        "location": connection.location,
        "mac": connection.mac.map(|mac| mac.to_string()),
    })
}

pub(super) const fn medium(medium: Medium) -> &'static str {
    match medium {
        Medium::Unknown => "unknown",
        Medium::Wired => "wired",
        Medium::Wireless => "wireless",
        Medium::Vpn => "vpn",
    }
}

pub(super) const fn authentication(authentication: Authentication) -> &'static str {
    match authentication {
        Authentication::Unknown => "unknown",
        Authentication::None => "none",
        Authentication::MacBypass => "mac-bypass",
        Authentication::EapTls => "eap-tls",
        Authentication::EapOther => "eap-other",
        Authentication::Web => "web",
    }
}

pub(super) const fn outcome(outcome: SourceOutcome) -> &'static str {
    match outcome {
        SourceOutcome::Found => "found",
        SourceOutcome::UnknownDevice => "unknown-device",
        SourceOutcome::Ambiguous => "ambiguous",
        SourceOutcome::Failed => "failed",
        SourceOutcome::Skipped => "skipped",
    }
}

/// Which of `all` a word stands for.
pub(super) fn find<T: Copy>(all: &[T], word: fn(T) -> &'static str, value: &Value) -> Option<T> {
    let written = value.as_str()?;
    all.iter().copied().find(|one| word(*one) == written)
}

fn source(report: &SourceReport) -> Value {
    json!({
        "name": &*report.name,
        "outcome": outcome(report.outcome),
        "fetched_at": optional_time(report.fetched_at),
        "stale": report.stale,
        "detail": report.detail.as_deref(),
    })
}

pub(super) const fn enrollment(enrollment: Enrollment) -> &'static str {
    match enrollment {
        Enrollment::Unknown => "unknown",
        Enrollment::NotEnrolled => "not-enrolled",
        Enrollment::Pending => "pending",
        Enrollment::Enrolled => "enrolled",
        Enrollment::Retired => "retired",
    }
}

pub(super) const fn ownership(ownership: Ownership) -> &'static str {
    match ownership {
        Ownership::Unknown => "unknown",
        Ownership::Corporate => "corporate",
        Ownership::Personal => "personal",
        Ownership::Shared => "shared",
    }
}

pub(super) const fn state(state: ComplianceState) -> &'static str {
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

fn compliance(compliance: &Compliance) -> Value {
    let failing = compliance.failing.iter();
    let mut value = json!({
        "state": state(compliance.state),
        "evaluated_at": optional_time(compliance.evaluated_at),
        "grace_until": optional_time(compliance.grace_until),
        "failing": failing.clone().map(|check| check.code.as_str()).collect::<Value>(),
    });
    // For people, and for a policy that passes them on.
    if failing.clone().any(|check| check.message.is_some())
        && let Some(members) = value.as_object_mut()
    {
        let messages = failing.map(|check| check.message.as_deref()).collect();
        members.insert("messages".to_owned(), messages);
    }
    value
}

fn posture(posture: Posture) -> Value {
    let known = |state: Tristate| match state {
        Tristate::Unknown => Value::Null,
        Tristate::No => Value::Bool(false),
        Tristate::Yes => Value::Bool(true),
    };
    json!({
        "disk_encrypted": known(posture.disk_encrypted),
        "screen_lock": known(posture.screen_lock),
        "jailbroken": known(posture.jailbroken),
        "firewall": known(posture.firewall),
        "antivirus": known(posture.antivirus),
        "secure_boot": known(posture.secure_boot),
    })
}

fn system(system: &OperatingSystem) -> Value {
    json!({
        "family": system.family,
        "version": system.version,
        "build": system.build,
        "patch_level": system.patch_level,
    })
}

fn user(user: &User) -> Value {
    json!({
        "id": user.id,
        "principal_name": user.principal_name,
        "display_name": user.display_name,
        "groups": user.groups,
    })
}

fn attribute(value: &Attribute) -> Value {
    match value {
        Attribute::Boolean(value) => (*value).into(),
        Attribute::Integer(value) => (*value).into(),
        Attribute::Text(value) => value.as_str().into(),
        // A policy tells a time from a text that looks like one.
        Attribute::Timestamp(value) => json!({ "time": time(*value) }),
        Attribute::Texts(values) => texts(values),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portreeve_domain::{Device, Finding, Lists};

    use super::*;

    fn subject(finding: Finding) -> Subject {
        let mut lists = Lists::default();
        lists.insert("vip", ["ada"]);
        Subject {
            now: Timestamp::from_millis(1_000),
            connection: Arc::default(),
            requested: vec!["00:50:56:a4:89:5a".parse().unwrap()].into(),
            finding,
            sources: Vec::new(),
            lists: Arc::new(lists),
        }
    }

    fn device() -> Device {
        Device {
            ids: vec!["serial:X".parse().unwrap()],
            enrollment: Enrollment::Enrolled,
            compliance: Compliance {
                state: ComplianceState::InGracePeriod,
                grace_until: Some(Timestamp::from_millis(5)),
                ..Compliance::default()
            },
            posture: Posture {
                disk_encrypted: Tristate::Yes,
                jailbroken: Tristate::No,
                ..Posture::default()
            },
            attributes: [
                ("a.flag", Attribute::Boolean(true)),
                ("a.number", Attribute::Integer(-7)),
                ("b.texts", Attribute::Texts(vec!["x".to_owned()])),
            ]
            .map(|(name, value)| portreeve_domain::Attribute {
                name: name.to_owned(),
                value,
            })
            .into(),
            ..Device::default()
        }
    }

    #[test]
    fn facts_have_the_words_of_the_faces() {
        let known = subject(Finding::Device(Arc::new(device())));
        for (fact, expected) in [
            (Fact::Now, json!("1970-01-01T00:00:01.000Z")),
            (Fact::RequestedIdentifiers, json!(["00:50:56:a4:89:5a"])),
            (Fact::Absence, Value::Null),
            (Fact::Identifiers, json!(["serial:X"])),
            (Fact::Enrollment, json!("enrolled")),
            (
                Fact::Compliance,
                json!({"state": "in-grace-period", "evaluated_at": null,
                       "grace_until": "1970-01-01T00:00:00.005Z", "failing": []}),
            ),
            (
                Fact::Posture,
                json!({"disk_encrypted": true, "screen_lock": null, "jailbroken": false,
                       "firewall": null, "antivirus": null, "secure_boot": null}),
            ),
            (Fact::User, Value::Null),
            (Fact::LastSeen, Value::Null),
            (Fact::Attribute("a.number".into()), json!(-7)),
            (Fact::Attribute("b.texts".into()), json!(["x"])),
            (Fact::Attribute("c".into()), Value::Null),
            (
                Fact::AttributeNames("a.".into()),
                json!(["a.flag", "a.number"]),
            ),
        ] {
            assert_eq!(fact_value(&fact, &known), expected, "{fact}");
        }
        for (list, member, expected) in [
            ("vip", "ADA", json!(true)),
            ("vip", "bob", json!(false)),
            ("none", "ada", Value::Null),
        ] {
            let fact = Fact::ListMembership {
                list: list.into(),
                member: member.into(),
            };
            assert_eq!(fact_value(&fact, &known), expected, "{fact}");
        }
    }

    #[test]
    fn no_record_is_not_an_empty_record() {
        let absent = subject(Finding::Absent(Absence::SourcesUnavailable));
        let empty = subject(Finding::Device(Arc::default()));
        assert_eq!(fact_value(&Fact::Absence, &absent), "sources-unavailable");
        assert_eq!(fact_value(&Fact::Enrollment, &absent), Value::Null);
        assert_eq!(fact_value(&Fact::Enrollment, &empty), "unknown");
    }
}
