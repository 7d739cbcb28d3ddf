//! The tables of the file, their version, and the way from older ones.

use redb::{ReadableTable as _, TableDefinition, TableError, WriteTransaction};

use crate::device;
use crate::error::StoreError;

/// The version of the tables that this Portreeve reads and writes.
pub const SCHEMA_VERSION: u64 = MIGRATIONS.len() as u64;

/// Numbers about the file itself. Its being there makes a file a store.
pub(crate) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The key of the schema version in [`META`].
pub(crate) const VERSION: &str = "schema";
/// The words that packed devices refer to, by number, without a gap.
pub(crate) const WORDS: TableDefinition<'_, u32, &str> = TableDefinition::new("words");
/// How far the inventory of each source has come, as JSON.
pub(crate) const INVENTORY: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("inventory");
/// Documents by namespace and key.
pub(crate) const DOCUMENTS: TableDefinition<'_, (&str, &str), &[u8]> =
    TableDefinition::new("documents");
/// Keys, bytes and the last version of each namespace.
pub(crate) const NAMESPACES: TableDefinition<'_, &str, (u64, u64, u64)> =
    TableDefinition::new("namespaces");

/// Devices are in one table per source, so that counting and forgetting a
/// source costs nothing and no row repeats its name.
pub(crate) const DEVICES_PREFIX: &str = "devices/";

pub(crate) fn devices_table(source: &str) -> String {
    format!("{DEVICES_PREFIX}{source}")
}

/// The table of one source's devices, by the name [`devices_table`] gives.
pub(crate) const fn devices(name: &str) -> TableDefinition<'_, &'static str, &'static [u8]> {
    TableDefinition::new(name)
}

/// One step from a version to the next, inside a transaction.
type Migration = fn(&WriteTransaction) -> Result<(), StoreError>;

/// The step at position `n` leads from version `n` to `n + 1`.
const MIGRATIONS: &[Migration] = &[one_table_per_source];

/// Writes the tables of the present version into an empty file.
pub(crate) fn create(transaction: &WriteTransaction) -> Result<(), StoreError> {
    open_all(transaction)?;
    transaction
        .open_table(META)?
        .insert(VERSION, SCHEMA_VERSION)?;
    Ok(())
}

/// Brings a file of version `found` to the present one. The caller commits, so
/// that a crash leaves either the old file or the new one.
pub(crate) fn migrate(transaction: &WriteTransaction, found: u64) -> Result<(), StoreError> {
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for (step, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        tracing::info!(from = step, to = step + 1, "migrating the store");
        migration(transaction)?;
    }
    create(transaction)
}

fn open_all(transaction: &WriteTransaction) -> Result<(), TableError> {
    transaction.open_table(WORDS)?;
    transaction.open_table(INVENTORY)?;
    transaction.open_table(DOCUMENTS)?;
    transaction.open_table(NAMESPACES)?;
    Ok(())
}

/// Version 0 kept all devices in one table by source and key, with the time but
/// without an epoch.
fn one_table_per_source(transaction: &WriteTransaction) -> Result<(), StoreError> {
    const OLD: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("devices");
    {
        let old = transaction.open_table(OLD)?;
        let mut row = Vec::new();
        // The rows of one source follow each other: its table stays open.
        let mut rows = old.iter()?.peekable();
        while let Some(source) = rows.peek().and_then(|row| row.as_ref().ok()) {
            let source = source.0.value().0.to_owned();
            let name = devices_table(&source);
            let mut table = transaction.open_table(devices(&name))?;
            while let Some(entry) =
                rows.next_if(|entry| entry.as_ref().is_ok_and(|(key, _)| key.value().0 == source))
            {
                let (key, value) = entry?;
                device::from_version_0(value.value(), &mut row)?;
                table.insert(key.value().1, row.as_slice())?;
            }
        }
        if let Some(Err(error)) = rows.next() {
            return Err(error.into());
        }
    }
    transaction.delete_table(OLD)?;
    Ok(())
}
