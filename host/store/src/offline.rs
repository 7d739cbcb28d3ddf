//! What an operator does with the file: check it, copy it, put a copy back, make
//! it small.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{
    Database, Key, ReadTransaction, ReadableDatabase as _, ReadableTable as _,
    ReadableTableMetadata as _, TableDefinition, Value, WriteTransaction,
};

use crate::device::DeviceRow;
use crate::document;
use crate::error::{OpenError, StoreError};
use crate::file::{self, FromFile, Opening};
use crate::inventory::InventoryState;
use crate::schema::{
    DOCUMENTS, INVENTORY, META, NAMESPACES, SCHEMA_VERSION, WORDS, devices, devices_table,
};
use crate::store::{Store, read_devices, sources};

/// Memory for pages during these operations.
const CACHE_BYTES: usize = 64 << 20;

/// Why an operation on the file was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfflineError {
    /// A file could not be opened, or is damaged.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The open store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The destination is there; nothing is overwritten.
    #[error(
        "`{}` exists\n\
         hint: name another file, or move this one away", .0.display()
    )]
    Exists(PathBuf),
}

/// What a sound store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The version of its tables.
    pub schema: u64,
    /// It was not closed properly and had to be put in order first.
    pub repaired: bool,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Words.
    pub words: u64,
    /// Devices by source.
    pub devices: Vec<(String, u64)>,
    /// Sources whose inventory has begun.
    pub inventories: u64,
    /// Documents.
    pub documents: u64,
}

/// Bytes before and after a compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
}

/// Looks at a device's bytes, given the words that they refer to, and says what
/// is wrong with them.
pub type CheckDevice<'a> = &'a mut dyn FnMut(&[String], &DeviceRow<'_>) -> Result<(), String>;

/// Checks every page and every row of the store at `path`, which nobody else
/// may have open. `check_device` looks into the bytes of each device and says
/// what is wrong with them. A store of an older version is not migrated, and of
/// its rows only those are read whose form is still the same.
pub fn verify(path: &Path, check_device: CheckDevice<'_>) -> Result<Report, OfflineError> {
    let file = File::options().read(true).write(true).open(path);
    let file = file.map_err(|error| file::io_error(path, &error))?;
    let file_bytes = file::length(path);
    let (database, repaired) = file::open_sound(path, file, &opening())?;
    let schema = file::schema_version(path, &database)?;
    let mut report = Report {
        schema,
        repaired,
        file_bytes,
        ..Report::default()
    };
    if schema == SCHEMA_VERSION {
        file::guarded(|| read_everything(&database, &mut report, check_device))
            .map_err(|error| file::at(path, error))?;
    }
    Ok(report)
}

fn read_everything(
    database: &Database,
    report: &mut Report,
    check_device: CheckDevice<'_>,
) -> Result<(), StoreError> {
    let transaction = database.begin_read()?;
    let mut words = Vec::new();
    for (expected, entry) in (0_u32..).zip(transaction.open_table(WORDS)?.iter()?) {
        let (number, word) = entry?;
        if number.value() != expected {
            return Err(StoreError::Damaged(format!("word {expected} is missing")));
        }
        words.push(word.value().to_owned());
        report.words += 1;
    }
    let mut wrong = None;
    read_devices(&transaction, &mut |row| {
        match report.devices.last_mut() {
            Some((source, count)) if source == row.source => *count += 1,
            _ => report.devices.push((row.source.to_owned(), 1)),
        }
        match check_device(&words, &row) {
            Ok(()) => ControlFlow::Continue(()),
            Err(detail) => {
                wrong = Some(format!(
                    "device `{}` of `{}`: {detail}",
                    row.key, row.source
                ));
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(wrong) = wrong {
        return Err(StoreError::Damaged(wrong));
    }
    for (source, count) in &report.devices {
        let expected = transaction
            .open_table(devices(&devices_table(source)))?
            .len()?;
        if *count != expected {
            let detail = format!("`{source}` has {count} devices of {expected}");
            return Err(StoreError::Damaged(detail));
        }
    }
    for entry in transaction.open_table(INVENTORY)?.iter()? {
        let (source, bytes) = entry?;
        InventoryState::decode(source.value(), bytes.value())?;
        report.inventories += 1;
    }
    report.documents = document::recount(&transaction)?;
    Ok(())
}

/// Writes what the store holds at this moment into a new file, while others go
/// on writing. The file gets its name when it is complete and durable.
pub fn backup(store: &Store, destination: &Path) -> Result<(), OfflineError> {
    let io = |error: &io::Error| OfflineError::Open(file::io_error(destination, error));
    if fs::symlink_metadata(destination).is_ok() {
        return Err(OfflineError::Exists(destination.to_owned()));
    }
    let directory = directory_of(destination);
    let temporary = tempfile::Builder::new()
        .prefix(".portreeve-backup-")
        .tempfile_in(directory)
        .map_err(|error| io(&error))?;
    let transaction = store.read()?;
    // What the disk of the copy says must not be taken for the store's own words.
    let copied = file::guarded(|| -> Result<(), StoreError> {
        let file = temporary.as_file().try_clone()?;
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_file(file)?;
        let mut copy = database.begin_write()?;
        copy.set_quick_repair(true);
        copy_everything(&transaction, &copy)?;
        Ok(copy.commit()?)
    });
    copied.map_err(|error| file::at(destination, error))?;
    publish(temporary, destination)
}

fn copy_everything(from: &ReadTransaction, to: &WriteTransaction) -> Result<(), StoreError> {
    copy(from, to, META)?;
    copy(from, to, WORDS)?;
    copy(from, to, INVENTORY)?;
    copy(from, to, DOCUMENTS)?;
    copy(from, to, NAMESPACES)?;
    for source in sources(from)? {
        copy(from, to, devices(&devices_table(&source)))?;
    }
    Ok(())
}

fn copy<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<(), StoreError> {
    let source = from.open_table(table)?;
    let mut destination = to.open_table(table)?;
    for entry in source.iter()? {
        let (key, value) = entry?;
        destination.insert(key.value(), value.value())?;
    }
    Ok(())
}

/// Puts a backup in the place of the store at `path`, which nobody may have
/// open. The backup is copied and the copy verified before anything changes; the
/// old file stays beside it. Returns what the backup holds, and where the old
/// file is, if there was one.
pub fn restore(
    backup: &Path,
    path: &Path,
    check_device: CheckDevice<'_>,
) -> Result<(Report, Option<PathBuf>), OfflineError> {
    let io = |error: &io::Error| OfflineError::Open(file::io_error(path, error));
    let directory = directory_of(path);
    let mut temporary = tempfile::Builder::new()
        .prefix(".portreeve-restore-")
        .tempfile_in(directory)
        .map_err(|error| io(&error))?;
    let source = File::open(backup);
    let mut source = source.map_err(|error| file::io_error(backup, &error))?;
    io::copy(&mut source, temporary.as_file_mut()).map_err(|error| io(&error))?;
    let report = verify(temporary.path(), check_device).map_err(|error| blame(error, backup))?;

    let old = match File::options().read(true).write(true).open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(io(&error)),
    };
    let Some(old) = old else {
        publish(temporary, path)?;
        return Ok((report, None));
    };
    // The database holds the same lock while it is open. The old file may be
    // damaged, so it is not opened as a database here.
    match old.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let path = path.to_owned();
            return Err(OpenError::InUse { path }.into());
        }
        Err(TryLockError::Error(error)) => return Err(io(&error)),
    }
    temporary.as_file().sync_all().map_err(|error| io(&error))?;
    let kept = keep(path).map_err(|error| io(&error))?;
    temporary.persist(path).map_err(|error| io(&error.error))?;
    file::sync_directory(directory).map_err(|error| io(&error))?;
    Ok((report, Some(kept)))
}

/// Gives the file a second name, so that there is no moment without a store.
fn keep(path: &Path) -> io::Result<PathBuf> {
    let mut number = 0_u32;
    loop {
        let mut name = OsString::from(path.as_os_str());
        name.push(".before-restore");
        if number > 0 {
            name.push(format!(".{number}"));
        }
        let kept = PathBuf::from(name);
        match fs::hard_link(path, &kept) {
            Ok(()) => return Ok(kept),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Gives back to the disk what the store does not need, as far as that goes.
/// Nobody else may have it open.
pub fn compact(path: &Path) -> Result<Compacted, OfflineError> {
    let before = file::length(path);
    let file = File::options().read(true).write(true).open(path);
    let file = file.map_err(|error| file::io_error(path, &error))?;
    let mut database = file::open(path, file, &opening())?;
    file::guarded(|| -> Result<bool, StoreError> { Ok(database.compact()?) })
        .map_err(|error| file::at(path, error))?;
    drop(database);
    Ok(Compacted {
        before,
        after: file::length(path),
    })
}

fn opening() -> Opening {
    Opening {
        cache_bytes: CACHE_BYTES,
        disk: Arc::new(FromFile),
    }
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Gives a complete file its name, unless somebody else took it meanwhile.
fn publish(temporary: tempfile::NamedTempFile, path: &Path) -> Result<(), OfflineError> {
    let io = |error: &io::Error| OfflineError::Open(file::io_error(path, error));
    temporary.as_file().sync_all().map_err(|error| io(&error))?;
    match temporary.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            return Err(OfflineError::Exists(path.to_owned()));
        }
        Err(error) => return Err(io(&error.error)),
    }
    file::sync_directory(directory_of(path)).map_err(|error| io(&error))
}

/// The copy was checked, but the backup is what the operator knows.
fn blame(error: OfflineError, backup: &Path) -> OfflineError {
    let path = backup.to_owned();
    let error = match error {
        OfflineError::Open(error) => error,
        other => return other,
    };
    OfflineError::Open(match error {
        OpenError::Damaged { detail, .. } => OpenError::Damaged { path, detail },
        OpenError::NotAStore { detail, .. } => OpenError::NotAStore { path, detail },
        OpenError::Newer { found, known, .. } => OpenError::Newer { path, found, known },
        other => other,
    })
}
