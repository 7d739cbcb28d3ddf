//! The pipeline with native sources and policies: no WebAssembly, no network.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use portreeve_cache::{CacheSettings, FreshnessRules};
use portreeve_domain::{
    Absence, ActionKind, Compliance, ComplianceState, Decision, Device, Fact, FactsRead, Finding,
    Identifier, Lists, Origin, Outcome, Question, SourceOutcome, Subject, Verdict,
};
use prometheus::Registry;
use tokio::sync::Notify;

use crate::*;

mod action;
mod chains;
mod journal;
mod prepared;
mod requery;
mod sources;
mod view;

pub(crate) const MAC: &str = "00:50:56:a4:89:5a";
const GUID: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";
const OTHER_GUID: &str = "00000000-cec9-4dd8-9dd6-74903695a62b";

/// Says what it is told to say, then repeats the last of it.
#[derive(Debug)]
pub(crate) struct Scripted {
    replies: Mutex<VecDeque<Result<Lookup, SourceError>>>,
    calls: AtomicUsize,
    /// What the last call named.
    named: Mutex<Vec<Identifier>>,
    /// When set, each call waits for one notification.
    gate: Option<Arc<Notify>>,
}

impl Scripted {
    pub(crate) fn saying(
        replies: impl IntoIterator<Item = Result<Lookup, SourceError>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            replies: Mutex::new(replies.into_iter().collect()),
            calls: AtomicUsize::new(0),
            named: Mutex::default(),
            gate: None,
        })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Source for Scripted {
    fn find<'a>(
        &'a self,
        identifiers: &'a [Identifier],
        _: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        async {
            self.calls.fetch_add(1, Ordering::SeqCst);
            *self.named.lock() = identifiers.to_vec();
            if let Some(gate) = &self.gate {
                gate.notified().await;
            }
            let mut replies = self.replies.lock();
            match replies.len() {
                1 => replies[0].clone(),
                _ => replies.pop_front().unwrap(),
            }
        }
        .boxed()
    }

    fn check(&self, _: Instant) -> BoxFuture<'_, CheckReport> {
        async { CheckReport::default() }.boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

/// Permits the compliant, denies the rest, has no opinion without facts.
#[derive(Debug, Default)]
pub(crate) struct ByCompliance {
    runs: AtomicUsize,
    fails: bool,
}

impl Evaluator for ByCompliance {
    fn evaluate(&self, subject: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        if self.fails {
            return async { Err(PolicyError("broken on purpose".to_owned())) }.boxed();
        }
        let verdict = match &subject.finding {
            Finding::Device(device) if device.compliance.state == ComplianceState::Compliant => {
                Verdict::Permit
            }
            Finding::Device(_) | Finding::Absent(Absence::UnknownDevice) => Verdict::Deny,
            Finding::Absent(_) => Verdict::Abstain,
        };
        let mut facts_read = FactsRead::default();
        facts_read.note(Fact::Compliance);
        facts_read.note(Fact::Absence);
        let decision = Decision::because(verdict, "by-compliance", "as the source says");
        async move {
            Ok(Evaluation {
                decision,
                facts_read,
            })
        }
        .boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

pub(crate) fn device(state: ComplianceState, ids: &[&str]) -> Device {
    Device {
        key: "key".to_owned(),
        ids: ids.iter().map(|text| text.parse().unwrap()).collect(),
        compliance: Compliance {
            state,
            ..Compliance::default()
        },
        ..Device::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "stands beside replies that fail")]
fn found(state: ComplianceState) -> Result<Lookup, SourceError> {
    Ok(Lookup::Found(Box::new(device(state, &[GUID, MAC]))))
}

pub(crate) fn down() -> Result<Lookup, SourceError> {
    Err(SourceError {
        kind: SourceErrorKind::Unavailable,
        message: "connection refused".to_owned(),
        retry_after: None,
    })
}

pub(crate) const RULES: FreshnessRules = FreshnessRules {
    ttl: Duration::from_mins(5),
    max_stale_compliant: Duration::from_hours(24),
    max_stale_other: Duration::from_hours(1),
    negative_ttl: Duration::from_mins(1),
};

struct Stand {
    gateway: Arc<Gateway>,
    policy: Arc<ByCompliance>,
}

pub(crate) fn settings_of(
    sources: &[&Arc<Scripted>],
    rules: FreshnessRules,
    policy: Arc<ByCompliance>,
    on_error: OnError,
) -> GatewaySettings {
    let names = (0..sources.len()).map(|index| format!("source-{index}").into());
    let names = names.collect();
    let sources = sources
        .iter()
        .enumerate()
        .map(|(index, source)| SourceSettings {
            name: format!("source-{index}").into(),
            source: Arc::clone(source) as Arc<dyn Source>,
            freshness: rules,
            timeout: Duration::from_secs(5),
            enabled: true,
            requery: None,
            about: Arc::default(),
        });
    GatewaySettings {
        sources: sources.collect(),
        chains: vec![PolicySettings {
            name: "by-compliance".into(),
            digest: "0".into(),
            evaluator: policy as Arc<dyn Evaluator>,
            on_error,
            mode: Mode::Enforce,
        }]
        .into(),
        lists: Lists::default(),
        memory: Arc::new(Memory::volatile(CacheSettings::default(), names)),
        sessions: Arc::default(),
        log: None,
        max_verdicts: 1_000,
        verdict_ttl: Duration::from_mins(1),
        quarantine: quarantine::QuarantineSettings::default(),
        feed: FeedSettings::default(),
        actions: ActionRules {
            allow: ActionKind::SHARED.to_vec(),
            ..ActionRules::default()
        },
        retry_after: Duration::from_secs(30),
        max_flights: 16,
    }
}

fn stand(
    sources: &[&Arc<Scripted>],
    rules: FreshnessRules,
    policy: ByCompliance,
    on_error: OnError,
) -> Stand {
    let policy = Arc::new(policy);
    let settings = settings_of(sources, rules, Arc::clone(&policy), on_error);
    let gateway = Gateway::new(settings, &Registry::new()).unwrap();
    Stand { gateway, policy }
}

fn plain(sources: &[&Arc<Scripted>]) -> Stand {
    stand(sources, RULES, ByCompliance::default(), OnError::Deny)
}

pub(crate) fn question(ids: &[&str]) -> Question {
    let ids = ids.iter().map(|text| text.parse().unwrap()).collect();
    Question::new(ids, Arc::default(), Duration::from_secs(5))
}

fn verdict(answer: &Answered) -> &'static str {
    match &answer.outcome {
        Outcome::Decided(decision) => decision.verdict.as_str(),
        Outcome::CannotTell(_) => "cannot-tell",
    }
}

#[tokio::test]
async fn the_second_answer_comes_from_memory_for_every_identifier() {
    let source = Scripted::saying([found(ComplianceState::Compliant)]);
    let stand = plain(&[&source]);
    let answer = stand.gateway.answer(&question(&[MAC])).await;
    assert_eq!(
        (verdict(&answer), answer.origin),
        ("permit", Origin::Fetched)
    );
    let answer = stand.gateway.answer(&question(&["005056A4895A"])).await;
    assert_eq!(
        (verdict(&answer), answer.origin),
        ("permit", Origin::Cached)
    );
    let answer = stand.gateway.answer(&question(&[GUID])).await;
    assert_eq!(
        (verdict(&answer), answer.origin),
        ("permit", Origin::Evaluated)
    );
    assert_eq!(source.calls(), 1);
    assert_eq!(stand.policy.runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn three_answers_are_never_mixed_up() {
    for (reply, expected, absence) in [
        (found(ComplianceState::NonCompliant), "deny", None),
        (Ok(Lookup::Unknown), "deny", Some(Absence::UnknownDevice)),
        (down(), "cannot-tell", Some(Absence::SourcesUnavailable)),
        (
            Ok(Lookup::Ambiguous),
            "cannot-tell",
            Some(Absence::Ambiguous),
        ),
    ] {
        let source = Scripted::saying([reply]);
        let answer = plain(&[&source]).gateway.answer(&question(&[MAC])).await;
        let found = match &answer.finding {
            Finding::Device(_) => None,
            Finding::Absent(absence) => Some(*absence),
        };
        assert_eq!((verdict(&answer), found), (expected, absence));
    }
}

#[tokio::test]
async fn only_unknown_is_remembered_as_unknown() {
    for (first, calls) in [
        (Ok(Lookup::Unknown), 1),
        (down(), 2),
        (Ok(Lookup::Ambiguous), 2),
    ] {
        let source = Scripted::saying([first, found(ComplianceState::Compliant)]);
        let gateway = plain(&[&source]).gateway;
        gateway.answer(&question(&[MAC])).await;
        gateway.answer(&question(&[MAC])).await;
        assert_eq!(source.calls(), calls);
    }
}

#[tokio::test]
async fn a_stale_record_answers_at_once_and_is_refreshed_behind() {
    let mut source = Scripted::saying([
        found(ComplianceState::Compliant),
        found(ComplianceState::NonCompliant),
    ]);
    let gate = Arc::new(Notify::new());
    Arc::get_mut(&mut source).unwrap().gate = Some(Arc::clone(&gate));
    let rules = FreshnessRules {
        ttl: Duration::ZERO,
        ..RULES
    };
    let stand = stand(&[&source], rules, ByCompliance::default(), OnError::Deny);
    gate.notify_one();
    let answer = stand.gateway.answer(&question(&[MAC])).await;
    assert!(!answer.is_stale(), "just fetched");
    // The refresh hangs: answers do not wait for it, and it is one for all.
    for _ in 0..3 {
        let answer = stand.gateway.answer_from_memory(&question(&[MAC])).unwrap();
        assert_eq!((verdict(&answer), answer.is_stale()), ("permit", true));
    }
    gate.notify_one();
    stand.gateway.shutdown().await;
    assert_eq!(source.calls(), 2);
    // The changed fact made the remembered decision void.
    assert!(
        stand
            .gateway
            .answer_from_memory(&question(&[MAC]))
            .is_none()
    );
}

#[tokio::test]
async fn a_source_that_is_down_leaves_stale_answers_and_is_not_pestered() {
    let source = Scripted::saying([found(ComplianceState::Compliant), down()]);
    let rules = FreshnessRules {
        ttl: Duration::ZERO,
        ..RULES
    };
    let stand = stand(&[&source], rules, ByCompliance::default(), OnError::Deny);
    stand.gateway.answer(&question(&[MAC])).await;
    stand.gateway.answer(&question(&[MAC])).await;
    stand.gateway.shutdown().await;
    for _ in 0..10 {
        let answer = stand.gateway.answer_from_memory(&question(&[MAC])).unwrap();
        assert_eq!((verdict(&answer), answer.is_stale()), ("permit", true));
    }
    assert_eq!(source.calls(), 2);
}

#[tokio::test]
async fn too_old_and_down_is_cannot_tell_and_says_why() {
    let source = Scripted::saying([found(ComplianceState::Compliant), down()]);
    let rules = FreshnessRules {
        ttl: Duration::ZERO,
        max_stale_compliant: Duration::ZERO,
        ..RULES
    };
    let stand = stand(&[&source], rules, ByCompliance::default(), OnError::Deny);
    stand.gateway.answer(&question(&[MAC])).await;
    let answer = stand.gateway.answer(&question(&[MAC])).await;
    let Outcome::CannotTell(cannot_tell) = &answer.outcome else {
        panic!("{answer:?}")
    };
    assert_eq!(
        &*cannot_tell.detail,
        "source `source-0`: connection refused"
    );
    assert_eq!(answer.sources[0].outcome, SourceOutcome::Failed);
}

#[tokio::test]
async fn an_impatient_client_gets_cannot_tell_and_the_next_one_the_answer() {
    let mut source = Scripted::saying([found(ComplianceState::Compliant)]);
    let gate = Arc::new(Notify::new());
    Arc::get_mut(&mut source).unwrap().gate = Some(Arc::clone(&gate));
    let gateway = plain(&[&source]).gateway;
    let ids = vec![MAC.parse().unwrap()];
    let impatient = Question::new(ids, Arc::default(), Duration::from_millis(5));
    assert_eq!(verdict(&gateway.answer(&impatient).await), "cannot-tell");
    gate.notify_one();
    gateway.shutdown().await;
    assert_eq!(verdict(&gateway.answer(&impatient).await), "permit");
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn the_operators_order_decides_between_two_sources() {
    use ComplianceState::{Compliant, NonCompliant};
    for (first, second, expected) in [
        (found(NonCompliant), found(Compliant), "deny"),
        (Ok(Lookup::Unknown), found(Compliant), "permit"),
        (down(), found(Compliant), "permit"),
        (Ok(Lookup::Unknown), down(), "cannot-tell"),
        (down(), Ok(Lookup::Unknown), "cannot-tell"),
        (Ok(Lookup::Unknown), Ok(Lookup::Unknown), "deny"),
        (Ok(Lookup::Ambiguous), found(Compliant), "cannot-tell"),
    ] {
        let sources = [Scripted::saying([first]), Scripted::saying([second])];
        let gateway = plain(&[&sources[0], &sources[1]]).gateway;
        let answer = gateway.answer(&question(&[MAC])).await;
        assert_eq!(verdict(&answer), expected, "{:?}", answer.sources);
    }
}

#[tokio::test]
async fn sources_that_name_different_hardware_are_ambiguous() {
    let of = |serial: &str| {
        let device = device(ComplianceState::Compliant, &[MAC, serial]);
        Scripted::saying([Ok(Lookup::Found(Box::new(device)))])
    };
    let (one, other) = (of("serial:a"), of("serial:b"));
    let answer = plain(&[&one, &other])
        .gateway
        .answer(&question(&[MAC]))
        .await;
    assert_eq!(answer.finding, Finding::Absent(Absence::Ambiguous));
}

#[tokio::test]
async fn a_docking_station_does_not_lend_its_devices_compliance() {
    let source = Scripted::saying([found(ComplianceState::Compliant)]);
    let gateway = plain(&[&source]).gateway;
    gateway.answer(&question(&[MAC])).await;
    let answer = gateway.answer(&question(&[OTHER_GUID, MAC])).await;
    assert_eq!(verdict(&answer), "cannot-tell");
    assert_eq!(answer.finding, Finding::Absent(Absence::Ambiguous));
}

#[tokio::test]
async fn a_failing_policy_follows_its_rule_and_is_not_remembered() {
    for (on_error, expected) in [
        (OnError::Deny, "policy-failed"),
        (OnError::Abstain, "no-policy-decided"),
        (OnError::Skip, "no-policy-decided"),
    ] {
        let source = Scripted::saying([found(ComplianceState::Compliant)]);
        let broken = ByCompliance {
            fails: true,
            ..ByCompliance::default()
        };
        let stand = stand(&[&source], RULES, broken, on_error);
        for _ in 0..2 {
            let answer = stand.gateway.answer(&question(&[MAC])).await;
            let Outcome::Decided(decision) = &answer.outcome else {
                panic!("{answer:?}")
            };
            assert_eq!(
                (decision.verdict, decision.reasons[0].code.as_str()),
                (Verdict::Deny, expected)
            );
        }
        assert_eq!(stand.policy.runs.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn a_source_that_asks_to_be_left_alone_is_left_alone() {
    let busy = Err(SourceError {
        kind: SourceErrorKind::RateLimited,
        message: "slow down".to_owned(),
        retry_after: Some(Duration::from_secs(30)),
    });
    let source = Scripted::saying([busy, found(ComplianceState::Compliant)]);
    let gateway = plain(&[&source]).gateway;
    for _ in 0..3 {
        assert_eq!(
            verdict(&gateway.answer(&question(&[MAC])).await),
            "cannot-tell"
        );
    }
    assert_eq!(source.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_askers_make_one_call() {
    let mut source = Scripted::saying([found(ComplianceState::Compliant)]);
    let gate = Arc::new(Notify::new());
    Arc::get_mut(&mut source).unwrap().gate = Some(Arc::clone(&gate));
    let gateway = plain(&[&source]).gateway;
    let mut askers = tokio::task::JoinSet::new();
    let asked = Arc::new(AtomicUsize::new(0));
    for _ in 0..1_000 {
        let (gateway, gate, asked) = (Arc::clone(&gateway), Arc::clone(&gate), Arc::clone(&asked));
        askers.spawn(async move {
            if asked.fetch_add(1, Ordering::SeqCst) == 999 {
                gate.notify_one();
            }
            verdict(&gateway.answer(&question(&[MAC])).await)
        });
    }
    assert!(
        askers
            .join_all()
            .await
            .iter()
            .all(|verdict| *verdict == "permit")
    );
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn a_mere_address_is_asked_for_with_the_guid_that_is_known_of_it() {
    const EXPIRED: FreshnessRules = FreshnessRules {
        ttl: Duration::ZERO,
        max_stale_compliant: Duration::ZERO,
        max_stale_other: Duration::ZERO,
        negative_ttl: Duration::ZERO,
    };
    let known = device(ComplianceState::Compliant, &[GUID, MAC]);
    let moved = device(ComplianceState::NonCompliant, &[OTHER_GUID, MAC]);
    let left = device(ComplianceState::Compliant, &[GUID]);
    let found = |device: &Device| Ok(Lookup::Found(Box::new(device.clone())));
    // First nothing is known, then the GUID is; at last the address belongs to
    // another device, which only shows when it is asked for alone.
    let source = Scripted::saying([found(&known), found(&known), found(&left), found(&moved)]);
    let policy = ByCompliance::default();
    let gateway = stand(&[&source], EXPIRED, policy, OnError::Deny).gateway;
    for (named, calls, expected) in [
        (&[MAC][..], 1, "permit"),
        (&[GUID, MAC], 2, "permit"),
        (&[MAC], 4, "deny"),
    ] {
        let answer = gateway.answer(&question(&[MAC])).await;
        assert_eq!(verdict(&answer), expected);
        let named: Vec<Identifier> = named.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(*source.named.lock(), named);
        assert_eq!(source.calls(), calls);
    }
}
