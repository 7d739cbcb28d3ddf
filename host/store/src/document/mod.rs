//! Documents: small values by namespace and key, with a version and an end.
//!
//! The rules are those of the state that plugins have (`portreeve:host/state`):
//! a version guards a write, an entry may disappear after its time, a quota
//! bounds keys and bytes of a namespace. An expired document counts towards the
//! quota until room is needed; then all expired ones of the namespace go.

mod table;

use std::time::Duration;

use portreeve_domain::Timestamp;

use crate::error::StoreError;

pub(crate) use table::{delete, delete_namespace, get, keys, put, recount, set, usage};

/// The longest key of a document, in bytes.
const LONGEST_KEY: usize = 512;

/// Keys on one page of a list.
const PAGE: usize = 256;

/// A value and the version that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// What was stored.
    pub value: Vec<u8>,
    /// Grows with each write to the namespace, never 0.
    pub version: u64,
}

/// One page of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentKeys {
    /// In byte order.
    pub keys: Vec<String>,
    /// Pass to the next call, `None` when the list is complete.
    pub cursor: Option<String>,
}

/// How much one namespace may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Documents.
    pub keys: u64,
    /// Bytes of one value.
    pub value_bytes: u64,
    /// Bytes of all keys and values together.
    pub total_bytes: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            keys: 1024,
            value_bytes: 64 << 10,
            total_bytes: 4 << 20,
        }
    }
}

/// What a namespace holds, expired documents that are still there included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Documents.
    pub keys: u64,
    /// Bytes of all keys and values together.
    pub bytes: u64,
}

/// A guarded write of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDocument {
    /// Whose document it is, e.g. a connector instance.
    pub namespace: String,
    /// Its key, 1 to 512 bytes.
    pub key: String,
    /// What to store.
    pub value: Vec<u8>,
    /// Store only over that version, 0 meaning "absent".
    pub if_version: Option<u64>,
    /// The document disappears after that time.
    pub ttl: Option<Duration>,
    /// How much the namespace may hold.
    pub quota: Quota,
    /// The time of the request.
    pub now: Timestamp,
}

/// Why a document was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The key is empty or longer than 512 bytes.
    #[error("the key is empty or longer than {LONGEST_KEY} bytes")]
    InvalidKey,
    /// The value is larger than allowed.
    #[error("the value is larger than {0} bytes")]
    TooLarge(u64),
    /// The quota of keys or bytes is used up.
    #[error("the quota of keys or bytes is used up")]
    QuotaExceeded,
    /// The stored version differs from the one given.
    #[error("the stored version is another one")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
