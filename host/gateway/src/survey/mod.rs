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
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use portreeve_cache::Remembered;
use portreeve_domain::{Connection, Device, Identifier, MacAddress, Outcome, SourceSet, Timestamp};

pub use self::pictures::{Lack, Pictures};

use crate::feed::{Standing, is_compliant};
use crate::{Gateway, Memory, Record};

/// How long a survey waits for changes that were learnt before it to be
/// decided about.
const PATIENCE: Duration = Duration::from_secs(5);

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
            Self::Incomplete { retry_after, .. } | Self::Behind { retry_after } => *retry_after,
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
        let (taken_at, known) = if self.feed.is_enabled() && sources == SourceSet::ALL {
            if !self.feed.catch_up(PATIENCE).await {
                return Err(SurveyError::Behind {
                    retry_after: self.retry_after,
                });
            }
            self.standings()
        } else {
            self.records(sources)
        };
        let mut surveyed = Vec::new();
        for (record, standing) in known {
            let standing = match standing {
                Some(standing) if !standing.rests_on_connection => standing,
                _ => match self.judge(&record, asker).await {
                    Some(judged) => judged.standing,
                    None => continue,
                },
            };
            if wanted.takes(&standing.outcome) {
                surveyed.push(Surveyed {
                    fetched_at: record.fetched_at(),
                    record,
                    outcome: standing.outcome,
                });
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

    /// What is known about all endpoints at one moment.
    fn standings(&self) -> (Timestamp, Vec<(Record, Option<Standing>)>) {
        let standings = self.feed.standings.lock();
        let entries = standings.entries();
        let known = entries.map(|entry| (entry.record.clone(), Some(entry.standing.clone())));
        (Timestamp::now(), known.collect())
    }

    /// The records that speak for endpoints.
    fn records(&self, sources: SourceSet) -> (Timestamp, Vec<(Record, Option<Standing>)>) {
        let records = self.memory.devices().records().map(Record::detach);
        let seen = |record: &Record| sources.contains(usize::from(record.source().0));
        let speaking =
            records.filter(|record| seen(record) && self.speaker(record, sources).is(record));
        let known = speaking.map(|record| (record, None)).collect();
        (Timestamp::now(), known)
    }

    fn check_pictures(&self, sources: SourceSet) -> Result<(), SurveyError> {
        let now = Timestamp::now();
        for (place, fetcher) in self.fetchers.iter().enumerate() {
            if !sources.contains(place) {
                continue;
            }
            let name = fetcher.name();
            let lack = match self.pictures.get() {
                Some(pictures) => pictures.lack(name, now),
                None => Some(Lack {
                    detail: "no inventory is read".to_owned(),
                    retry_after: self.retry_after,
                }),
            };
            if let Some(Lack {
                detail,
                retry_after,
            }) = lack.or_else(|| self.lack_of_memory(name))
            {
                return Err(SurveyError::Incomplete {
                    name: Arc::clone(name),
                    detail,
                    retry_after,
                });
            }
        }
        Ok(())
    }

    /// Devices that had no room in memory are known to the store only.
    fn lack_of_memory(&self, source: &str) -> Option<Lack> {
        self.memory.has_lost(source).then(|| Lack {
            detail: "memory has no room for all its devices; see `max-devices` and `max-bytes` \
                     in `[cache]`"
                .to_owned(),
            retry_after: self.retry_after,
        })
    }
}
