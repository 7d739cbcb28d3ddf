//! Subjects that differ from one in a single fact.

use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::{
    Absence, Authentication, Compliance, ComplianceState, Connection, Device, Enrollment, Fact,
    Finding, Lists, Medium, Ownership, Posture, Subject, Tristate, Value as AttributeValue,
};
use portreeve_store::decisions::fact_value;
use serde_json::Value;

/// What a device could be that nobody knows.
const KNOWN: &str = "enrolled and compliant";

/// A version that is later than any.
const LATEST: &str = "9999";

/// One fact as it could be.
#[derive(Debug)]
pub(super) struct Change {
    /// The fact, or the part of it that is another.
    pub(super) fact: String,
    pub(super) now: Value,
    pub(super) then: Value,
    pub(super) subject: Subject,
}

/// Other values of a fact that a policy may like better. Facts that could have
/// any value, such as a user's name, have none here.
pub(super) fn changes(fact: &Fact, subject: &Subject) -> Vec<Change> {
    let others = match fact {
        Fact::Enrollment => devices(subject, None, &ENROLLMENTS, |device, enrollment| {
            device.enrollment = enrollment;
        }),
        Fact::Compliance => devices(subject, Some("state"), &STATES, |device, state| {
            device.compliance = Compliance {
                state,
                evaluated_at: Some(subject.now),
                grace_until: Some(subject.now.plus(Duration::from_hours(24))),
                failing: Vec::new(),
            };
        }),
        Fact::Posture => postures(subject),
        Fact::Ownership => devices(subject, None, &OWNERSHIPS, |device, ownership| {
            device.ownership = ownership;
        }),
        Fact::OperatingSystem => devices(subject, Some("version"), &[()], |device, ()| {
            if let Some(system) = &mut device.os {
                system.version = Some(LATEST.to_owned());
            }
        }),
        Fact::LastSeen => devices(subject, None, &[()], |device, ()| {
            device.last_seen = Some(subject.now);
        }),
        Fact::Attribute(name) => attributes(subject, name),
        Fact::ListMembership { list, member } => memberships(subject, list, member),
        Fact::Connection => connections(subject),
        Fact::Absence => presence(subject),
        Fact::Sources if subject.sources.iter().any(|source| source.stale) => {
            let mut fresh = subject.clone();
            for source in &mut fresh.sources {
                source.stale = false;
            }
            vec![(None, fresh)]
        }
        Fact::Now
        | Fact::RequestedIdentifiers
        | Fact::Sources
        | Fact::Identifiers
        | Fact::User
        | Fact::AttributeNames(_) => Vec::new(),
    };
    let is_presence = *fact == Fact::Absence;
    let value = |part: Option<&str>, subject: &Subject| {
        if is_presence && subject.device().is_some() {
            return KNOWN.into();
        }
        let whole = fact_value(fact, subject);
        match part {
            Some(part) => whole.get(part).cloned().unwrap_or_default(),
            None => whole,
        }
    };
    let changes = others.into_iter().map(|(part, other)| Change {
        fact: match part {
            Some(part) => format!("{fact}.{part}"),
            None if is_presence => "device".to_owned(),
            None => fact.to_string(),
        },
        now: value(part, subject),
        then: value(part, &other),
        subject: other,
    });
    changes.filter(|change| change.now != change.then).collect()
}

/// A part of a fact, and a subject in which it is another.
type Other = (Option<&'static str>, Subject);

const ENROLLMENTS: [Enrollment; 4] = [
    Enrollment::Enrolled,
    Enrollment::Pending,
    Enrollment::NotEnrolled,
    Enrollment::Unknown,
];

const STATES: [ComplianceState; 6] = [
    ComplianceState::Compliant,
    ComplianceState::InGracePeriod,
    ComplianceState::NotEvaluated,
    ComplianceState::NonCompliant,
    ComplianceState::Conflict,
    ComplianceState::Unknown,
];

const OWNERSHIPS: [Ownership; 3] = [Ownership::Corporate, Ownership::Personal, Ownership::Shared];

/// The device with one value after another.
fn devices<T: Copy>(
    subject: &Subject,
    part: Option<&'static str>,
    values: &[T],
    change: impl Fn(&mut Device, T),
) -> Vec<Other> {
    let Some(device) = subject.device() else {
        return Vec::new();
    };
    let others = values.iter().map(|value| {
        let mut device = Device::clone(device);
        change(&mut device, *value);
        let finding = Finding::Device(Arc::new(device));
        let subject = Subject {
            finding,
            ..subject.clone()
        };
        (part, subject)
    });
    others.collect()
}

fn postures(subject: &Subject) -> Vec<Other> {
    type Place = fn(&mut Posture) -> &mut Tristate;
    const PARTS: [(&str, Place); 6] = [
        ("disk_encrypted", |posture| &mut posture.disk_encrypted),
        ("screen_lock", |posture| &mut posture.screen_lock),
        ("jailbroken", |posture| &mut posture.jailbroken),
        ("firewall", |posture| &mut posture.firewall),
        ("antivirus", |posture| &mut posture.antivirus),
        ("secure_boot", |posture| &mut posture.secure_boot),
    ];
    let parts = PARTS.iter().flat_map(|(part, place)| {
        let values = [Tristate::Yes, Tristate::No];
        devices(subject, Some(part), &values, |device, value| {
            *place(&mut device.posture) = value;
        })
    });
    parts.collect()
}

fn attributes(subject: &Subject, name: &str) -> Vec<Other> {
    let present = subject.device().and_then(|device| device.attribute(name));
    let values = match present {
        None | Some(AttributeValue::Boolean(_)) => vec![
            Some(AttributeValue::Boolean(true)),
            Some(AttributeValue::Boolean(false)),
        ],
        Some(AttributeValue::Timestamp(_)) => vec![Some(AttributeValue::Timestamp(subject.now))],
        Some(AttributeValue::Integer(_)) => vec![Some(AttributeValue::Integer(0)), None],
        Some(AttributeValue::Text(_) | AttributeValue::Texts(_)) => vec![None],
    };
    let values: Vec<&Option<AttributeValue>> = values.iter().collect();
    devices(subject, None, &values, |device, value| {
        device.attributes.retain(|attribute| attribute.name != name);
        if let Some(value) = value {
            device.attributes.push(portreeve_domain::Attribute {
                name: name.to_owned(),
                value: value.clone(),
            });
        }
    })
}

fn memberships(subject: &Subject, list: &str, member: &str) -> Vec<Other> {
    let mut lists = Lists::clone(&subject.lists);
    match subject.lists.contains(list, member) {
        Some(is_member) => lists.set(list, member, !is_member),
        None => lists.insert(list, [member]),
    }
    let lists = Arc::new(lists);
    vec![(
        None,
        Subject {
            lists,
            ..subject.clone()
        },
    )]
}

fn connections(subject: &Subject) -> Vec<Other> {
    let with = |part, change: &dyn Fn(&mut Connection)| {
        let mut connection = Connection::clone(&subject.connection);
        change(&mut connection);
        let connection = Arc::new(connection);
        let subject = Subject {
            connection,
            ..subject.clone()
        };
        (Some(part), subject)
    };
    let media = [Medium::Wired, Medium::Wireless, Medium::Vpn].into_iter();
    let media = media.map(|medium| with("medium", &|it| it.medium = medium));
    let authentications = [
        Authentication::EapTls,
        Authentication::EapOther,
        Authentication::Web,
        Authentication::MacBypass,
    ];
    let authentications = authentications
        .into_iter()
        .map(|authentication| with("authentication", &|it| it.authentication = authentication));
    media.chain(authentications).collect()
}

/// A source could know the endpoint, and find nothing wrong with it.
fn presence(subject: &Subject) -> Vec<Other> {
    if subject.device().is_some() {
        return Vec::new();
    }
    let device = Device {
        ids: subject.requested.to_vec(),
        enrollment: Enrollment::Enrolled,
        compliance: Compliance {
            state: ComplianceState::Compliant,
            evaluated_at: Some(subject.now),
            ..Compliance::default()
        },
        enrolled_at: Some(subject.now),
        last_seen: Some(subject.now),
        ..Device::default()
    };
    let known = Subject {
        finding: Finding::Device(Arc::new(device)),
        ..subject.clone()
    };
    let unknown = Subject {
        finding: Finding::Absent(Absence::UnknownDevice),
        ..subject.clone()
    };
    vec![(None, known), (None, unknown)]
}
