//! All endpoints at one moment, each with what would be answered about it: for
//! clients that want lists.
//!
//! A list that is short is dangerous: who is missing from it is taken for
//! unknown, or for compliant. So there is a [`Survey`] only while every source's
//! picture is complete. An endpoint that the gateway cannot tell about, because
//! its own facts are too old or contradict each other, is in it with
//! [`Outcome::CannotTell`], whatever verdict is [wanted](Wanted): it is for the
//! face to refuse the list or to mark the endpoint, but never to leave it out.

mod inventory;
mod pictures;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use portreeve_cache::{Remembered, SourceId};
use portreeve_domain::{Connection, Device, Identifier, MacAddress, Outcome, SourceSet, Timestamp};

pub use self::pictures::{Lack, Pictures};

use crate::feed::is_compliant;
use crate::fetch::Fetcher;
use crate::{Gateway, Memory, Record};

/// How long a survey waits for changes that were learnt before it to be
/// decided about.
const PATIENCE: Duration = Duration::from_secs(5);

/// Endpoints that are worked on before questions get their turn.
const SLICE: usize = 64;

/// Which endpoints are wanted, by verdict: `permit` is compliant, every other
/// is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// All of them.
    All,
    /// Those that are compliant, and those that nobody can tell about.
    Compliant,
    /// Those that are not, and those that nobody can tell about.
    NotCompliant,
}

impl Wanted {
    fn takes(self, outcome: &Outcome) -> bool {
        match (self, is_compliant(outcome)) {
            (Self::All, _) | (_, None) => true,
            (Self::Compliant, Some(compliant)) => compliant,
            (Self::NotCompliant, Some(compliant)) => !compliant,
        }
    }
}

/// One endpoint of a survey.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What the record in use names it by: its addresses, and the other names
    /// that the asker may see.
    pub identifiers: Arc<[Identifier]>,
    /// What is known about it, as far as the asker may see it.
    pub device: Arc<Device>,
    /// The connector instance that says so.
    pub source: Arc<str>,
    /// When it said so last.
    pub fetched_at: Timestamp,
    /// What would be answered about it.
    pub outcome: Outcome,
}

/// All endpoints that were wanted, at one moment. It holds records, not
/// devices: an endpoint is decoded when it is looked at.
#[derive(Debug)]
pub struct Survey {
    taken_at: Timestamp,
    memory: Arc<Memory>,
    asker: Arc<Connection>,
    surveyed: Vec<Surveyed>,
}

#[derive(Debug)]
struct Surveyed {
    record: Record,
    fetched_at: Timestamp,
    outcome: Outcome,
}

impl Surveyed {
    fn new(record: Record, outcome: Outcome) -> Self {
        Self {
            fetched_at: record.fetched_at(),
            record,
            outcome,
        }
    }
}

/// Where a survey begins.
#[derive(Debug, Default)]
struct Snapshot {
    taken_at: Timestamp,
    surveyed: Vec<Surveyed>,
    /// What has to be decided about yet.
    open: Vec<Record>,
}

/// Why there is no survey. Asking later may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SurveyError {
    /// Not everything that a source has is known.
    #[error("source `{name}`: {detail}")]
    Incomplete {
        /// The source, by its configured name.
        name: Arc<str>,
        /// What is missing, for an administrator.
        detail: String,
        /// When asking again may help.
        retry_after: Duration,
    },
    /// Every source that the asker sees is switched off.
    #[error("every source is switched off")]
    SwitchedOff {
        /// When asking again may help.
        retry_after: Duration,
    },
    /// So much has changed that not everything is decided about yet.
    #[error("what has changed lately is still being decided about")]
    Behind {
        /// When asking again may help.
        retry_after: Duration,
    },
}

impl SurveyError {
    /// When asking again may help.
    pub const fn retry_after(&self) -> Duration {
        match self {
            Self::Incomplete { retry_after, .. }
            | Self::SwitchedOff { retry_after }
            | Self::Behind { retry_after } => *retry_after,
        }
    }
}

impl Survey {
    /// When it was taken.
    pub const fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// How many endpoints are in it.
    pub fn len(&self) -> usize {
        self.surveyed.len()
    }

    /// Whether no endpoint is in it.
    pub fn is_empty(&self) -> bool {
        self.surveyed.is_empty()
    }

    /// What would be answered about each, without the devices.
    pub fn outcomes(&self) -> impl ExactSizeIterator<Item = &Outcome> {
        self.surveyed.iter().map(|surveyed| &surveyed.outcome)
    }

    /// The endpoints, decoded one by one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Endpoint> {
        self.surveyed.iter().map(|surveyed| self.decode(surveyed))
    }

    /// Some of them, by their places, e.g. a page. Places beyond the end are
    /// left out.
    pub fn range(&self, places: Range<usize>) -> impl ExactSizeIterator<Item = Endpoint> {
        let end = places.end.min(self.surveyed.len());
        let some = self.surveyed.get(places.start.min(end)..end);
        let some = some.unwrap_or_default();
        some.iter().map(|surveyed| self.decode(surveyed))
    }

    /// Whether a question by this address leads to the endpoint at this place.
    /// Two devices of one source may have the same address, e.g. of a docking
    /// station: it then belongs to the one that was heard of last.
    pub fn is_found_by(&self, place: usize, mac: MacAddress) -> bool {
        let Some(Surveyed { record, .. }) = self.surveyed.get(place) else {
            return false;
        };
        let name = [Identifier::Mac(mac)];
        match self.memory.devices().find(record.source(), &name) {
            Remembered::Found(found) => found.identity() == record.identity(),
            _ => false,
        }
    }

    fn decode(&self, surveyed: &Surveyed) -> Endpoint {
        let device = Arc::new(self.memory.devices().device(&surveyed.record));
        // Addresses are what a list is asked for.
        let macs = device.ids.iter().filter(|id| id.as_mac().is_some());
        let macs: Vec<Identifier> = macs.cloned().collect();
        let device = self.asker.view.of(&device, &macs);
        Endpoint {
            identifiers: device.ids.as_slice().into(),
            device,
            source: self.memory.name_of(surveyed.record.source()),
            fetched_at: surveyed.fetched_at,
            outcome: surveyed.outcome.clone(),
        }
    }
}

impl Gateway {
    /// Every known endpoint once, with what would be answered about it if
    /// `asker` asked for it by its best identifier. An endpoint that several
    /// sources know is there as the first of them describes it. Sources that the
    /// asker does not see are left out of account.
    ///
    /// While changes are told ([`FeedSettings`](crate::FeedSettings)) the
    /// verdicts are at hand; else every endpoint is decided about anew.
    pub async fn survey(
        &self,
        wanted: Wanted,
        asker: &Arc<Connection>,
    ) -> Result<Survey, SurveyError> {
        let sources = asker.view.sources;
        self.check_pictures(sources)?;
        let first = if self.feed.is_enabled() && sources == SourceSet::ALL {
            self.known_standings(wanted).await?
        } else {
            self.known_records(sources).await
        };
        let Snapshot {
            taken_at,
            mut surveyed,
            open,
        } = first;
        for (place, record) in open.into_iter().enumerate() {
            if place % SLICE == 0 {
                tokio::task::yield_now().await;
            }
            let Some(judged) = self.judge(&record, asker).await else {
                continue;
            };
            let outcome = judged.standing.outcome;
            if wanted.takes(&outcome) {
                surveyed.push(Surveyed::new(record, outcome));
            }
        }
        // A sync may have begun to fail meanwhile, or memory to be too small.
        self.check_pictures(sources)?;
        Ok(Survey {
            taken_at,
            memory: Arc::clone(&self.memory),
            asker: Arc::clone(asker),
            surveyed,
        })
    }

    /// What the feed knows about all endpoints at one moment.
    async fn known_standings(&self, wanted: Wanted) -> Result<Snapshot, SurveyError> {
        let behind = || SurveyError::Behind {
            retry_after: self.retry_after,
        };
        if !self.feed.catch_up(PATIENCE).await {
            return Err(behind());
        }
        let standings = Arc::clone(&self.feed.standings);
        // A million of them take long enough to hold up questions.
        let take = move || {
            let mut snapshot = Snapshot::default();
            let standings = standings.lock();
            snapshot.taken_at = Timestamp::now();
            for entry in standings.entries() {
                let record = &entry.record;
                let standing = &entry.standing;
                if standing.rests_on_connection {
                    snapshot.open.push(record.clone());
                } else if wanted.takes(&standing.outcome) {
                    let outcome = standing.outcome.clone();
                    let surveyed = Surveyed::new(record.clone(), outcome);
                    snapshot.surveyed.push(surveyed);
                }
            }
            snapshot
        };
        tokio::task::spawn_blocking(take)
            .await
            .map_err(|_| behind())
    }

    /// The records that speak for endpoints. Nothing is decided about them.
    async fn known_records(&self, sources: SourceSet) -> Snapshot {
        let mut snapshot = Snapshot {
            taken_at: Timestamp::now(),
            ..Snapshot::default()
        };
        let asked = Arc::clone(&self.rules.load().sources);
        for (place, record) in self.memory.devices().records().enumerate() {
            if place % SLICE == 0 {
                tokio::task::yield_now().await;
            }
            let record = record.detach();
            let id = record.source();
            let is_seen = sources.contains(usize::from(id.0)) && asked.asks(id);
            if is_seen && self.speaker(&record, sources).is(&record) {
                snapshot.open.push(record);
            }
        }
        snapshot
    }

    fn check_pictures(&self, seen: SourceSet) -> Result<(), SurveyError> {
        let now = Timestamp::now();
        let sources = Arc::clone(&self.rules.load().sources);
        if sources.silenced(seen) {
            return Err(SurveyError::SwitchedOff {
                retry_after: self.retry_after,
            });
        }
        for fetcher in sources.asked() {
            if !seen.contains(fetcher.place()) {
                continue;
            }
            if let Some(Lack {
                detail,
                retry_after,
            }) = self.lack_of(fetcher, now)
            {
                return Err(SurveyError::Incomplete {
                    name: Arc::clone(fetcher.name()),
                    detail,
                    retry_after,
                });
            }
        }
        Ok(())
    }

    /// What is missing for all devices of a source to be known.
    pub(crate) fn lack_of(&self, fetcher: &Fetcher, now: Timestamp) -> Option<Lack> {
        let lack = match self.pictures.get() {
            Some(pictures) => pictures.lack(fetcher.name(), now),
            None => Some(Lack {
                detail: "no inventory is read".to_owned(),
                retry_after: self.retry_after,
            }),
        };
        lack.or_else(|| self.lack_of_memory(fetcher.id()))
    }

    /// Devices that had no room in memory are known to the store only.
    fn lack_of_memory(&self, source: SourceId) -> Option<Lack> {
        self.memory.is_short(source).then(|| Lack {
            detail: "memory has no room for all its devices; see `max-devices` and `max-bytes` \
                     in `[cache]`"
                .to_owned(),
            retry_after: self.retry_after,
        })
    }
}
