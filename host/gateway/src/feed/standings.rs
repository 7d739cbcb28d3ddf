//! What would be answered about each endpoint, as it was found last.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use portreeve_domain::{Decision, Outcome, Timestamp};

use super::Standing;
use crate::Record;

/// Equal decisions that are kept once.
const MOST_SHARED: usize = 65_536;

/// All endpoints, by the identity of the record that speaks for each.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    entries: HashMap<u64, Entry>,
    /// When which of them has to be looked at again.
    due: BTreeSet<(Timestamp, u64)>,
    decisions: HashSet<Arc<Decision>>,
    outdated: usize,
}

/// One endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its number in changes.
    pub(crate) endpoint: u64,
    /// The record that speaks for it.
    pub(crate) record: Record,
    pub(crate) standing: Standing,
    /// When it has to be looked at again.
    pub(crate) due: Option<Timestamp>,
    /// Whether its facts are too old to be used.
    pub(crate) is_outdated: bool,
    /// In which walk over all devices it was seen last.
    pub(crate) walk: u64,
}

impl Standings {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, identity: u64) -> Option<&Entry> {
        self.entries.get(&identity)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Takes an endpoint out.
    pub(super) fn remove(&mut self, identity: u64) -> Option<Entry> {
        let entry = self.entries.remove(&identity)?;
        if let Some(due) = entry.due {
            self.due.remove(&(due, identity));
        }
        self.outdated -= usize::from(entry.is_outdated);
        Some(entry)
    }

    /// How many have facts that are too old to be used.
    pub(super) const fn outdated(&self) -> usize {
        self.outdated
    }

    /// Puts an endpoint in, where there is none.
    pub(super) fn insert(&mut self, identity: u64, mut entry: Entry) -> Standing {
        if let Outcome::Decided(decision) = &mut entry.standing.outcome {
            self.share(decision);
        }
        if let Some(due) = entry.due {
            self.due.insert((due, identity));
        }
        self.outdated += usize::from(entry.is_outdated);
        let standing = entry.standing.clone();
        self.entries.insert(identity, entry);
        standing
    }

    /// Most devices get one of a few decisions.
    fn share(&mut self, decision: &mut Arc<Decision>) {
        if let Some(known) = self.decisions.get(decision) {
            *decision = Arc::clone(known);
            return;
        }
        if self.decisions.len() >= MOST_SHARED {
            self.decisions.clear();
        }
        self.decisions.insert(Arc::clone(decision));
    }

    /// Some of those that have to be looked at again at `now`.
    pub(super) fn due(&self, now: Timestamp, most: usize) -> Vec<Record> {
        let due = self.due.iter().take_while(|(at, _)| *at <= now).take(most);
        let entries = due.filter_map(|(_, identity)| self.entries.get(identity));
        entries.map(|entry| entry.record.clone()).collect()
    }

    /// When the first of them has to be looked at again.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Those that a walk did not come by.
    pub(super) fn missed_by(&self, walk: u64) -> Vec<Record> {
        let missed = self.entries.values().filter(|entry| entry.walk < walk);
        missed.map(|entry| entry.record.clone()).collect()
    }
}
