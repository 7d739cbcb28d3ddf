//! A hit allocates nothing.
#![expect(
    unsafe_code,
    reason = "counting allocations takes an allocator of our own, which only passes on"
)]
#![expect(clippy::unwrap_used, reason = "functions of a test fail loudly")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_cache::{CacheSettings, FreshnessRules};
use portreeve_domain::{
    Asked, Decision, Device, Fact, FactsRead, Identifier, Lists, Question, Subject, Verdict,
};
use portreeve_gateway::{
    CheckReport, Evaluation, Evaluator, Form, Gateway, GatewaySettings, Health, Hole, Lookup,
    Memory, Mode, Moving, OnError, PolicyError, PolicySettings, Source, SourceError,
    SourceSettings, Text,
};
use prometheus::Registry;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

const MAC: &str = "00:50:56:a4:89:5a";
const GUID: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";
const FORM: Form = Form::new(0);

/// Knows one device.
#[derive(Debug)]
struct Mdm;

impl Source for Mdm {
    fn find<'a>(
        &'a self,
        _: &'a [Identifier],
        _: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        let device = Device {
            key: "key".to_owned(),
            ids: [GUID, MAC].map(|text| text.parse().unwrap()).into(),
            ..Device::default()
        };
        std::future::ready(Ok(Lookup::Found(Box::new(device)))).boxed()
    }

    fn check(&self, _: Instant) -> BoxFuture<'_, CheckReport> {
        std::future::ready(CheckReport::default()).boxed()
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

/// Reads one fact of each kind that a hit compares.
#[derive(Debug)]
struct Policy;

impl Evaluator for Policy {
    fn evaluate(&self, _: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        let mut facts_read = FactsRead::default();
        for fact in [
            Fact::Compliance,
            Fact::Connection,
            Fact::RequestedIdentifiers,
            Fact::ListMembership {
                list: "vip".into(),
                member: "a".into(),
            },
        ] {
            facts_read.note(fact);
        }
        let decision = Decision::because(Verdict::Permit, "known", "as everyone");
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

fn gateway() -> Arc<Gateway> {
    let names = vec!["one".into(), "other".into()];
    let sources = ["one", "other"].map(|name| SourceSettings {
        name: name.into(),
        source: Arc::new(Mdm),
        freshness: FreshnessRules {
            ttl: Duration::from_mins(5),
            max_stale_compliant: Duration::from_hours(1),
            max_stale_other: Duration::from_hours(1),
            negative_ttl: Duration::from_mins(1),
        },
        timeout: Duration::from_secs(5),
        enabled: true,
        requery: None,
        about: Arc::default(),
    });
    let policy = PolicySettings {
        name: "policy".into(),
        digest: "0".into(),
        evaluator: Arc::new(Policy),
        on_error: OnError::Deny,
        mode: Mode::Enforce,
    };
    let settings = GatewaySettings {
        sources: sources.into(),
        chains: vec![policy].into(),
        lists: Lists::default(),
        memory: Arc::new(Memory::volatile(CacheSettings::default(), names)),
        sessions: Arc::default(),
        log: None,
        max_verdicts: 100,
        verdict_ttl: Duration::from_hours(1),
        quarantine: portreeve_gateway::quarantine::QuarantineSettings::default(),
        feed: portreeve_gateway::FeedSettings::default(),
        actions: portreeve_gateway::ActionRules::default(),
        retry_after: Duration::from_secs(30),
        max_flights: 16,
    };
    Gateway::new(settings, &Registry::new()).unwrap()
}

#[tokio::test]
async fn a_hit_allocates_nothing() {
    let gateway = gateway();
    for identifiers in [&[MAC][..], &[GUID], &[GUID, MAC]] {
        let identifiers = identifiers.iter().map(|text| text.parse().unwrap());
        let question = Question::new(
            identifiers.collect(),
            Arc::default(),
            Duration::from_secs(5),
        );
        gateway.answer(&question).await;
        let answered = gateway.answer_from_memory(&question).unwrap();
        assert!(answered.can_be_kept());
        let text = Text {
            status: 200,
            bytes: b"known at ".as_slice().into(),
            holes: [Hole {
                place: 9,
                content: Moving::Time,
            }]
            .into(),
        };
        gateway.keep(&answered, FORM, text);
        let asked = Asked {
            identifiers: question.identifiers(),
            connection: question.connection(),
        };
        let ask = || {
            let hit = gateway.hit(black_box(asked), FORM).unwrap();
            assert_eq!(hit.bytes(), b"known at ");
            assert_eq!(hit.verdict(), Verdict::Permit);
            black_box((hit.fetched_at(0), hit.is_stale(), hit.at()));
        };
        // A thread's first look-up registers it with the index.
        ask();
        assert_eq!(allocations(ask), 0, "{:?}", question.identifiers());
    }
    assert!(allocations(|| drop(black_box(Box::new(1)))) > 0);
}
