//! The quarantine over restarts, and what is refused.

use portreeve_cache::CacheSettings;
use portreeve_domain::{Outcome, Verdict};
use portreeve_store::{Store, StoreSettings, Writer};
use prometheus::Registry;

use super::*;
use crate::tests::{ByCompliance, MAC, RULES, Scripted, down, question, settings_of};
use crate::{Gateway, GatewaySettings, Memory, OnError};

const OTHER_MAC: &str = "00:50:56:a4:89:5b";

fn policy(name: &str, verdict: Verdict) -> Policy {
    Policy {
        verdict,
        is_configured: true,
        ..Policy::of_actions(name, vec![Action::Quarantine]).unwrap()
    }
}

/// A gateway over the store in a folder.
struct Stand {
    gateway: Arc<Gateway>,
    store: Arc<Store>,
    writer: Writer,
}

fn stand(folder: &tempfile::TempDir, policies: Vec<Policy>, most: usize) -> Stand {
    let path = folder.path().join("store");
    let store = Arc::new(Store::open(&path, &StoreSettings::default()).unwrap());
    let settings = CacheSettings::default();
    let names = vec!["source-0".into()];
    let (memory, writer, _) = Memory::durable(settings, names, Arc::clone(&store)).unwrap();
    let source = Scripted::saying([down()]);
    let policy = Arc::new(ByCompliance::default());
    let settings = GatewaySettings {
        memory: Arc::new(memory),
        quarantine: QuarantineSettings {
            policies,
            most,
            restored: restore(&store).unwrap(),
        },
        ..settings_of(&[&source], RULES, policy, OnError::Deny)
    };
    Stand {
        gateway: Gateway::new(settings, &Registry::new()).unwrap(),
        store,
        writer,
    }
}

impl Stand {
    async fn end(self) {
        drop(self.gateway);
        self.writer.shutdown().await.unwrap();
        assert!(Arc::into_inner(self.store).is_some(), "it is still open");
    }
}

async fn said(gateway: &Gateway, mac: &str) -> String {
    match &gateway.answer(&question(&[mac])).await.outcome {
        Outcome::Decided(decision) => {
            let reason = &decision.reasons[0];
            format!("{}: {}", decision.verdict, reason.message)
        }
        Outcome::CannotTell(_) => "cannot tell".to_owned(),
    }
}

#[tokio::test]
async fn whoever_is_quarantined_stays_so_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let [mac, other] = [MAC, OTHER_MAC].map(|mac| mac.parse().unwrap());
    let configured = || vec![policy("limit", Verdict::Restrict)];

    let first = stand(&folder, configured(), 10);
    let quarantine = first.gateway.quarantine();
    let created = Policy::of_actions("made", vec![Action::ShutDown]).unwrap();
    quarantine.create_policy(created, "siem").await.unwrap();
    quarantine.apply(mac, "limit", "siem").await.unwrap();
    quarantine.apply(other, "made", "siem").await.unwrap();
    // The source is down, and yet enough is known.
    let limited = "restrict: quarantined by policy `limit`";
    assert_eq!(said(&first.gateway, MAC).await, limited);
    let before = quarantine.list();
    first.end().await;

    let second = stand(&folder, configured(), 10);
    assert_eq!(second.gateway.quarantine().list(), before);
    assert_eq!(said(&second.gateway, MAC).await, limited);
    second.end().await;

    // Taking a policy out of the configuration sets nobody free.
    let third = stand(&folder, Vec::new(), 10);
    let quarantine = third.gateway.quarantine();
    assert!(
        said(&third.gateway, MAC)
            .await
            .starts_with("deny: quarantined")
    );
    quarantine.clear(mac, "siem").await.unwrap();
    quarantine.clear(other, "siem").await.unwrap();
    quarantine.delete_policy("made", "siem").await.unwrap();
    assert_eq!(said(&third.gateway, MAC).await, "cannot tell");
    third.end().await;

    let fourth = stand(&folder, Vec::new(), 10);
    assert!(fourth.gateway.quarantine().list().is_empty());
    assert!(fourth.gateway.quarantine().policies().is_empty());
    fourth.end().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stand = stand(&folder, vec![policy("limit", Verdict::Restrict)], 2);
    let quarantine = stand.gateway.quarantine();
    let mac: MacAddress = MAC.parse().unwrap();
    let other = OTHER_MAC.parse().unwrap();
    let third = "00:50:56:a4:89:5c".parse().unwrap();

    let refused = quarantine.apply(mac, "none", "test").await;
    assert_eq!(refused, Err(QuarantineError::NoPolicy("none".into())));
    let refused = quarantine.clear(mac, "test").await;
    assert_eq!(refused, Err(QuarantineError::NotQuarantined(mac)));
    quarantine.apply(mac, "limit", "test").await.unwrap();
    let refused = quarantine.apply(mac, "limit", "test").await;
    let policy = "limit".into();
    assert_eq!(
        refused,
        Err(QuarantineError::AlreadyApplied { mac, policy })
    );
    let refused = quarantine.delete_policy("limit", "test").await;
    let configured = QuarantineError::PolicyConfigured("limit".into());
    assert_eq!(refused, Err(configured));

    let made = || Policy::of_actions("made", vec![Action::PortBounce]).unwrap();
    quarantine.create_policy(made(), "test").await.unwrap();
    let refused = quarantine.create_policy(made(), "test").await;
    assert_eq!(refused, Err(QuarantineError::PolicyExists("made".into())));
    quarantine.apply(other, "made", "test").await.unwrap();
    let refused = quarantine.delete_policy("made", "test").await;
    assert_eq!(refused, Err(QuarantineError::PolicyInUse("made".into())));
    let refused = quarantine.apply(third, "made", "test").await;
    assert_eq!(refused, Err(QuarantineError::Full(2)));
    let more = Policy::of_actions("more", Vec::new()).unwrap();
    let refused = quarantine.create_policy(more, "test").await;
    assert_eq!(refused, Err(QuarantineError::Full(2)));
    // Another policy needs no more room.
    quarantine.apply(other, "limit", "test").await.unwrap();
    quarantine.delete_policy("made", "test").await.unwrap();
    for name in ["", " x", "a\nb", &"x".repeat(65)] {
        let refused = Policy::of_actions(name, Vec::new());
        assert_eq!(refused, Err(QuarantineError::InvalidName), "{name:?}");
    }
    stand.end().await;
}

#[test]
fn a_decision_gets_no_better() {
    use Verdict::{Deny, Permit, Restrict};
    for (decided, policed, expected) in [
        (Some(Permit), Restrict, Some(Restrict)),
        (Some(Permit), Deny, Some(Deny)),
        (Some(Restrict), Restrict, Some(Restrict)),
        (Some(Restrict), Deny, Some(Deny)),
        (Some(Deny), Restrict, Some(Deny)),
        (Some(Deny), Deny, Some(Deny)),
        (None, Restrict, Some(Restrict)),
        (None, Deny, Some(Deny)),
        (Some(Permit), Permit, None),
        (Some(Deny), Permit, None),
        (None, Permit, None),
    ] {
        let decision = decided.map(|it| portreeve_domain::Decision::because(it, "chain", "it"));
        let assignment = Assignment {
            mac: MAC.parse().unwrap(),
            policy: Arc::new(policy("p", policed)),
            since: Timestamp::default(),
            by: "test".into(),
        };
        let restrained = restrain(decision.as_ref(), &assignment);
        assert_eq!(restrained.as_ref().map(|it| it.verdict), expected);
        if let Some(restrained) = restrained {
            let codes = restrained.reasons.iter().map(|it| it.code.as_str());
            let codes: Vec<&str> = codes.collect();
            assert_eq!(codes[0], "quarantined");
            assert_eq!(codes.get(1), decision.map(|_| &"chain"));
        }
    }
}
