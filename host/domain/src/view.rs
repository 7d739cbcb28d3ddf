//! What an asker may see of what the sources know.

use std::str::FromStr;
use std::sync::Arc;

use crate::{Device, Identifier, Ownership, Posture};

/// What an asker may see. By default everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct View {
    /// The sources that are asked for him; the others do not exist for him.
    pub sources: SourceSet,
    /// The facts about a device that he is shown; `None` for all. Decisions
    /// rest on all facts, whatever he is shown.
    pub facts: Option<Arc<ShownFacts>>,
}

impl View {
    /// Whether he is shown less than there is of a device.
    pub const fn hides_facts(&self) -> bool {
        self.facts.is_some()
    }

    /// Whether he is shown what else a device is called than what he asked by.
    pub fn shows_identifiers(&self) -> bool {
        self.shows(&ShownFact::Identifiers)
    }

    /// Whether he is shown a fact about devices.
    pub fn shows(&self, fact: &ShownFact) -> bool {
        let facts = self.facts.as_ref();
        facts.is_none_or(|facts| {
            let is_attribute = matches!(fact, ShownFact::Attribute(_));
            facts.show(fact) || (is_attribute && facts.show(&ShownFact::Attributes))
        })
    }

    /// The device as he is shown it. Identifiers by which he `asked` are no
    /// news to him and stay.
    pub fn of(&self, device: &Arc<Device>, asked: &[Identifier]) -> Arc<Device> {
        match &self.facts {
            Some(facts) => Arc::new(facts.of(device, asked)),
            None => Arc::clone(device),
        }
    }
}

/// Sources by their places in the operator's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceSet(u64);

impl SourceSet {
    /// Every source there is.
    pub const ALL: Self = Self(u64::MAX);
    /// None.
    pub const NONE: Self = Self(0);
    /// Sources further down the order can only be in [`SourceSet::ALL`].
    pub const MOST: usize = 64;

    /// The set with one source more, or `None` if its place is beyond
    /// [`SourceSet::MOST`].
    #[must_use]
    pub fn with(self, place: usize) -> Option<Self> {
        (place < Self::MOST).then(|| Self(self.0 | 1 << place))
    }

    /// Whether the source at this place is in it.
    pub const fn contains(self, place: usize) -> bool {
        if place < Self::MOST {
            self.0 & 1 << place != 0
        } else {
            self.0 == u64::MAX
        }
    }
}

impl Default for SourceSet {
    fn default() -> Self {
        Self::ALL
    }
}

/// The facts about a device that an asker is shown, beside its enrolment and
/// compliance, which every answer is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ShownFacts {
    facts: Vec<ShownFact>,
}

/// One fact about a device, or one group of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ShownFact {
    /// Other identifiers than the one asked by, and the source's own key.
    Identifiers,
    /// Whose device it is.
    Ownership,
    /// Encryption, screen lock and so on.
    Posture,
    /// The primary user.
    User,
    /// What it runs.
    System,
    /// Who made it.
    Manufacturer,
    /// The model.
    Model,
    /// What its owner calls it.
    Name,
    /// When it was enrolled.
    EnrolledAt,
    /// When the source last heard of it.
    LastSeen,
    /// Everything else.
    Attributes,
    /// One attribute by its name.
    Attribute(String),
}

/// The text names no fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `attribute:NAME` or one of {}", ShownFact::listed())]
pub struct NoSuchFact;

impl ShownFact {
    const WORDS: [(&'static str, Self); 11] = [
        ("identifiers", Self::Identifiers),
        ("ownership", Self::Ownership),
        ("posture", Self::Posture),
        ("user", Self::User),
        ("os", Self::System),
        ("manufacturer", Self::Manufacturer),
        ("model", Self::Model),
        ("name", Self::Name),
        ("enrolled-at", Self::EnrolledAt),
        ("last-seen", Self::LastSeen),
        ("attributes", Self::Attributes),
    ];

    fn listed() -> String {
        let words = Self::WORDS.iter().map(|(word, _)| format!("`{word}`"));
        words.collect::<Vec<_>>().join(", ")
    }
}

impl FromStr for ShownFact {
    type Err = NoSuchFact;

    fn from_str(text: &str) -> Result<Self, NoSuchFact> {
        if let Some(name) = text.strip_prefix("attribute:") {
            return if name.is_empty() {
                Err(NoSuchFact)
            } else {
                Ok(Self::Attribute(name.to_owned()))
            };
        }
        let known = Self::WORDS.into_iter().find(|(word, _)| *word == text);
        known.map(|(_, fact)| fact).ok_or(NoSuchFact)
    }
}

impl std::fmt::Display for ShownFact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Self::Attribute(name) = self {
            return write!(formatter, "attribute:{name}");
        }
        let known = Self::WORDS.into_iter().find(|(_, fact)| fact == self);
        formatter.write_str(known.map_or("", |(word, _)| word))
    }
}

impl FromIterator<ShownFact> for ShownFacts {
    fn from_iter<I: IntoIterator<Item = ShownFact>>(facts: I) -> Self {
        Self {
            facts: facts.into_iter().collect(),
        }
    }
}

impl ShownFacts {
    fn show(&self, fact: &ShownFact) -> bool {
        self.facts.contains(fact)
    }

    /// INVARIANT: every field is named, so that a new one is not shown by
    /// accident.
    fn of(&self, device: &Device, asked: &[Identifier]) -> Device {
        let named = self.show(&ShownFact::Identifiers);
        let ids = device.ids.iter();
        let ids = ids.filter(|id| named || asked.contains(id)).cloned();
        let all = self.show(&ShownFact::Attributes);
        let attributes = device.attributes.iter().filter(|attribute| {
            all || self
                .facts
                .iter()
                .any(|shown| matches!(shown, ShownFact::Attribute(name) if *name == attribute.name))
        });
        Device {
            key: device.key.clone().if_shown(named),
            ids: ids.collect(),
            enrollment: device.enrollment,
            compliance: device.compliance.clone(),
            ownership: if self.show(&ShownFact::Ownership) {
                device.ownership
            } else {
                Ownership::Unknown
            },
            posture: if self.show(&ShownFact::Posture) {
                device.posture
            } else {
                Posture::default()
            },
            user: device.user.clone().if_shown(self.show(&ShownFact::User)),
            os: device.os.clone().if_shown(self.show(&ShownFact::System)),
            manufacturer: device
                .manufacturer
                .clone()
                .if_shown(self.show(&ShownFact::Manufacturer)),
            model: device.model.clone().if_shown(self.show(&ShownFact::Model)),
            name: device.name.clone().if_shown(self.show(&ShownFact::Name)),
            enrolled_at: device
                .enrolled_at
                .if_shown(self.show(&ShownFact::EnrolledAt)),
            last_seen: device.last_seen.if_shown(self.show(&ShownFact::LastSeen)),
            attributes: attributes.cloned().collect(),
        }
    }
}

trait IfShown: Default {
    fn if_shown(self, shown: bool) -> Self {
        if shown { self } else { Self::default() }
    }
}

impl<T: Default> IfShown for T {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Attribute, Compliance, ComplianceState, Enrollment, OperatingSystem, Timestamp, Tristate,
        User, Value,
    };

    fn device() -> Arc<Device> {
        let attribute = |name: &str| Attribute {
            name: name.to_owned(),
            value: Value::Boolean(true),
        };
        Arc::new(Device {
            key: "42".to_owned(),
            ids: vec![
                "3eeb9e62-cec9-4dd8-9dd6-74903695a62b".parse().unwrap(),
                "00:50:56:a4:89:5a".parse().unwrap(),
            ],
            enrollment: Enrollment::Enrolled,
            compliance: Compliance {
                state: ComplianceState::NonCompliant,
                ..Compliance::default()
            },
            ownership: Ownership::Corporate,
            posture: Posture {
                firewall: Tristate::Yes,
                ..Posture::default()
            },
            user: Some(User::default()),
            os: Some(OperatingSystem::default()),
            manufacturer: Some("Contoso".to_owned()),
            model: Some("One".to_owned()),
            name: Some("ada's".to_owned()),
            enrolled_at: Some(Timestamp::from_millis(1)),
            last_seen: Some(Timestamp::from_millis(2)),
            attributes: vec![attribute("intune.a"), attribute("intune.b")],
        })
    }

    fn view(facts: &[&str]) -> View {
        let facts = facts.iter().map(|fact| fact.parse().unwrap());
        View {
            facts: Some(Arc::new(facts.collect())),
            ..View::default()
        }
    }

    #[test]
    fn everything_is_the_same_device() {
        let device = device();
        assert!(Arc::ptr_eq(&View::default().of(&device, &[]), &device));
        let words: Vec<&str> = ShownFact::WORDS.iter().map(|(word, _)| *word).collect();
        assert_eq!(view(&words).of(&device, &[]), device);
    }

    #[test]
    fn nothing_is_enrolment_and_compliance_of_what_was_asked() {
        let device = device();
        let asked = &device.ids[1..];
        let expected = Device {
            ids: asked.to_vec(),
            enrollment: device.enrollment,
            compliance: device.compliance.clone(),
            ..Device::default()
        };
        assert_eq!(*view(&[]).of(&device, asked), expected);
    }

    #[test]
    fn one_fact_is_one_fact() {
        let device = device();
        let shown = view(&["os", "attribute:intune.b"]).of(&device, &[]);
        let expected = Device {
            enrollment: device.enrollment,
            compliance: device.compliance.clone(),
            os: device.os.clone(),
            attributes: device.attributes[1..].to_vec(),
            ..Device::default()
        };
        assert_eq!(*shown, expected);
    }

    #[test]
    fn words() {
        for (word, fact) in ShownFact::WORDS {
            assert_eq!(word.parse(), Ok(fact.clone()));
            assert_eq!(fact.to_string(), word);
        }
        let one: ShownFact = "attribute:intune.a".parse().unwrap();
        assert_eq!(one.to_string(), "attribute:intune.a");
        for wrong in ["", "attribute:", "OS", "compliance"] {
            assert_eq!(wrong.parse::<ShownFact>(), Err(NoSuchFact), "{wrong}");
        }
    }

    #[test]
    fn sets_of_sources() {
        let one = SourceSet::NONE.with(1).unwrap();
        assert!(one.contains(1) && !one.contains(0) && !one.contains(64));
        assert!(SourceSet::ALL.contains(0) && SourceSet::ALL.contains(1000));
        assert!(!SourceSet::NONE.contains(0));
        assert_eq!(one.with(64), None);
    }
}
