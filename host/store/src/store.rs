//! The store itself.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use portreeve_domain::Timestamp;
use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _,
    ReadableTableMetadata as _, TableHandle as _, WriteTransaction,
};

use crate::batch::Batch;
use crate::device::DeviceRow;
use crate::document::{self, Document, DocumentError, DocumentKeys, SetDocument, Usage};
use crate::error::{OpenError, StoreError};
use crate::file::{self, FromFile, Opening, if_exists};
use crate::inventory::InventoryState;
use crate::schema::{DEVICES_PREFIX, INVENTORY, WORDS, devices, devices_table};

/// How the store uses the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// Memory for pages of the file.
    pub cache_bytes: usize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
        }
    }
}

/// Why a transaction was not made: its body refused, or the store failed.
pub(crate) trait Refusal: From<StoreError> {
    /// The store's own failure, if it was that.
    fn failure(&self) -> Option<&StoreError>;
}

impl Refusal for StoreError {
    fn failure(&self) -> Option<&StoreError> {
        Some(self)
    }
}

impl Refusal for DocumentError {
    fn failure(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

/// The durable memory in one file.
///
/// Every change is one transaction: durable as a whole when the call returns,
/// not there at all when it failed. After an error of the disk the file is
/// opened again, so that the next call works as soon as the disk does.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    opening: Opening,
    /// `None` after an error until the file can be opened again.
    database: RwLock<Option<Database>>,
}

impl Store {
    /// Opens the store at `path`, or makes a new one. Every page is checked: it
    /// holds all that was ever acknowledged, or this is an error.
    pub fn open(path: &Path, settings: &StoreSettings) -> Result<Self, OpenError> {
        let opening = Opening {
            cache_bytes: settings.cache_bytes,
            disk: Arc::new(FromFile),
        };
        Self::open_as(path, opening)
    }

    pub(crate) fn open_as(path: &Path, opening: Opening) -> Result<Self, OpenError> {
        let database = file::open_or_create(path, &opening)?;
        Ok(Self {
            path: path.to_owned(),
            opening,
            database: RwLock::new(Some(database)),
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn file_bytes(&self) -> u64 {
        file::length(&self.path)
    }

    /// The words that packed devices refer to, by number.
    pub fn words(&self) -> Result<Vec<String>, StoreError> {
        let table = self.read()?.open_table(WORDS)?;
        let mut words = Vec::new();
        for entry in table.iter()? {
            let (number, word) = entry?;
            if usize::try_from(number.value()) != Ok(words.len()) {
                let detail = format!("word {} is missing", words.len());
                return Err(StoreError::Damaged(detail));
            }
            words.push(word.value().to_owned());
        }
        Ok(words)
    }

    /// Reads all devices as of one moment, source by source, in the order of
    /// their keys.
    pub fn read_devices(
        &self,
        each: &mut dyn FnMut(DeviceRow<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        read_devices(&self.read()?, each)
    }

    /// One device.
    pub fn device(
        &self,
        source: &str,
        key: &str,
        read: &mut dyn FnMut(DeviceRow<'_>),
    ) -> Result<bool, StoreError> {
        let name = devices_table(source);
        let Some(table) = if_exists(self.read()?.open_table(devices(&name)))? else {
            return Ok(false);
        };
        let Some(value) = table.get(key)? else {
            return Ok(false);
        };
        read(DeviceRow::decode(source, key, value.value())?);
        Ok(true)
    }

    /// How many devices of a source are stored.
    pub fn device_count(&self, source: &str) -> Result<u64, StoreError> {
        let name = devices_table(source);
        let table = if_exists(self.read()?.open_table(devices(&name)))?;
        Ok(table.map(|table| table.len()).transpose()?.unwrap_or(0))
    }

    /// The sources that have devices in the store.
    pub fn sources(&self) -> Result<Vec<String>, StoreError> {
        sources(&self.read()?)
    }

    /// How far the inventory of a source has come.
    pub fn inventory_state(&self, source: &str) -> Result<Option<InventoryState>, StoreError> {
        let table = self.read()?.open_table(INVENTORY)?;
        let stored = table.get(source)?;
        stored
            .map(|bytes| InventoryState::decode(source, bytes.value()))
            .transpose()
    }

    /// One document that is live at `now`.
    pub fn document(
        &self,
        namespace: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Document>, StoreError> {
        document::get(&self.read()?, namespace, key, now)
    }

    /// A page of keys with `prefix` that are live at `now`, from after `cursor`
    /// on.
    pub fn document_keys(
        &self,
        namespace: &str,
        prefix: &str,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<DocumentKeys, StoreError> {
        document::keys(&self.read()?, namespace, prefix, cursor, now)
    }

    /// What a namespace of documents holds.
    pub fn document_usage(&self, namespace: &str) -> Result<Usage, StoreError> {
        document::usage(&self.read()?, namespace)
    }

    /// Makes all changes of `batch` durable, or none.
    pub fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        self.transact(|transaction| batch.apply(transaction))
    }

    /// Ends a full inventory read: forgets all devices of `source` that it did
    /// not see (another epoch) and that nobody asked the source about since
    /// (fetched before `before`), and notes `state`. Returns how many went.
    ///
    /// `on_removed` is told their keys before this is durable: what it does must
    /// be right only once this returns without an error. It must not panic.
    pub fn sweep(
        &self,
        source: &str,
        epoch: u32,
        before: Timestamp,
        state: &InventoryState,
        on_removed: &mut dyn FnMut(&str),
    ) -> Result<u64, StoreError> {
        self.transact(|transaction| sweep(transaction, source, epoch, before, state, on_removed))
    }

    /// Stores a document as `request` says and returns its version.
    pub fn set_document(&self, request: &SetDocument) -> Result<u64, DocumentError> {
        self.transact(|transaction| document::set(transaction, request))
    }

    /// Deletes a document. A missing one is no error.
    pub fn delete_document(&self, namespace: &str, key: &str) -> Result<(), StoreError> {
        self.transact(|transaction| document::delete(transaction, namespace, key))
    }

    /// Deletes all documents of a namespace.
    pub fn delete_documents(&self, namespace: &str) -> Result<(), StoreError> {
        self.transact(|transaction| document::delete_namespace(transaction, namespace))
    }

    /// One moment of the store, to be read while others write.
    pub(crate) fn read(&self) -> Result<ReadTransaction, StoreError> {
        if let Some(database) = self.database.read().as_ref() {
            return Ok(database.begin_read()?);
        }
        self.reopen()?;
        match self.database.read().as_ref() {
            Some(database) => Ok(database.begin_read()?),
            None => Err(StoreError::Closed),
        }
    }

    /// Runs `body` in one durable transaction.
    pub(crate) fn transact<T, E: Refusal>(
        &self,
        body: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.database.read().is_none() {
            self.reopen()?;
        }
        let done = file::guarded(|| self.attempt(body));
        let failure = done.as_ref().err().and_then(Refusal::failure);
        if failure.is_some_and(StoreError::needs_reopening) {
            self.close_and_reopen();
        }
        done
    }

    fn attempt<T, E: Refusal>(
        &self,
        body: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let database = self.database.read();
        let database = database.as_ref().ok_or(StoreError::Closed)?;
        let mut transaction = database.begin_write().map_err(StoreError::from)?;
        // Opening after a crash is then as quick as after a clean stop, and no
        // crash can make a repair step back behind this commit.
        transaction.set_quick_repair(true);
        // Dropped on an error, which takes back what was done.
        let value = body(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(value)
    }

    /// After an error of the disk the library refuses everything until the file
    /// is opened anew. What was committed is not touched by what failed.
    fn close_and_reopen(&self) {
        *self.database.write() = None;
        if let Err(error) = self.reopen() {
            tracing::error!(%error, "the store cannot be opened again");
        }
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut database = self.database.write();
        if database.is_none() {
            // A file that went away is not made anew: its content is missing.
            let opened = std::fs::File::options()
                .read(true)
                .write(true)
                .open(&self.path);
            let file = opened.map_err(StoreError::from)?;
            *database = Some(file::open(&self.path, file, &self.opening)?);
        }
        Ok(())
    }
}

/// The sources that have a table of devices.
pub(crate) fn sources(transaction: &ReadTransaction) -> Result<Vec<String>, StoreError> {
    let tables = transaction.list_tables()?;
    let sources = tables.filter_map(|table| {
        let source = table.name().strip_prefix(DEVICES_PREFIX)?;
        Some(source.to_owned())
    });
    Ok(sources.collect())
}

pub(crate) fn read_devices(
    transaction: &ReadTransaction,
    each: &mut dyn FnMut(DeviceRow<'_>) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    for source in sources(transaction)? {
        let table = transaction.open_table(devices(&devices_table(&source)))?;
        for entry in table.iter()? {
            let (key, value) = entry?;
            let row = DeviceRow::decode(&source, key.value(), value.value())?;
            if each(row).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

pub(crate) fn sweep(
    transaction: &WriteTransaction,
    source: &str,
    epoch: u32,
    before: Timestamp,
    state: &InventoryState,
    on_removed: &mut dyn FnMut(&str),
) -> Result<u64, StoreError> {
    let (mut removed, mut damage) = (0, None);
    let name = devices_table(source);
    transaction
        .open_table(devices(&name))?
        .retain(|key, value| match DeviceRow::decode(source, key, value) {
            Ok(row) if row.epoch != epoch && row.fetched_at < before => {
                removed += 1;
                on_removed(key);
                false
            }
            Ok(_) => true,
            Err(error) => {
                damage = Some(error);
                true
            }
        })?;
    if let Some(damage) = damage {
        return Err(damage);
    }
    let mut table = transaction.open_table(INVENTORY)?;
    table.insert(source, state.encode().as_slice())?;
    Ok(removed)
}
