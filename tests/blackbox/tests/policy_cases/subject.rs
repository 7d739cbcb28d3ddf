//! The subject that a case describes.

use std::sync::Arc;

use anyhow::Context as _;
use portreeve_domain::{
    Absence, Attribute, Authentication, Compliance, ComplianceState, Connection, Device,
    Enrollment, FailingCheck, Finding, Identifier, Lists, Medium, OperatingSystem, Ownership,
    Posture, SourceOutcome, SourceReport, Subject, Timestamp, Tristate, User, Value, View,
};
use portreeve_policy_cases as cases;

/// What the host would tell the policy.
pub(crate) fn of(case: &cases::Case) -> anyhow::Result<Subject> {
    let clock = Clock(case.now);
    let finding = match (case.absence, &case.device) {
        (Some(reason), _) => Finding::Absent(absence(reason)),
        (None, known) => {
            let known = known.as_ref().context("neither `device` nor `absence`")?;
            Finding::Device(Arc::new(device(known, clock)?))
        }
    };
    let mut lists = Lists::default();
    for (name, members) in &case.lists {
        lists.insert(name, members.iter().map(String::as_str));
    }
    Ok(Subject {
        now: Timestamp::from_millis(case.now),
        connection: Arc::new(connection(&case.connection)?),
        requested: identifiers(&case.requested)?.into(),
        finding,
        sources: case.sources.iter().map(|one| source(one, clock)).collect(),
        lists: Arc::new(lists),
    })
}

/// The time of the question.
#[derive(Clone, Copy)]
struct Clock(u64);

impl Clock {
    fn at(self, moment: Option<cases::Moment>) -> Option<Timestamp> {
        moment.map(|moment| Timestamp::from_millis(moment.resolve(self.0)))
    }
}

fn device(device: &cases::Device, clock: Clock) -> anyhow::Result<Device> {
    let attributes = device.attributes.iter();
    let attributes = attributes.map(|(name, value)| Attribute {
        name: name.clone(),
        value: attribute(value, clock),
    });
    Ok(Device {
        ids: identifiers(&device.ids)?,
        enrollment: match device.enrollment {
            cases::Enrollment::Unknown => Enrollment::Unknown,
            cases::Enrollment::NotEnrolled => Enrollment::NotEnrolled,
            cases::Enrollment::Pending => Enrollment::Pending,
            cases::Enrollment::Enrolled => Enrollment::Enrolled,
            cases::Enrollment::Retired => Enrollment::Retired,
        },
        compliance: compliance(&device.compliance, clock),
        ownership: match device.ownership {
            cases::Ownership::Unknown => Ownership::Unknown,
            cases::Ownership::Corporate => Ownership::Corporate,
            cases::Ownership::Personal => Ownership::Personal,
            cases::Ownership::Shared => Ownership::Shared,
        },
        posture: Posture {
            disk_encrypted: tristate(device.posture.disk_encrypted),
            screen_lock: tristate(device.posture.screen_lock),
            jailbroken: tristate(device.posture.jailbroken),
            firewall: tristate(device.posture.firewall),
            antivirus: tristate(device.posture.antivirus),
            secure_boot: tristate(device.posture.secure_boot),
        },
        user: device.user.clone().map(|user| User {
            id: user.id,
            principal_name: user.principal_name,
            display_name: user.display_name,
            groups: user.groups,
        }),
        os: device.os.clone().map(|os| OperatingSystem {
            family: os.family,
            version: os.version,
            build: os.build,
            patch_level: os.patch_level,
        }),
        last_seen: clock.at(device.last_seen),
        attributes: attributes.collect(),
        ..Device::default()
    })
}

fn compliance(compliance: &cases::Compliance, clock: Clock) -> Compliance {
    let failing = compliance.failing.iter().map(|check| FailingCheck {
        code: check.code.clone(),
        message: check.message.clone(),
    });
    Compliance {
        state: match compliance.state {
            cases::ComplianceState::Unknown => ComplianceState::Unknown,
            cases::ComplianceState::Compliant => ComplianceState::Compliant,
            cases::ComplianceState::NonCompliant => ComplianceState::NonCompliant,
            cases::ComplianceState::InGracePeriod => ComplianceState::InGracePeriod,
            cases::ComplianceState::NotEvaluated => ComplianceState::NotEvaluated,
            cases::ComplianceState::Conflict => ComplianceState::Conflict,
            cases::ComplianceState::Failed => ComplianceState::Failed,
        },
        evaluated_at: clock.at(compliance.evaluated_at),
        grace_until: clock.at(compliance.grace_until),
        failing: failing.collect(),
    }
}

fn attribute(value: &cases::Value, clock: Clock) -> Value {
    match value {
        cases::Value::Boolean(value) => Value::Boolean(*value),
        cases::Value::Integer(value) => Value::Integer(*value),
        cases::Value::Text(text) => Value::Text(text.clone()),
        cases::Value::Texts(texts) => Value::Texts(texts.clone()),
        cases::Value::Timestamp { timestamp } => {
            Value::Timestamp(Timestamp::from_millis(timestamp.resolve(clock.0)))
        }
    }
}

fn connection(connection: &cases::Connection) -> anyhow::Result<Connection> {
    Ok(Connection {
        medium: match connection.medium {
            cases::Medium::Unknown => Medium::Unknown,
            cases::Medium::Wired => Medium::Wired,
            cases::Medium::Wireless => Medium::Wireless,
            cases::Medium::Vpn => Medium::Vpn,
        },
        authentication: match connection.authentication {
            cases::Authentication::Unknown => Authentication::Unknown,
            cases::Authentication::None => Authentication::None,
            cases::Authentication::MacBypass => Authentication::MacBypass,
            cases::Authentication::EapTls => Authentication::EapTls,
            cases::Authentication::EapOther => Authentication::EapOther,
            cases::Authentication::Web => Authentication::Web,
        },
        client: connection.client.as_str().into(),
        view: View::default(),
        nas: connection.nas.clone(),
        attachment: connection.attachment.clone(),
        location: connection.location.clone(),
        mac: connection.mac.as_deref().map(str::parse).transpose()?,
    })
}

fn source(source: &cases::Source, clock: Clock) -> SourceReport {
    SourceReport {
        name: source.name.as_str().into(),
        outcome: match source.outcome {
            cases::SourceOutcome::Found => SourceOutcome::Found,
            cases::SourceOutcome::UnknownDevice => SourceOutcome::UnknownDevice,
            cases::SourceOutcome::Ambiguous => SourceOutcome::Ambiguous,
            cases::SourceOutcome::Failed => SourceOutcome::Failed,
            cases::SourceOutcome::Skipped => SourceOutcome::Skipped,
        },
        fetched_at: clock.at(source.fetched_at),
        stale: source.stale,
        detail: None,
    }
}

fn identifiers(ids: &[cases::Identifier]) -> anyhow::Result<Vec<Identifier>> {
    let ids = ids.iter();
    let ids = ids.map(|id| Identifier::of_kind(&id.kind, &id.value));
    Ok(ids.collect::<Result<_, _>>()?)
}

fn absence(absence: cases::Absence) -> Absence {
    match absence {
        cases::Absence::UnknownDevice => Absence::UnknownDevice,
        cases::Absence::SourcesUnavailable => Absence::SourcesUnavailable,
        cases::Absence::Ambiguous => Absence::Ambiguous,
    }
}

fn tristate(value: cases::Tristate) -> Tristate {
    match value {
        cases::Tristate::Unknown => Tristate::Unknown,
        cases::Tristate::No => Tristate::No,
        cases::Tristate::Yes => Tristate::Yes,
    }
}
