//! What the connector borrows from its host, as a trait, so that its logic runs
//! in plain tests too.

use portreeve_plugin::connector::credentials::Info;
use portreeve_plugin::http::{Error, Response};

/// The way to the outside.
pub(crate) trait Services {
    /// Sends a `GET` request. A redirect is an answer.
    fn get(&self, url: &str, accept: &str) -> Result<Response, Error>;

    /// Sends JSON. A redirect is an answer.
    fn post(&self, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Response, Error>;

    /// Milliseconds since the Unix epoch, UTC.
    fn now_ms(&self) -> u64;

    /// What [`Services::remember`] kept under a key, if it is still there.
    fn recall(&self, key: &str) -> Option<Vec<u8>>;

    /// Keeps a value for a time and says whether that worked. Not being able to
    /// is no failure of a look-up: the value can be had again.
    fn remember(&self, key: &str, value: &[u8], ttl_ms: u64) -> bool;

    /// Drops what is kept under a key.
    fn forget(&self, key: &str);

    /// Gets a credential anew and says how that went.
    fn renew_credential(&self, slot: &str) -> Info;
}

#[cfg(test)]
pub(crate) mod fake;
