//! The stream over a gateway with native sources and policies.

use std::sync::Arc;

use portreeve_cache::{CacheSettings, FreshnessRules, SourceId};
use portreeve_domain::{ComplianceState, Outcome, Timestamp};
use prometheus::Registry;

use super::worker::Worker;
use super::*;
use crate::quarantine::Policy;
use crate::tests::{ByCompliance, MAC, RULES, Scripted, device, down, settings_of};
use crate::{GatewaySettings, Memory, OnError};

/// A gateway whose worker is driven by the test.
struct Stand {
    gateway: Arc<Gateway>,
    memory: Arc<Memory>,
}

fn stand(sources: usize, rules: FreshnessRules, policies: Vec<Policy>) -> Stand {
    let scripted: Vec<_> = (0..sources).map(|_| Scripted::saying([down()])).collect();
    let names = (0..sources).map(|place| format!("source-{place}").into());
    let memory = Arc::new(Memory::volatile(CacheSettings::default(), names.collect()));
    let policy = Arc::new(ByCompliance::default());
    let sources: Vec<_> = scripted.iter().collect();
    let mut settings = GatewaySettings {
        memory: Arc::clone(&memory),
        ..settings_of(&sources, rules, policy, OnError::Deny)
    };
    settings.quarantine.policies = policies;
    let gateway = Gateway::new(settings, &Registry::new()).unwrap();
    memory.tell(&gateway.feed.touched);
    Stand { gateway, memory }
}

/// Verdicts before and after.
fn words(change: &Change) -> [&'static str; 2] {
    [&change.before, &change.after].map(|standing| match standing {
        None => "unknown",
        Some(standing) => match &standing.outcome {
            Outcome::Decided(decision) => decision.verdict.as_str(),
            Outcome::CannotTell(_) => "cannot-tell",
        },
    })
}

async fn told(
    worker: &mut Worker<'_>,
    stand: &Stand,
    subscription: &mut Subscription,
) -> Vec<[&'static str; 2]> {
    while !worker.slice(&stand.gateway).await {}
    let mut told = Vec::new();
    while let Some(Some(Ok(change))) = futures_util::FutureExt::now_or_never(subscription.next()) {
        told.push(words(&change));
    }
    told
}

#[tokio::test]
async fn what_changes_is_told_once_and_in_order() {
    use ComplianceState::{Compliant, NonCompliant};
    let stand = stand(1, RULES, Vec::new());
    let mut changes = stand.gateway.subscribe();
    let mut worker = Worker::new(&stand.gateway.feed, &stand.memory);
    let learn = |state| {
        let now = Timestamp::now();
        stand.memory.learn(SourceId(0), &device(state, &[MAC]), now);
    };
    learn(Compliant);
    learn(Compliant);
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["unknown", "permit"]]
    );
    learn(Compliant);
    assert!(told(&mut worker, &stand, &mut changes).await.is_empty());
    learn(NonCompliant);
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["permit", "deny"]]
    );
    let asked = [MAC.parse().unwrap()];
    stand
        .memory
        .learn_unknown(SourceId(0), &asked, Timestamp::now());
    assert_eq!(
        told(&mut worker, &stand, &mut changes).await,
        [["deny", "unknown"]]
    );
}
