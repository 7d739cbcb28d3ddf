//! The sources that questions go to, replaced as a whole.
//!
//! A source has a number for as long as the process lives: [`SourceId`], by
//! which its records, the views of clients and the store's rows know it. The
//! operator's order is another thing, and changes with the configuration.

use std::collections::HashSet;
use std::sync::Arc;

use portreeve_cache::SourceId;
use portreeve_domain::SourceSet;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::fetch::Fetcher;
use crate::metrics::Metrics;
use crate::{Memory, SourceSettings};

/// The sources in force. A question ends under those it began with.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Another number for others, or another order.
    number: u64,
    /// Those that are asked, in the operator's order.
    asked: Box<[Arc<Fetcher>]>,
    /// All of them, in the operator's order.
    all: Box<[Arc<Fetcher>]>,
    /// The numbers of those that the operator has switched off.
    disabled: Box<[SourceId]>,
}

/// Sources that cannot be put in force. Those before stay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourcesError {
    /// A name is there twice.
    #[error("there are two sources `{0}`")]
    Twice(Arc<str>),
    /// The process has had as many different sources as it can tell apart.
    #[error("there is no number left for source `{0}`: restart the gateway")]
    TooMany(Arc<str>),
}

/// What all sources of a gateway share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) memory: Arc<Memory>,
    pub(crate) tasks: TaskTracker,
    /// How many calls may be on the way at once, over all sources.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) max_flights: usize,
    pub(crate) metrics: Metrics,
}

impl Sources {
    /// Those of `settings`. A source of `before` that is the same goes on: its
    /// calls that are on the way serve whoever asks next.
    pub(crate) fn new(
        settings: Vec<SourceSettings>,
        common: &Common,
        before: Option<&Self>,
    ) -> Result<Self, SourcesError> {
        let mut names = HashSet::new();
        let mut all = Vec::new();
        for settings in settings {
            let name = Arc::clone(&settings.name);
            if !names.insert(Arc::clone(&name)) {
                return Err(SourcesError::Twice(name));
            }
            let same = before.and_then(|before| before.get(&name));
            let same = same.filter(|fetcher| fetcher.settings().is_same(&settings));
            if let Some(fetcher) = same {
                all.push(Arc::clone(fetcher));
                continue;
            }
            let id = common.memory.number(&name);
            let id = id.ok_or(SourcesError::TooMany(name))?;
            all.push(Arc::new(Fetcher::new(id, settings, common)));
        }
        let is_enabled = |fetcher: &&Arc<Fetcher>| fetcher.settings().enabled;
        let disabled = all.iter().filter(|fetcher| !is_enabled(fetcher));
        let asked: Box<[_]> = all.iter().filter(is_enabled).cloned().collect();
        let ids = |fetchers: &[Arc<Fetcher>]| -> Vec<SourceId> {
            fetchers.iter().map(|fetcher| fetcher.id()).collect()
        };
        Ok(Self {
            number: match before {
                Some(before) if ids(&before.asked) == ids(&asked) => before.number,
                Some(before) => before.number + 1,
                None => 0,
            },
            asked,
            disabled: disabled.map(|fetcher| fetcher.id()).collect(),
            all: all.into(),
        })
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Those that are asked, in the operator's order.
    pub(crate) const fn asked(&self) -> &[Arc<Fetcher>] {
        &self.asked
    }

    /// All of them, switched off or not, in the operator's order.
    pub(crate) const fn all(&self) -> &[Arc<Fetcher>] {
        &self.all
    }

    /// The source of this name, switched off or not.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Fetcher>> {
        self.all.iter().find(|fetcher| **fetcher.name() == *name)
    }

    /// The source of this number, if it is asked.
    pub(crate) fn of(&self, source: SourceId) -> Option<&Arc<Fetcher>> {
        self.asked.iter().find(|fetcher| fetcher.id() == source)
    }

    /// Whether the records of this source count.
    pub(crate) fn asks(&self, source: SourceId) -> bool {
        self.of(source).is_some()
    }

    /// Those of `seen` that come before `source` in the operator's order.
    pub(crate) fn before(
        &self,
        source: SourceId,
        seen: SourceSet,
    ) -> impl Iterator<Item = SourceId> + '_ {
        let asked = self.asked.iter().map(|fetcher| fetcher.id());
        asked
            .take_while(move |id| *id != source)
            .filter(move |id| seen.contains(usize::from(id.0)))
    }

    /// Whether whoever sees `seen` gets no word at all only because sources are
    /// switched off. Then nobody has said that a device is unknown.
    pub(crate) fn silenced(&self, seen: SourceSet) -> bool {
        let is_seen = |id: SourceId| seen.contains(usize::from(id.0));
        self.disabled.iter().any(|id| is_seen(*id))
            && !self.asked.iter().any(|fetcher| is_seen(fetcher.id()))
    }
}
