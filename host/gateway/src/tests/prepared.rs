//! Prepared answers against a plain recomputation.
//!
//! A gateway with all its caches is asked beside one that remembers no decision
//! and keeps no rendering, over the same memory. Whatever happens in between, a
//! hit says what the other one would say at that moment, and a policy reads its
//! facts again when, and only when, one of them has changed.

use std::collections::BTreeMap;

use portreeve_cache::SourceId;
use portreeve_domain::{Answer, Attribute, Connection, MacAddress, Medium, Timestamp, Value};
use portreeve_store::decisions::fact_value;
use proptest::prelude::*;

use super::*;

const FORMS: [Form; 2] = [Form::new(0), Form::new(1)];
/// Span of time after which a policy that reads the time says something else.
const PERIOD: u64 = 3;
const HOUR: Duration = Duration::from_hours(1);
/// No age that the operations make is near one of these.
const AGES: FreshnessRules = FreshnessRules {
    ttl: HOUR,
    max_stale_compliant: HOUR.saturating_mul(5),
    max_stale_other: HOUR.saturating_mul(3),
    negative_ttl: HOUR,
};

/// Policies of the quarantine.
const STOP: &str = "stop";
const LIMIT: &str = "limit";
const BOUNCE: &str = "bounce";

fn quarantined(name: &str, verdict: Verdict) -> quarantine::Policy {
    quarantine::Policy {
        verdict,
        is_configured: true,
        ..quarantine::Policy::of_actions(name, Vec::new()).unwrap()
    }
}

/// A policy that is nothing but what it reads.
#[derive(Clone, Debug)]
struct Reading {
    facts: Vec<Fact>,
    /// Has no opinion when the first of them hashes so.
    abstains: bool,
    valid_for: Option<Duration>,
}

impl Reading {
    /// What it decides about a subject: every value that it read stands in the
    /// reason.
    fn decide(&self, subject: &Subject) -> (Decision, FactsRead) {
        let mut read = FactsRead::default();
        let mut values = String::new();
        let mut valid_for = self.valid_for;
        for fact in &self.facts {
            read.note(fact.clone());
            let value = match fact {
                Fact::Now => {
                    let now = subject.now.as_millis();
                    valid_for = Some(Duration::from_millis(PERIOD - now % PERIOD));
                    (now / PERIOD).to_string()
                }
                fact => fact_value(fact, subject).to_string(),
            };
            values.extend([fact.to_string(), "=".to_owned(), value, ";".to_owned()]);
            // What is read depends on what was read before.
            if values.len().is_multiple_of(5) {
                break;
            }
        }
        let verdict = match values.len() % 3 {
            _ if self.abstains && values.len().is_multiple_of(2) => Verdict::Abstain,
            0 => Verdict::Permit,
            1 => Verdict::Restrict,
            _ => Verdict::Deny,
        };
        let mut decision = Decision::because(verdict, "read", &values);
        decision.valid_for = valid_for;
        (decision, read)
    }
}

/// The same as a policy, which counts how often it is run.
#[derive(Debug)]
struct Reader {
    reading: Reading,
    runs: Arc<AtomicUsize>,
}

impl Evaluator for Reader {
    fn evaluate(&self, subject: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let (decision, facts_read) = self.reading.decide(&subject);
        let evaluation = Evaluation {
            decision,
            facts_read,
        };
        std::future::ready(Ok(evaluation)).boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

/// What decides: one chain for everybody, and perhaps another one for those who
/// connect without a cable.
#[derive(Clone, Debug)]
struct Deciding {
    default: (Combine, Vec<Reading>),
    wireless: Option<(Combine, Vec<Reading>)>,
}

impl Deciding {
    fn first_of(readings: Vec<Reading>) -> Self {
        Self {
            default: (Combine::FirstDecides, readings),
            wireless: None,
        }
    }

    fn settings(&self, runs: &Arc<AtomicUsize>) -> ChainsSettings {
        let chain = |name: &str, (combine, readings): &(Combine, Vec<Reading>)| ChainSettings {
            name: name.into(),
            combine: *combine,
            policies: policies(name, readings, runs),
            verdict_ttl: None,
        };
        let wireless = Selector {
            media: vec![Medium::Wireless],
            ..Selector::default()
        };
        let selected = self.wireless.as_ref();
        ChainsSettings {
            default: chain("policy", &self.default),
            selected: selected
                .map(|it| (wireless, chain("wireless", it)))
                .into_iter()
                .collect(),
        }
    }

    fn readings(&self) -> impl Iterator<Item = &Reading> {
        let wireless = self.wireless.iter().flat_map(|(_, readings)| readings);
        self.default.1.iter().chain(wireless)
    }
}

fn policies(chain: &str, readings: &[Reading], runs: &Arc<AtomicUsize>) -> Vec<PolicySettings> {
    let policies = readings.iter().enumerate().map(|(number, reading)| {
        let reader = Reader {
            reading: reading.clone(),
            runs: Arc::clone(runs),
        };
        PolicySettings {
            name: format!("{chain}-{number}").into(),
            digest: "0".into(),
            evaluator: Arc::new(reader) as Arc<dyn Evaluator>,
            on_error: OnError::Deny,
            mode: Mode::Enforce,
        }
    });
    policies.collect()
}

/// What they say, computed on the spot.
fn recompute(deciding: &Deciding, subject: &Subject) -> (String, Option<String>) {
    let wireless = deciding.wireless.as_ref();
    let wireless = wireless.filter(|_| subject.connection.medium == Medium::Wireless);
    let (name, (combine, readings)) = match wireless {
        Some(wireless) => ("wireless", wireless),
        None => ("policy", &deciding.default),
    };
    let opinions = readings.iter().enumerate().map(|(number, reading)| {
        let (decision, _) = reading.decide(subject);
        (decision, format!("{name}-{number}"))
    });
    let mut opinions: Vec<_> = opinions
        .filter(|(decision, _)| decision.verdict != Verdict::Abstain)
        .collect();
    let strictness = |verdict| match verdict {
        Verdict::Permit => 0,
        Verdict::Restrict => 1,
        _ => 2,
    };
    // Those who are equal stay in their order.
    match combine {
        Combine::FirstDecides => {}
        Combine::DenyOverrides => opinions.sort_by_key(|it| 2 - strictness(it.0.verdict)),
        Combine::PermitOverrides => opinions.sort_by_key(|it| strictness(it.0.verdict)),
    }
    match opinions.into_iter().next() {
        Some((decision, policy)) => (said(&decision), Some(policy)),
        None => ("undecided".to_owned(), None),
    }
}

/// Verdict and reason of a decision.
fn said(decision: &Decision) -> String {
    let reason = &decision.reasons[0];
    if reason.code == "no-policy-decided" {
        return "undecided".to_owned();
    }
    format!("{}: {}", decision.verdict.as_str(), reason.message)
}

/// Says about every endpoint what the operations told it to say.
#[derive(Debug, Default)]
struct Told(Mutex<Option<Lookup>>);

impl Source for Told {
    fn find<'a>(
        &'a self,
        _: &'a [Identifier],
        _: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        let reply = self.0.lock().clone();
        std::future::ready(reply.map_or_else(down, Ok)).boxed()
    }

    fn check(&self, _: Instant) -> BoxFuture<'_, CheckReport> {
        std::future::ready(CheckReport::default()).boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

/// A device that differs from others in facts that policies read, or do not.
#[derive(Clone, Debug)]
struct Made {
    number: u8,
    state: ComplianceState,
    attribute: u8,
    name: u8,
    /// Another one contradicts the record of another source.
    serial: u8,
    has_guid: bool,
}

impl Made {
    fn device(&self) -> Device {
        let mut ids = vec![mac(self.number).parse().unwrap()];
        if self.has_guid {
            ids.insert(0, guid(self.number).parse().unwrap());
        }
        if self.serial > 0 {
            ids.push(format!("serial:s{}", self.serial).parse().unwrap());
        }
        Device {
            key: format!("key-{}", self.number),
            ids,
            compliance: Compliance {
                state: self.state,
                ..Compliance::default()
            },
            name: Some(format!("name-{}", self.name)),
            attributes: vec![Attribute {
                name: "a".to_owned(),
                value: Value::Integer(self.attribute.into()),
            }],
            ..Device::default()
        }
    }
}

fn hours_ago(hours: u32) -> Timestamp {
    let age = u64::from(hours) * 3_600_000;
    Timestamp::from_millis(Timestamp::now().as_millis() - age)
}

fn mac(number: u8) -> String {
    format!("00:50:56:00:00:{number:02x}")
}

fn guid(number: u8) -> String {
    format!("3eeb9e62-cec9-4dd8-9dd6-0000000000{number:02x}")
}

#[expect(
    clippy::option_option,
    reason = "an error, an unknown device, or a device"
)]
#[derive(Clone, Debug)]
enum Step {
    /// A source, or its inventory, says this; so many hours ago.
    Learn(u16, Made, u32),
    /// The same once more, later.
    Confirm(u16, u8, u32),
    /// It is gone.
    Forget(u16, u8),
    /// The source says that it does not know the address.
    Unknown(u16, u8),
    /// What the source says from now on to whoever asks, `None` for an error.
    Tell(u16, Option<Option<Made>>),
    Lists(u8),
    /// The operator has a policy hold for an address.
    Quarantine(u8, &'static str),
    /// He sets it free.
    Clear(u8),
    Chains(Deciding),
    /// The operator turns the order of the sources round, or switches some off.
    Sources {
        reversed: bool,
        disabled: u8,
    },
    /// Time goes by.
    Wait,
    Ask {
        identifiers: Vec<String>,
        wireless: bool,
        /// The address that connects.
        by_mac: Option<u8>,
        form: usize,
    },
}

/// Everything that can happen to one gateway.
struct World {
    gateway: Arc<Gateway>,
    plain: Arc<Gateway>,
    memory: Arc<Memory>,
    sources: Vec<Arc<Told>>,
    deciding: Deciding,
    lists: Arc<Lists>,
    confined: BTreeMap<MacAddress, &'static str>,
    runs: Arc<AtomicUsize>,
    hits: usize,
}

impl World {
    fn new(sources: usize, deciding: Deciding) -> Self {
        let names: Vec<Arc<str>> = (0..sources).map(|it| format!("s{it}").into()).collect();
        let memory = Arc::new(Memory::volatile(CacheSettings::default(), names.clone()));
        let told: Vec<Arc<Told>> = (0..sources).map(|_| Arc::default()).collect();
        let runs = Arc::new(AtomicUsize::new(0));
        let gateway = |max_verdicts, runs| {
            let sources = names.iter().zip(&told).map(|(name, told)| SourceSettings {
                name: Arc::clone(name),
                source: Arc::clone(told) as Arc<dyn Source>,
                freshness: AGES,
                timeout: Duration::from_secs(5),
                enabled: true,
                requery: None,
                about: Arc::default(),
            });
            let settings = GatewaySettings {
                sources: sources.collect(),
                chains: deciding.settings(runs),
                lists: Lists::default(),
                memory: Arc::clone(&memory),
                sessions: Arc::default(),
                log: None,
                max_verdicts,
                verdict_ttl: HOUR,
                quarantine: quarantine::QuarantineSettings {
                    policies: vec![
                        quarantined(STOP, Verdict::Deny),
                        quarantined(LIMIT, Verdict::Restrict),
                        quarantined(BOUNCE, Verdict::Permit),
                    ],
                    ..quarantine::QuarantineSettings::default()
                },
                feed: FeedSettings::default(),
                actions: ActionRules::default(),
                retry_after: Duration::from_secs(30),
                max_flights: 16,
            };
            Gateway::new(settings, &Registry::new()).unwrap()
        };
        Self {
            gateway: gateway(1_000, &runs),
            plain: gateway(0, &Arc::default()),
            memory: Arc::clone(&memory),
            sources: told,
            deciding,
            lists: Arc::default(),
            confined: BTreeMap::new(),
            runs,
            hits: 0,
        }
    }

    /// Refreshes that were begun behind end before anything else happens.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Learn(source, made, hours) => {
                let devices = self.memory.devices();
                devices.insert(SourceId(source), &made.device(), hours_ago(hours));
            }
            Step::Confirm(source, number, hours) => {
                let devices = self.memory.devices();
                if let Some(record) = devices.get(SourceId(source), &format!("key-{number}")) {
                    let device = devices.device(&record);
                    devices.insert(SourceId(source), &device, hours_ago(hours));
                }
            }
            Step::Forget(source, number) => {
                let devices = self.memory.devices();
                devices.remove(SourceId(source), &format!("key-{number}"));
            }
            Step::Unknown(source, number) => {
                let asked = [mac(number).parse().unwrap()];
                self.memory
                    .learn_unknown(SourceId(source), &asked, Timestamp::now());
            }
            Step::Tell(source, reply) => {
                let reply = reply.map(|found| match found {
                    Some(made) => Lookup::Found(Box::new(made.device())),
                    None => Lookup::Unknown,
                });
                *self.sources[usize::from(source)].0.lock() = reply;
            }
            Step::Lists(which) => {
                let mut lists = Lists::default();
                lists.insert("vip", [["1", "2", "3"][usize::from(which)]]);
                lists.insert("other", ["1"]);
                self.lists = Arc::new(lists.clone());
                self.gateway.replace_lists(lists.clone());
                self.plain.replace_lists(lists);
            }
            Step::Quarantine(number, policy) => {
                let address = mac(number).parse().unwrap();
                for gateway in [&self.gateway, &self.plain] {
                    // It may hold already.
                    let _ = gateway.quarantine().apply(address, policy, "test").await;
                }
                self.confined.insert(address, policy);
            }
            Step::Clear(number) => {
                let address = mac(number).parse().unwrap();
                for gateway in [&self.gateway, &self.plain] {
                    let _ = gateway.quarantine().clear(address, "test").await;
                }
                self.confined.remove(&address);
            }
            Step::Chains(deciding) => {
                self.gateway.replace_chains(deciding.settings(&self.runs));
                self.plain
                    .replace_chains(deciding.settings(&Arc::default()));
                self.deciding = deciding;
            }
            Step::Sources { reversed, disabled } => {
                for gateway in [&self.gateway, &self.plain] {
                    let mut sources = gateway.sources();
                    sources.sort_by(|one, other| one.name.cmp(&other.name));
                    for (place, source) in sources.iter_mut().enumerate() {
                        source.enabled = disabled & 1 << place == 0;
                    }
                    if reversed {
                        sources.reverse();
                    }
                    gateway.replace_sources(sources).unwrap();
                }
            }
            Step::Wait => {
                let until = Timestamp::now().as_millis() + PERIOD;
                while Timestamp::now().as_millis() < until {
                    std::hint::spin_loop();
                }
            }
            Step::Ask {
                identifiers,
                wireless,
                by_mac,
                form,
            } => {
                let identifiers = identifiers.iter().map(|text| text.parse().unwrap());
                let connection = Connection {
                    mac: by_mac.map(|number| mac(number).parse().unwrap()),
                    medium: if wireless {
                        Medium::Wireless
                    } else {
                        Medium::Wired
                    },
                    ..Connection::default()
                };
                let patience = Duration::from_secs(5);
                let question = Question::new(identifiers.collect(), Arc::new(connection), patience);
                // A policy decides, memory answers, and a rendering does.
                for _ in 0..3 {
                    self.ask(&question, FORMS[form]).await;
                }
            }
        }
        self.settle().await;
    }

    /// Asks as a face does, and compares.
    async fn ask(&mut self, question: &Question, form: Form) {
        if let Some(hit) = self.gateway.hit(question.asked(), form) {
            self.hits += 1;
            return self.expect_hit(&hit, question, form).await;
        }
        if let Some(answered) = self.gateway.answer_from_memory(question) {
            let plain = self.plain.answer(question).await;
            assert_ne!(plain.origin, Origin::Fetched, "memory was enough");
            self.expect_answer(&answered, question);
            assert_eq!(facts(&answered), facts(&plain));
            if answered.can_be_kept() {
                self.gateway.keep(&answered, form, text(&answered, form));
                // Nothing has changed, but for the time.
                match self.gateway.hit(question.asked(), form) {
                    Some(hit) => self.expect_hit(&hit, question, form).await,
                    None => assert!(self.reads_time(), "it was kept and is not found"),
                }
            } else {
                let mut readings = self.deciding.readings();
                let reads_sources = readings.any(|it| it.facts.contains(&Fact::Sources));
                let has_device = matches!(answered.finding, Finding::Device(_));
                let subject = self.subject(&answered, question, answered.at);
                let is_confined = self.confinement(&subject).is_some();
                assert!(
                    reads_sources || !has_device || is_confined,
                    "it can be prepared"
                );
            }
            return;
        }
        let answered = self.gateway.answer(question).await;
        self.expect_answer(&answered, question);
        assert!(
            !answered.can_be_kept(),
            "a rendering says where it comes from"
        );
    }

    fn reads_time(&self) -> bool {
        let mut readings = self.deciding.readings();
        readings.any(|it| it.facts.contains(&Fact::Now) || it.valid_for.is_some())
    }

    /// An answer is what the chain says about the facts in it.
    fn expect_answer(&self, answer: &Answer, question: &Question) {
        let subject = self.subject(answer, question, answer.at);
        let (expected, policy) = self.confine(recompute(&self.deciding, &subject), &subject);
        match &answer.outcome {
            Outcome::Decided(decision) => assert_eq!(said(decision), expected),
            Outcome::CannotTell(_) => {
                assert_eq!(expected, "undecided");
                assert!(matches!(answer.finding, Finding::Absent(_)));
            }
        }
        assert_eq!(answer.policy.as_deref(), policy.as_deref());
    }

    async fn expect_hit(&self, hit: &Hit, question: &Question, form: Form) {
        let plain = self.plain.answer(question).await;
        assert_ne!(plain.origin, Origin::Fetched, "a hit needs no source");
        let subject = self.subject(&plain, question, hit.at());
        assert_eq!(self.confinement(&subject), None, "he is quarantined");
        let (decision, policy) = recompute(&self.deciding, &subject);
        let expected = format!("{form:?} {decision} by {policy:?} {}", facts(&plain));
        assert_eq!(String::from_utf8_lossy(hit.bytes()), expected);
        assert_eq!(
            decision
                .split_once(':')
                .map_or("deny", |(verdict, _)| verdict),
            hit.verdict().as_str()
        );
        assert_eq!(hit.is_stale(), plain.is_stale());
        for (source, number) in plain.sources.iter().zip(0..) {
            if let Some(fetched_at) = source.fetched_at {
                assert_eq!(hit.fetched_at(number), fetched_at, "{}", source.name);
            }
        }
    }

    /// The strictest policy that holds for the endpoint.
    fn confinement(&self, subject: &Subject) -> Option<&'static str> {
        let known = subject.device().into_iter().flat_map(|device| &device.ids);
        let macs: Vec<MacAddress> = subject
            .requested
            .iter()
            .chain(known)
            .filter_map(Identifier::as_mac)
            .chain(subject.connection.mac)
            .collect();
        let policies = macs.iter().filter_map(|mac| self.confined.get(mac));
        let policies: Vec<_> = policies.copied().collect();
        [STOP, LIMIT]
            .into_iter()
            .find(|policy| policies.contains(policy))
    }

    /// What the quarantine makes of a decision.
    fn confine(
        &self,
        (decision, policy): (String, Option<String>),
        subject: &Subject,
    ) -> (String, Option<String>) {
        let Some(confinement) = self.confinement(subject) else {
            return (decision, policy);
        };
        let is_unknown = matches!(
            subject.absence(),
            Some(Absence::SourcesUnavailable | Absence::Ambiguous)
        );
        let verdict = match decision.split_once(':') {
            Some((verdict, _)) => Some(verdict.to_owned()),
            None if is_unknown => None,
            None => Some("deny".to_owned()),
        };
        let bound = if confinement == STOP {
            "deny"
        } else {
            "restrict"
        };
        let confined = match verdict.as_deref() {
            Some("deny") => "deny",
            _ => bound,
        };
        let said = format!("{confined}: quarantined by policy `{confinement}`");
        if verdict.as_deref() == Some(confined) {
            (said, policy)
        } else {
            (said, Some("quarantine".to_owned()))
        }
    }

    fn subject(&self, answer: &Answer, question: &Question, now: Timestamp) -> Subject {
        Subject {
            now,
            connection: Arc::clone(question.connection()),
            requested: Arc::clone(question.identifiers()),
            finding: answer.finding.clone(),
            sources: answer.sources.clone(),
            lists: Arc::clone(&self.lists),
        }
    }
}

/// Everything that an answer shows of the facts, but for times that move.
fn facts(answer: &Answer) -> String {
    let sources = answer.sources.iter().map(|source| {
        let has_time = source.fetched_at.is_some();
        (&source.name, source.outcome, has_time, source.stale)
    });
    let sources: Vec<_> = sources.collect();
    format!("{:?} {sources:?} {}", answer.finding, answer.is_stale())
}

/// A rendering, as a face leaves it.
fn text(answer: &Answer, form: Form) -> Text {
    let decision = match &answer.outcome {
        Outcome::Decided(decision) => said(decision),
        Outcome::CannotTell(missing) => format!("{missing:?}"),
    };
    let policy = answer.policy.as_deref();
    let bytes = format!("{form:?} {decision} by {policy:?} {}", facts(answer));
    Text {
        status: 200,
        bytes: bytes.into_bytes().into(),
        holes: Box::default(),
    }
}

fn some_fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        4 => Just(Fact::Compliance),
        3 => Just(Fact::Attribute("a".into())),
        2 => Just(Fact::Identifiers),
        2 => Just(Fact::Connection),
        2 => Just(Fact::RequestedIdentifiers),
        1 => Just(Fact::Absence),
        1 => Just(Fact::Sources),
        2 => Just(Fact::Now),
        4 => (1..4_u8).prop_map(|member| Fact::ListMembership {
            list: "vip".into(),
            member: member.to_string().into(),
        }),
    ]
}

fn some_reading() -> impl Strategy<Value = Reading> {
    let valid_for = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Duration::ZERO)),
        1 => Just(Some(Duration::from_millis(1))),
        1 => Just(Some(HOUR)),
    ];
    let facts = prop::collection::vec(some_fact(), 0..4);
    (facts, any::<bool>(), valid_for).prop_map(|(facts, abstains, valid_for)| Reading {
        facts,
        abstains,
        valid_for,
    })
}

fn some_deciding() -> impl Strategy<Value = Deciding> {
    let combine = prop_oneof![
        2 => Just(Combine::FirstDecides),
        1 => Just(Combine::DenyOverrides),
        1 => Just(Combine::PermitOverrides),
    ];
    let readings = (combine, prop::collection::vec(some_reading(), 1..4)).boxed();
    let wireless = prop::option::of(readings.clone());
    (readings, wireless).prop_map(|(default, wireless)| Deciding { default, wireless })
}

fn some_device() -> impl Strategy<Value = Made> {
    let state = prop_oneof![
        Just(ComplianceState::Compliant),
        Just(ComplianceState::NonCompliant)
    ];
    (0..2_u8, state, 0..2_u8, 0..3_u8, 0..3_u8, any::<bool>()).prop_map(
        |(number, state, attribute, name, serial, has_guid)| Made {
            number,
            state,
            attribute,
            name,
            serial,
            has_guid,
        },
    )
}

fn some_question() -> impl Strategy<Value = Step> {
    let name = (0..2_u8, any::<bool>()).prop_map(
        |(number, by_guid)| {
            if by_guid { guid(number) } else { mac(number) }
        },
    );
    let names = prop_oneof![
        5 => name.clone().prop_map(|name| vec![name]),
        1 => prop::collection::vec(name, 2..4),
    ];
    let connecting = prop_oneof![3 => Just(None), 1 => (0..3_u8).prop_map(Some)];
    (names, any::<bool>(), connecting, 0..FORMS.len()).prop_map(
        |(identifiers, wireless, by_mac, form)| Step::Ask {
            identifiers,
            wireless,
            by_mac,
            form,
        },
    )
}

fn some_step(sources: u16) -> impl Strategy<Value = Step> {
    let age = || prop_oneof![5 => Just(0), 2 => Just(2), 1 => Just(4), 1 => Just(6)];
    let reply = prop_oneof![
        2 => Just(None),
        1 => Just(Some(None)),
        2 => some_device().prop_map(|made| Some(Some(made))),
    ];
    prop_oneof![
        8 => (0..sources, some_device(), age())
            .prop_map(|(source, made, age)| Step::Learn(source, made, age)),
        3 => (0..sources, 0..2_u8, age())
            .prop_map(|(source, number, age)| Step::Confirm(source, number, age)),
        1 => (0..sources, 0..2_u8).prop_map(|(source, number)| Step::Forget(source, number)),
        1 => (0..sources, 0..2_u8).prop_map(|(source, number)| Step::Unknown(source, number)),
        1 => (0..sources, reply).prop_map(|(source, reply)| Step::Tell(source, reply)),
        3 => (0..3_u8).prop_map(Step::Lists),
        2 => (0..3_u8, prop_oneof![Just(STOP), Just(LIMIT), Just(BOUNCE)])
            .prop_map(|(number, policy)| Step::Quarantine(number, policy)),
        2 => (0..3_u8).prop_map(Step::Clear),
        1 => some_deciding().prop_map(Step::Chains),
        1 => (any::<bool>(), prop_oneof![2 => Just(0), 1 => 0..8_u8])
            .prop_map(|(reversed, disabled)| Step::Sources { reversed, disabled }),
        2 => Just(Step::Wait),
        15 => some_question(),
    ]
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

proptest! {
    #[test]
    fn hits_are_what_a_plain_gateway_says(
        (sources, deciding, steps) in (1..4_u16).prop_flat_map(|sources| (
            Just(sources),
            some_deciding(),
            prop::collection::vec(some_step(sources), 1..80),
        ))
    ) {
        runtime().block_on(async {
            let mut world = World::new(usize::from(sources), deciding);
            for step in steps {
                world.step(step).await;
            }
        });
    }

    /// With policies that read nothing of time, source or question.
    #[test]
    fn a_policy_runs_again_when_what_it_read_has_changed_and_only_then(
        facts in prop::collection::vec(prop_oneof![
            Just(Fact::Compliance),
            Just(Fact::Attribute("a".into())),
            Just(Fact::Identifiers),
        ], 0..3),
        changes in prop::collection::vec((some_device(), any::<bool>()), 1..20),
    ) {
        let reading = Reading { facts, abstains: false, valid_for: None };
        runtime().block_on(async {
            let mut world = World::new(1, Deciding::first_of(vec![reading.clone()]));
            let mut seen = Vec::new();
            for (made, replaces_lists) in changes {
                let made = Made { number: 1, ..made };
                if replaces_lists {
                    // On which it does not rest.
                    world.step(Step::Lists(made.name)).await;
                }
                let device = made.device();
                world.step(Step::Learn(0, made, 0)).await;
                let before = world.runs.load(Ordering::SeqCst);
                for _ in 0..3 {
                    let identifiers = vec![mac(1)];
                    world.step(Step::Ask { identifiers, wireless: false, by_mac: None, form: 0 }).await;
                }
                let subject = Subject {
                    now: Timestamp::now(),
                    connection: Arc::default(),
                    requested: Arc::default(),
                    finding: Finding::Device(Arc::new(device)),
                    sources: Vec::new(),
                    lists: Arc::default(),
                };
                let (decision, _) = reading.decide(&subject);
                // A few of the last decisions about a device are remembered.
                let known = seen.last() == Some(&decision);
                let runs = world.runs.load(Ordering::SeqCst) - before;
                if known {
                    assert_eq!(runs, 0, "what it read is the same");
                } else if !seen.contains(&decision) {
                    assert_eq!(runs, 1, "what it read is another");
                }
                assert!(runs <= 1);
                seen.push(decision);
            }
            assert!(world.hits > 0);
        });
    }
}
