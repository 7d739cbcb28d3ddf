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
    /// Who bears which name: a question by it leads to one record only.
    bearers: HashMap<u64, u64>,
    /// Names that went over from one device to another of the same source. That
    /// is rare, as most devices have a GUID.
    taken_over: HashSet<u64>,
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
    /// A digest of the name that the question was asked by, if other devices of
    /// the source may get the same one.
    pub(crate) name: Option<u64>,
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
        if let Some(name) = entry.name {
            self.bearers.remove(&name);
        }
        self.outdated -= usize::from(entry.is_outdated);
        Some(entry)
    }

    /// How many have facts that are too old to be used.
    pub(super) const fn outdated(&self) -> usize {
        self.outdated
    }

    /// Whether an endpoint is asked for by this name.
    pub(super) fn is_borne(&self, name: u64) -> bool {
        self.bearers.contains_key(&name)
    }

    /// Takes out the endpoint that bears a name, as another one has it now.
    pub(super) fn take_over(&mut self, name: u64) -> Option<(u64, Entry)> {
        let identity = *self.bearers.get(&name)?;
        self.taken_over.insert(name);
        Some((identity, self.remove(identity)?))
    }

    /// Whether names that are given up were taken over from others, who may get
    /// them back.
    pub(super) fn give_back(&mut self, names: &[u64]) -> bool {
        let mut is_any = false;
        for name in names {
            if !self.bearers.contains_key(name) {
                is_any |= self.taken_over.remove(name);
            }
        }
        is_any
    }

    /// Whether any name was taken over.
    pub(super) fn has_taken_over(&self) -> bool {
        !self.taken_over.is_empty()
    }

    /// Puts an endpoint in. There is none with its identity or name.
    pub(super) fn insert(&mut self, identity: u64, mut entry: Entry) -> Standing {
        if let Outcome::Decided(decision) = &mut entry.standing.outcome {
            self.share(decision);
        }
        if let Some(due) = entry.due {
            self.due.insert((due, identity));
        }
        if let Some(name) = entry.name {
            self.bearers.insert(name, identity);
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
