//! What connectors remember between calls.

mod memory;

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

pub use memory::{MemoryState, StateQuota};

/// The longest key, in bytes.
pub(crate) const LONGEST_KEY: usize = 512;

/// A value and the version that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateEntry {
    /// What was stored.
    pub value: Vec<u8>,
    /// Grows with each write, never 0.
    pub version: u64,
}

/// One page of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateKeys {
    /// In byte order.
    pub keys: Vec<String>,
    /// Pass to the next call, `None` when the list is complete.
    pub cursor: Option<String>,
}

/// Why state could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The key is empty or longer than 512 bytes.
    #[error("the key is empty or longer than 512 bytes")]
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
    /// The store cannot be reached.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
}

/// The state of one connector instance. Keys of two instances never meet,
/// whoever implements this sees to that.
pub trait StateStore: Send + Sync + fmt::Debug {
    /// Reads one entry.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<StateEntry>, StateError>>;

    /// Stores a value and returns its version.
    ///
    /// With `if_version`, stores only over that version, 0 meaning "absent".
    /// With `ttl`, the entry disappears after that time.
    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        if_version: Option<u64>,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<u64, StateError>>;

    /// Deletes an entry. A missing key is no error.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StateError>>;

    /// Lists keys with a prefix, from after `cursor` on.
    fn list_keys<'a>(
        &'a self,
        prefix: &'a str,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<StateKeys, StateError>>;
}
