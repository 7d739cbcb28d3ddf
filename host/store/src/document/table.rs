//! The tables behind documents: the documents themselves and a tally per
//! namespace, always changed together.

use std::ops::Bound;

use portreeve_domain::Timestamp;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, Table, WriteTransaction};

use super::{Document, DocumentError, DocumentKeys, LONGEST_KEY, PAGE, Quota, SetDocument, Usage};
use crate::error::StoreError;
use crate::schema::{DOCUMENTS, NAMESPACES};

/// The end of a document that has none.
const NEVER: u64 = u64::MAX;

/// Bytes before the value: version and end.
const HEADER: usize = 16;

type Documents<'t> = Table<'t, (&'static str, &'static str), &'static [u8]>;
type Namespaces<'t> = Table<'t, &'static str, (u64, u64, u64)>;

/// A stored document, still in its page.
#[derive(Clone, Copy)]
struct Stored<'a> {
    version: u64,
    expires: u64,
    value: &'a [u8],
}

impl<'a> Stored<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let header = bytes
            .split_first_chunk()
            .and_then(|(version, rest)| Some((version, rest.split_first_chunk()?)));
        let Some((version, (expires, value))) = header else {
            let detail = format!("a document has {} bytes", bytes.len());
            return Err(StoreError::Damaged(detail));
        };
        Ok(Self {
            version: u64::from_le_bytes(*version),
            expires: u64::from_le_bytes(*expires),
            value,
        })
    }

    const fn is_live(&self, now: Timestamp) -> bool {
        self.expires == NEVER || self.expires > now.as_millis()
    }
}

/// Keys, bytes and the last version of one namespace. It stays when the last
/// document goes, so that no version is ever given twice.
#[derive(Clone, Copy, Default)]
struct Tally {
    keys: u64,
    bytes: u64,
    version: u64,
}

impl Tally {
    fn read(
        table: &impl ReadableTable<&'static str, (u64, u64, u64)>,
        namespace: &str,
    ) -> Result<Self, StoreError> {
        let stored = table.get(namespace)?;
        Ok(stored.map_or_else(Self::default, |stored| {
            let (keys, bytes, version) = stored.value();
            Self {
                keys,
                bytes,
                version,
            }
        }))
    }

    fn write(self, table: &mut Namespaces<'_>, namespace: &str) -> Result<(), StoreError> {
        table.insert(namespace, (self.keys, self.bytes, self.version))?;
        Ok(())
    }

    fn forget(&mut self, key: &str, value_bytes: usize) {
        self.keys = self.keys.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size(key, value_bytes));
    }

    fn note(&mut self, key: &str, value_bytes: usize) {
        self.keys += 1;
        self.bytes += size(key, value_bytes);
    }

    /// Whether there is room once `replaced` bytes of a value are gone.
    fn fits(
        mut self,
        quota: &Quota,
        key: &str,
        value_bytes: usize,
        replaced: Option<usize>,
    ) -> bool {
        if let Some(replaced) = replaced {
            self.forget(key, replaced);
        }
        self.note(key, value_bytes);
        self.bytes <= quota.total_bytes && self.keys <= quota.keys
    }
}

const fn size(key: &str, value_bytes: usize) -> u64 {
    key.len() as u64 + value_bytes as u64
}

/// The length of the value that is stored, live or not.
fn stored_bytes(
    documents: &Documents<'_>,
    namespace: &str,
    key: &str,
) -> Result<Option<usize>, StoreError> {
    let stored = documents.get((namespace, key))?;
    Ok(stored.map(|bytes| bytes.value().len().saturating_sub(HEADER)))
}

/// Stores a value as [`SetDocument`] says and returns its version. An error
/// other than [`DocumentError::Store`] leaves the transaction as it was.
pub(crate) fn set(
    transaction: &WriteTransaction,
    request: &SetDocument,
) -> Result<u64, DocumentError> {
    let (namespace, key) = (request.namespace.as_str(), request.key.as_str());
    let (quota, value) = (&request.quota, request.value.as_slice());
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(DocumentError::InvalidKey);
    }
    if value.len() as u64 > quota.value_bytes {
        return Err(DocumentError::TooLarge(quota.value_bytes));
    }
    let mut documents = transaction
        .open_table(DOCUMENTS)
        .map_err(StoreError::from)?;
    let present = match documents.get((namespace, key)).map_err(StoreError::from)? {
        Some(bytes) => {
            let stored = Stored::decode(bytes.value())?;
            if stored.is_live(request.now) {
                stored.version
            } else {
                0
            }
        }
        None => 0,
    };
    if request
        .if_version
        .is_some_and(|expected| expected != present)
    {
        return Err(DocumentError::Conflict);
    }
    let mut namespaces = transaction
        .open_table(NAMESPACES)
        .map_err(StoreError::from)?;
    let mut tally = Tally::read(&namespaces, namespace)?;
    let mut replaced = stored_bytes(&documents, namespace, key)?;
    if !tally.fits(quota, key, value.len(), replaced) {
        remove_expired(&mut documents, &mut tally, namespace, request.now)?;
        tally.write(&mut namespaces, namespace)?;
        replaced = stored_bytes(&documents, namespace, key)?;
        if !tally.fits(quota, key, value.len(), replaced) {
            return Err(DocumentError::QuotaExceeded);
        }
    }
    // Beyond what the clock can tell is for ever.
    let expires = request.ttl.map(|ttl| request.now.plus(ttl));
    let version = write(
        &mut documents,
        &mut tally,
        (namespace, key),
        value,
        expires,
        replaced,
    )?;
    tally.write(&mut namespaces, namespace)?;
    Ok(version)
}

/// Stores a value whatever is there.
pub(crate) fn put(
    transaction: &WriteTransaction,
    namespace: &str,
    key: &str,
    value: &[u8],
    expires_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let mut documents = transaction.open_table(DOCUMENTS)?;
    let mut namespaces = transaction.open_table(NAMESPACES)?;
    let mut tally = Tally::read(&namespaces, namespace)?;
    let replaced = stored_bytes(&documents, namespace, key)?;
    write(
        &mut documents,
        &mut tally,
        (namespace, key),
        value,
        expires_at,
        replaced,
    )?;
    tally.write(&mut namespaces, namespace)
}

fn write(
    documents: &mut Documents<'_>,
    tally: &mut Tally,
    (namespace, key): (&str, &str),
    value: &[u8],
    expires_at: Option<Timestamp>,
    replaced: Option<usize>,
) -> Result<u64, StoreError> {
    if let Some(replaced) = replaced {
        tally.forget(key, replaced);
    }
    tally.note(key, value.len());
    tally.version += 1;
    let mut bytes = Vec::with_capacity(HEADER + value.len());
    bytes.extend_from_slice(&tally.version.to_le_bytes());
    let expires = expires_at.map_or(NEVER, Timestamp::as_millis);
    bytes.extend_from_slice(&expires.to_le_bytes());
    bytes.extend_from_slice(value);
    documents.insert((namespace, key), bytes.as_slice())?;
    Ok(tally.version)
}

/// Deletes a document. A missing one is no error.
pub(crate) fn delete(
    transaction: &WriteTransaction,
    namespace: &str,
    key: &str,
) -> Result<(), StoreError> {
    let mut documents = transaction.open_table(DOCUMENTS)?;
    let Some(bytes) = stored_bytes(&documents, namespace, key)? else {
        return Ok(());
    };
    documents.remove((namespace, key))?;
    let mut namespaces = transaction.open_table(NAMESPACES)?;
    let mut tally = Tally::read(&namespaces, namespace)?;
    tally.forget(key, bytes);
    tally.write(&mut namespaces, namespace)
}

/// Deletes all documents of a namespace; its versions go on where they were.
pub(crate) fn delete_namespace(
    transaction: &WriteTransaction,
    namespace: &str,
) -> Result<(), StoreError> {
    let mut documents = transaction.open_table(DOCUMENTS)?;
    let mut namespaces = transaction.open_table(NAMESPACES)?;
    let mut tally = Tally::read(&namespaces, namespace)?;
    for key in keys_of(&documents, namespace, |_| true)? {
        documents.remove((namespace, key.as_str()))?;
    }
    (tally.keys, tally.bytes) = (0, 0);
    tally.write(&mut namespaces, namespace)
}

fn remove_expired(
    documents: &mut Documents<'_>,
    tally: &mut Tally,
    namespace: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    for key in keys_of(documents, namespace, |stored| !stored.is_live(now))? {
        if let Some(bytes) = stored_bytes(documents, namespace, &key)? {
            documents.remove((namespace, key.as_str()))?;
            tally.forget(&key, bytes);
        }
    }
    Ok(())
}

fn keys_of(
    documents: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
    namespace: &str,
    wanted: impl Fn(Stored<'_>) -> bool,
) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for entry in documents.range((namespace, "")..)? {
        let (key, bytes) = entry?;
        let (owner, key) = key.value();
        if owner != namespace {
            break;
        }
        if wanted(Stored::decode(bytes.value())?) {
            found.push(key.to_owned());
        }
    }
    Ok(found)
}

/// One document that is live at `now`.
pub(crate) fn get(
    transaction: &ReadTransaction,
    namespace: &str,
    key: &str,
    now: Timestamp,
) -> Result<Option<Document>, StoreError> {
    let documents = transaction.open_table(DOCUMENTS)?;
    let Some(bytes) = documents.get((namespace, key))? else {
        return Ok(None);
    };
    let stored = Stored::decode(bytes.value())?;
    Ok(stored.is_live(now).then(|| Document {
        value: stored.value.to_vec(),
        version: stored.version,
    }))
}

/// A page of keys with `prefix` that are live at `now`, from after `cursor` on.
pub(crate) fn keys(
    transaction: &ReadTransaction,
    namespace: &str,
    prefix: &str,
    cursor: Option<&str>,
    now: Timestamp,
) -> Result<DocumentKeys, StoreError> {
    let documents: ReadOnlyTable<_, _> = transaction.open_table(DOCUMENTS)?;
    let start = match cursor {
        Some(cursor) if cursor >= prefix => Bound::Excluded((namespace, cursor)),
        _ => Bound::Included((namespace, prefix)),
    };
    let mut page = DocumentKeys::default();
    for entry in documents.range((start, Bound::Unbounded))? {
        let (key, bytes) = entry?;
        let (owner, key) = key.value();
        if owner != namespace || !key.starts_with(prefix) {
            break;
        }
        if !Stored::decode(bytes.value())?.is_live(now) {
            continue;
        }
        if page.keys.len() == PAGE {
            page.cursor = page.keys.last().cloned();
            break;
        }
        page.keys.push(key.to_owned());
    }
    Ok(page)
}

/// What a namespace holds.
pub(crate) fn usage(transaction: &ReadTransaction, namespace: &str) -> Result<Usage, StoreError> {
    let tally = Tally::read(&transaction.open_table(NAMESPACES)?, namespace)?;
    Ok(Usage {
        keys: tally.keys,
        bytes: tally.bytes,
    })
}

/// Counts all documents and compares with the tallies.
pub(crate) fn recount(transaction: &ReadTransaction) -> Result<u64, StoreError> {
    let namespaces = transaction.open_table(NAMESPACES)?;
    let mut counted = std::collections::BTreeMap::<String, Usage>::new();
    for entry in transaction.open_table(DOCUMENTS)?.iter()? {
        let (key, bytes) = entry?;
        let (namespace, key) = key.value();
        let stored = Stored::decode(bytes.value())?;
        if !counted.contains_key(namespace) {
            counted.insert(namespace.to_owned(), Usage::default());
        }
        if let Some(usage) = counted.get_mut(namespace) {
            usage.keys += 1;
            usage.bytes += size(key, stored.value.len());
        }
    }
    let mut documents = 0;
    for entry in namespaces.iter()? {
        let (namespace, tally) = entry?;
        let (keys, bytes, _) = tally.value();
        let counted = counted.remove(namespace.value()).unwrap_or_default();
        if counted != (Usage { keys, bytes }) {
            let name = namespace.value();
            let detail = format!("the tally of `{name}` is not what its documents add up to");
            return Err(StoreError::Damaged(detail));
        }
        documents += keys;
    }
    match counted.keys().next() {
        None => Ok(documents),
        Some(name) => Err(StoreError::Damaged(format!(
            "documents of `{name}` have no tally"
        ))),
    }
}
