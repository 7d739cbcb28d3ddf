//! Documents against a plain map.

use std::collections::BTreeMap;
use std::time::Duration;

use portreeve_domain::Timestamp;
use proptest::prelude::*;

use crate::{DocumentError, Quota, SetDocument, Store, StoreSettings, Usage};

const QUOTA: Quota = Quota {
    keys: 3,
    value_bytes: 10,
    total_bytes: 20,
};

fn request(key: &str, bytes: usize) -> SetDocument {
    SetDocument {
        namespace: "n".to_owned(),
        key: key.to_owned(),
        value: vec![0; bytes],
        if_version: None,
        ttl: None,
        quota: QUOTA,
        now: Timestamp::from_millis(1_000),
    }
}

fn with_store<T>(body: impl FnOnce(&Store) -> T) -> T {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    body(&Store::open(&path, &StoreSettings::default()).unwrap())
}

#[test]
fn quotas_hold_and_room_comes_back() {
    with_store(|store| {
        let set = |key: &str, bytes| store.set_document(&request(key, bytes)).map(|_| ());
        assert_eq!(set("", 1), Err(DocumentError::InvalidKey));
        assert_eq!(set(&"k".repeat(513), 1), Err(DocumentError::InvalidKey));
        assert_eq!(set("a", 11), Err(DocumentError::TooLarge(10)));
        set("a", 9).unwrap();
        set("b", 9).unwrap();
        assert_eq!(set("c", 0), Err(DocumentError::QuotaExceeded));
        set("b", 9).unwrap();
        store.delete_document("n", "a").unwrap();
        store.delete_document("n", "a").unwrap();
        set("c", 0).unwrap();
        set("d", 0).unwrap();
        assert_eq!(set("e", 0), Err(DocumentError::QuotaExceeded));
        assert_eq!(store.document_usage("n"), Ok(Usage { keys: 3, bytes: 12 }));
        assert_eq!(store.document_usage("other"), Ok(Usage::default()));
    });
}

#[test]
fn no_version_is_given_twice() {
    with_store(|store| {
        let first = store.set_document(&request("k", 1)).unwrap();
        store.delete_documents("n").unwrap();
        assert_eq!(store.document_usage("n"), Ok(Usage::default()));
        let mut again = request("k", 1);
        again.if_version = Some(0);
        assert!(store.set_document(&again).unwrap() > first);
    });
}

#[test]
fn keys_come_in_pages() {
    with_store(|store| {
        let mut batch = crate::Batch::default();
        for number in 0..600 {
            batch.put_document("n", &format!("a/{number:03}"), Vec::new(), None);
        }
        batch.put_document("n", "b", Vec::new(), None);
        batch.put_document("nn", "a/", Vec::new(), None);
        store.commit(&batch).unwrap();
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = store
                .document_keys("n", "a/", cursor.as_deref(), Timestamp::default())
                .unwrap();
            assert!(page.keys.len() <= 256);
            seen.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 600);
        assert!(seen.is_sorted());
    });
}

/// What the state of a plugin is in memory (`runtime::state::MemoryState`).
#[derive(Default)]
struct Model {
    entries: BTreeMap<String, (Vec<u8>, u64, Option<u64>)>,
    version: u64,
}

impl Model {
    fn live(&self, key: &str, now: u64) -> Option<&(Vec<u8>, u64, Option<u64>)> {
        let entry = self.entries.get(key)?;
        entry.2.is_none_or(|end| end > now).then_some(entry)
    }

    fn fits(&self, key: &str, bytes: usize) -> bool {
        let others = self.entries.iter().filter(|(other, _)| *other != key);
        let sizes: Vec<_> = others
            .map(|(key, entry)| key.len() + entry.0.len())
            .collect();
        let total = sizes.iter().sum::<usize>() + key.len() + bytes;
        sizes.len() < 3 && total <= 20
    }

    fn set(&mut self, request: &SetDocument) -> Result<u64, DocumentError> {
        let (key, now) = (&request.key, request.now.as_millis());
        if request.value.len() > 10 {
            return Err(DocumentError::TooLarge(10));
        }
        let present = self.live(key, now).map_or(0, |entry| entry.1);
        if request
            .if_version
            .is_some_and(|expected| expected != present)
        {
            return Err(DocumentError::Conflict);
        }
        if !self.fits(key, request.value.len()) {
            self.entries
                .retain(|_, entry| entry.2.is_none_or(|end| end > now));
            if !self.fits(key, request.value.len()) {
                return Err(DocumentError::QuotaExceeded);
            }
        }
        self.version += 1;
        let end = request.ttl.map(|ttl| request.now.plus(ttl).as_millis());
        self.entries
            .insert(key.clone(), (request.value.clone(), self.version, end));
        Ok(self.version)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(String, usize, Option<u64>, Option<u64>),
    Delete(String),
    Later(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || prop::sample::select(vec!["a", "ab", "b", "c", "d"]).prop_map(str::to_owned);
    let step = prop_oneof![
        6 => (key(), 0..12_usize, prop::option::of(0..6_u64), prop::option::of(0..20_u64))
            .prop_map(|(key, bytes, version, ttl)| Step::Set(key, bytes, version, ttl)),
        1 => key().prop_map(Step::Delete),
        2 => (0..15_u64).prop_map(Step::Later),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn documents_are_what_a_plain_map_says(steps in steps()) {
        with_store(|store| {
            let (mut model, mut now) = (Model::default(), 1_000);
            for step in steps {
                match step {
                    Step::Set(key, bytes, if_version, ttl) => {
                        let request = SetDocument {
                            if_version,
                            ttl: ttl.map(Duration::from_millis),
                            now: Timestamp::from_millis(now),
                            ..request(&key, bytes)
                        };
                        prop_assert_eq!(store.set_document(&request), model.set(&request));
                    }
                    Step::Delete(key) => {
                        model.entries.remove(&key);
                        store.delete_document("n", &key).unwrap();
                    }
                    Step::Later(millis) => now += millis,
                }
                let at = Timestamp::from_millis(now);
                for prefix in ["", "a", "ab"] {
                    let live = model.entries.keys().filter(|key| {
                        key.starts_with(prefix) && model.live(key, now).is_some()
                    });
                    let live: Vec<_> = live.cloned().collect();
                    prop_assert_eq!(store.document_keys("n", prefix, None, at).unwrap().keys, live);
                }
                for key in ["a", "b"] {
                    let stored = store.document("n", key, at).unwrap();
                    let stored = stored.map(|document| (document.value, document.version));
                    let expected = model.live(key, now).map(|entry| (entry.0.clone(), entry.1));
                    prop_assert_eq!(stored, expected);
                }
            }
            let report = {
                let sizes = model.entries.iter().map(|(key, entry)| key.len() + entry.0.len());
                Usage { keys: sizes.len() as u64, bytes: sizes.sum::<usize>() as u64 }
            };
            // A write that found no room leaves expired documents where they are.
            let usage = store.document_usage("n").unwrap();
            prop_assert!(usage.keys >= report.keys && usage.bytes >= report.bytes);
            Ok(())
        })?;
    }
}
