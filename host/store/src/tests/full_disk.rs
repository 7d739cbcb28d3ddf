//! The disk is full, or broken, and comes back.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use portreeve_domain::Timestamp;

use super::disk::{Failing, FailingDisk};
use super::{generation, open_on, row, stored_generation};
use crate::{Status, StoreError, Writer, WriterSettings};

const SETTINGS: WriterSettings = WriterSettings {
    queue: 1_000,
    queue_bytes: 1 << 20,
    max_batch: 100,
    linger: Duration::ZERO,
    retry_first: Duration::from_millis(1),
    retry_longest: Duration::from_millis(5),
};

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    for extra in [0, 4_096, 20_000, 100_000] {
        let path = directory.path().join(format!("store-{extra}"));
        let failing = Arc::new(Failing::default());
        let store = open_on(&path, Arc::new(FailingDisk(failing.clone())));
        store.commit(&generation(1)).unwrap();
        // Copy on write needs pages beyond these sooner or later.
        failing.room.store(store.file_bytes() / 2 + extra, SeqCst);
        let mut acknowledged = 1;
        let error = loop {
            let mut batch = generation(acknowledged + 1);
            let large = vec![1; 200_000];
            batch.put_document("jobs", "large", large, None);
            match store.commit(&batch) {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Full(_)), "{error}");
        // It can be read, and small changes may even still fit.
        assert_eq!(stored_generation(&store), acknowledged);
        failing.room.store(u64::MAX, SeqCst);
        store.commit(&generation(acknowledged + 1)).unwrap();
        assert_eq!(stored_generation(&store), acknowledged + 1);
        drop(store);
        let store = open_on(&path, Arc::new(crate::file::FromFile));
        assert_eq!(stored_generation(&store), acknowledged + 1);
    }
}

#[tokio::test]
async fn the_writer_recovers_by_itself() {
    for broken in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let failing = Arc::new(Failing::default());
        let store = Arc::new(open_on(&path, Arc::new(FailingDisk(failing.clone()))));
        store.commit(&generation(1)).unwrap();
        let (handle, writer) = Writer::start(Arc::clone(&store), SETTINGS, None).unwrap();
        if broken {
            failing.broken.store(true, SeqCst);
        } else {
            failing.room.store(4_096, SeqCst);
        }
        assert!(handle.put_device(&row("looked up", 1, b"first")));
        let error = handle.commit(generation(2)).await.unwrap_err();
        assert_eq!(matches!(error, StoreError::Full(_)), !broken, "{error}");
        assert!(matches!(handle.status(), Status::Failing(_)));
        // Still taken, and nobody is kept waiting.
        assert!(handle.put_device(&row("looked up", 1, b"second")));
        handle.flush().await.unwrap_err();
        assert_eq!(handle.figures().dropped, 0);

        failing.room.store(u64::MAX, SeqCst);
        failing.broken.store(false, SeqCst);
        // A flush that shares a failing attempt fails with it.
        while handle.flush().await.is_err() {}
        handle.commit(generation(2)).await.unwrap();
        assert_eq!(handle.status(), Status::Ok);
        let mut seen = Vec::new();
        let found = store
            .device("intune", "looked up", &mut |row| seen = row.device.to_vec())
            .unwrap();
        assert!(found);
        assert_eq!(seen, b"second");
        handle.put_device(&row("last", 1, b""));
        writer.shutdown().await.unwrap();
        assert!(store.device("intune", "last", &mut |_| ()).unwrap());
        assert!(handle.figures().failures > 0);
    }
}

#[tokio::test]
async fn the_end_on_a_broken_disk_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let failing = Arc::new(Failing::default());
    let store = Arc::new(open_on(&path, Arc::new(FailingDisk(failing.clone()))));
    let (handle, writer) = Writer::start(Arc::clone(&store), SETTINGS, None).unwrap();
    failing.broken.store(true, SeqCst);
    handle.put_device(&row("k", 1, b""));
    let error = writer.shutdown().await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error}");
    assert_eq!(handle.figures().dropped, 1);
    assert_eq!(handle.flush().await, Err(StoreError::Closed));
    assert!(!handle.put_device(&row("k", 1, b"")));
    failing.broken.store(false, SeqCst);
    // The store itself is as it was.
    assert!(
        store
            .document("n", "k", Timestamp::default())
            .unwrap()
            .is_none()
    );
    store.commit(&generation(1)).unwrap();
}
