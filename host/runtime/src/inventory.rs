//! Reading everything a source has, page by page.

use std::sync::Arc;
use std::time::Instant;

use portreeve_domain::Device;

use crate::connector::Connector;
use crate::error::CallError;
use crate::status::InstanceStatus;

/// One page of everything a source has, or of what changed there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InventoryPage {
    /// Devices that are new or may have changed.
    pub upserts: Vec<Device>,
    /// The source's keys of devices that are gone.
    pub removals: Vec<String>,
    /// Where the next call goes on, also after a restart. Opaque.
    pub cursor: String,
    /// Whether more is waiting. When not, `cursor` is for the next time.
    pub more: bool,
    /// How many devices there are in all, as the source estimates.
    pub total: Option<u64>,
    /// Records that were left out because they are unusable, e.g. too large.
    pub unusable: u64,
}

/// A page that was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InventoryError {
    /// The cursor is no longer valid: start over without one.
    #[error("the source no longer knows the cursor")]
    CursorExpired,
    /// Nothing was learnt.
    #[error(transparent)]
    Failed(#[from] CallError),
}

impl Connector {
    /// Whether the plugin can read everything its source has.
    pub fn has_inventory(&self) -> bool {
        self.inner.start.pre.inventory.is_some()
    }

    /// Reads the page after `cursor`, the first of a full read without one.
    /// `limit` devices are wished for; a source's own pages may be smaller.
    ///
    /// One page is read at a time, in an instance of its own: look-ups are not
    /// held up.
    pub async fn next_page(
        &self,
        cursor: Option<&str>,
        limit: u32,
        deadline: Instant,
    ) -> Result<InventoryPage, InventoryError> {
        let (inner, cursor) = (Arc::clone(&self.inner), cursor.map(str::to_owned));
        let call = async move {
            let (guard, pages) = (&inner.page_guard, &inner.pages);
            let page = inner.start.next_page(guard, pages, cursor, limit, deadline);
            page.await
        };
        let page = self.inner.shared.workers.run(call).await?;
        page.ok_or(InventoryError::CursorExpired)
    }

    /// How it is doing with its inventory, which has a breaker of its own.
    pub fn inventory_status(&self) -> InstanceStatus {
        self.inner.page_guard.status()
    }
}
