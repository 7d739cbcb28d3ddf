//! Whatever changes: a remembered decision is the one a policy would make now.

use portreeve_domain::{
    Attribute, Enrollment, MacAddress, Medium, SourceOutcome, SourceReport, Value,
};

use super::*;
use crate::Record;

/// Something happens in the world.
#[derive(Clone, Debug)]
enum Change {
    Compliance(usize, u8),
    Enrollment(usize, bool),
    Name(usize, u8),
    LastSeen(usize, u8),
    Attribute(usize, u8, Option<u8>),
    Mac(usize, u8),
    Evict(usize),
    List(u8, bool),
    Connection(u8),
    Source(u8),
    Absence(u8),
    Clock(u16),
    Chain,
    Ask(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let device = || 0_usize..3;
    prop_oneof![
        1 => (device(), 0_u8..3).prop_map(|(device, to)| Change::Compliance(device, to)),
        1 => (device(), any::<bool>()).prop_map(|(device, to)| Change::Enrollment(device, to)),
        1 => (device(), 0_u8..3).prop_map(|(device, to)| Change::Name(device, to)),
        1 => (device(), 0_u8..3).prop_map(|(device, to)| Change::LastSeen(device, to)),
        1 => (device(), 0_u8..2, proptest::option::of(0_u8..2))
            .prop_map(|(device, name, to)| Change::Attribute(device, name, to)),
        1 => (device(), 0_u8..3).prop_map(|(device, to)| Change::Mac(device, to)),
        1 => device().prop_map(Change::Evict),
        1 => (0_u8..2, any::<bool>()).prop_map(|(member, is_in)| Change::List(member, is_in)),
        1 => (0_u8..3).prop_map(Change::Connection),
        1 => (0_u8..3).prop_map(Change::Source),
        1 => (0_u8..3).prop_map(Change::Absence),
        1 => (0_u16..20_000).prop_map(Change::Clock),
        1 => Just(Change::Chain),
        12 => (0_usize..4).prop_map(Change::Ask),
    ]
}

/// Every fact that the policy can read.
fn all_facts() -> Vec<Fact> {
    let mut facts = vec![
        Fact::Now,
        Fact::Connection,
        Fact::RequestedIdentifiers,
        Fact::Absence,
        Fact::Sources,
        Fact::Identifiers,
        Fact::Enrollment,
        Fact::Compliance,
        Fact::LastSeen,
        Fact::Attribute("x.0".into()),
        Fact::Attribute("x.1".into()),
        Fact::AttributeNames("x.".into()),
    ];
    facts.extend(["0", "1"].map(|member| Fact::ListMembership {
        list: "vip".into(),
        member: member.into(),
    }));
    facts
}

/// A policy whose decision is the text of all it read. Which facts it reads
/// depends on what it read before, as in real ones.
fn decide(subject: &Subject, choice: u32) -> (FactsRead, String) {
    let mut facts = FactsRead::default();
    let mut decision = String::new();
    let mut choice = choice;
    for fact in all_facts() {
        let is_read = choice & 1 == 1;
        choice = choice.rotate_right(1);
        if is_read {
            let value = text(&fact, subject);
            choice ^= u32::try_from(value.len()).unwrap();
            decision.push_str(&value);
            facts.note(fact);
        }
    }
    (facts, decision)
}

/// The fact's value, found without the code under test.
fn text(fact: &Fact, subject: &Subject) -> String {
    let device = subject.device();
    match fact {
        // Within its validity a decision does not follow the clock.
        Fact::Now => String::new(),
        Fact::Connection => format!("{:?};", subject.connection),
        Fact::RequestedIdentifiers => format!("{:?};", subject.requested),
        Fact::Absence => format!("{:?};", subject.absence()),
        Fact::Sources => format!("{:?};", subject.sources),
        Fact::Identifiers => format!("{:?};", device.map(|device| &device.ids)),
        Fact::Enrollment => format!("{:?};", device.map(|device| device.enrollment)),
        Fact::Compliance => format!("{:?};", device.map(|device| &device.compliance)),
        Fact::LastSeen => format!("{:?};", device.map(|device| device.last_seen)),
        Fact::Attribute(name) => {
            format!("{:?};", device.map(|device| device.attribute(name)))
        }
        Fact::AttributeNames(_) => {
            let names = |device: &Arc<Device>| -> Vec<String> {
                device.attributes.iter().map(|it| it.name.clone()).collect()
            };
            format!("{:?};", device.map(names))
        }
        Fact::ListMembership { list, member } => {
            format!("{:?};", subject.lists.contains(list, member))
        }
        _ => unreachable!("not in `all_facts`"),
    }
}

/// The world as it is now, and the caches in it.
struct World {
    cache: DeviceCache,
    verdicts: VerdictCache<(Timestamp, String)>,
    devices: Vec<Device>,
    chain: ChainId,
    /// What the next question looks like, but for the device.
    subject: Subject,
    absence: Absence,
    members: [bool; 2],
}

impl World {
    fn new() -> Self {
        let devices = (0..3).map(|number| Device {
            key: number.to_string(),
            ids: ids(&format!("serial:{number}")).to_vec(),
            ..Device::default()
        });
        Self {
            cache: super::devices(),
            verdicts: VerdictCache::new(6, TTL),
            devices: devices.collect(),
            chain: ChainId(0),
            subject: subject(None),
            absence: Absence::UnknownDevice,
            members: [false; 2],
        }
    }

    fn apply(&mut self, change: &Change) {
        match *change {
            Change::Compliance(device, to) => {
                use ComplianceState::{Compliant, NonCompliant, Unknown};
                let states = [Unknown, Compliant, NonCompliant];
                self.devices[device].compliance.state = states[usize::from(to)];
            }
            Change::Enrollment(device, enrolled) => {
                let states = [Enrollment::Retired, Enrollment::Enrolled];
                self.devices[device].enrollment = states[usize::from(enrolled)];
            }
            Change::Name(device, to) => self.devices[device].name = Some(to.to_string()),
            Change::LastSeen(device, to) => {
                self.devices[device].last_seen = Some(Timestamp::from_millis(to.into()));
            }
            Change::Attribute(device, name, to) => {
                let name = format!("x.{name}");
                let attributes = &mut self.devices[device].attributes;
                attributes.retain(|attribute| attribute.name != name);
                let value = to.map(|to| Value::Integer(to.into()));
                attributes.extend(value.map(|value| Attribute { name, value }));
            }
            Change::Mac(device, to) => {
                let mac = Identifier::Mac(MacAddress::new([0, 0, 0, 0, 0, to]));
                self.devices[device].ids.truncate(1);
                self.devices[device].ids.push(mac);
            }
            Change::Evict(device) => {
                self.cache.remove(SourceId(0), &device.to_string());
            }
            Change::List(member, is_in) => {
                self.members[usize::from(member)] = is_in;
                let members = ["0", "1"].into_iter().zip(self.members);
                let mut lists = Lists::default();
                lists.insert(
                    "vip",
                    members.filter_map(|(name, is_in)| is_in.then_some(name)),
                );
                self.subject.lists = Arc::new(lists);
            }
            Change::Connection(to) => {
                let media = [Medium::Wired, Medium::Wireless, Medium::Vpn];
                self.subject.connection = Arc::new(Connection {
                    medium: media[usize::from(to)],
                    ..Connection::default()
                });
            }
            Change::Source(to) => {
                self.subject.sources = vec![SourceReport {
                    name: "source".into(),
                    outcome: SourceOutcome::Found,
                    fetched_at: Some(Timestamp::from_millis(to.into())),
                    stale: to == 2,
                    detail: None,
                }];
            }
            Change::Absence(to) => {
                let all = [
                    Absence::UnknownDevice,
                    Absence::SourcesUnavailable,
                    Absence::Ambiguous,
                ];
                self.absence = all[usize::from(to)];
            }
            Change::Clock(millis) => {
                let span = Duration::from_millis(millis.into());
                self.subject.now = self.subject.now.plus(span);
            }
            Change::Chain => {
                self.verdicts.invalidate_chain(self.chain);
                self.chain.0 += 1;
            }
            Change::Ask(_) => {}
        }
    }

    /// Asks for a device, the last of which nobody knows.
    fn ask(&mut self, number: usize, choice: u32) -> (bool, String, String) {
        let record = self
            .devices
            .get(number)
            .map(|device| self.cache.insert(SourceId(0), device, self.subject.now));
        let finding = match &record {
            Some(record) => Finding::Device(Arc::new(self.cache.device(record))),
            None => Finding::Absent(self.absence),
        };
        let subject = Subject {
            requested: ids(&format!("serial:{number}")),
            finding,
            ..self.subject.clone()
        };
        // Another chain is another policy.
        let choice = choice.rotate_left(u32::try_from(self.chain.0).unwrap());
        let (facts, decision) = decide(&subject, choice);
        let provenance = record.as_ref().map(Record::provenance);
        let found = self.verdicts.get(self.chain, &subject, provenance);
        if let Some((decided_at, found)) = found {
            assert!(subject.now.since(decided_at) < TTL);
            return (true, found, decision);
        }
        let value = (subject.now, decision.clone());
        self.verdicts
            .insert(self.chain, &subject, provenance, &facts, None, value);
        (false, decision.clone(), decision)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn it_is_a_plain_recomputation(
        choice: u32,
        changes in proptest::collection::vec(change(), 0..80),
    ) {
        let mut world = World::new();
        for change in changes {
            world.apply(&change);
            if let Change::Ask(number) = change {
                let (_, found, expected) = world.ask(number, choice);
                prop_assert_eq!(found, expected);
            }
        }
    }
}

/// The property above would also hold for a cache that never hits.
#[test]
fn it_does_hit() {
    let mut world = World::new();
    assert!(!world.ask(0, 1 << 7).0);
    for change in [
        Change::Name(0, 1),
        Change::LastSeen(0, 1),
        Change::Mac(0, 1),
        Change::Enrollment(0, true),
        Change::List(0, true),
        Change::Connection(1),
        Change::Source(1),
        Change::Evict(0),
        Change::Clock(10_000),
    ] {
        world.apply(&change);
        assert!(world.ask(0, 1 << 7).0, "{change:?}");
    }
    for change in [
        Change::Compliance(0, 1),
        Change::Chain,
        Change::Clock(60_000),
    ] {
        world.apply(&change);
        let hit = world.ask(0, 1 << 7).0;
        assert!(!hit, "{change:?}");
    }
}
