//! Why an endpoint gets the answer it gets, and what would have to be different
//! for a better one.

mod single;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_domain::{
    Answer, Decision, Fact, Identifier, Origin, Outcome, Question, Subject, Timestamp, Verdict,
};
use portreeve_store::decisions::fact_value;
use serde_json::Value;

use crate::answer::{ask, is_settled, recall, subject};
use crate::chain::strictness;
use crate::decide::{Chain, Said};
use crate::rules::Rules;
use crate::{Combine, Gateway, Mode, Record};

/// Changes that are tried out at most, each by a run of the chain.
const MOST_TRIED: usize = 128;

/// Changes that are told at most.
const MOST_TOLD: usize = 16;

/// How long changes are tried out.
const PATIENCE: Duration = Duration::from_secs(2);

/// An answer with everything that led to it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The answer that a client gets now.
    pub answer: Answer,
    /// What was asked for.
    pub requested: Arc<[Identifier]>,
    /// Those of them that the device record carries.
    pub matched: Vec<Identifier>,
    /// The chain that decided.
    pub chain: Arc<str>,
    /// Whose word counts in it.
    pub combine: Combine,
    /// Since when the decision is remembered, if it is. Clients get it out of
    /// memory; the policies were run again for the explanation.
    pub remembered_since: Option<Timestamp>,
    /// The policies that were asked, in order; those that are only monitored
    /// last. The others were not asked any more, or are off.
    pub policies: Vec<PolicyWord>,
    /// Whether the quarantine made the answer what it is.
    pub is_quarantined: bool,
    /// Single facts that would have given a better verdict if they were others,
    /// the best first.
    pub improvements: Vec<Improvement>,
}

/// What one policy said.
#[derive(Clone, Debug)]
pub struct PolicyWord {
    /// Its configured name.
    pub name: Arc<str>,
    /// What its word counts for.
    pub mode: Mode,
    /// Its decision, or why it gave none.
    pub said: Result<Decision, String>,
    /// What it read to get there.
    pub facts: Vec<FactRead>,
}

/// A fact that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactRead {
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: Value,
    /// The source that says so; `None` for what is not of a device record.
    pub source: Option<Arc<str>>,
    /// How long ago it said so.
    pub age: Option<Duration>,
}

/// A change of one fact that would give a better verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Improvement {
    /// The fact, or the part of it that would be another.
    pub fact: String,
    /// What it is.
    pub now: Value,
    /// What it would have to be.
    pub then: Value,
    /// The verdict then.
    pub verdict: Verdict,
}

impl Gateway {
    /// Answers a question and says why. Sources are asked as for any question;
    /// nothing is remembered of it but what they say.
    pub async fn explain(&self, question: &Question) -> Explanation {
        let deadline = Instant::now() + question.patience();
        let seen = question.connection().view.sources;
        let sources = Arc::clone(&self.rules.load().sources);
        let mut now = Timestamp::now();
        let mut sightings = recall(&sources, question.identifiers(), seen, now);
        let mut origin = Origin::Evaluated;
        if !is_settled(&sightings) {
            ask(&sources, question, &mut sightings, deadline).await;
            now = Timestamp::now();
            origin = Origin::Fetched;
        }
        let picture = self.picture(&sources, &sightings, seen);
        let rules = self.rules.load_full();
        let subject = Arc::new(subject(question, &picture, &rules, now));
        let provenance = picture.record.as_ref().map(Record::provenance);
        let remembered = rules
            .chain(question.connection())
            .remembered(&subject, provenance);
        if remembered.is_some() {
            origin = Origin::Cached;
        }
        let remembered_since = remembered.map(|decided| decided.at);
        let explained = self.explain_subject(&subject, origin, &rules).await;
        Explanation {
            remembered_since,
            ..explained
        }
    }

    /// Says what the chain in force makes of a subject, and why.
    pub async fn explain_recorded(&self, subject: &Arc<Subject>) -> Explanation {
        let rules = self.rules.load_full();
        self.explain_subject(subject, Origin::Evaluated, &rules)
            .await
    }

    async fn explain_subject(
        &self,
        subject: &Arc<Subject>,
        origin: Origin,
        rules: &Rules,
    ) -> Explanation {
        let chain = rules.chain(&subject.connection);
        let (decided, said) = chain.trace(subject).await;
        let facts: Vec<Fact> = decided.facts.iter().cloned().collect();
        let decided = rules.confine(decided, subject);
        let outcome = self.ruling(&decided, subject, rules);
        let improvements = improvements(chain, rules, subject, &outcome, &facts).await;
        let requested = Arc::clone(&subject.requested);
        let device = subject.device();
        let matched = requested
            .iter()
            .filter(|identifier| device.is_some_and(|device| device.ids.contains(identifier)));
        Explanation {
            matched: matched.cloned().collect(),
            requested: Arc::clone(&requested),
            chain: Arc::clone(chain.name()),
            combine: chain.combine(),
            remembered_since: None,
            policies: said.into_iter().map(|said| word(said, subject)).collect(),
            is_quarantined: decided.is_confined,
            improvements,
            answer: Answer {
                outcome,
                finding: subject.finding.clone(),
                sources: subject.sources.clone(),
                policy: decided.policy,
                origin,
                at: subject.now,
            },
        }
    }
}

fn word(said: Said, subject: &Subject) -> PolicyWord {
    let (said_so, facts) = match said.result {
        Ok(evaluation) => {
            let facts = evaluation.facts_read.iter();
            let facts = facts.map(|fact| fact_read(fact, subject)).collect();
            (Ok(evaluation.decision), facts)
        }
        Err(error) => (Err(error.to_string()), Vec::new()),
    };
    PolicyWord {
        name: said.policy,
        mode: said.mode,
        said: said_so,
        facts,
    }
}

fn fact_read(fact: &Fact, subject: &Subject) -> FactRead {
    let is_of_device = fact.belongs_to_device() && *fact != Fact::Absence;
    let mut sources = subject.sources.iter();
    let source = sources.find(|report| report.fetched_at.is_some());
    let source = source.filter(|_| is_of_device && subject.device().is_some());
    FactRead {
        name: fact.to_string(),
        value: fact_value(fact, subject),
        source: source.map(|report| Arc::clone(&report.name)),
        age: source
            .and_then(|report| report.fetched_at)
            .map(|fetched_at| subject.now.since(fetched_at)),
    }
}

/// Tries out other values of each fact that was read, one at a time.
async fn improvements(
    chain: &Chain,
    rules: &Rules,
    subject: &Arc<Subject>,
    outcome: &Outcome,
    facts: &[Fact],
) -> Vec<Improvement> {
    let level = match outcome {
        Outcome::Decided(decision) => strictness(decision.verdict),
        Outcome::CannotTell(_) => strictness(Verdict::Deny),
    };
    if level == strictness(Verdict::Permit) {
        return Vec::new();
    }
    let begun = Instant::now();
    let changes = facts.iter().flat_map(|fact| single::changes(fact, subject));
    let mut found = Vec::new();
    for change in changes.take(MOST_TRIED) {
        if begun.elapsed() > PATIENCE {
            break;
        }
        let subject = Arc::new(change.subject);
        let decided = chain.consider(&subject).await;
        let decided = rules.confine(decided, &subject);
        let verdict = decided.decision.map(|decision| decision.verdict);
        if let Some(verdict) = verdict.filter(|verdict| strictness(*verdict) < level) {
            found.push(Improvement {
                fact: change.fact,
                now: change.now,
                then: change.then,
                verdict,
            });
        }
    }
    found.sort_by_key(|improvement| strictness(improvement.verdict));
    found.truncate(MOST_TOLD);
    found
}
