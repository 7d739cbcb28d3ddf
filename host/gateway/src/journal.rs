//! What goes into the decision log.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;
use portreeve_domain::{Fact, FactsRead, Finding, Outcome, Subject, Timestamp};
use portreeve_store::decisions::{
    DecisionLog, Grounds, Judged, PolicyDigest, Ruling, SourceKey, fact_value, format_time,
};

/// Endpoints whose last ruling is known. Beyond that all are forgotten, and the
/// next decision about each counts as a change: one line too many.
const MOST: usize = 1_000_000;

/// The decision log, and what is needed to fill it.
#[derive(Debug)]
pub(crate) struct Journal {
    log: DecisionLog,
    /// Digests of the last ruling, by digests of the endpoint.
    last: Mutex<HashMap<u64, u64>>,
    hasher: RandomState,
}

/// What the log is told about one answer.
#[derive(Clone, Debug)]
pub struct Logged {
    /// What was decided, and on what it rests.
    pub judged: Arc<Judged>,
    /// Whether it differs from the last decision about the endpoint.
    pub changed: bool,
    /// Whether each repetition is wanted, too.
    pub(crate) repeats: bool,
}

/// What a decision rests on, beside the outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) facts: &'a FactsRead,
    pub(crate) policy: Option<&'a PolicyDigest>,
    pub(crate) chain: &'a [PolicyDigest],
    pub(crate) chain_name: &'a str,
    /// When the policies were run: what they took for the present time.
    pub(crate) decided_at: Timestamp,
    /// Whether the quarantine made it what it is.
    pub(crate) is_confined: bool,
}

impl Journal {
    pub(crate) fn new(log: DecisionLog) -> Self {
        Self {
            log,
            last: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) const fn log(&self) -> &DecisionLog {
        &self.log
    }

    /// What the log wants to know about an answer, if it wants it at all. A
    /// decision that is remembered can be a change, too: that back to what held
    /// before.
    pub(crate) fn note(&self, outcome: &Outcome, behind: Behind<'_>) -> Option<Logged> {
        let ruling = Ruling::of(outcome);
        let changed = self.is_change(outcome, behind.subject);
        self.log.wants(ruling, changed).then(|| Logged {
            judged: Arc::new(judged(outcome, ruling, behind, self.log.wants_all_facts())),
            changed,
            repeats: self.log.wants(ruling, false),
        })
    }

    fn is_change(&self, outcome: &Outcome, subject: &Subject) -> bool {
        let endpoint = match &subject.finding {
            Finding::Device(device) => {
                let source = subject
                    .sources
                    .iter()
                    .find(|report| report.fetched_at.is_some());
                self.hasher
                    .hash_one((source.map(|report| &report.name), &device.key))
            }
            Finding::Absent(_) => self.hasher.hash_one(&*subject.requested),
        };
        let ruling = match outcome {
            Outcome::Decided(decision) => {
                let reasons = decision.reasons.iter().map(|reason| &reason.code);
                let reasons: Vec<&String> = reasons.collect();
                let obligations = format!("{:?}", decision.obligations);
                self.hasher
                    .hash_one((decision.verdict, reasons, obligations))
            }
            Outcome::CannotTell(missing) => self.hasher.hash_one(missing.absence),
        };
        let mut last = self.last.lock();
        if last.len() >= MOST {
            last.clear();
        }
        last.insert(endpoint, ruling) != Some(ruling)
    }
}

/// Everything that can be read of a subject without being named by a policy, but
/// for attributes.
const FACTS: [Fact; 13] = [
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
];

/// Those that were read, and all others if that is wanted.
fn facts(behind: Behind<'_>, whole: bool) -> FactsRead {
    let mut facts = behind.facts.clone();
    if whole {
        for fact in FACTS {
            facts.note(fact);
        }
        let device = behind.subject.device().into_iter();
        for attribute in device.flat_map(|device| &device.attributes) {
            facts.note(Fact::Attribute(attribute.name.as_str().into()));
        }
        facts.note(Fact::AttributeNames("".into()));
    }
    facts
}

fn judged(outcome: &Outcome, ruling: Ruling, behind: Behind<'_>, whole: bool) -> Judged {
    let subject = behind.subject;
    let facts = facts(behind, whole);
    // What was decided before was decided at the time of then.
    let value = |fact: &Fact| match fact {
        Fact::Now => format_time(behind.decided_at).into(),
        fact => fact_value(fact, subject),
    };
    let source = subject.device().and_then(|device| {
        let report = subject
            .sources
            .iter()
            .find(|report| report.fetched_at.is_some())?;
        Some(SourceKey {
            name: Arc::clone(&report.name),
            key: device.key.as_str().into(),
        })
    });
    let (reasons, detail) = match outcome {
        Outcome::Decided(decision) => (&*decision.reasons, None),
        Outcome::CannotTell(missing) => (&[][..], Some(&*missing.detail)),
    };
    Judged::new(&Grounds {
        ruling,
        reasons,
        policy: behind.policy.cloned(),
        chain: behind.chain,
        facts: facts
            .iter()
            .map(|fact| (fact.to_string(), value(fact)))
            .collect(),
        whole,
        chain_name: behind.chain_name,
        decision: match outcome {
            Outcome::Decided(decision) if !behind.is_confined => Some(&**decision),
            _ => None,
        },
        quarantined: behind.is_confined,
        source,
        absence: subject.absence(),
        detail,
    })
}
