//! Questions in, answers out: from a rendering, from memory, from the sources.

use std::sync::Arc;
use std::time::Instant;

use portreeve_domain::{
    Absence, Answer, Asked, CannotTell, Finding, Identifier, Origin, Outcome, Question,
    SourceOutcome, SourceSet, Subject, Timestamp,
};

use portreeve_store::decisions::Judged;

use crate::decide::Decided;
use crate::fetch::Fetcher;
use crate::journal::{Behind, Logged};
use crate::prepared::{Answered, Form, Hit, MOST_SOURCES, Place, Prepared, Sighted, Text, digest};
use crate::recall::{Picture, Sighting};
use crate::rules::Rules;
use crate::sources::Sources;
use crate::{Gateway, Record};

impl Gateway {
    /// Answers with what was rendered before, if everything it rests on is the
    /// same. Nothing is allocated, no lock is taken and nothing is computed
    /// about the device. Stale facts are refreshed behind.
    pub fn hit(&self, asked: Asked<'_>, form: Form) -> Option<Hit> {
        let view = &asked.connection.view;
        let rules = self.rules.load();
        let sources = rules.sources.asked();
        if sources.len() > MOST_SOURCES || view.hides_facts() {
            return None;
        }
        let now = Timestamp::now();
        let mut sighted = Sighted::default();
        let mut fetched_at = [Timestamp::default(); MOST_SOURCES];
        let mut used: Option<Record> = None;
        let mut is_stale = false;
        let mut wants_refresh = false;
        // Renderings count the sources that the client sees.
        let mut seen = 0;
        for (source, fetcher) in sources.iter().enumerate() {
            if !view.sources.contains(fetcher.place()) {
                sighted.note(source, Sighted::HIDDEN);
                continue;
            }
            let sighting = fetcher.recall(asked.identifiers, now);
            sighted.note(source, sighting.number());
            match sighting {
                Sighting::Found { record, stale } => {
                    if let Some(place) = fetched_at.get_mut(seen) {
                        *place = record.fetched_at();
                    }
                    wants_refresh |= stale;
                    if used.is_none() {
                        is_stale = stale;
                        used = Some(record);
                    }
                }
                Sighting::Unknown => {}
                // The first source that may know the device has not been asked.
                _ if used.is_none() => return None,
                _ => {}
            }
            seen += 1;
        }
        let attached = used?.attached();
        let prepared = attached.as_ref()?;
        if !prepared.holds(&sighted, &rules, asked, now, &self.hasher)
            || rules.confined.names(asked)
        {
            return None;
        }
        prepared.text(form)?;
        if wants_refresh {
            let sources = &rules.sources;
            let sightings = recall(sources, asked.identifiers, view.sources, now);
            refresh_behind(sources, asked.identifiers, &sightings);
        }
        let verdict = prepared.verdict;
        self.metrics.count_hit(verdict);
        Some(Hit {
            prepared: attached,
            form,
            is_stale,
            verdict,
            at: now,
            fetched_at,
        })
    }

    /// Keeps how a face rendered an answer out of memory, for the next hit.
    pub fn keep(&self, answered: &Answered, form: Form, text: Text) {
        if let Some(Place { record, prepared }) = &answered.place {
            let prepared = Arc::new(prepared.with_text(form, text));
            self.memory.devices().attach(record, prepared);
        }
    }

    /// Answers from memory, without WebAssembly and without waiting, or not at
    /// all. Stale facts are refreshed behind.
    pub fn answer_from_memory(&self, question: &Question) -> Option<Answered> {
        let now = Timestamp::now();
        let seen = question.connection().view.sources;
        let rules = self.rules.load();
        let sources = &rules.sources;
        let sightings = recall(sources, question.identifiers(), seen, now);
        if !is_settled(&sightings) {
            return None;
        }
        refresh_behind(sources, question.identifiers(), &sightings);
        let picture = self.picture(sources, &sightings, seen);
        let subject = subject(question, &picture, &rules, now);
        let provenance = picture.record.as_ref().map(Record::provenance);
        let decided = rules
            .chain(&subject.connection)
            .remembered(&subject, provenance)?;
        let decided = rules.confine(decided, &subject);
        let (outcome, logged) = self.outcome(&decided, &subject, &rules);
        let repeated = logged.as_ref().filter(|logged| logged.repeats);
        let judged = repeated.map(|logged| &logged.judged);
        let place = picture
            .record
            .and_then(|record| self.place(record, &sightings, &rules, question, &decided, judged));
        Some(Answered {
            answer: self.answer_with(outcome, decided.policy, subject, Origin::Cached),
            logged,
            place,
        })
    }

    /// Answers, asking sources and policies as needed. What the sources do not
    /// say within the client's patience counts as unavailable; the look-up
    /// goes on behind.
    pub async fn answer(&self, question: &Question) -> Answered {
        if let Some(answered) = self.answer_from_memory(question) {
            return answered;
        }
        let deadline = Instant::now() + question.patience();
        let seen = question.connection().view.sources;
        let sources = Arc::clone(&self.rules.load().sources);
        let mut now = Timestamp::now();
        let mut sightings = recall(&sources, question.identifiers(), seen, now);
        let mut origin = Origin::Evaluated;
        if is_settled(&sightings) {
            refresh_behind(&sources, question.identifiers(), &sightings);
        } else {
            ask(&sources, question, &mut sightings, deadline).await;
            now = Timestamp::now();
            origin = Origin::Fetched;
        }
        let picture = self.picture(&sources, &sightings, seen);
        let rules = self.rules.load_full();
        let subject = Arc::new(subject(question, &picture, &rules, now));
        let provenance = picture.record.as_ref().map(Record::provenance);
        let chain = rules.chain(&subject.connection);
        let decided = match chain.remembered(&subject, provenance) {
            Some(decided) => decided,
            None => chain.decide(&subject, provenance).await,
        };
        let decided = rules.confine(decided, &subject);
        let subject = Arc::unwrap_or_clone(subject);
        let (outcome, logged) = self.outcome(&decided, &subject, &rules);
        Answered {
            answer: self.answer_with(outcome, decided.policy, subject, origin),
            logged,
            // A rendering of it says where it came from, so it is no rendering
            // of the next one.
            place: None,
        }
    }

    /// What the sightings of `sources` come to for whoever sees `seen`.
    pub(crate) fn picture(
        &self,
        sources: &Sources,
        sightings: &[Sighting],
        seen: SourceSet,
    ) -> Picture {
        let names = sources.asked().iter().map(|fetcher| fetcher.name());
        Picture::of(
            self.memory.devices(),
            sources.silenced(seen),
            names.zip(sightings),
        )
    }

    /// Where the rendering of an answer out of memory can be kept.
    fn place(
        &self,
        record: Record,
        sightings: &[Sighting],
        rules: &Rules,
        question: &Question,
        decided: &Decided,
        judged: Option<&Arc<Judged>>,
    ) -> Option<Place> {
        // What the quarantine decided is for the addresses of the question, and
        // a device may be asked for by others.
        let can_be_prepared = decided.basis.can_be_prepared() && !decided.is_confined;
        let hides_facts = question.connection().view.hides_facts();
        if sightings.len() > MOST_SOURCES || hides_facts || !can_be_prepared {
            return None;
        }
        let mut sighted = Sighted::default();
        for (source, sighting) in sightings.iter().enumerate() {
            sighted.note(source, sighting.number());
        }
        let asked = question.asked();
        let present = record.attached().as_ref().map(Arc::clone);
        let prepared = match present {
            // Another face has left its rendering there.
            Some(present)
                if present.holds(&sighted, rules, asked, decided.at, &self.hasher)
                    && present.decided_at == decided.at =>
            {
                present
            }
            _ => Arc::new(Prepared::new(
                sighted,
                (rules, rules.chain(question.connection()).id()),
                decided.basis,
                digest(decided.basis, asked, &self.hasher),
                (decided.at, decided.valid_for),
                match &decided.decision {
                    Some(decision) => decision.verdict,
                    None => rules.chains.undecided().verdict,
                },
                judged.cloned(),
            )),
        };
        Some(Place { record, prepared })
    }

    /// What was decided, and what the log wants to know about it.
    fn outcome(
        &self,
        decided: &Decided,
        subject: &Subject,
        rules: &Rules,
    ) -> (Outcome, Option<Logged>) {
        let outcome = self.ruling(decided, subject, rules);
        let logged = self.journal.as_ref().and_then(|journal| {
            let in_force = rules.chain(&subject.connection);
            let chain = in_force.digests();
            let name = decided.policy.as_ref();
            let behind = Behind {
                subject,
                facts: &decided.facts,
                policy: name.and_then(|name| chain.iter().find(|policy| policy.name == *name)),
                chain,
                chain_name: in_force.name(),
                decided_at: decided.at,
                is_confined: decided.is_confined,
            };
            journal.note(&outcome, behind)
        });
        (outcome, logged)
    }

    /// What was decided.
    pub(crate) fn ruling(&self, decided: &Decided, subject: &Subject, rules: &Rules) -> Outcome {
        match (&decided.decision, untold(subject)) {
            (Some(decision), _) => Outcome::Decided(Arc::clone(decision)),
            (None, Some(absence)) => Outcome::CannotTell(self.cannot_tell(absence, subject)),
            (None, None) => Outcome::Decided(Arc::clone(rules.chains.undecided())),
        }
    }

    fn answer_with(
        &self,
        outcome: Outcome,
        policy: Option<Arc<str>>,
        subject: Subject,
        origin: Origin,
    ) -> Answer {
        self.metrics.count_answer(origin, &outcome);
        let view = &subject.connection.view;
        let finding = match &subject.finding {
            Finding::Device(device) => Finding::Device(view.of(device, &subject.requested)),
            Finding::Absent(absence) => Finding::Absent(*absence),
        };
        Answer {
            outcome,
            finding,
            sources: subject.sources,
            policy,
            origin,
            at: subject.now,
        }
    }

    fn cannot_tell(&self, absence: Absence, subject: &Subject) -> CannotTell {
        let failed = |report: &&portreeve_domain::SourceReport| {
            matches!(
                report.outcome,
                SourceOutcome::Failed | SourceOutcome::Ambiguous
            )
        };
        let parts: Vec<String> = subject
            .sources
            .iter()
            .filter(failed)
            .map(|report| match &report.detail {
                Some(detail) => format!("source `{}`: {detail}", report.name),
                None => format!("source `{}`: several devices match", report.name),
            })
            .collect();
        let detail = if parts.is_empty() {
            match absence {
                Absence::Ambiguous => "the sources name different devices".to_owned(),
                _ => "no source could be asked".to_owned(),
            }
        } else {
            parts.join("; ")
        };
        CannotTell {
            absence,
            detail: detail.into(),
            retry_after: self.retry_after,
        }
    }
}

pub(crate) fn recall(
    sources: &Sources,
    identifiers: &[Identifier],
    seen: SourceSet,
    now: Timestamp,
) -> Vec<Sighting> {
    let recall = |fetcher: &Arc<Fetcher>| {
        if seen.contains(fetcher.place()) {
            fetcher.recall(identifiers, now)
        } else {
            Sighting::Hidden
        }
    };
    sources.asked().iter().map(recall).collect()
}

fn refresh_behind(sources: &Sources, identifiers: &[Identifier], sightings: &[Sighting]) {
    for (fetcher, sighting) in sources.asked().iter().zip(sightings) {
        if let Sighting::Found { stale: true, .. } = sighting {
            fetcher.refresh(identifiers);
        }
    }
}

/// Asks every source whose word is missing, all at once.
pub(crate) async fn ask(
    sources: &Sources,
    question: &Question,
    sightings: &mut [Sighting],
    deadline: Instant,
) {
    let calls = sources.asked().iter().zip(sightings.iter_mut());
    let calls = calls.map(|(fetcher, sighting)| async move {
        if let Sighting::Absent = sighting {
            *sighting = fetcher.ask(question.identifiers(), deadline).await;
        }
    });
    futures_util::future::join_all(calls).await;
}

/// Whether memory is enough: the first source that has something to say has
/// said it, and none before it has to be asked.
pub(crate) fn is_settled(sightings: &[Sighting]) -> bool {
    let first = sightings
        .iter()
        .find(|sighting| !matches!(sighting, Sighting::Unknown | Sighting::Hidden));
    first.is_none_or(Sighting::settles)
}

/// What is missing, if the facts are.
pub(crate) fn untold(subject: &Subject) -> Option<Absence> {
    match subject.absence()? {
        absence @ (Absence::SourcesUnavailable | Absence::Ambiguous) => Some(absence),
        Absence::UnknownDevice => None,
    }
}

pub(crate) fn subject(
    question: &Question,
    picture: &Picture,
    rules: &Rules,
    now: Timestamp,
) -> Subject {
    Subject {
        now,
        connection: Arc::clone(question.connection()),
        requested: Arc::clone(question.identifiers()),
        finding: picture.finding.clone(),
        sources: picture.sources.clone(),
        lists: Arc::clone(&rules.lists),
    }
}
