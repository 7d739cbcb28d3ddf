//! Files of other versions, other programs and other processes.

#![expect(clippy::unwrap_used, reason = "functions of a test fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use portreeve_domain::Timestamp;
use portreeve_store::{Batch, DeviceRow, OpenError, SCHEMA_VERSION, Store, StoreSettings, verify};
use redb::{Database, ReadableDatabase as _, TableDefinition};

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const OLD_DEVICES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("devices");

fn open(path: &Path) -> Result<Store, OpenError> {
    Store::open(path, &StoreSettings::default())
}

/// A database with a schema version and whatever else `fill` puts there.
fn database(path: &Path, version: u64, fill: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(META)
        .unwrap()
        .insert("schema", version)
        .unwrap();
    fill(&transaction);
    transaction.commit().unwrap();
}

fn version_0(path: &Path) {
    database(path, 0, |transaction| {
        let mut devices = transaction.open_table(OLD_DEVICES).unwrap();
        for source in ["intune", "jamf"] {
            for number in 0..500_u64 {
                let mut value = number.to_le_bytes().to_vec();
                value.extend_from_slice(source.as_bytes());
                let key = format!("key {number}");
                devices
                    .insert((source, key.as_str()), value.as_slice())
                    .unwrap();
            }
        }
    });
}

#[test]
fn a_new_store_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data/portreeve.redb");
    let store = open(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(store.sources(), Ok(Vec::new()));
    let entries = fs::read_dir(path.parent().unwrap()).unwrap();
    assert_eq!(entries.count(), 1, "no temporary file is left");
}

#[test]
fn an_older_store_is_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    version_0(&path);
    assert_eq!(verify(&path, &mut |_, _| Ok(())).unwrap().schema, 0);
    // Twice: migrating is done once.
    for _ in 0..2 {
        let store = open(&path).unwrap();
        assert_eq!(store.sources().unwrap(), ["intune", "jamf"]);
        assert_eq!(store.device_count("jamf"), Ok(500));
        let mut seen = None;
        store
            .device("jamf", "key 7", &mut |row| {
                seen = Some((row.fetched_at, row.epoch, row.device.to_vec()));
            })
            .unwrap();
        assert_eq!(
            seen.unwrap(),
            (Timestamp::from_millis(7), 0, b"jamf".to_vec())
        );
    }
    let report = verify(&path, &mut |_, _| Ok(())).unwrap();
    assert_eq!(report.schema, SCHEMA_VERSION);
    let old = Database::open(&path).unwrap().begin_read().unwrap();
    assert!(
        old.open_table(OLD_DEVICES).is_err(),
        "the old table is gone"
    );
}

#[test]
fn a_migration_that_fails_leaves_the_old_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    database(&path, 0, |transaction| {
        let mut devices = transaction.open_table(OLD_DEVICES).unwrap();
        devices.insert(("intune", "a"), &[0; 20][..]).unwrap();
        devices.insert(("intune", "b"), &[0; 3][..]).unwrap();
    });
    assert!(matches!(open(&path), Err(OpenError::Damaged { .. })));
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_read().unwrap();
    let meta = transaction.open_table(META).unwrap();
    assert_eq!(meta.get("schema").unwrap().unwrap().value(), 0);
    assert!(transaction.open_table(OLD_DEVICES).is_ok());
}

#[test]
fn a_newer_store_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    database(&path, 7, |_| ());
    let before = fs::read(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert_eq!(
        error,
        OpenError::Newer {
            path: path.clone(),
            found: 7,
            known: SCHEMA_VERSION
        }
    );
    assert!(
        error.to_string().contains("hint: run the newer Portreeve"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap().len(), before.len());
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_read().unwrap();
    let meta = transaction.open_table(META).unwrap();
    assert_eq!(meta.get("schema").unwrap().unwrap().value(), 7);
}

#[test]
fn other_files_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let not_a_store = write("text", b"[server]\nlisten = 1");
    assert!(matches!(
        open(&not_a_store),
        Err(OpenError::NotAStore { .. })
    ));
    for (name, content) in [
        ("empty", vec![]),
        ("zero", vec![0; 8_192]),
        ("head", b"redb\x1a".to_vec()),
    ] {
        let path = write(name, &content);
        assert!(
            matches!(open(&path), Err(OpenError::Damaged { .. })),
            "{name}"
        );
        assert_eq!(fs::read(&path).unwrap(), content, "{name}");
    }
    let other = directory.path().join("other");
    let transaction = Database::create(&other).unwrap().begin_write().unwrap();
    transaction
        .open_table(TableDefinition::<u32, u32>::new("theirs"))
        .unwrap();
    transaction.commit().unwrap();
    assert!(matches!(open(&other), Err(OpenError::NotAStore { .. })));
    assert!(matches!(open(directory.path()), Err(OpenError::Io { .. })));
}

#[test]
fn two_cannot_have_it_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let first = open(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert_eq!(error, OpenError::InUse { path: path.clone() });
    assert!(error.to_string().contains("hint:"), "{error}");
    drop(first);
    open(&path).unwrap();
}

#[test]
fn two_that_start_at_once_share_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let opened = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| open(&path))).collect();
        let opened = threads.into_iter().map(|thread| thread.join().unwrap());
        opened.collect::<Vec<_>>()
    });
    let stores: Vec<_> = opened
        .iter()
        .filter_map(|opened| opened.as_ref().ok())
        .collect();
    assert_eq!(stores.len(), 1);
    for error in opened.iter().filter_map(|opened| opened.as_ref().err()) {
        assert_eq!(*error, OpenError::InUse { path: path.clone() });
    }
    let mut batch = Batch::default();
    batch.put_device(&DeviceRow {
        source: "s",
        key: "k",
        fetched_at: Timestamp::default(),
        epoch: 0,
        device: b"d",
    });
    stores[0].commit(&batch).unwrap();
    drop(opened);
    assert_eq!(open(&path).unwrap().device_count("s"), Ok(1));
}
