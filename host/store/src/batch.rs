//! Changes that become durable together.

use std::sync::Arc;

use portreeve_domain::Timestamp;
use redb::WriteTransaction;

use crate::device::DeviceRow;
use crate::document;
use crate::error::StoreError;
use crate::inventory::InventoryState;
use crate::schema::{INVENTORY, devices, devices_table};
use crate::word;

/// Changes that become durable together, or not at all.
///
/// For one key, the last change counts.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    words: Option<(u32, Vec<String>)>,
    devices: Vec<DeviceChange>,
    forgotten: Vec<String>,
    inventory: Vec<(String, InventoryState)>,
    documents: Vec<DocumentChange>,
}

/// A row, or `None` to remove it.
#[derive(Clone, Debug)]
struct DeviceChange {
    source: Arc<str>,
    key: Box<str>,
    value: Option<Box<[u8]>>,
}

#[derive(Clone, Debug)]
struct DocumentChange {
    namespace: String,
    key: String,
    value: Option<(Vec<u8>, Option<Timestamp>)>,
}

impl Batch {
    /// Sets the words that come with the batch; the first has number `first`.
    pub fn set_words(&mut self, first: u32, words: Vec<String>) {
        self.words = Some((first, words));
    }

    /// Adds a device, or replaces it.
    pub fn put_device(&mut self, row: &DeviceRow<'_>) {
        self.change_device(row.source, row.key.into(), Some(row.encode()));
    }

    /// Removes a device. That it is not there is no error.
    pub fn remove_device(&mut self, source: &str, key: &str) {
        self.change_device(source, key.into(), None);
    }

    /// Forgets a source: its devices (before other changes of this batch are
    /// made) and how far its inventory has come.
    pub fn forget_source(&mut self, source: &str) {
        self.forgotten.push(source.to_owned());
    }

    /// Notes how far the inventory of a source has come.
    pub fn set_inventory(&mut self, source: &str, state: InventoryState) {
        self.inventory.push((source.to_owned(), state));
    }

    /// Stores a document whatever is there, without a quota.
    pub fn put_document(
        &mut self,
        namespace: &str,
        key: &str,
        value: Vec<u8>,
        expires_at: Option<Timestamp>,
    ) {
        self.documents.push(DocumentChange {
            namespace: namespace.to_owned(),
            key: key.to_owned(),
            value: Some((value, expires_at)),
        });
    }

    /// Deletes a document. That it is not there is no error.
    pub fn delete_document(&mut self, namespace: &str, key: &str) {
        self.documents.push(DocumentChange {
            namespace: namespace.to_owned(),
            key: key.to_owned(),
            value: None,
        });
    }

    /// Changes in the batch, words apart.
    pub fn len(&self) -> usize {
        self.devices.len() + self.forgotten.len() + self.inventory.len() + self.documents.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.words.is_none()
    }

    fn change_device(&mut self, source: &str, key: Box<str>, value: Option<Box<[u8]>>) {
        // A batch is mostly about one source; its name is stored once then.
        let known = self.devices.last().map(|last| &last.source);
        let source = known
            .filter(|known| &***known == source)
            .map_or_else(|| source.into(), Arc::clone);
        self.devices.push(DeviceChange { source, key, value });
    }

    /// Makes the changes inside `transaction`. An error other than
    /// [`StoreError::Words`] leaves the transaction unusable; that one leaves it
    /// as it was.
    pub(crate) fn apply(&self, transaction: &WriteTransaction) -> Result<(), StoreError> {
        if let Some((first, words)) = &self.words {
            word::append(transaction, *first, words)?;
        }
        for source in &self.forgotten {
            transaction.delete_table(devices(&devices_table(source)))?;
            transaction.open_table(INVENTORY)?.remove(source.as_str())?;
        }
        let changes = self.devices.iter().map(|change| {
            let DeviceChange { source, key, value } = change;
            (&**source, &**key, value.as_deref())
        });
        apply_devices(transaction, changes.collect())?;
        if !self.inventory.is_empty() {
            let mut table = transaction.open_table(INVENTORY)?;
            for (source, state) in &self.inventory {
                table.insert(source.as_str(), state.encode().as_slice())?;
            }
        }
        for change in &self.documents {
            let (namespace, key) = (&change.namespace, &change.key);
            match &change.value {
                Some((value, expires_at)) => {
                    document::put(transaction, namespace, key, value, *expires_at)?;
                }
                None => document::delete(transaction, namespace, key)?,
            }
        }
        Ok(())
    }
}

/// Puts rows and, where there is no value, removes them.
pub(crate) fn apply_devices(
    transaction: &WriteTransaction,
    mut changes: Vec<(&str, &str, Option<&[u8]>)>,
) -> Result<(), StoreError> {
    // In the order of the tree, neighbours share pages. The sort is stable: of
    // two changes of one key, the last stays the last.
    changes.sort_by_key(|&(source, key, _)| (source, key));
    for changes in changes.chunk_by(|one, other| one.0 == other.0) {
        let Some((source, ..)) = changes.first() else {
            continue;
        };
        let name = devices_table(source);
        let mut table = transaction.open_table(devices(&name))?;
        for &(_, key, value) in changes {
            match value {
                Some(value) => drop(table.insert(key, value)?),
                None => drop(table.remove(key)?),
            }
        }
    }
    Ok(())
}
