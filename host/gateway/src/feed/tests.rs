//! The stream over a gateway with native sources and policies, driven step by
//! step.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::FutureExt as _;
use portreeve_cache::{CacheSettings, FreshnessRules, SourceId};
use portreeve_domain::{
    ComplianceState, Device, Identifier, Lists, Outcome, Question, SourceSet, Timestamp, Verdict,
};
use prometheus::Registry;
use proptest::prelude::*;

use super::worker::Worker;
use super::*;
use crate::quarantine::Policy;
use crate::survey::{Lack, Pictures, Wanted};
use crate::tests::{ByCompliance, MAC, RULES, Scripted, device, down, settings_of};
use crate::{GatewaySettings, Memory, OnError};

const HOUR: Duration = Duration::from_hours(1);

/// A gateway whose worker is driven by the test.
struct Stand {
    gateway: Arc<Gateway>,
    memory: Arc<Memory>,
}

/// Every picture is complete.
#[derive(Debug)]
struct Complete;

impl Pictures for Complete {
    fn lack(&self, _: &str, _: Timestamp) -> Option<Lack> {
        None
    }
}

fn stand(sources: usize, rules: FreshnessRules, feed: FeedSettings) -> Stand {
    let scripted: Vec<_> = (0..sources).map(|_| Scripted::saying([down()])).collect();
    let names = (0..sources).map(|place| format!("source-{place}").into());
    let memory = Arc::new(Memory::volatile(CacheSettings::default(), names.collect()));
    let policy = Arc::new(ByCompliance::default());
    let sources: Vec<_> = scripted.iter().collect();
    let mut settings = GatewaySettings {
        memory: Arc::clone(&memory),
        feed,
        ..settings_of(&sources, rules, policy, OnError::Deny)
    };
    let shut = vec![crate::quarantine::Action::ShutDown];
    settings.quarantine.policies = vec![Policy::of_actions("stop", shut).unwrap()];
    let gateway = Gateway::new(settings, &Registry::new()).unwrap();
    gateway.rely_on(Arc::new(Complete));
    memory.tell(&gateway.feed.touched);
    Stand { gateway, memory }
}

fn plain(sources: usize) -> Stand {
    stand(sources, RULES, FeedSettings::default())
}

impl Stand {
    fn learn(&self, source: u16, device: &Device) {
        self.memory
            .learn(SourceId(source), device, Timestamp::now());
    }
}

fn word(standing: Option<&Standing>) -> &'static str {
    match standing.map(|standing| &standing.outcome) {
        None => "unknown",
        Some(Outcome::Decided(decision)) => decision.verdict.as_str(),
        Some(Outcome::CannotTell(_)) => "cannot-tell",
    }
}

fn ready(subscription: &mut Subscription) -> Vec<Arc<Change>> {
    let next = || subscription.next().now_or_never().flatten();
    let changes = std::iter::from_fn(next);
    changes.map(Result::unwrap).collect()
}

async fn work(worker: &mut Worker<'_>, stand: &Stand) {
    while !worker.slice(&stand.gateway).await {}
}

/// Verdicts before and after of all changes until nothing is left to do.
async fn told(
    worker: &mut Worker<'_>,
    stand: &Stand,
    subscription: &mut Subscription,
) -> Vec<[&'static str; 2]> {
    work(worker, stand).await;
    let changes = ready(subscription);
    let words = changes
        .iter()
        .map(|change| [word(change.before.as_ref()), word(change.after.as_ref())]);
    words.collect()
}

#[tokio::test]
async fn what_changes_is_told_once_and_in_order() {
    use ComplianceState::{Compliant, NonCompliant};
    let stand = plain(1);
    let mut changes = stand.gateway.subscribe();
    let mut worker = Worker::new(&stand.gateway.feed, &stand.memory);
    stand.learn(0, &device(Compliant, &[MAC]));
    stand.learn(0, &device(Compliant, &[MAC]));
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["unknown", "permit"]]
    );
    stand.learn(0, &device(Compliant, &[MAC]));
    assert!(told(&mut worker, &stand, &mut changes).await.is_empty());
    stand.learn(0, &device(NonCompliant, &[MAC]));
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["permit", "deny"]]
    );
    let asked = [MAC.parse().unwrap()];
    let memory = &stand.memory;
    memory.learn_unknown(SourceId(0), &asked, Timestamp::now());
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["deny", "unknown"]]
    );
}

#[tokio::test]
async fn facts_that_alter_no_verdict_are_told_as_such() {
    let stand = plain(1);
    let mut changes = stand.gateway.subscribe();
    let mut worker = Worker::new(&stand.gateway.feed, &stand.memory);
    let mut device = device(ComplianceState::Compliant, &[MAC]);
    stand.learn(0, &device);
    work(&mut worker, &stand).await;
    device.name = Some("renamed".to_owned());
    stand.learn(0, &device);
    work(&mut worker, &stand).await;
    let changes = ready(&mut changes);
    let altering = changes.iter().map(|change| change.alters_verdict());
    assert_eq!(altering.collect::<Vec<_>>(), [true, false]);
    assert_eq!(changes[1].device.as_deref(), Some(&device));
    assert_eq!(&*changes[1].source, "source-0");
}

#[tokio::test]
async fn quarantine_chain_and_lists_are_changes() {
    let stand = plain(1);
    let mut changes = stand.gateway.subscribe();
    let mut worker = Worker::new(&stand.gateway.feed, &stand.memory);
    stand.learn(0, &device(ComplianceState::Compliant, &[MAC]));
    work(&mut worker, &stand).await;
    ready(&mut changes);
    let mac = MAC.parse().unwrap();
    let quarantine = stand.gateway.quarantine();
    quarantine.apply(mac, "stop", "test").await.unwrap();
    // As it is when changes are wanted.
    stand.gateway.feed.touched.note_address(mac);
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["permit", "deny"]]
    );
    quarantine.clear(mac, "test").await.unwrap();
    stand.gateway.replace_chains(Vec::new().into());
    work(&mut worker, &stand).await;
    let change = ready(&mut changes).pop().unwrap();
    let Outcome::Decided(decision) = &change.after.as_ref().unwrap().outcome else {
        panic!("{change:?}")
    };
    assert_eq!(decision.reasons[0].code, "no-policy-decided");
    stand.gateway.replace_lists(Lists::default());
    assert!(told(&mut worker, &stand, &mut changes).await.is_empty());
}

#[tokio::test]
async fn facts_that_become_too_old_are_a_change_and_so_is_their_confirmation() {
    let stand = plain(1);
    let mut changes = stand.gateway.subscribe();
    let mut worker = Worker::new(&stand.gateway.feed, &stand.memory);
    let device = device(ComplianceState::Compliant, &[MAC]);
    let almost = RULES.max_stale_compliant.as_millis() - 40;
    let past = Timestamp::now().as_millis() - u64::try_from(almost).unwrap();
    let past = Timestamp::from_millis(past);
    let record = stand.memory.learn(SourceId(0), &device, past);
    let entry_is_due = || stand.gateway.feed.standings.lock().next_due();
    work(&mut worker, &stand).await;
    assert_eq!(
        entry_is_due(),
        Some(record.fetched_at().plus(RULES.max_stale_compliant))
    );
    while word(ready(&mut changes).last().and_then(|it| it.after.as_ref())) != "cannot-tell" {
        work(&mut worker, &stand).await;
        tokio::task::yield_now().await;
    }
    // Nothing is known to be compliant or not; it is still known.
    assert_eq!(entry_is_due(), None);
    stand.learn(0, &device);
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["cannot-tell", "permit"]]
    );
}

#[tokio::test]
async fn one_endpoint_of_two_sources_is_told_once() {
    use ComplianceState::{Compliant, NonCompliant};
    let stand = plain(2);
    let mut changes = stand.gateway.subscribe();
    let mut worker = Worker::new(&stand.gateway.feed, &stand.memory);
    // The second source knows it first, then the first one takes over.
    stand.learn(1, &device(Compliant, &[MAC]));
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["unknown", "permit"]]
    );
    stand.learn(0, &device(NonCompliant, &[MAC]));
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["permit", "deny"]]
    );
    stand.learn(1, &device(NonCompliant, &[MAC]));
    assert!(told(&mut worker, &stand, &mut changes).await.is_empty());
    // And back.
    let memory = &stand.memory;
    memory.learn_unknown(SourceId(0), &[MAC.parse().unwrap()], Timestamp::now());
    work(&mut worker, &stand).await;
    let changes = ready(&mut changes);
    assert_eq!(changes.len(), 1);
    assert_eq!(&*changes[0].source, "source-1");
    assert_eq!(changes[0].endpoint, 1);
    assert!(!changes[0].alters_verdict());
}

#[tokio::test]
async fn who_is_too_slow_is_told_how_much_he_missed() {
    let feed = FeedSettings {
        ring: 2,
        ..FeedSettings::default()
    };
    let stand = stand(1, RULES, feed);
    let mut slow = stand.gateway.subscribe();
    let mut worker = Worker::new(&stand.gateway.feed, &stand.memory);
    for number in 0..6 {
        let mut device = device(ComplianceState::Compliant, &[MAC]);
        device.name = Some(number.to_string());
        stand.learn(0, &device);
        work(&mut worker, &stand).await;
    }
    assert!(matches!(slow.next().await, Some(Err(Missed(4)))));
    assert_eq!(slow.next().await.unwrap().unwrap().sequence, 5);
    assert_eq!(slow.next().await.unwrap().unwrap().sequence, 6);
    // What was told before the end is heard, then the end.
    stand.gateway.shutdown().await;
    assert!(slow.next().await.is_none());
}

#[tokio::test]
async fn what_was_known_at_the_start_is_no_news() {
    let names = vec!["source-0".into()];
    let memory = Arc::new(Memory::volatile(CacheSettings::default(), names));
    let source = Scripted::saying([down()]);
    let policy = Arc::new(ByCompliance::default());
    let before = device(ComplianceState::Compliant, &[MAC]);
    memory.learn(SourceId(0), &before, Timestamp::now());
    let settings = GatewaySettings {
        memory: Arc::clone(&memory),
        feed: FeedSettings {
            enabled: true,
            ..FeedSettings::default()
        },
        ..settings_of(&[&source], RULES, policy, OnError::Deny)
    };
    let gateway = Gateway::new(settings, &Registry::new()).unwrap();
    gateway.rely_on(Arc::new(Complete));
    let mut changes = gateway.subscribe();
    // The worker of the gateway itself is at work here.
    let all = gateway.survey(Wanted::All, &Arc::default()).await.unwrap();
    assert_eq!(all.len(), 1);
    assert!(changes.next().now_or_never().is_none());
    let after = device(ComplianceState::NonCompliant, &[MAC]);
    memory.learn(SourceId(0), &after, Timestamp::now());
    let change = changes.next().await.unwrap().unwrap();
    assert_eq!(word(change.before.as_ref()), "permit");
    assert_eq!(word(change.after.as_ref()), "deny");
    let asker = Arc::default();
    let survey = gateway.survey(Wanted::NotCompliant, &asker).await.unwrap();
    assert_eq!(survey.iter().next().unwrap().device.key, "key");
    gateway.shutdown().await;
    assert!(changes.next().await.is_none());
}

/// What can happen to devices and rules.
#[derive(Clone, Debug)]
enum Step {
    Learn(u16, Box<Device>, bool),
    Forget(u16, u8),
    Unknown(u16, u8),
    Quarantine(u8),
    Clear(u8),
    Rules,
    /// The worker gets so many turns.
    Work(usize),
}

fn mac(number: u8) -> Identifier {
    format!("00:50:56:00:00:{number:02x}").parse().unwrap()
}

/// How well devices can be told apart.
#[derive(Clone, Copy, Debug)]
struct Names {
    /// Each has a GUID.
    guids: bool,
    /// Each has a serial number of its own, the same in all sources.
    serials: bool,
}

fn some_names() -> impl Strategy<Value = Names> {
    any::<(bool, bool)>().prop_map(|(guids, serials)| Names { guids, serials })
}

fn some_device(names: Names) -> impl Strategy<Value = Device> {
    let state = prop_oneof![
        Just(ComplianceState::Compliant),
        Just(ComplianceState::NonCompliant)
    ];
    let macs = prop::collection::vec(0..4_u8, 0..3);
    let serial = prop::option::of(0..3_u8);
    (0..4_u8, state, macs, serial, any::<bool>()).prop_map(
        move |(number, state, macs, serial, has_guid)| {
            let mut ids: Vec<Identifier> = macs.into_iter().map(mac).collect();
            ids.dedup();
            let serial = if names.serials { Some(number) } else { serial };
            let serial = serial.map(|serial| format!("serial:s{serial}"));
            let guid = format!("3eeb9e62-cec9-4dd8-9dd6-0000000000{number:02x}");
            let guid = (has_guid || names.guids).then_some(guid);
            ids.extend(serial.into_iter().chain(guid).map(|id| id.parse().unwrap()));
            let mut device = device(state, &[]);
            device.key = format!("key-{number}");
            device.ids = ids;
            device
        },
    )
}

fn some_step(sources: u16, names: Names) -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..sources, some_device(names), prop::bool::weighted(0.2))
            .prop_map(|(source, device, is_old)| Step::Learn(source, Box::new(device), is_old)),
        2 => (0..sources, 0..4_u8).prop_map(|(source, number)| Step::Forget(source, number)),
        1 => (0..sources, 0..4_u8).prop_map(|(source, number)| Step::Unknown(source, number)),
        1 => (0..4_u8).prop_map(Step::Quarantine),
        1 => (0..4_u8).prop_map(Step::Clear),
        1 => Just(Step::Rules),
        3 => (1..3_usize).prop_map(Step::Work),
    ]
}

async fn happen(stand: &Stand, worker: &mut Worker<'_>, step: Step) {
    let memory = &stand.memory;
    let touched = &stand.gateway.feed.touched;
    match step {
        Step::Learn(source, device, is_old) => {
            // Old enough not to be used.
            let age = if is_old { 48 * HOUR } else { Duration::ZERO };
            let age = u64::try_from(age.as_millis()).unwrap();
            let at = Timestamp::from_millis(Timestamp::now().as_millis() - age);
            memory.learn(SourceId(source), &device, at);
        }
        Step::Forget(source, number) => {
            let key = format!("key-{number}");
            let record = memory.devices().get(SourceId(source), &key);
            memory.devices().remove(SourceId(source), &key);
            if let Some(record) = record {
                touched.note(&record);
            }
        }
        Step::Unknown(source, number) => {
            memory.learn_unknown(SourceId(source), &[mac(number)], Timestamp::now());
        }
        Step::Quarantine(number) => {
            let mac = mac(number).as_mac().unwrap();
            // It may be there already.
            let _ = stand.gateway.quarantine().apply(mac, "stop", "test").await;
            touched.note_address(mac);
        }
        Step::Clear(number) => {
            let mac = mac(number).as_mac().unwrap();
            let _ = stand.gateway.quarantine().clear(mac, "test").await;
            touched.note_address(mac);
        }
        Step::Rules => stand.gateway.replace_lists(Lists::default()),
        Step::Work(turns) => {
            for _ in 0..turns {
                worker.slice(&stand.gateway).await;
            }
        }
    }
}

/// All endpoints as they are now, found from scratch.
async fn found_anew(stand: &Stand) -> BTreeMap<u64, Outcome> {
    let gateway = &stand.gateway;
    let mut found = BTreeMap::new();
    for record in stand.memory.devices().records() {
        let record = record.detach();
        if !gateway.speaker(&record, SourceSet::ALL).is(&record) {
            continue;
        }
        if let Some(judged) = gateway.judge(&record, &Arc::default()).await {
            found.insert(record.identity(), judged.standing.outcome);
        }
    }
    found
}

/// Follows the stream as a subscriber does.
#[derive(Default)]
struct Follower {
    sequence: u64,
    known: HashMap<u64, Outcome>,
}

impl Follower {
    fn follow(&mut self, change: &Change) {
        self.sequence += 1;
        assert_eq!(change.sequence, self.sequence);
        let before = match &change.after {
            Some(after) => self.known.insert(change.endpoint, after.outcome.clone()),
            None => self.known.remove(&change.endpoint),
        };
        let said = change.before.as_ref().map(|standing| &standing.outcome);
        assert_eq!(said, before.as_ref(), "{change:?}");
        assert_eq!(change.device.is_some(), change.after.is_some());
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Nobody has a name of his own.
const SHARED: Names = Names {
    guids: false,
    serials: false,
};

proptest! {
    #[test]
    fn the_stream_leads_to_what_is_found_anew(
        (sources, most_touched, names, steps) in
            (1..4_u16, 1..4_usize, some_names()).prop_flat_map(
                |(sources, most_touched, names)| (
                    Just(sources),
                    Just(most_touched),
                    Just(names),
                    prop::collection::vec(some_step(sources, names), 1..60),
                )
            )
    ) {
        runtime().block_on(async {
            // Few of them have room, so that all are looked at now and then.
            let feed = FeedSettings { most_touched, ..FeedSettings::default() };
            let stand = stand(usize::from(sources), RULES, feed);
            let mut changes = stand.gateway.subscribe();
            let mut worker = Worker::new(&stand.gateway.feed, &stand.memory);
            // There is nothing yet, so everything is news.
            work(&mut worker, &stand).await;
            let mut follower = Follower::default();
            for step in steps {
                happen(&stand, &mut worker, step).await;
                // A name that is taken and given back before anybody looks is
                // seen by the next walk only.
                if !names.guids && !names.serials {
                    work(&mut worker, &stand).await;
                }
                for change in ready(&mut changes) {
                    follower.follow(&change);
                }
            }
            work(&mut worker, &stand).await;
            let are_told_apart = names.serials || (names.guids && sources == 1);
            if !are_told_apart {
                // Nor is whom else it may have been taken for.
                stand.gateway.feed.touched.note_all();
                work(&mut worker, &stand).await;
            }
            for change in ready(&mut changes) {
                follower.follow(&change);
            }
            let anew = found_anew(&stand).await;
            let standings = stand.gateway.feed.standings.lock();
            let kept: BTreeMap<u64, Outcome> = standings
                .entries()
                .map(|entry| (entry.record.identity(), entry.standing.outcome.clone()))
                .collect();
            assert_eq!(kept, anew);
            let kept: HashMap<u64, Outcome> = standings
                .entries()
                .map(|entry| (entry.endpoint, entry.standing.outcome.clone()))
                .collect();
            assert_eq!(kept, follower.known);
        });
    }

    #[test]
    fn a_survey_says_what_a_question_would_be_answered(
        (sources, steps) in (1..4_u16).prop_flat_map(|sources| (
            Just(sources),
            prop::collection::vec(some_step(sources, SHARED), 1..40),
        ))
    ) {
        runtime().block_on(async {
            let stand = plain(usize::from(sources));
            let mut worker = Worker::new(&stand.gateway.feed, &stand.memory);
            for step in steps {
                happen(&stand, &mut worker, step).await;
            }
            let asker = Arc::default();
            let all = stand.gateway.survey(Wanted::All, &asker).await.unwrap();
            let mut counts = [0, 0, 0];
            for endpoint in all.iter() {
                let best = endpoint.identifiers.iter().min_by_key(|id| (id.rank(), *id));
                let question = vec![best.unwrap().clone()];
                let question = Question::new(question, Arc::clone(&asker), HOUR);
                let answer = stand.gateway.answer(&question).await;
                match (&answer.outcome, &endpoint.outcome) {
                    (Outcome::Decided(said), Outcome::Decided(listed)) => {
                        assert_eq!(said, listed);
                        counts[usize::from(said.verdict == Verdict::Permit)] += 1;
                    }
                    (Outcome::CannotTell(_), Outcome::CannotTell(_)) => counts[2] += 1,
                    other => panic!("{other:?}"),
                }
            }
            let compliant = stand.gateway.survey(Wanted::Compliant, &asker).await.unwrap();
            assert_eq!(compliant.len(), counts[1] + counts[2]);
            let other = stand.gateway.survey(Wanted::NotCompliant, &asker).await.unwrap();
            assert_eq!(other.len(), counts[0] + counts[2]);
        });
    }
}
