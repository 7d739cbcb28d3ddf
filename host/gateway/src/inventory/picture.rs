//! Where pages go.

use std::fmt;

use futures_util::future::BoxFuture;
use portreeve_domain::{Device, Timestamp};

use super::InventoryState;

/// What is kept of one source's devices: in memory, for questions, and durably.
///
/// INVARIANT: a device leaves it by an explicit removal or by [`complete`],
/// never by a full read that is half done.
///
/// [`complete`]: Self::complete
pub trait Picture: Send + Sync + fmt::Debug {
    /// How far the inventory was read when the last change became durable.
    /// `None` when nothing ever was.
    fn load_state(&self) -> BoxFuture<'_, Result<Option<InventoryState>, PictureError>>;

    /// Takes in one page, and `state` with it: both are durable or neither is.
    /// Done when they are. Memory shows the page by then as well.
    ///
    /// Every device is marked with `state.epoch`. A record that was fetched
    /// later than the page, by a question, keeps its facts and is marked all
    /// the same. A key that is among the removals, too, is gone. The same page
    /// may come twice.
    ///
    /// Dropping the future may leave the page applied: it is read once more.
    fn apply(
        &self,
        change: Change,
        state: InventoryState,
    ) -> BoxFuture<'_, Result<(), PictureError>>;

    /// A full read is complete: removes every device that neither carries
    /// `state.epoch` nor was fetched at or after `state.started_at`, then keeps
    /// `state`. How many were removed.
    ///
    /// It may be done in steps; `state` is durable only after the last one.
    fn complete(&self, state: InventoryState) -> BoxFuture<'_, Result<u64, PictureError>>;

    /// Devices kept of this source, if that can be told at once. For metrics.
    fn devices(&self) -> Option<u64> {
        None
    }
}

/// What one page changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Devices as they are now.
    pub upserts: Vec<Device>,
    /// The source's keys of devices that are gone.
    pub removals: Vec<String>,
    /// When the page was asked for: the facts are at least as young.
    pub fetched_at: Timestamp,
}

impl Change {
    pub(super) const fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.removals.is_empty()
    }
}

/// The picture could not be changed or read; it is as it was before. Text for
/// an administrator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PictureError(pub String);
