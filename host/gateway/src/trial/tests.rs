use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_cache::SourceId;
use portreeve_domain::{
    Attribute, Compliance, ComplianceState, Connection, Decision, Device, Fact, FactsRead,
    FailingCheck, Identifier, Lists, Medium, Obligation, ObligationKind, OperatingSystem, Posture,
    Question, Subject, Timestamp, Tristate, Value, Verdict,
};
use portreeve_store::decisions::{
    DIRECTORY_NAME, DecisionWriter, Entry, Filter, Found, Keep, LogSettings, Reader, Record,
    fact_value,
};
use prometheus::Registry;
use tokio::runtime::Handle;

use super::*;
use crate::quarantine::{Action, Policy, QuarantineSettings};
use crate::tests::{RULES, Scripted, settings_of};
use crate::{
    ChainSettings, ChainsSettings, Combine, Evaluation, Evaluator, Gateway, GatewaySettings,
    Health, Mode, OnError, PolicyError, PolicySettings, Selector,
};

/// Reads facts and says them all, so that no two subjects are decided about in
/// the same way.
#[derive(Debug)]
struct Reading {
    facts: Vec<Fact>,
    /// Permits who has this state.
    permits: ComplianceState,
}

impl Evaluator for Reading {
    fn evaluate(&self, subject: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        let mut facts_read = FactsRead::default();
        let mut said = String::new();
        let mut valid_for = None;
        for fact in &self.facts {
            facts_read.note(fact.clone());
            said.push_str(&fact_value(fact, &subject).to_string());
            if *fact == Fact::Now {
                valid_for = Some(Duration::from_millis(
                    100_000 - subject.now.as_millis() % 1000,
                ));
            }
        }
        facts_read.note(Fact::Compliance);
        let state = subject.device().map(|device| device.compliance.state);
        let verdict = if state == Some(self.permits) {
            Verdict::Permit
        } else {
            Verdict::Deny
        };
        let mut decision = Decision::because(verdict, "read", &said);
        decision.valid_for = valid_for;
        decision.obligations.push(Obligation {
            kind: ObligationKind::Role(said),
            advisory: false,
        });
        std::future::ready(Ok(Evaluation {
            decision,
            facts_read,
        }))
        .boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

fn chain(name: &str, facts: &[Fact], permits: ComplianceState) -> ChainSettings {
    ChainSettings {
        name: name.into(),
        combine: Combine::FirstDecides,
        policies: vec![PolicySettings {
            name: "reading".into(),
            digest: format!("{permits:?}").into(),
            evaluator: Arc::new(Reading {
                facts: facts.to_vec(),
                permits,
            }),
            on_error: OnError::Deny,
            mode: Mode::Enforce,
        }],
        verdict_ttl: None,
    }
}

fn only(default: ChainSettings) -> ChainsSettings {
    ChainsSettings {
        default,
        selected: Vec::new(),
    }
}

fn mac(number: u8) -> String {
    format!("00:50:56:00:00:{number:02x}")
}

/// Every third is compliant.
fn device(number: u8) -> Device {
    let state = match number % 3 {
        0 => ComplianceState::Compliant,
        1 => ComplianceState::NonCompliant,
        _ => ComplianceState::InGracePeriod,
    };
    let at = Timestamp::from_millis(u64::from(number));
    Device {
        key: format!("key-{number}"),
        ids: vec![mac(number).parse().unwrap()],
        compliance: Compliance {
            state,
            evaluated_at: Some(at),
            grace_until: None,
            failing: vec![FailingCheck {
                code: "check".to_owned(),
                message: number.is_multiple_of(2).then(|| "said so".to_owned()),
            }],
        },
        posture: Posture {
            disk_encrypted: Tristate::No,
            ..Posture::default()
        },
        os: Some(OperatingSystem {
            family: "ios".to_owned(),
            version: Some(number.to_string()),
            ..OperatingSystem::default()
        }),
        last_seen: Some(at),
        attributes: [
            ("b.at", Value::Timestamp(at)),
            ("a.number", Value::Integer(number.into())),
            ("b.text", Value::Text("1970-01-01T00:00:00.001Z".to_owned())),
        ]
        .map(|(name, value)| Attribute {
            name: name.to_owned(),
            value,
        })
        .into(),
        ..Device::default()
    }
}

fn gateway(settings: GatewaySettings, devices: u8) -> Arc<Gateway> {
    let gateway = Gateway::new(settings, &Registry::new()).unwrap();
    for number in 0..devices {
        let cache = gateway.memory().devices();
        cache.insert(SourceId(0), &device(number), Timestamp::now());
    }
    gateway
}

fn settings(chains: ChainsSettings) -> GatewaySettings {
    let source = Scripted::saying([crate::tests::down()]);
    GatewaySettings {
        chains,
        ..settings_of(&[&source], RULES, Arc::default(), OnError::Deny)
    }
}

async fn impact(gateway: &Arc<Gateway>, chains: ChainsSettings) -> Impact {
    let gateway = Arc::clone(gateway);
    let candidate = Candidate {
        chains,
        lists: None,
    };
    let runtime = Handle::current();
    let work = move || gateway.impact(candidate, &Headway::default(), &runtime);
    tokio::task::spawn_blocking(work).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_is_counted_by_verdict_and_reason() {
    use ComplianceState::{Compliant, InGracePeriod};
    let gateway = gateway(settings(only(chain("default", &[], Compliant))), 30);
    let same = impact(&gateway, only(chain("default", &[], Compliant))).await;
    assert_eq!((same.endpoints, same.changed), (30, 0));
    let other = impact(&gateway, only(chain("default", &[], InGracePeriod))).await;
    assert_eq!((other.endpoints, other.changed), (30, 20));
    let [(names, tally)] = other.chains.as_slice() else {
        panic!("{other:?}");
    };
    assert_eq!((&*names.0, &*names.1), ("default", "default"));
    let counts: Vec<_> = tally
        .transitions
        .iter()
        .map(|(words, it)| (*words, it.count, it.examples.len()))
        .collect();
    assert_eq!(
        counts,
        [(("deny", "permit"), 10, 5), (("permit", "deny"), 10, 5)]
    );
    let reasons = &tally.transitions[&("deny", "permit")].reasons;
    assert_eq!(reasons.get("read"), Some(&10));
    // Nothing has changed.
    let question = Question::new(
        vec![mac(0).parse().unwrap()],
        Arc::default(),
        Duration::from_secs(5),
    );
    let answer = gateway.answer(&question).await;
    let portreeve_domain::Outcome::Decided(decision) = &answer.outcome else {
        panic!("{answer:?}");
    };
    assert_eq!(decision.verdict, Verdict::Permit);
}

#[tokio::test(flavor = "multi_thread")]
async fn chains_for_some_questions_are_compared_with_what_decides_about_those_now() {
    use ComplianceState::{Compliant, InGracePeriod, NonCompliant};
    let gateway = gateway(settings(only(chain("default", &[], Compliant))), 30);
    let wireless = Selector {
        media: vec![Medium::Wireless],
        ..Selector::default()
    };
    let impact = impact(
        &gateway,
        ChainsSettings {
            default: chain("default", &[], InGracePeriod),
            selected: vec![(wireless, chain("wireless", &[], NonCompliant))],
        },
    )
    .await;
    let names: Vec<_> = impact
        .chains
        .iter()
        .map(|((now, then), tally)| (&**now, &**then, tally.changed))
        .collect();
    assert_eq!(
        names,
        [("default", "default", 20), ("default", "wireless", 20)]
    );
    assert_eq!(impact.changed, 30, "each endpoint once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_is_stopped_tells_nothing() {
    let chains = only(chain("default", &[], ComplianceState::Compliant));
    let gateway = gateway(settings(chains.clone()), 3);
    let headway = Headway::default();
    headway.stop();
    let runtime = Handle::current();
    let candidate = Candidate {
        chains,
        lists: None,
    };
    let work = move || gateway.impact(candidate, &headway, &runtime);
    assert_eq!(tokio::task::spawn_blocking(work).await.unwrap(), None);
}

/// Everything that can be read of a device that is known.
fn all_facts() -> Vec<Fact> {
    let member = |member: &str| Fact::ListMembership {
        list: "vip".into(),
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
        attribute("a.number"),
        attribute("b.at"),
        attribute("b.text"),
        attribute("none"),
        Fact::AttributeNames("".into()),
        member("ada"),
        member("bob"),
    ]
}

/// Asks a gateway about devices it knows and one that it does not, several times,
/// and reads what its log says then.
async fn logged(chains: ChainsSettings, whole: bool) -> Vec<Record> {
    let directory = tempfile::TempDir::new().unwrap();
    let log_settings = LogSettings {
        keep: Keep::All,
        whole,
        ..LogSettings::new(&directory.path().join(DIRECTORY_NAME))
    };
    let (log, writer) = DecisionWriter::start(&log_settings).unwrap();
    let mut lists = Lists::default();
    lists.insert("vip", ["ada"]);
    let gateway = gateway(
        GatewaySettings {
            log: Some(log.clone()),
            lists,
            quarantine: QuarantineSettings {
                policies: vec![Policy::of_actions("stop", vec![Action::Quarantine]).unwrap()],
                ..QuarantineSettings::default()
            },
            ..settings(chains)
        },
        12,
    );
    let held = mac(7).parse().unwrap();
    gateway
        .quarantine()
        .apply(held, "stop", "test")
        .await
        .unwrap();
    for round in 0..3 {
        for number in 0..13 {
            let connection = Connection {
                client: "ise".into(),
                nas: Some(format!("switch-{}", number % 2)),
                mac: Some(mac(number).parse().unwrap()),
                ..Connection::default()
            };
            let identifiers = vec![mac(number).parse::<Identifier>().unwrap()];
            let patience = Duration::from_secs(5);
            let question = Question::new(identifiers, Arc::new(connection), patience);
            let answered = gateway.answer(&question).await;
            let logged = answered.logged.as_ref().unwrap();
            log.record(Entry {
                at: answered.at,
                client: "ise".into(),
                face: "rest",
                request: Some(format!("{round}-{number}").into()),
                identifiers: Arc::clone(question.identifiers()),
                judged: Arc::clone(&logged.judged),
                origin: answered.origin,
                stale: answered.is_stale(),
                latency: Duration::ZERO,
                changed: logged.changed,
            });
        }
    }
    log.flush().await.unwrap();
    let mut records = Vec::new();
    let reader = Reader::new(&log_settings.directory);
    let read = reader.read_all(&Filter::default(), &mut |found| {
        match found {
            Found::Decision { record, .. } => records.push(record.clone()),
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    });
    read.unwrap();
    gateway.shutdown().await;
    drop((gateway, log));
    writer.shutdown().await.unwrap();
    records
}

#[tokio::test]
async fn the_chain_that_decided_then_decides_the_same_to_the_last_bit() {
    use ComplianceState::{Compliant, InGracePeriod};
    let facts = all_facts();
    let chains = only(chain("default", &facts, Compliant));
    let records = logged(chains.clone(), false).await;
    assert_eq!(records.len(), 3 * 13);
    let replay = Replay::new(chains).unwrap();
    for record in &records {
        let replayed = replay.decide(record).await;
        let is_held = record.identifiers.contains(&mac(7));
        let expected = if is_held {
            Replayed::Not(Unreplayed::Quarantined)
        } else {
            Replayed::Same
        };
        assert_eq!(replayed, expected, "{record:?}");
        assert!(replay.is_same_chain(record));
        assert!(is_held || record.decision.is_some());
    }
    // Other policies decide differently, and it is said about whom.
    let replay = Replay::new(only(chain("default", &facts, InGracePeriod))).unwrap();
    let mut tally = Tally::default();
    for record in &records {
        let replayed = replay.decide(record).await;
        replay.note(&mut tally, record, &replayed);
        assert!(!replay.is_same_chain(record));
    }
    // 0, 3, 6 and 9 are compliant, 2, 5, 8 and 11 in their grace period.
    let counts: Vec<_> = tally
        .transitions
        .iter()
        .map(|(words, it)| (*words, it.count))
        .collect();
    assert_eq!(counts, [(("deny", "permit"), 12), (("permit", "deny"), 12)]);
    assert_eq!(tally.compared, 3 * 12);
}

#[tokio::test]
async fn policies_that_read_more_need_a_log_that_has_more() {
    use ComplianceState::Compliant;
    let few = only(chain("default", &[], Compliant));
    let facts: Vec<Fact> = all_facts()
        .into_iter()
        .filter(|fact| !matches!(fact, Fact::ListMembership { .. }))
        .collect();
    let more = only(chain("default", &facts, Compliant));
    let replay = Replay::new(more).unwrap();
    for (whole, expected) in [(false, 0), (true, 3 * 12)] {
        let mut tally = Tally::default();
        for record in logged(few.clone(), whole).await {
            let replayed = replay.decide(&record).await;
            replay.note(&mut tally, &record, &replayed);
            if !whole && !record.quarantined {
                let is_missing = matches!(replayed, Replayed::Not(Unreplayed::FactNotRecorded(_)));
                assert!(is_missing, "{replayed:?}");
            }
        }
        assert_eq!((tally.compared, tally.changed), (expected, 0));
    }
}
