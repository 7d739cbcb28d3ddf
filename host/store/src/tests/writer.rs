//! The queue of the writer.

use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::Timestamp;

use super::{generation, row, state, stored_generation};
use crate::{
    Batch, Dictionary, DocumentError, Quota, SetDocument, Store, StoreError, StoreSettings, Writer,
    WriterSettings,
};

fn store(directory: &tempfile::TempDir) -> Arc<Store> {
    let path = directory.path().join("store");
    Arc::new(Store::open(&path, &StoreSettings::default()).unwrap())
}

/// Devices wait until somebody asks for more.
const PATIENT: WriterSettings = WriterSettings {
    queue: 3,
    queue_bytes: 1_000,
    max_batch: 100,
    linger: Duration::from_hours(1),
    retry_first: Duration::from_millis(1),
    retry_longest: Duration::from_millis(1),
};

fn device(store: &Store, key: &str) -> Option<Vec<u8>> {
    let mut device = None;
    store
        .device("intune", key, &mut |row| device = Some(row.device.to_vec()))
        .unwrap();
    device
}

#[tokio::test]
async fn a_full_queue_drops_but_takes_newer_words_about_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let (handle, writer) = Writer::start(Arc::clone(&store), PATIENT, None).unwrap();
    for key in ["a", "b", "c"] {
        assert!(handle.put_device(&row(key, 1, b"old")), "{key}");
    }
    assert!(!handle.put_device(&row("d", 1, b"old")));
    assert!(handle.put_device(&row("a", 2, b"new")));
    assert!(handle.remove_device("intune", "b"));
    let figures = handle.figures();
    assert_eq!((figures.queued, figures.dropped), (3, 1));
    assert_eq!(device(&store, "a"), None);

    handle.flush().await.unwrap();
    assert_eq!(device(&store, "a").unwrap(), b"new");
    assert_eq!(device(&store, "b"), None);
    assert_eq!(device(&store, "d"), None);
    let figures = handle.figures();
    assert_eq!(
        (figures.queued, figures.written, figures.commits),
        (0, 3, 1)
    );
    assert!(figures.file_bytes > 0);
    assert!(handle.put_device(&row("d", 1, b"old")));
    assert!(
        !handle.put_device(&row("e", 1, &[0; 1_000])),
        "too many bytes"
    );
    writer.shutdown().await.unwrap();
    assert_eq!(device(&store, "d").unwrap(), b"old");
}

#[tokio::test]
async fn changes_of_one_key_stay_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let (handle, _writer) = Writer::start(Arc::clone(&store), PATIENT, None).unwrap();
    handle.put_device(&row("k", 1, b"1"));
    let mut batch = Batch::default();
    batch.put_device(&row("k", 1, b"2"));
    batch.remove_device("intune", "k");
    batch.put_device(&row("k", 1, b"3"));
    let committed = handle.commit(batch);
    // Queued behind the batch as soon as that was polled, before it in any case.
    let (committed, _) = tokio::join!(committed, async { handle.put_device(&row("k", 1, b"4")) });
    committed.unwrap();
    handle.flush().await.unwrap();
    assert_eq!(device(&store, "k").unwrap(), b"4");
}

#[tokio::test]
async fn requests_wait_for_room() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let (handle, writer) = Writer::start(Arc::clone(&store), PATIENT, None).unwrap();
    // Each is larger than the whole queue, so only one is inside at a time.
    let commits = (1..=8).map(|number| handle.commit(generation(number)));
    for committed in futures(commits).await {
        committed.unwrap();
    }
    assert_eq!(stored_generation(&store), 8);
    assert_eq!(handle.figures().commits, 8);
    writer.shutdown().await.unwrap();
    assert_eq!(handle.commit(generation(9)).await, Err(StoreError::Closed));
}

/// All of them at once, in order.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, done) in all.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(output) = one.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if all.iter().any(|(_, done)| done.is_none()) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(())
    })
    .await;
    all.into_iter().map(|(_, done)| done.unwrap()).collect()
}

#[derive(Debug)]
struct Words(Vec<&'static str>);

impl Dictionary for Words {
    fn words_from(&self, first: u32) -> Vec<String> {
        let words = self.0.iter().skip(first as usize);
        words.map(|word| (*word).to_owned()).collect()
    }
}

#[tokio::test]
async fn words_come_with_the_first_device() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let words = Arc::new(Words(vec!["windows", "macos"]));
    let (handle, writer) = Writer::start(Arc::clone(&store), PATIENT, Some(words)).unwrap();
    assert!(store.words().unwrap().is_empty());
    handle.put_device(&row("k", 1, b""));
    writer.shutdown().await.unwrap();
    assert_eq!(store.words().unwrap(), ["windows", "macos"]);
    let words = Arc::new(Words(vec!["windows", "macos", "ios"]));
    let (handle, writer) = Writer::start(Arc::clone(&store), PATIENT, Some(words)).unwrap();
    handle.put_device(&row("k", 1, b""));
    writer.shutdown().await.unwrap();
    assert_eq!(store.words().unwrap(), ["windows", "macos", "ios"]);
}

#[tokio::test]
async fn one_wrong_request_does_not_spoil_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let settings = WriterSettings {
        queue: 100,
        ..PATIENT
    };
    let (handle, _writer) = Writer::start(Arc::clone(&store), settings, None).unwrap();
    let mut wrong = Batch::default();
    wrong.set_words(5, vec!["far ahead".to_owned()]);
    wrong.put_device(&row("wrong", 1, b""));
    let document = |if_version| SetDocument {
        namespace: "n".to_owned(),
        key: "k".to_owned(),
        value: b"v".to_vec(),
        if_version,
        ttl: None,
        quota: Quota::default(),
        now: Timestamp::from_millis(1),
    };
    let (first, second, third, fourth) = tokio::join!(
        handle.commit(wrong),
        handle.set_document(document(Some(0))),
        handle.set_document(document(Some(0))),
        handle.commit(generation(1)),
    );
    assert!(matches!(first, Err(StoreError::Words(_))), "{first:?}");
    assert_eq!(second, Ok(1));
    assert_eq!(third, Err(DocumentError::Conflict));
    fourth.unwrap();
    assert_eq!(stored_generation(&store), 1);
    handle.delete_document("n", "k").await.unwrap();
    assert_eq!(store.document("n", "k", Timestamp::default()), Ok(None));
}

#[tokio::test]
async fn a_sweep_takes_what_the_read_did_not_see() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory);
    let (handle, _writer) = Writer::start(Arc::clone(&store), PATIENT, None).unwrap();
    let mut batch = Batch::default();
    // Rows have their epoch as the time.
    for (key, epoch) in [("gone", 4), ("seen", 5), ("asked for since", 6)] {
        batch.put_device(&row(key, epoch, b""));
    }
    batch.put_device(&crate::DeviceRow {
        source: "other",
        ..row("untouched", 1, b"")
    });
    handle.commit(batch).await.unwrap();
    let removed = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let told = Arc::clone(&removed);
    let on_removed = Box::new(move |key: &str| told.lock().push(key.to_owned()));
    let before = Timestamp::from_millis(6);
    let swept = handle
        .sweep("intune", 5, before, state(5), on_removed)
        .await;
    assert_eq!(swept, Ok(1));
    assert_eq!(*removed.lock(), ["gone"]);
    assert_eq!(store.device_count("intune"), Ok(2));
    assert_eq!(store.device_count("other"), Ok(1));
    assert_eq!(store.inventory_state("intune"), Ok(Some(state(5))));

    let mut batch = Batch::default();
    batch.forget_source("intune");
    handle.commit(batch).await.unwrap();
    assert_eq!(store.sources().unwrap(), ["other"]);
    assert_eq!(store.inventory_state("intune"), Ok(None));
}
