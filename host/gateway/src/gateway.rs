//! Questions in, answers out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_cache::{DeviceCache, VerdictCache};
use portreeve_domain::{
    Absence, Answer, CannotTell, Finding, Lists, Origin, Outcome, Question, SourceOutcome, Subject,
    Timestamp,
};
use prometheus::Registry;
use tokio_util::task::TaskTracker;

use crate::decide::{Chain, Decided};
use crate::fetch::Fetcher;
use crate::metrics::{CacheFigures, Metrics};
use crate::recall::{Picture, Sighting};
use crate::{CheckReport, GatewaySettings, Health};

/// The pipeline of one question.
#[derive(Debug)]
pub struct Gateway {
    fetchers: Vec<Arc<Fetcher>>,
    chain: Chain,
    lists: Arc<Lists>,
    devices: Arc<DeviceCache>,
    retry_after: Duration,
    tasks: TaskTracker,
    metrics: Metrics,
}

/// Whether the parts of the gateway are in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The sources, in the operator's order.
    pub sources: Vec<PartStatus>,
    /// The policies, in the chain's order.
    pub policies: Vec<PartStatus>,
    /// Devices in memory.
    pub devices: usize,
}

/// One source or policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartStatus {
    /// Its configured name.
    pub name: Arc<str>,
    /// Whether it is in order.
    pub health: Health,
}

impl Gateway {
    /// Puts the pipeline together. Its tasks run on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// When `registry` has metrics of the same names already.
    pub fn new(
        settings: GatewaySettings,
        registry: &Registry,
    ) -> Result<Arc<Self>, prometheus::Error> {
        let metrics = Metrics::register(registry)?;
        let tasks = TaskTracker::new();
        let devices = Arc::new(DeviceCache::new(settings.cache));
        let verdicts = VerdictCache::new(settings.cache.max_verdicts, settings.verdict_ttl);
        let verdicts = Arc::new(verdicts);
        let caches = CacheFigures::new(Arc::clone(&devices), Arc::clone(&verdicts))?;
        registry.register(Box::new(caches))?;
        let permits = Arc::new(tokio::sync::Semaphore::new(settings.max_flights));
        let fetchers = settings
            .sources
            .into_iter()
            .enumerate()
            .map(|(index, source)| {
                let fetcher = Fetcher::new(
                    index,
                    source,
                    Arc::clone(&devices),
                    tasks.clone(),
                    Arc::clone(&permits),
                    settings.max_flights,
                    metrics.clone(),
                );
                Arc::new(fetcher)
            });
        Ok(Arc::new(Self {
            fetchers: fetchers.collect(),
            chain: Chain::new(settings.chain, verdicts, metrics.clone()),
            lists: Arc::new(settings.lists),
            devices,
            retry_after: settings.retry_after,
            tasks,
            metrics,
        }))
    }

    /// Answers from memory, without WebAssembly and without waiting, or not at
    /// all. Stale facts are refreshed behind.
    pub fn answer_from_memory(&self, question: &Question) -> Option<Answer> {
        let now = Timestamp::now();
        let sightings = self.recall(question, now);
        if !is_settled(&sightings) {
            return None;
        }
        self.refresh_behind(question, &sightings);
        let picture = self.picture(&sightings);
        let subject = self.subject(question, &picture, now);
        let decided = self.chain.remembered(&subject, picture.record.as_deref())?;
        Some(self.answer_with(decided, subject, Origin::Cached))
    }

    /// Answers, asking sources and policies as needed. What the sources do not
    /// say within the client's patience counts as unavailable; the look-up
    /// goes on behind.
    pub async fn answer(&self, question: &Question) -> Answer {
        if let Some(answer) = self.answer_from_memory(question) {
            return answer;
        }
        let deadline = Instant::now() + question.patience();
        let mut now = Timestamp::now();
        let mut sightings = self.recall(question, now);
        let mut origin = Origin::Evaluated;
        if is_settled(&sightings) {
            self.refresh_behind(question, &sightings);
        } else {
            self.ask(question, &mut sightings, deadline).await;
            now = Timestamp::now();
            origin = Origin::Fetched;
        }
        let picture = self.picture(&sightings);
        let subject = Arc::new(self.subject(question, &picture, now));
        let decided = match self.chain.remembered(&subject, picture.record.as_deref()) {
            Some(decided) => decided,
            None => self.chain.decide(&subject, picture.record.as_deref()).await,
        };
        let subject = Arc::unwrap_or_clone(subject);
        self.answer_with(decided, subject, origin)
    }

    /// Checks one source, past every cache. `None` when there is none of that
    /// name.
    pub async fn check(&self, name: &str, deadline: Instant) -> Option<CheckReport> {
        let fetcher = self
            .fetchers
            .iter()
            .find(|fetcher| **fetcher.name() == *name)?;
        Some(fetcher.check(deadline).await)
    }

    /// Whether the parts are in order.
    pub fn status(&self) -> Status {
        let sources = self.fetchers.iter().map(|fetcher| PartStatus {
            name: Arc::clone(fetcher.name()),
            health: fetcher.health(),
        });
        Status {
            sources: sources.collect(),
            policies: self.chain.status(),
            devices: self.devices.len(),
        }
    }

    /// Waits for the look-ups that are on the way. Each ends by its source's
    /// time-out.
    pub async fn shutdown(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn recall(&self, question: &Question, now: Timestamp) -> Vec<Sighting> {
        let fetchers = self.fetchers.iter();
        fetchers
            .map(|fetcher| fetcher.recall(question.identifiers(), now))
            .collect()
    }

    fn refresh_behind(&self, question: &Question, sightings: &[Sighting]) {
        for (fetcher, sighting) in self.fetchers.iter().zip(sightings) {
            if let Sighting::Found { stale: true, .. } = sighting {
                fetcher.refresh(question.identifiers());
            }
        }
    }

    /// Asks every source whose word is missing, all at once.
    async fn ask(&self, question: &Question, sightings: &mut [Sighting], deadline: Instant) {
        let calls = self.fetchers.iter().zip(sightings.iter_mut());
        let calls = calls.map(|(fetcher, sighting)| async move {
            if let Sighting::Absent = sighting {
                *sighting = fetcher.ask(question.identifiers(), deadline).await;
            }
        });
        futures_util::future::join_all(calls).await;
    }

    fn picture(&self, sightings: &[Sighting]) -> Picture {
        Picture::of(
            self.fetchers
                .iter()
                .map(|fetcher| fetcher.name())
                .zip(sightings),
        )
    }

    fn subject(&self, question: &Question, picture: &Picture, now: Timestamp) -> Subject {
        Subject {
            now,
            connection: Arc::clone(question.connection()),
            requested: Arc::clone(question.identifiers()),
            finding: picture.finding.clone(),
            sources: picture.sources.clone(),
            lists: Arc::clone(&self.lists),
        }
    }

    fn answer_with(&self, decided: Decided, subject: Subject, origin: Origin) -> Answer {
        let Decided { decision, policy } = decided;
        let outcome = match (decision, &subject.finding) {
            (Some(decision), _) => Outcome::Decided(decision),
            (
                None,
                Finding::Absent(absence @ (Absence::SourcesUnavailable | Absence::Ambiguous)),
            ) => Outcome::CannotTell(self.cannot_tell(*absence, &subject)),
            (None, _) => Outcome::Decided(Arc::clone(self.chain.undecided())),
        };
        self.metrics.count_answer(origin, &outcome);
        Answer {
            outcome,
            finding: subject.finding,
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

/// Whether memory is enough: the first source that has something to say has
/// said it, and none before it has to be asked.
fn is_settled(sightings: &[Sighting]) -> bool {
    let first = sightings
        .iter()
        .find(|sighting| !matches!(sighting, Sighting::Unknown));
    first.is_none_or(Sighting::settles)
}
