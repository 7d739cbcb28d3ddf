//! The file: where it comes from, who has it open, whether it is sound.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase as _, StorageError, TableError};

use crate::error::{OpenError, StoreError, is_full};
use crate::schema::{self, META, SCHEMA_VERSION, VERSION};

/// The first bytes of every redb file.
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// Opens the database in a file. Another one than [`FromFile`] lets a test
/// stand between the database and its disk.
pub(crate) trait Disk: Send + Sync + fmt::Debug {
    fn database(&self, file: File, cache_bytes: usize) -> Result<Database, DatabaseError>;
}

/// The file itself.
#[derive(Debug)]
pub(crate) struct FromFile;

impl Disk for FromFile {
    fn database(&self, file: File, cache_bytes: usize) -> Result<Database, DatabaseError> {
        let backend = FileBackend::new(file)?;
        Database::builder()
            .set_cache_size(cache_bytes)
            .create_with_backend(backend)
    }
}

/// How the file is opened.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) cache_bytes: usize,
    pub(crate) disk: Arc<dyn Disk>,
}

/// Opens the store's file, or makes a new one where there is none.
pub(crate) fn open_or_create(path: &Path, opening: &Opening) -> Result<Database, OpenError> {
    match File::options().read(true).write(true).open(path) {
        Ok(file) => open(path, file, opening),
        Err(error) if error.kind() == ErrorKind::NotFound => create(path, opening),
        Err(error) => Err(io_error(path, &error)),
    }
}

/// Opens the store's file and brings it to the present schema.
pub(crate) fn open(path: &Path, file: File, opening: &Opening) -> Result<Database, OpenError> {
    warn_if_others_may_read(path, &file);
    let (database, _) = open_sound(path, file, opening)?;
    let found = schema_version(path, &database)?;
    if found < SCHEMA_VERSION {
        let migrated = guarded(|| {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            schema::migrate(&transaction, found)?;
            Ok(transaction.commit()?)
        });
        migrated.map_err(|error| at(path, error))?;
    }
    Ok(database)
}

/// Opens a file, checks every page of it, and says whether that repaired
/// anything. Nothing but the database's own bookkeeping is changed.
///
/// All commits are in two phases, so a repair never steps back behind one that
/// was acknowledged: it restores the allocator's state, or refuses.
pub(crate) fn open_sound(
    path: &Path,
    mut file: File,
    opening: &Opening,
) -> Result<(Database, bool), OpenError> {
    check_head(path, &mut file)?;
    // The library reports damage, mostly; some it notices by an assertion.
    let opened = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut database = opening.disk.database(file, opening.cache_bytes)?;
        let sound = database.check_integrity()?;
        Ok((database, !sound))
    }));
    match opened {
        Ok(Ok((database, repaired))) => {
            if repaired {
                tracing::warn!(path = %path.display(), "the store was repaired");
            }
            Ok((database, repaired))
        }
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
        Ok(Err(DatabaseError::Storage(StorageError::Io(error))))
            if error.kind() == ErrorKind::UnexpectedEof =>
        {
            Err(damaged(path, "it ends too early"))
        }
        Ok(Err(error)) => Err(at(path, error.into())),
        Err(_) => Err(damaged(path, "its structure makes no sense")),
    }
}

/// The version of the tables in a file.
pub(crate) fn schema_version(path: &Path, database: &Database) -> Result<u64, OpenError> {
    let read = || -> Result<Option<u64>, redb::Error> {
        let table = database.begin_read()?.open_table(META)?;
        Ok(table.get(VERSION)?.map(|version| version.value()))
    };
    let not_a_store = |detail: &str| OpenError::NotAStore {
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    match read() {
        Ok(Some(found)) if found > SCHEMA_VERSION => Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: SCHEMA_VERSION,
        }),
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(not_a_store("it has no schema version")),
        Err(redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. }) => {
            Err(not_a_store("it is another program's database"))
        }
        Err(error) => Err(at(path, error.into())),
    }
}

/// Makes a new file. It gets its name only when it is complete, so that a crash
/// leaves no half of it.
fn create(path: &Path, opening: &Opening) -> Result<Database, OpenError> {
    let io = |error: &io::Error| io_error(path, error);
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| io(&error))?;
    // Mode 0600, and removed again if anything below fails.
    let temporary = tempfile::Builder::new()
        .prefix(".portreeve-")
        .tempfile_in(directory)
        .map_err(|error| io(&error))?;
    let file = temporary
        .as_file()
        .try_clone()
        .map_err(|error| io(&error))?;
    let created = guarded(|| {
        let database = opening.disk.database(file, opening.cache_bytes)?;
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        schema::create(&transaction)?;
        transaction.commit()?;
        Ok(database)
    });
    let database = created.map_err(|error| at(path, error))?;
    match temporary.persist_noclobber(path) {
        Ok(_) => {
            sync_directory(directory).map_err(|error| io(&error))?;
            Ok(database)
        }
        // Another process was faster: its file is the store.
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            drop(database);
            let file = File::options().read(true).write(true).open(path);
            open(path, file.map_err(|error| io(&error))?, opening)
        }
        Err(error) => Err(io(&error.error)),
    }
}

/// Tells a damaged store from a file that never was one. The library would take
/// an empty file for a new database.
fn check_head(path: &Path, file: &mut File) -> Result<(), OpenError> {
    let mut head = Vec::with_capacity(MAGIC.len());
    let read = file.take(MAGIC.len() as u64).read_to_end(&mut head);
    read.map_err(|error| io_error(path, &error))?;
    if head.is_empty() {
        return Err(damaged(path, "it is empty"));
    }
    if head.iter().all(|byte| *byte == 0) || MAGIC.starts_with(&head) && head.len() < MAGIC.len() {
        return Err(damaged(path, "its beginning is lost"));
    }
    if head != MAGIC {
        return Err(OpenError::NotAStore {
            path: path.to_owned(),
            detail: "it does not begin like one".to_owned(),
        });
    }
    Ok(())
}

fn warn_if_others_may_read(path: &Path, file: &File) {
    let mode = file.metadata().map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        tracing::warn!(
            path = %path.display(),
            "others than the owner may read the store; it names people and their devices"
        );
    }
}

/// Runs what may hit an assertion of the library on a damaged file.
pub(crate) fn guarded<T, E: From<StoreError>>(body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        let detail = "its structure makes no sense".to_owned();
        Err(StoreError::Damaged(detail).into())
    })
}

/// Makes a rename or a new name in `directory` durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    OpenOptions::new().read(true).open(directory)?.sync_all()
}

/// The bytes of a file, 0 when that cannot be told.
pub(crate) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn damaged(path: &Path, detail: &str) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        detail: detail.to_owned(),
    }
}

pub(crate) fn io_error(path: &Path, error: &io::Error) -> OpenError {
    let (path, detail) = (path.to_owned(), error.to_string());
    if is_full(error) {
        OpenError::Full { path, detail }
    } else {
        OpenError::Io { path, detail }
    }
}

pub(crate) fn at(path: &Path, error: StoreError) -> OpenError {
    let path = path.to_owned();
    match error {
        StoreError::Full(detail) => OpenError::Full { path, detail },
        StoreError::Damaged(detail) | StoreError::Words(detail) => {
            OpenError::Damaged { path, detail }
        }
        StoreError::Io(detail) => OpenError::Io { path, detail },
        StoreError::Closed => OpenError::Io {
            path,
            detail: error.to_string(),
        },
    }
}

/// A missing table is none: not every source has devices.
pub(crate) fn if_exists<T>(opened: Result<T, TableError>) -> Result<Option<T>, StoreError> {
    match opened {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
