//! One source behind the cache: remembered, asked once for many, refreshed
//! behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portreeve_cache::{Boarding, Flights, FlightsFull, Freshness, Remembered, Seat, SourceId};
use portreeve_domain::{ComplianceState, Identifier, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::action::{Action, ActionFailure, ActionTicket, PossibleAction};
use crate::conflict::is_another;
use crate::metrics::Metrics;
use crate::recall::Sighting;
use crate::scep::Vouching;
use crate::source::SourceErrorKind;
use crate::sources::Common;
use crate::{CheckReport, Health, Lookup, SourceError, SourceSettings};
use crate::{Memory, Prepared, Record};

/// After a failed refresh the stale record serves for this long before the
/// source is bothered again, so that a source that is down is not asked once
/// for every question.
const REFRESH_PAUSE: Duration = Duration::from_secs(2);

/// A source may ask to be left alone for long; it is asked again after this.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// One source and what is remembered of it.
#[derive(Debug)]
pub(crate) struct Fetcher {
    id: SourceId,
    settings: SourceSettings,
    memory: Arc<Memory>,
    flights: Flights<Arc<[Identifier]>, Sighting>,
    tasks: TaskTracker,
    /// How many calls may be on the way at once, over all sources.
    permits: Arc<Semaphore>,
    /// Milliseconds since the epoch before which nothing is refreshed behind.
    refresh_after: AtomicU64,
    /// Milliseconds since the epoch before which the source asked to be left
    /// alone.
    resume_at: AtomicU64,
    metrics: Metrics,
}

/// Whether a device that was found has one of the identifiers asked for.
fn answers(found: &Lookup, identifiers: &[Identifier]) -> bool {
    match found {
        Lookup::Found(device) => identifiers.iter().any(|id| device.ids.contains(id)),
        Lookup::Unknown | Lookup::Ambiguous => false,
    }
}

impl Fetcher {
    pub(crate) fn new(id: SourceId, settings: SourceSettings, common: &Common) -> Self {
        Self {
            id,
            settings,
            memory: Arc::clone(&common.memory),
            flights: Flights::new(common.max_flights),
            tasks: common.tasks.clone(),
            permits: Arc::clone(&common.permits),
            refresh_after: AtomicU64::new(0),
            resume_at: AtomicU64::new(0),
            metrics: common.metrics.clone(),
        }
    }

    pub(crate) const fn id(&self) -> SourceId {
        self.id
    }

    /// Its place in the views of clients.
    pub(crate) fn place(&self) -> usize {
        usize::from(self.id.0)
    }

    pub(crate) const fn settings(&self) -> &SourceSettings {
        &self.settings
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    pub(crate) fn health(&self) -> Health {
        if !self.settings.enabled {
            return Health::Disabled;
        }
        self.settings.source.health()
    }

    pub(crate) async fn check(&self, deadline: Instant) -> CheckReport {
        self.settings.source.check(deadline).await
    }

    /// What the source does with certificate requests, if it does anything.
    pub(crate) fn vouching(&self) -> Option<&dyn Vouching> {
        self.settings.source.vouching()
    }

    /// What can be done to the device that the source calls `key`.
    pub(crate) async fn possible_actions(
        &self,
        key: &str,
    ) -> Result<Vec<PossibleAction>, SourceError> {
        let deadline = Instant::now() + self.settings.timeout;
        let call = self.settings.source.possible_actions(key, deadline);
        tokio::time::timeout_at(deadline.into(), call)
            .await
            .unwrap_or_else(|_| Err(self.late()))
    }

    /// Starts an action on the device that the source calls `key`, once.
    pub(crate) async fn act(
        &self,
        key: &str,
        action: &Action,
        once: &str,
    ) -> Result<ActionTicket, ActionFailure> {
        let deadline = Instant::now() + self.settings.timeout;
        let call = self.settings.source.act(key, action, once, deadline);
        tokio::time::timeout_at(deadline.into(), call)
            .await
            .unwrap_or_else(|_| Err(self.late().into()))
    }

    /// Asks how an action goes on.
    pub(crate) async fn action_status(
        &self,
        key: &str,
        ticket: &str,
    ) -> Result<ActionTicket, ActionFailure> {
        let deadline = Instant::now() + self.settings.timeout;
        let call = self.settings.source.action_status(key, ticket, deadline);
        tokio::time::timeout_at(deadline.into(), call)
            .await
            .unwrap_or_else(|_| Err(self.late().into()))
    }

    /// How long the source wants to be left alone, from now on.
    pub(crate) fn pause(&self, now: Timestamp) -> Duration {
        let resume_at = Timestamp::from_millis(self.resume_at.load(Ordering::Relaxed));
        resume_at.since(now)
    }

    fn late(&self) -> SourceError {
        SourceError {
            kind: SourceErrorKind::Timeout,
            message: format!("no answer within {} ms", self.settings.timeout.as_millis()),
            retry_after: None,
        }
    }

    /// What memory says.
    pub(crate) fn recall(&self, identifiers: &[Identifier], now: Timestamp) -> Sighting {
        self.sighting(
            self.memory.devices().find(self.id, identifiers),
            identifiers,
            now,
        )
    }

    /// What memory says, for whoever looks at every device.
    pub(crate) fn peek(&self, identifiers: &[Identifier], now: Timestamp) -> Sighting {
        self.sighting(
            self.memory.devices().peek(self.id, identifiers),
            identifiers,
            now,
        )
    }

    fn sighting(
        &self,
        remembered: Remembered<Prepared>,
        identifiers: &[Identifier],
        now: Timestamp,
    ) -> Sighting {
        let rules = &self.settings.freshness;
        match remembered {
            // Whether the source knows the GUID by now, only the source can say.
            Remembered::Found(record) if is_another(|id| record.carries(id), identifiers) => {
                Sighting::Absent
            }
            Remembered::Found(record) => match rules.of(&record, now) {
                Freshness::Fresh => Sighting::Found {
                    record,
                    stale: false,
                },
                Freshness::Stale => Sighting::Found {
                    record,
                    stale: true,
                },
                Freshness::Expired => Sighting::Absent,
            },
            Remembered::Unknown { fetched_at } if rules.repeats_unknown(fetched_at, now) => {
                Sighting::Unknown
            }
            // Memory can mix up what the source would not: let it say so itself.
            Remembered::Unknown { .. } | Remembered::Ambiguous | Remembered::Absent => {
                Sighting::Absent
            }
        }
    }

    /// Whether a record is older than the operator likes.
    pub(crate) fn is_stale(&self, record: &Record, now: Timestamp) -> bool {
        self.settings.freshness.of(record, now) != Freshness::Fresh
    }

    /// When a record becomes too old to be used.
    pub(crate) fn expires_at(&self, record: &Record) -> Timestamp {
        let rules = &self.settings.freshness;
        let most = match record.compliance_state() {
            ComplianceState::Compliant => rules.max_stale_compliant,
            _ => rules.max_stale_other,
        };
        record.fetched_at().plus(most.max(rules.ttl))
    }

    /// Asks the source, or joins those who are asking it already, until
    /// `deadline`. The call itself goes on to its own end.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        identifiers: &Arc<[Identifier]>,
        deadline: Instant,
    ) -> Sighting {
        let failed = |detail: &str| Sighting::Failed {
            detail: detail.into(),
        };
        let seat = match self.depart(identifiers) {
            Ok(seat) => seat,
            Err(full) => return failed(&full.to_string()),
        };
        match tokio::time::timeout_at(deadline.into(), seat.wait()).await {
            Ok(Ok(sighting)) => sighting,
            Ok(Err(lost)) => failed(&lost.to_string()),
            Err(_) => failed("no answer within the client's patience; the look-up goes on"),
        }
    }

    /// Asks the source behind, unless it failed a moment ago.
    pub(crate) fn refresh(self: &Arc<Self>, identifiers: &[Identifier]) {
        let now = Timestamp::now().as_millis();
        if now >= self.refresh_after.load(Ordering::Relaxed) {
            // Whoever is on the way already will bring the record.
            let _ = self.depart(&Arc::from(identifiers));
        }
    }

    /// Joins the flight for these identifiers, starting it if there is none.
    fn depart(
        self: &Arc<Self>,
        identifiers: &Arc<[Identifier]>,
    ) -> Result<Seat<Sighting>, FlightsFull> {
        let Boarding { seat, pilot } = self.flights.board(Arc::clone(identifiers))?;
        if let Some(pilot) = pilot {
            let fetcher = Arc::clone(self);
            self.tasks.spawn(async move {
                let sighting = fetcher.fetch(pilot.key()).await;
                pilot.land(sighting);
            });
        }
        Ok(seat)
    }

    /// One call to the source, its result put into memory.
    async fn fetch(&self, identifiers: &[Identifier]) -> Sighting {
        let started = Instant::now();
        let deadline = started + self.settings.timeout;
        let result = match self.named_better(identifiers) {
            Some(better) => match self.call(&better, deadline).await {
                // The address has gone over to another device, or the source
                // does not say whose it is.
                Ok(found) if !answers(&found, identifiers) => {
                    self.call(identifiers, deadline).await
                }
                result => result,
            },
            None => self.call(identifiers, deadline).await,
        };
        let now = Timestamp::now();
        let (word, sighting) = match result {
            Ok(Lookup::Found(device)) => {
                let another = is_another(|id| device.ids.contains(id), identifiers);
                let record = self.memory.learn(self.id, &device, now);
                if another {
                    ("ambiguous", Sighting::Ambiguous)
                } else {
                    (
                        "found",
                        Sighting::Found {
                            record,
                            stale: false,
                        },
                    )
                }
            }
            Ok(Lookup::Unknown) => {
                self.memory.learn_unknown(self.id, identifiers, now);
                ("unknown-device", Sighting::Unknown)
            }
            Ok(Lookup::Ambiguous) => ("ambiguous", Sighting::Ambiguous),
            Err(error) => (error.kind.as_str(), self.failed(error, now)),
        };
        self.metrics
            .source
            .with_label_values(&[&*self.settings.name, word])
            .observe(started.elapsed().as_secs_f64());
        sighting
    }

    /// The same endpoint by its GUID too, if memory knows that: asked for a
    /// mere address, some sources say less, or cannot say which device it is.
    fn named_better(&self, identifiers: &[Identifier]) -> Option<Vec<Identifier>> {
        let is_guid = |id: &Identifier| matches!(id, Identifier::Guid(_));
        if identifiers.iter().any(is_guid) {
            return None;
        }
        let Remembered::Found(record) = self.memory.devices().find(self.id, identifiers) else {
            return None;
        };
        let guid = record.identifiers().find(is_guid)?;
        Some(
            std::iter::once(guid)
                .chain(identifiers.iter().cloned())
                .collect(),
        )
    }

    async fn call(
        &self,
        identifiers: &[Identifier],
        deadline: Instant,
    ) -> Result<Lookup, SourceError> {
        let now = Timestamp::now().as_millis();
        let resume_at = self.resume_at.load(Ordering::Relaxed);
        if now < resume_at {
            return Err(SourceError {
                kind: SourceErrorKind::RateLimited,
                message: format!(
                    "the source asked to be left alone for {} ms more",
                    resume_at - now
                ),
                retry_after: Some(Duration::from_millis(resume_at - now)),
            });
        }
        let call = async {
            // Closing is never done, so a permit always comes.
            let _permit = self.permits.acquire().await;
            self.settings.source.find(identifiers, deadline).await
        };
        tokio::time::timeout_at(deadline.into(), call)
            .await
            .map_err(|_| self.late())?
    }

    fn failed(&self, error: SourceError, now: Timestamp) -> Sighting {
        tracing::warn!(
            source = &*self.settings.name,
            kind = error.kind.as_str(),
            error = &*error.message,
            "look-up failed"
        );
        let pause = now.plus(REFRESH_PAUSE).as_millis();
        self.refresh_after.store(pause, Ordering::Relaxed);
        if let Some(wait) = error.retry_after {
            let wait = wait.min(LONGEST_PAUSE);
            self.resume_at
                .fetch_max(now.plus(wait).as_millis(), Ordering::Relaxed);
        }
        Sighting::Failed {
            detail: error.message.into(),
        }
    }
}
