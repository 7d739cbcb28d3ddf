//! Which verdicts became which others, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_domain::{Decision, Outcome};
use portreeve_store::decisions::Ruling;

/// Examples that are kept of each transition.
const EXAMPLES: usize = 5;

/// Reasons that are told apart in each transition; the others are one.
const REASONS: usize = 50;

/// One kind of change: from one ruling to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transition {
    /// How often.
    pub count: u64,
    /// How often for each first reason of the new ruling.
    pub reasons: BTreeMap<Arc<str>, u64>,
    /// Some of them.
    pub examples: Vec<Example>,
}

/// One endpoint whose verdict would be another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// What it was asked for by.
    pub identifier: String,
    /// The first reason before.
    pub before: Arc<str>,
    /// The first reason then.
    pub then: Arc<str>,
}

/// All changes that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// What was compared.
    pub compared: u64,
    /// How much of it has another verdict.
    pub changed: u64,
    /// How much has the same verdict with other obligations.
    pub other_obligations: u64,
    /// The changes, by the words for the rulings before and then.
    pub transitions: BTreeMap<(&'static str, &'static str), Transition>,
}

impl Tally {
    /// Compares two outcomes. Whether the verdict is another one.
    pub(super) fn compare(
        &mut self,
        before: &Outcome,
        then: &Outcome,
        identifier: impl FnOnce() -> String,
    ) -> bool {
        self.compared += 1;
        let rulings = (Ruling::of(before), Ruling::of(then));
        if rulings.0 == rulings.1 {
            self.other_obligations += u64::from(obligations(before) != obligations(then));
            return false;
        }
        let reasons = (reason(before), reason(then));
        self.note(rulings, (&*reasons.0, &*reasons.1), identifier);
        true
    }

    pub(super) fn note(
        &mut self,
        (before, then): (Ruling, Ruling),
        reasons: (&str, &str),
        identifier: impl FnOnce() -> String,
    ) {
        self.changed += 1;
        let words = (before.as_str(), then.as_str());
        let transition = self.transitions.entry(words).or_default();
        transition.count += 1;
        let reason =
            if transition.reasons.contains_key(reasons.1) || transition.reasons.len() < REASONS {
                reasons.1
            } else {
                "others"
            };
        *transition.reasons.entry(reason.into()).or_default() += 1;
        if transition.examples.len() < EXAMPLES {
            transition.examples.push(Example {
                identifier: identifier(),
                before: reasons.0.into(),
                then: reasons.1.into(),
            });
        }
    }

    /// Adds what others have found.
    pub(super) fn add(&mut self, other: Self) {
        self.compared += other.compared;
        self.changed += other.changed;
        self.other_obligations += other.other_obligations;
        for (words, found) in other.transitions {
            let transition = self.transitions.entry(words).or_default();
            transition.count += found.count;
            for (reason, count) in found.reasons {
                *transition.reasons.entry(reason).or_default() += count;
            }
            transition.examples.extend(found.examples);
            transition.examples.truncate(EXAMPLES);
        }
    }
}

fn obligations(outcome: &Outcome) -> &[portreeve_domain::Obligation] {
    match outcome {
        Outcome::Decided(decision) => &decision.obligations,
        Outcome::CannotTell(_) => &[],
    }
}

/// The code of the first reason.
pub(super) fn reason(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Decided(decision) => first_reason(decision).to_owned(),
        Outcome::CannotTell(_) => "cannot-tell".to_owned(),
    }
}

pub(super) fn first_reason(decision: &Decision) -> &str {
    let reason = decision.reasons.first();
    reason.map_or("", |reason| reason.code.as_str())
}
