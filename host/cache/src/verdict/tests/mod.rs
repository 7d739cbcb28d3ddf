use portreeve_domain::{
    Absence, Compliance, ComplianceState, Connection, Device, Fact, Finding, Identifier, Timestamp,
};

use proptest::prelude::*;

use super::*;
use crate::{CacheSettings, DeviceCache, SourceId};

const CHAIN: ChainId = ChainId(1);
const TTL: Duration = Duration::from_mins(1);

fn verdicts() -> VerdictCache<u32> {
    VerdictCache::new(1_000, TTL)
}

fn devices() -> DeviceCache {
    DeviceCache::new(CacheSettings::default())
}

fn ids(text: &str) -> Arc<[Identifier]> {
    Arc::new([text.parse().unwrap()])
}

/// A device and the record that it comes from.
struct Learnt {
    device: Arc<Device>,
    provenance: Provenance,
}

impl Learnt {
    fn subject(&self) -> Subject {
        subject(Some(&self.device))
    }
}

/// A device whose compliance and name can change.
fn learn(devices: &DeviceCache, state: ComplianceState, name: &str) -> Learnt {
    let device = Device {
        key: "a".to_owned(),
        ids: ids("serial:a").to_vec(),
        compliance: Compliance {
            state,
            ..Compliance::default()
        },
        name: Some(name.to_owned()),
        ..Device::default()
    };
    let record = devices.insert(SourceId(0), &device, Timestamp::from_millis(0));
    Learnt {
        device: Arc::new(device),
        provenance: record.provenance(),
    }
}

fn subject(device: Option<&Arc<Device>>) -> Subject {
    Subject {
        now: Timestamp::from_millis(1_000_000),
        connection: Arc::default(),
        requested: ids("serial:a"),
        finding: device.map_or(Finding::Absent(Absence::UnknownDevice), |device| {
            Finding::Device(Arc::clone(device))
        }),
        sources: Vec::new(),
        lists: Arc::default(),
    }
}

fn read(facts: &[Fact]) -> FactsRead {
    let mut read = FactsRead::default();
    for fact in facts {
        read.note(fact.clone());
    }
    read
}

fn at_location(mut subject: Subject, location: &str) -> Subject {
    subject.connection = Arc::new(Connection {
        location: Some(location.to_owned()),
        ..Connection::default()
    });
    subject
}

#[test]
fn only_what_was_read_makes_it_void() {
    use ComplianceState::{Compliant, NonCompliant};
    let (devices, verdicts) = (devices(), verdicts());
    let record = learn(&devices, Compliant, "one");
    let facts = read(&[Fact::Compliance, Fact::Now]);
    verdicts.insert(
        CHAIN,
        &record.subject(),
        Some(record.provenance),
        &facts,
        None,
        7,
    );
    let get = |it: &Learnt| verdicts.get(CHAIN, &it.subject(), Some(it.provenance));
    assert_eq!(get(&record), Some(7));
    let renamed = learn(&devices, Compliant, "two");
    assert_ne!(renamed.provenance, record.provenance);
    assert_eq!(renamed.provenance.identity, record.provenance.identity);
    assert_eq!(get(&renamed), Some(7));
    assert_eq!(get(&learn(&devices, NonCompliant, "two")), None);
    // Back again: the verdict of then is that of now.
    assert_eq!(get(&learn(&devices, Compliant, "two")), Some(7));
    let statistics = verdicts.statistics();
    assert_eq!((statistics.hits, statistics.misses), (3, 1));
}

#[test]
fn a_record_without_its_device_proves_nothing() {
    use ComplianceState::{Compliant, NonCompliant};
    let (devices, verdicts) = (devices(), verdicts());
    let good = learn(&devices, Compliant, "one");
    let facts = read(&[Fact::Compliance]);
    let provenance = Some(good.provenance);
    verdicts.insert(CHAIN, &good.subject(), provenance, &facts, None, 7);
    let bad = learn(&devices, NonCompliant, "one");
    assert_eq!(verdicts.get(CHAIN, &subject(None), provenance), None);
    // Without a record everything is compared.
    let facts_alone = good.subject();
    assert_eq!(verdicts.get(CHAIN, &facts_alone, None), None);
    verdicts.insert(CHAIN, &facts_alone, None, &facts, None, 8);
    assert_eq!(verdicts.get(CHAIN, &facts_alone, None), Some(8));
    assert_eq!(verdicts.get(CHAIN, &bad.subject(), None), None);
}

#[test]
fn unknown_and_unavailable_are_different_cases() {
    let verdicts = verdicts();
    let unknown = subject(None);
    // The policy read nothing, so nothing but the key tells them apart.
    verdicts.insert(CHAIN, &unknown, None, &read(&[]), None, 7);
    assert_eq!(verdicts.get(CHAIN, &unknown, None), Some(7));
    for absence in [Absence::SourcesUnavailable, Absence::Ambiguous] {
        let mut other = unknown.clone();
        other.finding = Finding::Absent(absence);
        assert_eq!(verdicts.get(CHAIN, &other, None), None);
    }
}

#[test]
fn validity_ends_in_both_directions() {
    for (valid_for, seconds, expected) in [
        (None, 59, Some(7)),
        (None, 60, None),
        (None, -59, Some(7)),
        (None, -60, None),
        (Some(5), 4, Some(7)),
        (Some(5), 5, None),
        (Some(0), 0, None),
    ] {
        let verdicts = verdicts();
        let mut subject = subject(None);
        let valid_for = valid_for.map(Duration::from_secs);
        verdicts.insert(CHAIN, &subject, None, &read(&[]), valid_for, 7);
        let now = subject.now.as_millis();
        subject.now = Timestamp::from_millis(now.saturating_add_signed(seconds * 1_000));
        assert_eq!(
            verdicts.get(CHAIN, &subject, None),
            expected,
            "{valid_for:?} {seconds}"
        );
    }
    // Nor is anything remembered when the operator says so.
    let verdicts = VerdictCache::new(1_000, Duration::ZERO);
    verdicts.insert(CHAIN, &subject(None), None, &read(&[]), None, 7);
    assert!(verdicts.is_empty());
}

#[test]
fn a_few_variants_stand_side_by_side() {
    let verdicts = verdicts();
    let facts = read(&[Fact::Connection]);
    let places: Vec<_> = (0..6)
        .map(|number| at_location(subject(None), &number.to_string()))
        .collect();
    for (value, subject) in (0..).zip(&places) {
        verdicts.insert(CHAIN, subject, None, &facts, None, value);
        // Twice is the same variant.
        verdicts.insert(CHAIN, subject, None, &facts, None, value);
    }
    assert_eq!(verdicts.len(), 4);
    let found: Vec<_> = places
        .iter()
        .map(|subject| verdicts.get(CHAIN, subject, None))
        .collect();
    assert_eq!(found, [None, None, Some(2), Some(3), Some(4), Some(5)]);
}

#[test]
fn variants_may_rest_on_different_facts() {
    let verdicts = verdicts();
    let here = at_location(subject(None), "here");
    let there = at_location(subject(None), "there");
    let few = read(&[Fact::Connection]);
    let many = read(&[Fact::Connection, Fact::Sources]);
    verdicts.insert(CHAIN, &here, None, &few, None, 1);
    verdicts.insert(CHAIN, &there, None, &many, None, 2);
    assert_eq!(verdicts.get(CHAIN, &here, None), Some(1));
    assert_eq!(verdicts.get(CHAIN, &there, None), Some(2));
}

#[test]
fn a_change_of_lists_voids_what_asked_them() {
    let verdicts = verdicts();
    let membership = Fact::ListMembership {
        list: "vip".into(),
        member: "serial:a".into(),
    };
    let lists = |members: &[&str]| {
        let mut lists = Lists::default();
        lists.insert("vip", members.iter().copied());
        Arc::new(lists)
    };
    let with = |lists: &Arc<Lists>| Subject {
        lists: Arc::clone(lists),
        ..subject(None)
    };
    let before = lists(&["serial:a"]);
    verdicts.insert(CHAIN, &with(&before), None, &read(&[membership]), None, 7);
    for (members, expected) in [
        (&["serial:a"] as &[_], Some(7)),
        (&["serial:a", "serial:b"], Some(7)),
        (&["serial:b"], None),
        (&[], None),
        (&["serial:a"], Some(7)),
    ] {
        let lists = lists(members);
        // The second time the lists are known.
        for _ in 0..2 {
            let found = verdicts.get(CHAIN, &with(&lists), None);
            assert_eq!(found, expected, "{members:?}");
        }
    }
    assert_eq!(verdicts.get(CHAIN, &with(&before), None), Some(7));
}

#[test]
fn a_chain_is_forgotten_alone() {
    let verdicts = VerdictCache::new(10_000, TTL);
    for number in 0..3_000_u32 {
        let subject = Subject {
            requested: ids(&format!("serial:{number}")),
            ..subject(None)
        };
        let chain = ChainId(u64::from(number % 2));
        verdicts.insert(chain, &subject, None, &read(&[]), None, number);
    }
    verdicts.invalidate_chain(ChainId(1));
    assert_eq!(verdicts.len(), 1_500);
    for number in 0..3_000_u32 {
        let subject = Subject {
            requested: ids(&format!("serial:{number}")),
            ..subject(None)
        };
        let found = [0, 1].map(|chain| verdicts.get(ChainId(chain), &subject, None));
        let expected = (number % 2 == 0).then_some(number);
        assert_eq!(found, [expected, None]);
    }
}

#[test]
fn a_storm_stays_within_the_bound() {
    for most in [0, 1, 3, 50] {
        let verdicts = VerdictCache::new(most, TTL);
        for number in 0..2_000_u32 {
            let subject = Subject {
                requested: ids(&format!("serial:{}", number / 3)),
                ..at_location(subject(None), &number.to_string())
            };
            let facts = read(&[Fact::Connection]);
            verdicts.insert(CHAIN, &subject, None, &facts, None, number);
            assert!(verdicts.len() <= most, "{most}");
            let found = verdicts.get(CHAIN, &subject, None);
            assert_eq!(found, (most > 0).then_some(number));
        }
    }
}

#[test]
fn too_many_facts_are_not_compared() {
    let verdicts = verdicts();
    let facts: Vec<_> = (0..=MOST_FACTS)
        .map(|number| Fact::Attribute(number.to_string().into()))
        .collect();
    verdicts.insert(CHAIN, &subject(None), None, &read(&facts), None, 7);
    assert!(verdicts.is_empty());
}

mod model;
