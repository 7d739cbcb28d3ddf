//! What the sources know about devices, to be searched, sorted and shown: for
//! people, reports and exports.
//!
//! A [`Selection`] has one row for each record, so a device that two sources
//! know is in it twice, each time as that source tells it; a
//! [`Survey`](crate::survey::Survey) has it once. It is of one moment and holds
//! records, which are decoded when they are shown.
//!
//! Other than a survey it is there while pictures are incomplete, too: nobody is
//! let in or shut out by it, and half of an inventory is better to look at than
//! none. It says which sources are incomplete and what they lack, and whoever
//! wants all or nothing looks at [`Selection::is_complete`].

mod order;
mod page;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use portreeve_cache::SourceId;
use portreeve_domain::{Connection, Device, Outcome, SourceSet, Timestamp, View};

pub use self::order::Order;
pub use self::page::{DevicePage, Telling};

use crate::query::{Candidate, Fact, Prospect, Query, Search};
use crate::survey::Lack;
use crate::{Gateway, Record};

/// Selections that are made at the same time. Each has a thread to itself.
pub(crate) const AT_ONCE: usize = 2;

/// Records whose outcomes are found out before questions get their turn.
const SLICE: usize = 64;

/// When it is worth asking again while too many are being made.
const SOON: Duration = Duration::from_secs(1);

/// Which records are wanted, and in what order. By default all, in none.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// What they are looked for by.
    pub search: Search,
    /// What they have to be like.
    pub query: Option<Query>,
    /// The sources that they are of. The asker's view bounds them, too.
    pub sources: SourceSet,
    /// Only what a source has told since.
    pub told_since: Option<Timestamp>,
    /// What they are sorted by, the most important first.
    pub order: Vec<Order>,
}

/// Records at one moment.
#[derive(Debug)]
pub struct Selection {
    taken_at: Timestamp,
    asker: Arc<Connection>,
    records: Vec<Record>,
    shares: Vec<Share>,
}

/// One source's part in a selection.
#[derive(Clone, Debug)]
pub struct Share {
    /// The source, by its configured name.
    pub source: Arc<str>,
    /// How many records of it are in.
    pub records: usize,
    /// What is missing for all its devices to be known.
    pub lack: Option<Lack>,
}

/// One record of a selection, decoded.
#[derive(Clone, Debug)]
pub struct Row {
    /// The device as far as the asker may see it.
    pub device: Arc<Device>,
    /// The source that tells it.
    pub source: Arc<str>,
    /// When it did so last.
    pub fetched_at: Timestamp,
    /// Whether that is longer ago than the operator likes.
    pub is_stale: bool,
    /// What would be answered, if somebody wanted to know and a question leads
    /// to the device.
    pub outcome: Option<Outcome>,
    is_judged: bool,
}

impl Row {
    /// The same for a query and its facts.
    pub fn candidate(&self) -> Candidate<'_> {
        Candidate {
            device: &self.device,
            source: &self.source,
            fetched_at: self.fetched_at,
            is_stale: self.is_stale,
            prospect: match &self.outcome {
                Some(outcome) => Prospect::Outcome(outcome),
                None if self.is_judged => Prospect::Unasked,
                None => Prospect::Open,
            },
        }
    }
}

/// Why there is no selection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Too many are being made already.
    #[error("too many lists are being made already")]
    Busy {
        /// When asking again may help.
        retry_after: Duration,
    },
    /// It would tell the asker what he is not shown.
    #[error("the client is not shown `{0}`, so it cannot select or sort by it")]
    Hidden(Fact),
    /// It would take too much memory to put them in order.
    #[error(
        "expected at most {} devices to sort, found more; add a filter, or do not sort",
        order::MOST
    )]
    TooMany,
    /// The fault is ours.
    #[error("the list was not made to its end")]
    Lost,
}

impl Selection {
    /// When it was taken.
    pub const fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// How many records are in it.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no record is in it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether it was made for somebody who may see just this.
    pub fn is_for(&self, view: &View) -> bool {
        self.asker.view == *view
    }

    /// The sources that were looked at, in the operator's order.
    pub fn shares(&self) -> &[Share] {
        &self.shares
    }

    /// Whether all devices of these sources were known.
    pub fn is_complete(&self) -> bool {
        self.shares.iter().all(|share| share.lack.is_none())
    }
}

/// What a look at all records came to.
#[derive(Debug, Default)]
struct Sifted {
    taken: Vec<Record>,
    /// Whether they are wanted depends on what would be answered.
    open: Vec<Record>,
}

impl Gateway {
    /// The records that are wanted, as `asker` may see them.
    ///
    /// All records are decoded once, on a thread that gives way to questions.
    /// Only if the choice rests on what would be answered ([`Fact::is_prospect`])
    /// policies are asked about those that nothing else rules out.
    pub async fn select(
        self: &Arc<Self>,
        choice: Choice,
        asker: &Arc<Connection>,
    ) -> Result<Selection, SelectionError> {
        let by_query = choice.query.as_ref();
        let hidden = by_query.and_then(|query| query.hidden_from(&asker.view));
        let by_order = choice.order.iter().map(|order| &order.fact);
        let hidden = hidden.or_else(|| by_order.clone().find(|it| !it.is_shown(&asker.view)));
        if let Some(fact) = hidden {
            return Err(SelectionError::Hidden(fact.clone()));
        }
        let Ok(turn) = Arc::clone(&self.selections).try_acquire_owned() else {
            return Err(SelectionError::Busy { retry_after: SOON });
        };
        // What was begun goes on when nobody waits for it any more, and so does
        // its turn.
        let turn = Arc::new(turn);
        let taken_at = Timestamp::now();
        let choice = Arc::new(choice);
        let Sifted { mut taken, open } = self
            .aside({
                let (choice, asker) = (Arc::clone(&choice), Arc::clone(asker));
                let turn = Arc::clone(&turn);
                move |gateway| {
                    let sifted = gateway.sift(&choice, &asker, taken_at);
                    drop(turn);
                    sifted
                }
            })
            .await?;
        for (place, record) in open.into_iter().enumerate() {
            if place % SLICE == 0 {
                tokio::task::yield_now().await;
            }
            let row = self.judged_row(&record, asker, taken_at).await;
            let query = choice.query.as_ref();
            if query.is_none_or(|query| query.decide(&row.candidate()) == Some(true)) {
                taken.push(record);
            }
        }
        let records = self.in_order(taken, &choice, asker, turn).await?;
        Ok(Selection {
            taken_at,
            asker: Arc::clone(asker),
            shares: self.shares(&records, choice.sources, asker.view.sources),
            records,
        })
    }

    /// Some rows, by their places; places beyond the end are left out. With
    /// what would be answered about each, if that is wanted.
    pub async fn rows(
        self: &Arc<Self>,
        selection: &Arc<Selection>,
        places: Range<usize>,
        with_outcomes: bool,
    ) -> Result<Vec<Row>, SelectionError> {
        let now = Timestamp::now();
        let end = places.end.min(selection.records.len());
        let places = places.start.min(end)..end;
        let mut rows = self
            .aside({
                let (selection, places) = (Arc::clone(selection), places.clone());
                move |gateway| {
                    let some = selection.records.get(places).unwrap_or_default();
                    let rows = some.iter().map(|it| gateway.row(it, &selection.asker, now));
                    rows.collect::<Vec<Row>>()
                }
            })
            .await?;
        if with_outcomes {
            let records = selection.records.get(places).unwrap_or_default();
            for (place, (row, record)) in rows.iter_mut().zip(records).enumerate() {
                if place % SLICE == 0 {
                    tokio::task::yield_now().await;
                }
                row.outcome = self.prospect(record, &selection.asker).await;
                row.is_judged = true;
            }
        }
        Ok(rows)
    }

    fn sift(&self, choice: &Choice, asker: &Connection, now: Timestamp) -> Sifted {
        let mut sifted = Sifted::default();
        let is_plain = choice.query.is_none() && choice.search.is_empty();
        let sources = Arc::clone(&self.rules.load().sources);
        for record in self.memory.devices().records() {
            let place = usize::from(record.source().0);
            if !sources.asks(record.source())
                || !asker.view.sources.contains(place)
                || !choice.sources.contains(place)
                || choice
                    .told_since
                    .is_some_and(|since| record.fetched_at() < since)
            {
                continue;
            }
            if is_plain {
                sifted.taken.push(record.detach());
                continue;
            }
            let row = self.row(&record, asker, now);
            if !choice.search.finds(&row.device) {
                continue;
            }
            let query = choice.query.as_ref();
            match query.map_or(Some(true), |query| query.decide(&row.candidate())) {
                Some(true) => sifted.taken.push(record.detach()),
                Some(false) => {}
                None => sifted.open.push(record.detach()),
            }
        }
        sifted
    }

    fn row(&self, record: &Record, asker: &Connection, now: Timestamp) -> Row {
        let device = Arc::new(self.memory.devices().device(record));
        let rules = self.rules.load();
        let fetcher = rules.sources.of(record.source());
        Row {
            device: asker.view.of(&device, &[]),
            source: self.memory.name_of(record.source()),
            fetched_at: record.fetched_at(),
            is_stale: fetcher.is_some_and(|fetcher| fetcher.is_stale(record, now)),
            outcome: None,
            is_judged: false,
        }
    }

    async fn judged_row(&self, record: &Record, asker: &Arc<Connection>, now: Timestamp) -> Row {
        let mut row = self.row(record, asker, now);
        row.outcome = self.prospect(record, asker).await;
        row.is_judged = true;
        row
    }

    /// What would be answered about the endpoint of a record. While changes are
    /// told it is at hand, as of a moment ago.
    async fn prospect(&self, record: &Record, asker: &Arc<Connection>) -> Option<Outcome> {
        let sources = asker.view.sources;
        let speaker = self.speaker(record, sources);
        if self.feed.is_enabled() && sources == SourceSet::ALL {
            let standings = self.feed.standings.lock();
            if let Some(entry) = standings.get(speaker.identity())
                && entry.record.is(&speaker)
                && !entry.standing.rests_on_connection
            {
                return Some(entry.standing.outcome.clone());
            }
        }
        let judged = self.judge(&speaker, asker).await;
        judged.map(|judged| judged.standing.outcome)
    }

    fn shares(&self, records: &[Record], wanted: SourceSet, seen: SourceSet) -> Vec<Share> {
        let mut counts: HashMap<SourceId, usize> = HashMap::new();
        for record in records {
            *counts.entry(record.source()).or_default() += 1;
        }
        let now = Timestamp::now();
        let sources = Arc::clone(&self.rules.load().sources);
        let asked = sources.asked().iter();
        let asked = asked.filter(|fetcher| {
            let place = fetcher.place();
            wanted.contains(place) && seen.contains(place)
        });
        let shares = asked.map(|fetcher| Share {
            source: Arc::clone(fetcher.name()),
            records: counts.get(&fetcher.id()).copied().unwrap_or(0),
            lack: self.lack_of(fetcher, now),
        });
        shares.collect()
    }

    /// Does something that takes long on a thread that gives way to questions.
    async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, SelectionError> {
        let gateway = Arc::clone(self);
        let work = self.tasks.spawn_blocking(move || {
            portreeve_store::give_way();
            work(&gateway)
        });
        work.await.map_err(|_| SelectionError::Lost)
    }
}
