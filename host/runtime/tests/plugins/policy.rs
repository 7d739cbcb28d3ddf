//! What a policy reads and what becomes of its decision.

use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::{
    Attribute, Compliance, ComplianceState, Connection, Device, Fact, Finding, Lists, Medium,
    ObligationKind, Posture, SourceOutcome, SourceReport, Subject, Timestamp, Tristate, Value,
    Verdict,
};
use portreeve_runtime::{CallError, Limits, Reuse, Runtime};
use serde_json::json;

use crate::support::{mac, policy, policy_on, settings};

/// A subject with something in every fact.
pub(crate) fn subject() -> Arc<Subject> {
    let device = Device {
        key: "k1".to_owned(),
        ids: vec![mac()],
        compliance: Compliance {
            state: ComplianceState::InGracePeriod,
            grace_until: Some(Timestamp::from_millis(99)),
            ..Compliance::default()
        },
        posture: Posture {
            disk_encrypted: Tristate::Yes,
            ..Posture::default()
        },
        last_seen: Some(Timestamp::from_millis(5)),
        attributes: vec![Attribute {
            name: "a.b".to_owned(),
            value: Value::Integer(7),
        }],
        ..Device::default()
    };
    let mut lists = Lists::default();
    lists.insert("vip", ["00:50:56:a4:89:5a"]);
    Arc::new(Subject {
        now: Timestamp::from_millis(1234),
        connection: Arc::new(Connection {
            medium: Medium::Wireless,
            client: "switch".into(),
            mac: Some("02:00:00:00:00:01".parse().unwrap()),
            ..Connection::default()
        }),
        requested: Arc::new([mac()]),
        finding: Finding::Device(Arc::new(device)),
        sources: vec![SourceReport {
            name: "intune".into(),
            outcome: SourceOutcome::Found,
            fetched_at: Some(Timestamp::from_millis(1000)),
            stale: true,
            detail: Some("not for the guest".into()),
        }],
        lists: Arc::new(lists),
    })
}

async fn message(policy: &portreeve_runtime::Policy) -> String {
    let evaluation = policy.evaluate(subject()).await.unwrap();
    evaluation.decision.reasons[0].message.clone()
}

#[tokio::test]
async fn a_decision_comes_with_the_facts_it_rests_on() {
    let evaluation = policy("permit", 1).await.evaluate(subject()).await.unwrap();
    let decision = &evaluation.decision;
    assert_eq!(decision.verdict, Verdict::Permit);
    assert_eq!(
        decision.reasons[0].message,
        "ComplianceState::InGracePeriod Tristate::Yes"
    );
    assert_eq!(decision.reasons[0].facts, ["compliance"]);
    assert_eq!(
        decision.obligations[0].kind,
        ObligationKind::Vlan("42".to_owned())
    );
    assert_eq!(decision.valid_for, Some(Duration::from_secs(1)));
    let read: Vec<&Fact> = evaluation.facts_read.iter().collect();
    assert_eq!(read, [&Fact::Compliance, &Fact::Posture]);
}

#[tokio::test]
async fn every_fact_can_be_read_and_is_noted() {
    let evaluation = policy("all-facts", 1)
        .await
        .evaluate(subject())
        .await
        .unwrap();
    let seen = &evaluation.decision.reasons[0].message;
    for expected in [
        "now 1234",
        "client: \"switch\"",
        "mac-randomised: true",
        "mac: Some(\"02:00:00:00:00:01\")",
        "absence None",
        "\"intune\"",
        "stale: true",
        "00:50:56:a4:89:5a",
        "grace-until: Some(99)",
        "last-seen Some(5)",
        "attribute Some(Value::Integer(7))",
        "names [\"a.b\"]",
        "vip Some(true)",
        "none None",
    ] {
        assert!(seen.contains(expected), "`{expected}` is not in\n{seen}");
    }
    assert!(!seen.contains("not for the guest"));
    let read: Vec<String> = evaluation
        .facts_read
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(read.len(), 17, "{read:?}");
    for expected in ["attribute(a.b)", "attribute-names(a.)", "in-list(none, x)"] {
        assert!(read.iter().any(|fact| fact == expected), "{read:?}");
    }
}

#[tokio::test]
async fn without_a_record_facts_are_empty_and_the_absence_says_why() {
    let mut absent = Subject::clone(&subject());
    absent.finding = Finding::Absent(portreeve_domain::Absence::SourcesUnavailable);
    let policy = policy("all-facts", 1).await;
    let evaluation = policy.evaluate(Arc::new(absent)).await.unwrap();
    let seen = &evaluation.decision.reasons[0].message;
    for expected in [
        "absence Some(Absence::SourcesUnavailable)",
        "ids []",
        "attribute None",
    ] {
        assert!(seen.contains(expected), "`{expected}` is not in\n{seen}");
    }
}

#[tokio::test]
async fn failures_of_a_policy_keep_their_kind() {
    let outcome = policy("missing-fact", 1).await.evaluate(subject()).await;
    assert_eq!(outcome, Err(CallError::MissingFact("os".to_owned())));
    let outcome = policy("misconfigured", 1).await.evaluate(subject()).await;
    let expected = CallError::Misconfigured("wrong\\u{1b}[31m".to_owned());
    assert_eq!(outcome, Err(expected));
}

#[tokio::test]
async fn a_policy_that_misbehaves_is_stopped() {
    let outcome = policy("crash", 1).await.evaluate(subject()).await;
    assert!(matches!(outcome, Err(CallError::Trap(_))), "{outcome:?}");
    let outcome = policy("bomb", 1).await.evaluate(subject()).await;
    assert!(
        matches!(outcome, Err(CallError::OutOfMemory { .. })),
        "{outcome:?}"
    );
    for (behaviour, count) in [("many-facts", 10_001), ("long-name", 1025), ("huge", 5000)] {
        let outcome = policy(behaviour, count).await.evaluate(subject()).await;
        assert!(
            matches!(outcome, Err(CallError::LimitHit(_))),
            "{behaviour}: {outcome:?}"
        );
    }
    for (behaviour, count) in [("many-facts", 100), ("long-name", 1024), ("huge", 4000)] {
        let outcome = policy(behaviour, count).await.evaluate(subject()).await;
        assert!(outcome.is_ok(), "{behaviour}: {outcome:?}");
    }
}

#[tokio::test]
async fn an_endless_policy_is_stopped() {
    let runtime = Runtime::new(&settings()).unwrap();
    let limits = Limits {
        wall_clock: Duration::from_millis(100),
        ..Limits::policy()
    };
    let policy = policy_on(&runtime, json!({ "behaviour": "loop" }), limits).await;
    assert_eq!(policy.evaluate(subject()).await, Err(CallError::OutOfTime));
    assert_eq!(policy.status().faults, 1);
}

#[tokio::test]
async fn a_fresh_instance_remembers_nothing() {
    let runtime = Runtime::new(&settings()).unwrap();
    for (reuse, expected) in [
        (Reuse::Fresh, ["1", "1", "1"]),
        (Reuse::UpTo { calls: 2 }, ["1", "2", "1"]),
    ] {
        let limits = Limits {
            reuse,
            ..Limits::policy()
        };
        let policy = policy_on(&runtime, json!({ "behaviour": "count" }), limits).await;
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(message(&policy).await);
        }
        assert_eq!(seen, expected);
    }
}
