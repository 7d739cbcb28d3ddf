//! State that lasts as long as the process.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::{LONGEST_KEY, StateEntry, StateError, StateKeys, StateStore};

/// Keys on one page of a list.
const PAGE: usize = 256;

/// How much one connector instance may store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateQuota {
    /// Entries.
    pub keys: usize,
    /// Bytes of one value.
    pub value_bytes: usize,
    /// Bytes of all keys and values together.
    pub total_bytes: usize,
}

impl Default for StateQuota {
    fn default() -> Self {
        Self {
            keys: 1024,
            value_bytes: 64 << 10,
            total_bytes: 4 << 20,
        }
    }
}

/// State in memory, bounded, gone with the process.
pub struct MemoryState {
    quota: StateQuota,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<String, Stored>,
    bytes: usize,
    last_version: u64,
}

struct Stored {
    entry: StateEntry,
    expires: Option<Instant>,
}

impl Stored {
    fn is_live(&self, now: Instant) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

impl MemoryState {
    /// An empty store.
    pub fn new(quota: StateQuota) -> Self {
        Self {
            quota,
            inner: Mutex::default(),
        }
    }
}

impl Default for MemoryState {
    fn default() -> Self {
        Self::new(StateQuota::default())
    }
}

impl fmt::Debug for MemoryState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        formatter
            .debug_struct("MemoryState")
            .field("quota", &self.quota)
            .field("keys", &inner.entries.len())
            .field("bytes", &inner.bytes)
            .finish()
    }
}

impl Inner {
    fn live(&self, key: &str, now: Instant) -> Option<&StateEntry> {
        let stored = self.entries.get(key).filter(|stored| stored.is_live(now))?;
        Some(&stored.entry)
    }

    fn remove(&mut self, key: &str) {
        if let Some(stored) = self.entries.remove(key) {
            self.bytes -= key.len() + stored.entry.value.len();
        }
    }

    fn remove_expired(&mut self, now: Instant) {
        let mut bytes = 0;
        self.entries.retain(|key, stored| {
            let live = stored.is_live(now);
            if live {
                bytes += key.len() + stored.entry.value.len();
            }
            live
        });
        self.bytes = bytes;
    }

    fn set(
        &mut self,
        quota: &StateQuota,
        key: &str,
        value: Vec<u8>,
        if_version: Option<u64>,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<u64, StateError> {
        if key.is_empty() || key.len() > LONGEST_KEY {
            return Err(StateError::InvalidKey);
        }
        if value.len() > quota.value_bytes {
            return Err(StateError::TooLarge(quota.value_bytes as u64));
        }
        let present = self.live(key, now).map_or(0, |entry| entry.version);
        if if_version.is_some_and(|expected| expected != present) {
            return Err(StateError::Conflict);
        }
        if !self.fits(quota, key, value.len()) {
            self.remove_expired(now);
            if !self.fits(quota, key, value.len()) {
                return Err(StateError::QuotaExceeded);
            }
        }
        self.remove(key);
        self.last_version += 1;
        let version = self.last_version;
        self.bytes += key.len() + value.len();
        let stored = Stored {
            entry: StateEntry { value, version },
            // Beyond what the clock can tell is for ever.
            expires: ttl.and_then(|ttl| now.checked_add(ttl)),
        };
        self.entries.insert(key.to_owned(), stored);
        Ok(version)
    }

    fn fits(&self, quota: &StateQuota, key: &str, value_bytes: usize) -> bool {
        let before = self.entries.get(key);
        let freed = before.map_or(0, |stored| key.len() + stored.entry.value.len());
        let bytes = self.bytes - freed + key.len() + value_bytes;
        let keys = self.entries.len() + usize::from(before.is_none());
        bytes <= quota.total_bytes && keys <= quota.keys
    }

    fn list_keys(&self, prefix: &str, cursor: Option<&str>, now: Instant) -> StateKeys {
        let start = match cursor {
            Some(cursor) if cursor >= prefix => Bound::Excluded(cursor),
            _ => Bound::Included(prefix),
        };
        let mut live = self
            .entries
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, stored)| stored.is_live(now))
            .map(|(key, _)| key.clone());
        let keys: Vec<String> = live.by_ref().take(PAGE).collect();
        let cursor = live.next().and(keys.last().cloned());
        StateKeys { keys, cursor }
    }
}

impl StateStore for MemoryState {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, StateError>> {
        let found = self.inner.lock().live(key, Instant::now()).cloned();
        async move { Ok(found) }.boxed()
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        if_version: Option<u64>,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<u64, StateError>> {
        let mut inner = self.inner.lock();
        let done = inner.set(&self.quota, key, value, if_version, ttl, Instant::now());
        async move { done }.boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StateError>> {
        self.inner.lock().remove(key);
        async { Ok(()) }.boxed()
    }

    fn list_keys<'a>(
        &'a self,
        prefix: &'a str,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<StateKeys, StateError>> {
        let keys = self.inner.lock().list_keys(prefix, cursor, Instant::now());
        async move { Ok(keys) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: StateQuota = StateQuota {
        keys: 3,
        value_bytes: 10,
        total_bytes: 20,
    };

    fn set(inner: &mut Inner, key: &str, bytes: usize) -> Result<u64, StateError> {
        inner.set(&QUOTA, key, vec![0; bytes], None, None, Instant::now())
    }

    #[test]
    fn versions_guard_writes() {
        let (mut inner, now) = (Inner::default(), Instant::now());
        let mut write = |version| inner.set(&QUOTA, "k", vec![1], version, None, now);
        let first = write(Some(0)).unwrap();
        assert_eq!(write(Some(0)), Err(StateError::Conflict));
        let second = write(Some(first)).unwrap();
        assert!(second > first);
        assert_eq!(write(Some(first)), Err(StateError::Conflict));
        write(None).unwrap();
    }

    #[test]
    fn entries_disappear_after_their_time() {
        let (mut inner, now) = (Inner::default(), Instant::now());
        let ttl = Duration::from_secs(5);
        inner
            .set(&QUOTA, "k", vec![1], None, Some(ttl), now)
            .unwrap();
        assert!(inner.live("k", now + Duration::from_secs(4)).is_some());
        let later = now + ttl;
        assert!(inner.live("k", later).is_none());
        assert_eq!(inner.list_keys("", None, later), StateKeys::default());
        inner
            .set(&QUOTA, "k", vec![1], Some(0), None, later)
            .unwrap();
        inner
            .set(&QUOTA, "k", vec![], None, Some(Duration::MAX), later)
            .unwrap();
        assert!(inner.live("k", later).is_some());
    }

    #[test]
    fn quotas_hold_and_room_comes_back() {
        let mut inner = Inner::default();
        assert_eq!(set(&mut inner, "", 1), Err(StateError::InvalidKey));
        assert_eq!(
            set(&mut inner, &"k".repeat(513), 1),
            Err(StateError::InvalidKey)
        );
        assert_eq!(set(&mut inner, "a", 11), Err(StateError::TooLarge(10)));
        set(&mut inner, "a", 9).unwrap();
        set(&mut inner, "b", 9).unwrap();
        assert_eq!(set(&mut inner, "c", 0), Err(StateError::QuotaExceeded));
        set(&mut inner, "b", 9).unwrap();
        inner.remove("a");
        set(&mut inner, "c", 0).unwrap();
        set(&mut inner, "d", 0).unwrap();
        assert_eq!(set(&mut inner, "e", 0), Err(StateError::QuotaExceeded));
        assert_eq!(inner.bytes, 12);
    }

    #[test]
    fn expired_entries_make_room() {
        let (mut inner, now) = (Inner::default(), Instant::now());
        for key in ["a", "b", "c"] {
            let ttl = Some(Duration::from_secs(1));
            inner.set(&QUOTA, key, vec![1], None, ttl, now).unwrap();
        }
        let later = now + Duration::from_secs(2);
        inner.set(&QUOTA, "d", vec![1], None, None, later).unwrap();
        assert_eq!(inner.entries.len(), 1);
        assert_eq!(inner.bytes, 2);
    }

    #[test]
    fn keys_come_in_pages() {
        let quota = StateQuota {
            keys: 1000,
            ..StateQuota::default()
        };
        let (mut inner, now) = (Inner::default(), Instant::now());
        for number in 0..600 {
            let key = format!("a/{number:03}");
            inner.set(&quota, &key, vec![], None, None, now).unwrap();
        }
        inner.set(&quota, "b", vec![], None, None, now).unwrap();
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = inner.list_keys("a/", cursor.as_deref(), now);
            assert!(page.keys.len() <= PAGE);
            seen.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 600);
        assert!(seen.is_sorted());
    }
}
