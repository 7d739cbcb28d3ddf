//! Whether the pictures of the sources are complete.

use std::fmt;
use std::time::Duration;

use portreeve_domain::Timestamp;

/// Who knows how complete the picture of each source is.
pub trait Pictures: Send + Sync + fmt::Debug {
    /// What a source's picture lacks to be complete at `now`, `None` if it is
    /// complete: everything that the source has is known, as of a time that the
    /// operator is content with.
    fn lack(&self, source: &str, now: Timestamp) -> Option<Lack>;

    /// A source is asked from now on, or is not. It may be told again.
    fn switch(&self, _source: &str, _enabled: bool) {}
}

/// What a picture lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Text for an administrator.
    pub detail: String,
    /// When asking again may help.
    pub retry_after: Duration,
}
