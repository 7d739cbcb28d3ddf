//! Sessions by name, by endpoint and by age, in memory.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use portreeve_domain::{MacAddress, Timestamp};

use super::{Nas, Session};

/// The name of a session: a server and what is unique there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(Arc<str>);

impl Key {
    /// The address names the server if there is one: proxies may add other
    /// identifiers.
    pub(super) fn of(nas: &Nas, id: &str) -> Self {
        Self(format!("{}{id}", Self::prefix(nas)).into())
    }

    pub(super) fn stored(text: &str) -> Self {
        Self(text.into())
    }

    /// What the names of all sessions at `nas` begin with. `/` is in no address,
    /// and what is of an identifier has another beginning.
    fn prefix(nas: &Nas) -> String {
        match (nas.address, &nas.identifier) {
            (Some(address), _) => format!("{address}/"),
            (None, Some(identifier)) => format!("={}={identifier}/", identifier.len()),
            (None, None) => "/".to_owned(),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The sessions.
#[derive(Debug, Default)]
pub(super) struct Table {
    sessions: HashMap<Key, Arc<Session>>,
    of_mac: HashMap<MacAddress, Vec<Key>>,
    /// Which was not heard of for the longest time comes first.
    by_age: BTreeSet<(Timestamp, Key)>,
    /// What has left and is still in the store.
    gone: Vec<Key>,
}

impl Table {
    pub(super) fn get(&self, key: &Key) -> Option<&Session> {
        self.sessions.get(key).map(|session| &**session)
    }

    /// Adds a session, or replaces the one of this name.
    pub(super) fn put(&mut self, key: Key, session: Arc<Session>) {
        self.unlink(&key);
        if let Some(mac) = session.mac() {
            self.of_mac.entry(mac).or_default().push(key.clone());
        }
        self.by_age.insert((session.seen_at, key.clone()));
        self.sessions.insert(key, session);
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, key: &Key) -> bool {
        let was_there = self.unlink(key);
        if was_there {
            self.gone.push(key.clone());
        }
        was_there
    }

    fn unlink(&mut self, key: &Key) -> bool {
        let Some(session) = self.sessions.remove(key) else {
            return false;
        };
        self.by_age.remove(&(session.seen_at, key.clone()));
        if let Some(mac) = session.mac()
            && let Entry::Occupied(mut keys) = self.of_mac.entry(mac)
        {
            keys.get_mut().retain(|other| other != key);
            if keys.get().is_empty() {
                keys.remove();
            }
        }
        true
    }

    /// Removes all sessions at a server. How many.
    pub(super) fn remove_of(&mut self, nas: &Nas) -> usize {
        let prefix = Key::prefix(nas);
        let keys = self.sessions.keys();
        let keys: Vec<Key> = keys
            .filter(|key| key.as_str().starts_with(&prefix))
            .cloned()
            .collect();
        for key in &keys {
            self.remove(key);
        }
        keys.len()
    }

    /// Removes what was not heard of since `oldest`.
    pub(super) fn expire(&mut self, oldest: Timestamp) {
        while let Some((seen_at, key)) = self.by_age.first()
            && *seen_at < oldest
        {
            let key = key.clone();
            self.remove(&key);
        }
    }

    /// Removes the oldest ones until there are no more than `most`. How many.
    pub(super) fn shrink(&mut self, most: usize) -> usize {
        let mut removed = 0;
        while self.sessions.len() > most
            && let Some((_, key)) = self.by_age.first()
        {
            let key = key.clone();
            self.remove(&key);
            removed += 1;
        }
        removed
    }

    /// Of one endpoint, the one heard of last first.
    pub(super) fn of(&self, mac: MacAddress) -> Vec<Arc<Session>> {
        let keys = self.of_mac.get(&mac).into_iter().flatten();
        let found = keys.filter_map(|key| self.sessions.get(key).map(Arc::clone));
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|session| std::cmp::Reverse(session.seen_at));
        found
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Arc<Session>> {
        let keys = self.by_age.iter().rev();
        keys.filter_map(|(_, key)| self.sessions.get(key))
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn len_as_metric(&self) -> i64 {
        i64::try_from(self.sessions.len()).unwrap_or(i64::MAX)
    }

    /// The store has what nobody can use.
    pub(super) fn forget(&mut self, keys: Vec<Key>) {
        self.gone.extend(keys);
    }

    /// What has to be deleted from the store.
    pub(super) fn take_gone(&mut self) -> Vec<Key> {
        let gone = std::mem::take(&mut self.gone);
        // What came back under the same name is stored again.
        let mut gone: Vec<Key> = gone
            .into_iter()
            .filter(|key| !self.sessions.contains_key(key))
            .collect();
        gone.sort_unstable();
        gone.dedup();
        gone
    }
}
