//! Verify, back up, restore, compact.

#![expect(clippy::unwrap_used, reason = "functions of a test fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use portreeve_domain::Timestamp;
use portreeve_store::{
    Batch, DeviceRow, InventoryState, OfflineError, OpenError, Phase, Report, Store, StoreSettings,
    backup, compact, restore, verify,
};

fn open(path: &Path) -> Store {
    Store::open(path, &StoreSettings::default()).unwrap()
}

/// Every row of every batch has the batch's number as its epoch.
fn batch(number: u32) -> Batch {
    let mut batch = Batch::default();
    batch.set_words(number, vec![format!("word {number}")]);
    for key in 0..200 {
        batch.put_device(&DeviceRow {
            source: "intune",
            key: &format!("key {key}"),
            fetched_at: Timestamp::from_millis(1),
            epoch: number,
            device: &[5; 400],
        });
    }
    let state = InventoryState {
        phase: Phase::Full,
        epoch: number,
        cursor: None,
        started_at: Timestamp::from_millis(1),
        completed_at: None,
        read: 0,
        total: None,
    };
    batch.set_inventory("intune", state);
    batch.put_document("plugin", &format!("k{number}"), vec![1; 100], None);
    batch
}

fn check(path: &Path) -> Result<Report, OfflineError> {
    verify(path, &mut |_, row| {
        if row.device.len() == 400 {
            Ok(())
        } else {
            Err("odd length".to_owned())
        }
    })
}

#[test]
fn a_sound_store_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = open(&path);
    store.commit(&batch(0)).unwrap();
    store.commit(&batch(1)).unwrap();
    let in_use = OpenError::InUse { path: path.clone() };
    assert_eq!(check(&path), Err(in_use.into()));
    drop(store);
    let file_bytes = fs::metadata(&path).unwrap().len();
    let report = check(&path).unwrap();
    let expected = Report {
        schema: 1,
        repaired: false,
        file_bytes,
        words: 2,
        devices: vec![("intune".to_owned(), 200)],
        inventories: 1,
        documents: 2,
    };
    assert_eq!(report, expected);

    let error = verify(&path, &mut |_, _| Err("no device".to_owned())).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("device `key 0` of `intune`: no device"),
        "{error}"
    );
    let missing = directory.path().join("missing");
    assert!(matches!(
        check(&missing),
        Err(OfflineError::Open(OpenError::Io { .. }))
    ));
    assert!(!missing.exists());
}

#[test]
fn a_backup_is_one_moment_of_a_busy_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("store"));
    store.commit(&batch(0)).unwrap();
    let ended = AtomicBool::new(false);
    let copies: Vec<PathBuf> = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut number = 0;
            while !ended.load(SeqCst) {
                number += 1;
                store.commit(&batch(number)).unwrap();
            }
        });
        let copies = (0..5).map(|number| {
            let copy = directory.path().join(format!("copy {number}"));
            backup(&store, &copy).unwrap();
            copy
        });
        let copies = copies.collect();
        ended.store(true, SeqCst);
        writing.join().unwrap();
        copies
    });
    for copy in copies {
        let report = check(&copy).unwrap();
        let store = open(&copy);
        let epoch = store.inventory_state("intune").unwrap().unwrap().epoch;
        assert_eq!(report.words, u64::from(epoch) + 1);
        assert_eq!(report.documents, u64::from(epoch) + 1);
        store
            .read_devices(&mut |row| {
                assert_eq!(row.epoch, epoch);
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        let again = backup(&store, &copy).unwrap_err();
        assert_eq!(again, OfflineError::Exists(copy));
    }
}

#[test]
fn a_restored_store_is_the_backup() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (
        directory.path().join("store"),
        directory.path().join("copy"),
    );
    let store = open(&path);
    store.commit(&batch(0)).unwrap();
    backup(&store, &copy).unwrap();
    store.commit(&batch(1)).unwrap();
    let restored = restore(&copy, &path, &mut |_, _| Ok(()));
    assert_eq!(
        restored,
        Err(OpenError::InUse { path: path.clone() }.into())
    );
    drop(store);

    // Whatever is wrong with the present file.
    fs::write(&path, b"rubbish").unwrap();
    for kept in ["store.before-restore", "store.before-restore.1"] {
        let (report, old) = restore(&copy, &path, &mut |_, _| Ok(())).unwrap();
        assert_eq!(report.words, 1);
        assert_eq!(old, Some(directory.path().join(kept)));
        assert_eq!(open(&path).words().unwrap(), ["word 0"]);
    }
    assert_eq!(
        fs::read(directory.path().join("store.before-restore")).unwrap(),
        b"rubbish"
    );

    // A backup is not touched, and a bad one changes nothing.
    let bad = directory.path().join("bad");
    let mut content = fs::read(&copy).unwrap();
    let middle = content.len() / 2;
    content.truncate(middle);
    fs::write(&bad, &content).unwrap();
    let error = restore(&bad, &path, &mut |_, _| Ok(())).unwrap_err();
    assert!(
        error.to_string().contains(&*bad.to_string_lossy()),
        "{error}"
    );
    assert_eq!(open(&path).words().unwrap(), ["word 0"]);

    let new = directory.path().join("new");
    assert_eq!(restore(&copy, &new, &mut |_, _| Ok(())).unwrap().1, None);
    assert_eq!(open(&new).device_count("intune"), Ok(200));
    let left = fs::read_dir(directory.path()).unwrap();
    assert_eq!(left.count(), 6, "no temporary file is left");
}

#[test]
fn a_compacted_store_is_small_and_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = open(&path);
    let mut large = Batch::default();
    for key in 0..40 {
        large.put_document("jobs", &format!("{key}"), vec![1; 100_000], None);
    }
    store.commit(&large).unwrap();
    store.delete_documents("jobs").unwrap();
    store.commit(&batch(0)).unwrap();
    drop(store);
    let compacted = compact(&path).unwrap();
    assert!(compacted.after < compacted.before, "{compacted:?}");
    assert_eq!(compacted.after, fs::metadata(&path).unwrap().len());
    assert_eq!(check(&path).unwrap().devices, [("intune".to_owned(), 200)]);
}
