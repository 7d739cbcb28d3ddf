use std::sync::Arc;

use portreeve_domain::{
    Compliance, ComplianceState, Device, Fact, FactsRead, Lists, Posture, Tristate,
};
use prometheus::Registry;
use serde_json::json;

use super::*;
use crate::tests::{ByCompliance, MAC, RULES, Scripted, down, question, settings_of};
use crate::{
    ChainSettings, ChainsSettings, Evaluation, Evaluator, GatewaySettings, Health, Lookup, OnError,
    PolicyError, PolicySettings,
};

/// Permits who is compliant and encrypted, restricts who is on the list `vip`.
#[derive(Debug)]
struct Strict;

impl Evaluator for Strict {
    fn evaluate(
        &self,
        subject: Arc<Subject>,
    ) -> futures_util::future::BoxFuture<'_, Result<Evaluation, PolicyError>> {
        let mut facts_read = FactsRead::default();
        let mut read = |fact| facts_read.note(fact);
        read(Fact::Absence);
        let decision = match subject.device() {
            None => Decision::because(Verdict::Abstain, "unknown", "unknown"),
            Some(device) => {
                read(Fact::Compliance);
                read(Fact::Posture);
                let is_compliant = device.compliance.state == ComplianceState::Compliant;
                let is_encrypted = device.posture.disk_encrypted == Tristate::Yes;
                if is_compliant && is_encrypted {
                    Decision::because(Verdict::Permit, "fine", "all is well")
                } else {
                    let member: Box<str> = "ada".into();
                    let list: Box<str> = "vip".into();
                    let is_member = subject.lists.contains(&list, &member) == Some(true);
                    read(Fact::ListMembership { list, member });
                    if is_member {
                        Decision::because(Verdict::Restrict, "vip", "a very important person")
                    } else {
                        Decision::because(Verdict::Deny, "lacking", "something is missing")
                    }
                }
            }
        };
        Box::pin(std::future::ready(Ok(Evaluation {
            decision,
            facts_read,
        })))
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

fn gateway(source: &Arc<Scripted>, mode: Mode) -> Arc<Gateway> {
    let policy = |name: &str, evaluator: Arc<dyn Evaluator>, mode| PolicySettings {
        name: name.into(),
        digest: "0".into(),
        evaluator,
        on_error: OnError::Deny,
        mode,
    };
    let policies = vec![
        policy("monitored", Arc::new(ByCompliance::default()), mode),
        policy("strict", Arc::new(Strict), Mode::Enforce),
    ];
    let default = ChainSettings {
        name: "default".into(),
        combine: Combine::FirstDecides,
        policies,
        verdict_ttl: None,
    };
    let mut lists = Lists::default();
    lists.insert("vip", ["bob"]);
    let settings = GatewaySettings {
        chains: ChainsSettings {
            default,
            selected: Vec::new(),
        },
        lists,
        ..settings_of(&[source], RULES, Arc::default(), OnError::Deny)
    };
    Gateway::new(settings, &Registry::new()).unwrap()
}

fn laptop() -> Lookup {
    Lookup::Found(Box::new(Device {
        key: "k".to_owned(),
        ids: vec![MAC.parse().unwrap(), "serial:x".parse().unwrap()],
        compliance: Compliance {
            state: ComplianceState::Compliant,
            ..Compliance::default()
        },
        posture: Posture {
            disk_encrypted: Tristate::No,
            ..Posture::default()
        },
        ..Device::default()
    }))
}

#[tokio::test]
async fn the_smallest_changes_for_a_better_verdict_are_told() {
    let source = Scripted::saying([Ok(laptop())]);
    let gateway = gateway(&source, Mode::Monitor);
    let explained = gateway.explain(&question(&[MAC])).await;
    let improvements = explained.improvements;
    let told: Vec<_> = improvements
        .iter()
        .map(|it| (&*it.fact, &it.now, &it.then, it.verdict))
        .collect();
    let (no, yes) = (json!(false), json!(true));
    assert_eq!(
        told,
        [
            ("posture.disk_encrypted", &no, &yes, Verdict::Permit),
            ("in-list(vip, ada)", &no, &yes, Verdict::Restrict),
        ]
    );
    assert_eq!(explained.matched, [MAC.parse().unwrap()]);
    assert_eq!(explained.answer.origin, Origin::Fetched);
    assert_eq!(explained.answer.policy.as_deref(), Some("strict"));
    // Monitored ones come last and change nothing.
    let words: Vec<_> = explained
        .policies
        .iter()
        .map(|word| {
            (
                &*word.name,
                word.mode,
                word.said.as_ref().map(|it| it.verdict),
            )
        })
        .collect();
    assert_eq!(
        words,
        [
            ("strict", Mode::Enforce, Ok(Verdict::Deny)),
            ("monitored", Mode::Monitor, Ok(Verdict::Permit)),
        ]
    );
    let facts = &explained.policies[0].facts;
    let names: Vec<&str> = facts.iter().map(|fact| &*fact.name).collect();
    assert_eq!(
        names,
        ["absence", "compliance", "posture", "in-list(vip, ada)"]
    );
    let sources: Vec<_> = facts.iter().map(|fact| fact.source.as_deref()).collect();
    let source = Some("source-0");
    assert_eq!(sources, [None, source, source, None]);
}

#[tokio::test]
async fn what_came_out_of_memory_is_told() {
    let source = Scripted::saying([Ok(laptop())]);
    let gateway = gateway(&source, Mode::Off);
    let first = gateway.answer(&question(&[MAC])).await;
    let explained = gateway.explain(&question(&[MAC])).await;
    assert_eq!(explained.remembered_since, Some(first.at));
    assert_eq!(explained.answer.origin, Origin::Cached);
    assert_eq!(explained.policies.len(), 1, "who is off is not asked");
}

#[tokio::test]
async fn a_source_that_knew_it_would_help() {
    let source = Scripted::saying([down()]);
    let gateway = gateway(&source, Mode::Off);
    let explained = gateway.explain(&question(&[MAC])).await;
    assert!(matches!(explained.answer.outcome, Outcome::CannotTell(_)));
    let improvements = explained.improvements;
    // One who is known, enrolled and compliant may still not be encrypted.
    assert_eq!(improvements, []);
}
