//! Subjects as they were, out of what the log says about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_domain::{
    Absence, Attribute, Authentication, Compliance, ComplianceState, Connection, Device,
    Enrollment, Fact, FailingCheck, Finding, Identifier, Lists, Medium, OperatingSystem, Ownership,
    Posture, SourceOutcome, SourceReport, Subject, Timestamp, Tristate, User,
    Value as AttributeValue,
};
use serde_json::Value;

use super::fact;
use super::record::Record;
use super::time::parse_time;

/// A subject as far as the log knows it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The subject. Facts that the log does not have are as if nobody knew them.
    pub subject: Subject,
    /// The facts that it does have.
    known: Vec<Fact>,
    /// Whether that is all there was to know about the device and the question.
    is_whole: bool,
}

/// The line does not say what a subject was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// They were too large for the log.
    #[error("its facts were too large for the log")]
    FactsOmitted,
    /// It says something that no gateway writes.
    #[error("fact `{0}` has a value that no gateway writes")]
    Malformed(String),
}

impl Recorded {
    /// What a decision was made about.
    pub fn of(record: &Record) -> Result<Self, NotRecorded> {
        if record.facts_omitted {
            return Err(NotRecorded::FactsOmitted);
        }
        let mut reading = Reading::of(record);
        for (name, value) in &record.facts {
            let read = fact_of(name).and_then(|fact| {
                reading.take(&fact, value)?;
                Some(fact)
            });
            let Some(fact) = read else {
                return Err(NotRecorded::Malformed(name.clone()));
            };
            reading.known.push(fact);
        }
        Ok(reading.end(record))
    }

    /// Whether the log has a fact. What is asked about lists it has only as far
    /// as somebody asked.
    pub fn knows(&self, fact: &Fact) -> bool {
        // The line itself says these.
        let is_in_line = matches!(fact, Fact::Now | Fact::Absence | Fact::RequestedIdentifiers);
        let is_of_list = matches!(fact, Fact::ListMembership { .. });
        is_in_line || (self.is_whole && !is_of_list) || self.known.contains(fact)
    }
}

impl Recorded {
    /// The same for a fact by its name.
    pub fn knows_name(&self, name: &str) -> bool {
        fact_of(name).is_some_and(|fact| self.knows(&fact))
    }
}

/// What is gathered from a line.
#[derive(Debug, Default)]
struct Reading {
    now: Timestamp,
    connection: Connection,
    requested: Vec<Identifier>,
    device: Device,
    absence: Option<Absence>,
    sources: Vec<SourceReport>,
    lists: BTreeMap<String, Vec<String>>,
    /// Attributes that stand in the device's order.
    in_order: Vec<String>,
    known: Vec<Fact>,
}

impl Reading {
    fn of(record: &Record) -> Self {
        let key = record.source.as_ref().map(|source| source.key.to_string());
        Self {
            now: record.at,
            connection: Connection {
                client: record.client.as_str().into(),
                ..Connection::default()
            },
            requested: identifiers(record.identifiers.iter().map(String::as_str)),
            device: Device {
                key: key.unwrap_or_default(),
                ..Device::default()
            },
            absence: record.absence.as_deref().and_then(absence),
            ..Self::default()
        }
    }

    /// Takes over the value of a fact.
    fn take(&mut self, fact: &Fact, value: &Value) -> Option<()> {
        let is_nothing = value.is_null();
        match fact {
            Fact::Now => self.now = parse_time(value.as_str()?).ok()?,
            Fact::Connection => self.connection = connection(value)?,
            Fact::RequestedIdentifiers => self.requested = identifiers(texts(value)?),
            Fact::Absence if is_nothing => {}
            Fact::Absence => self.absence = Some(absence(value.as_str()?)?),
            Fact::Sources => {
                let sources = value.as_array()?.iter().map(source);
                self.sources = sources.collect::<Option<_>>()?;
            }
            Fact::Identifiers if !is_nothing => {
                self.device.ids = identifiers(texts(value)?);
            }
            Fact::Enrollment if !is_nothing => {
                self.device.enrollment = fact::find(&ENROLLMENTS, fact::enrollment, value)?;
            }
            Fact::Compliance if !is_nothing => self.device.compliance = compliance(value)?,
            Fact::Posture if !is_nothing => self.device.posture = posture(value)?,
            Fact::Ownership if !is_nothing => {
                self.device.ownership = fact::find(&OWNERSHIPS, fact::ownership, value)?;
            }
            Fact::OperatingSystem if !is_nothing => self.device.os = Some(system(value)?),
            Fact::User if !is_nothing => self.device.user = Some(user(value)?),
            Fact::LastSeen => self.device.last_seen = time(value)?,
            Fact::Attribute(name) if !is_nothing => self.attribute(name, attribute(value)?),
            Fact::AttributeNames(_) => self.attribute_names(&texts(value)?),
            Fact::ListMembership { list, member } if !is_nothing => {
                let members = self.lists.entry(list.to_string()).or_default();
                if value.as_bool()? {
                    members.push(member.to_string());
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Names come in the device's order. Of some of them the value may not be
    /// known; it is then no known fact either.
    fn attribute_names(&mut self, names: &[&str]) {
        if names
            .iter()
            .all(|name| self.in_order.iter().any(|it| it == name))
        {
            return;
        }
        for name in names {
            let value = self.device.attribute(name).cloned();
            self.attribute(name, value.unwrap_or(AttributeValue::Boolean(false)));
            self.in_order.push((*name).to_owned());
        }
    }

    fn attribute(&mut self, name: &str, value: AttributeValue) {
        let attributes = &mut self.device.attributes;
        attributes.retain(|attribute| attribute.name != name);
        attributes.push(Attribute {
            name: name.to_owned(),
            value,
        });
    }

    fn end(self, record: &Record) -> Recorded {
        let mut lists = Lists::default();
        for (name, members) in &self.lists {
            lists.insert(name, members.iter().map(String::as_str));
        }
        let finding = match self.absence {
            Some(absence) => Finding::Absent(absence),
            None => Finding::Device(Arc::new(self.device)),
        };
        Recorded {
            subject: Subject {
                now: self.now,
                connection: Arc::new(self.connection),
                requested: self.requested.into(),
                finding,
                sources: self.sources,
                lists: Arc::new(lists),
            },
            known: self.known,
            is_whole: record.whole,
        }
    }
}

const ENROLLMENTS: [Enrollment; 5] = [
    Enrollment::Unknown,
    Enrollment::NotEnrolled,
    Enrollment::Pending,
    Enrollment::Enrolled,
    Enrollment::Retired,
];

const OWNERSHIPS: [Ownership; 4] = [
    Ownership::Unknown,
    Ownership::Corporate,
    Ownership::Personal,
    Ownership::Shared,
];

const STATES: [ComplianceState; 7] = [
    ComplianceState::Unknown,
    ComplianceState::Compliant,
    ComplianceState::NonCompliant,
    ComplianceState::InGracePeriod,
    ComplianceState::NotEvaluated,
    ComplianceState::Conflict,
    ComplianceState::Failed,
];

const MEDIA: [Medium; 4] = [
    Medium::Unknown,
    Medium::Wired,
    Medium::Wireless,
    Medium::Vpn,
];

const AUTHENTICATIONS: [Authentication; 6] = [
    Authentication::Unknown,
    Authentication::None,
    Authentication::MacBypass,
    Authentication::EapTls,
    Authentication::EapOther,
    Authentication::Web,
];

const OUTCOMES: [SourceOutcome; 5] = [
    SourceOutcome::Found,
    SourceOutcome::UnknownDevice,
    SourceOutcome::Ambiguous,
    SourceOutcome::Failed,
    SourceOutcome::Skipped,
];

/// The fact of a name.
fn fact_of(name: &str) -> Option<Fact> {
    let inside = |begin: &str| name.strip_prefix(begin)?.strip_suffix(')');
    Some(match name {
        "now" => Fact::Now,
        "connection" => Fact::Connection,
        "requested-ids" => Fact::RequestedIdentifiers,
        "absence" => Fact::Absence,
        "sources" => Fact::Sources,
        "ids" => Fact::Identifiers,
        "enrollment" => Fact::Enrollment,
        "compliance" => Fact::Compliance,
        "posture" => Fact::Posture,
        "ownership" => Fact::Ownership,
        "os" => Fact::OperatingSystem,
        "user" => Fact::User,
        "last-seen" => Fact::LastSeen,
        _ => {
            if let Some(name) = inside("attribute(") {
                Fact::Attribute(name.into())
            } else if let Some(prefix) = inside("attribute-names(") {
                Fact::AttributeNames(prefix.into())
            } else {
                let (list, member) = inside("in-list(")?.split_once(", ")?;
                Fact::ListMembership {
                    list: list.into(),
                    member: member.into(),
                }
            }
        }
    })
}

fn absence(word: &str) -> Option<Absence> {
    let all = [
        Absence::UnknownDevice,
        Absence::SourcesUnavailable,
        Absence::Ambiguous,
    ];
    all.into_iter()
        .find(|absence| fact::absence_word(*absence) == word)
}

/// What cannot be read any more is left out: it was the client's spelling.
fn identifiers<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Identifier> {
    let texts = texts.into_iter();
    texts.filter_map(|text| text.parse().ok()).collect()
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

/// A text, or nothing if it is `null`.
#[expect(clippy::option_option, reason = "a mistake, nothing, or a text")]
fn text(value: &Value, key: &str) -> Option<Option<String>> {
    match value.get(key)? {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        _ => None,
    }
}

/// A time, or nothing if it is `null`.
#[expect(clippy::option_option, reason = "a mistake, nothing, or a time")]
fn time(value: &Value) -> Option<Option<Timestamp>> {
    match value {
        Value::Null => Some(None),
        other => parse_time(other.as_str()?).ok().map(Some),
    }
}

fn connection(value: &Value) -> Option<Connection> {
    let mac = text(value, "mac")?;
    Some(Connection {
        medium: fact::find(&MEDIA, fact::medium, value.get("medium")?)?,
        authentication: fact::find(
            &AUTHENTICATIONS,
            fact::authentication,
            value.get("authentication")?,
        )?,
        client: value.get("client")?.as_str()?.into(),
        nas: text(value, "nas")?,
        attachment: text(value, "attachment")?,
        location: text(value, "location")?,
        mac: mac.map(|mac| mac.parse().ok()).unwrap_or_default(),
        ..Connection::default()
    })
}

fn source(value: &Value) -> Option<SourceReport> {
    Some(SourceReport {
        name: value.get("name")?.as_str()?.into(),
        outcome: fact::find(&OUTCOMES, fact::outcome, value.get("outcome")?)?,
        fetched_at: time(value.get("fetched_at")?)?,
        stale: value.get("stale")?.as_bool()?,
        detail: text(value, "detail")?.map(Into::into),
    })
}

fn compliance(value: &Value) -> Option<Compliance> {
    let messages = value.get("messages").and_then(Value::as_array);
    let codes = texts(value.get("failing")?)?.into_iter().enumerate();
    let failing = codes.map(|(place, code)| {
        let message = messages.and_then(|messages| messages.get(place)?.as_str());
        FailingCheck {
            code: code.to_owned(),
            message: message.map(str::to_owned),
        }
    });
    Some(Compliance {
        state: fact::find(&STATES, fact::state, value.get("state")?)?,
        evaluated_at: time(value.get("evaluated_at")?)?,
        grace_until: time(value.get("grace_until")?)?,
        failing: failing.collect(),
    })
}

fn posture(value: &Value) -> Option<Posture> {
    let part = |key: &str| match value.get(key)? {
        Value::Null => Some(Tristate::Unknown),
        Value::Bool(false) => Some(Tristate::No),
        Value::Bool(true) => Some(Tristate::Yes),
        _ => None,
    };
    Some(Posture {
        disk_encrypted: part("disk_encrypted")?,
        screen_lock: part("screen_lock")?,
        jailbroken: part("jailbroken")?,
        firewall: part("firewall")?,
        antivirus: part("antivirus")?,
        secure_boot: part("secure_boot")?,
    })
}

fn system(value: &Value) -> Option<OperatingSystem> {
    Some(OperatingSystem {
        family: value.get("family")?.as_str()?.to_owned(),
        version: text(value, "version")?,
        build: text(value, "build")?,
        patch_level: text(value, "patch_level")?,
    })
}

fn user(value: &Value) -> Option<User> {
    let groups = texts(value.get("groups")?)?;
    Some(User {
        id: text(value, "id")?,
        principal_name: text(value, "principal_name")?,
        display_name: text(value, "display_name")?,
        groups: groups.into_iter().map(str::to_owned).collect(),
    })
}

fn attribute(value: &Value) -> Option<AttributeValue> {
    Some(match value {
        Value::Bool(value) => AttributeValue::Boolean(*value),
        Value::Number(value) => AttributeValue::Integer(value.as_i64()?),
        Value::String(text) => AttributeValue::Text(text.clone()),
        Value::Array(_) => {
            AttributeValue::Texts(texts(value)?.into_iter().map(str::to_owned).collect())
        }
        Value::Object(parts) => AttributeValue::Timestamp(time(parts.get("time")?)??),
        Value::Null => return None,
    })
}

#[cfg(test)]
mod tests {
    use portreeve_domain::FactsRead;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Line, fact_value, parse_line};
    use super::*;

    fn record(facts: &Value) -> Record {
        let line = json!({
            "at": "2026-11-28T10:00:00.000Z", "client": "ise", "face": "rest",
            "identifiers": ["00:50:56:a4:89:5a"], "origin": "evaluated", "stale": false,
            "latency_us": 1, "changed": true, "verdict": "deny", "facts": facts,
        });
        match parse_line(&line.to_string()).unwrap() {
            Line::Decision(record) => record,
            Line::Gap(gap) => panic!("{gap:?}"),
        }
    }

    fn device() -> Device {
        Device {
            ids: vec!["serial:X".parse().unwrap()],
            enrollment: Enrollment::Retired,
            compliance: Compliance {
                state: ComplianceState::InGracePeriod,
                evaluated_at: None,
                grace_until: Some(Timestamp::from_millis(5)),
                failing: vec![FailingCheck {
                    code: "x".to_owned(),
                    message: Some("because".to_owned()),
                }],
            },
            ownership: Ownership::Shared,
            posture: Posture {
                disk_encrypted: Tristate::Yes,
                jailbroken: Tristate::No,
                ..Posture::default()
            },
            user: Some(User {
                groups: vec!["staff".to_owned()],
                ..User::default()
            }),
            os: Some(OperatingSystem {
                family: "ios".to_owned(),
                version: Some("17".to_owned()),
                ..OperatingSystem::default()
            }),
            last_seen: Some(Timestamp::from_millis(7)),
            attributes: [
                ("a.flag", AttributeValue::Boolean(true)),
                ("a.number", AttributeValue::Integer(-7)),
                ("b.at", AttributeValue::Timestamp(Timestamp::from_millis(9))),
                (
                    "b.text",
                    AttributeValue::Text("1970-01-01T00:00:00.009Z".to_owned()),
                ),
                ("b.texts", AttributeValue::Texts(vec!["x".to_owned()])),
            ]
            .map(|(name, value)| Attribute {
                name: name.to_owned(),
                value,
            })
            .into(),
            ..Device::default()
        }
    }

    fn subject() -> Subject {
        let mut lists = Lists::default();
        lists.insert("vip", ["ada"]);
        Subject {
            now: Timestamp::from_millis(1_000),
            connection: Arc::new(Connection {
                medium: Medium::Vpn,
                authentication: Authentication::Web,
                client: "ise".into(),
                nas: Some("switch".to_owned()),
                mac: Some("00:50:56:a4:89:5a".parse().unwrap()),
                ..Connection::default()
            }),
            requested: vec!["00:50:56:a4:89:5a".parse().unwrap()].into(),
            finding: Finding::Device(Arc::new(device())),
            sources: vec![SourceReport {
                name: "contoso".into(),
                outcome: SourceOutcome::Found,
                fetched_at: Some(Timestamp::from_millis(3)),
                stale: true,
                detail: Some("slow".into()),
            }],
            lists: Arc::new(lists),
        }
    }

    /// Everything that a policy can read of a subject.
    fn all_facts() -> Vec<Fact> {
        let member = |list: &str, member: &str| Fact::ListMembership {
            list: list.into(),
            member: member.into(),
        };
        let attribute = |name: &str| Fact::Attribute(name.into());
        vec![
            Fact::Now,
            Fact::Connection,
            Fact::RequestedIdentifiers,
            Fact::Absence,
            Fact::Sources,
            Fact::Identifiers,
            Fact::Enrollment,
            Fact::Compliance,
            Fact::Posture,
            Fact::Ownership,
            Fact::OperatingSystem,
            Fact::User,
            Fact::LastSeen,
            attribute("a.flag"),
            attribute("a.number"),
            attribute("b.at"),
            attribute("b.text"),
            attribute("b.texts"),
            attribute("c.none"),
            Fact::AttributeNames("b.".into()),
            member("vip", "ada"),
            member("vip", "bob"),
            member("none", "ada"),
        ]
    }

    #[track_caller]
    fn check(subject: &Subject, facts: &[Fact]) {
        let mut read = FactsRead::default();
        for fact in facts {
            read.note(fact.clone());
        }
        let values = read
            .iter()
            .map(|fact| (fact.to_string(), fact_value(fact, subject)));
        let values: serde_json::Map<String, Value> = values.collect();
        let mut record = record(&Value::Object(values));
        if let Some(absence) = subject.absence() {
            record.absence = Some(fact::absence_word(absence).to_owned());
        }
        let recorded = Recorded::of(&record).unwrap();
        let hasher = std::hash::RandomState::new();
        for fact in facts {
            assert!(recorded.knows(fact), "{fact}");
            let now = fact.digest(&recorded.subject, &hasher);
            assert_eq!(now, fact.digest(subject, &hasher), "{fact}");
        }
    }

    #[test]
    fn every_fact_is_what_it_was() {
        check(&subject(), &all_facts());
        // None of them needs another one.
        for fact in all_facts() {
            check(&subject(), &[fact]);
        }
        let absent = Subject {
            finding: Finding::Absent(Absence::Ambiguous),
            ..subject()
        };
        check(&absent, &all_facts());
    }

    #[test]
    fn what_nobody_read_is_not_known() {
        let record = record(&json!({ "enrollment": "enrolled", "in-list(vip, ada)": true }));
        let mut recorded = Recorded::of(&record).unwrap();
        assert!(recorded.knows(&Fact::Enrollment));
        assert!(!recorded.knows(&Fact::Posture));
        recorded.is_whole = true;
        assert!(recorded.knows(&Fact::Posture));
        let member = |member: &str| Fact::ListMembership {
            list: "vip".into(),
            member: member.into(),
        };
        assert!(recorded.knows(&member("ada")));
        assert!(!recorded.knows(&member("bob")));
    }

    #[test]
    fn what_no_gateway_writes_is_refused() {
        for (name, value) in [
            ("enrolment", json!("enrolled")),
            ("enrollment", json!("enroled")),
            ("posture", json!({})),
            ("in-list(vip)", json!(true)),
            ("attribute(x)", json!({ "x": 1 })),
        ] {
            let mut facts = serde_json::Map::new();
            facts.insert(name.to_owned(), value);
            let refused = Recorded::of(&record(&Value::Object(facts))).unwrap_err();
            assert_eq!(refused, NotRecorded::Malformed(name.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn nothing_that_stands_in_a_log_is_a_panic(name in ".{0,20}", text in ".{0,20}") {
            for value in [json!(text), json!([text]), json!({ "state": text }), json!(1)] {
                for name in [&*name, "compliance", "sources", "connection", "user", "os"] {
                    let mut facts = serde_json::Map::new();
                    facts.insert(name.to_owned(), value.clone());
                    let _ = Recorded::of(&record(&Value::Object(facts)));
                }
            }
        }
    }
}
