//! A connector's inventory: how it is called and what a page may hold.

use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_domain::Device;
use tracing::Level;
use wasmtime::Store;

use super::bindings::connector::portreeve::device::types as wit;
use super::bindings::inventory::exports::portreeve::connector::inventory;
use super::connector::{ConnectorData, ConnectorStart};
use super::device::device_from_wit;
use crate::error::{CallError, SettingsProblem};
use crate::guarded::{Guard, Start};
use crate::inventory::InventoryPage;
use crate::limits::{Limits, PageLimits};
use crate::plugin_log::PluginLog;

/// Bytes of a cursor. It is stored with every page.
const LONGEST_CURSOR: usize = 64 << 10;

/// Bytes of a source's key for a device.
const LONGEST_KEY: usize = 4 << 10;

/// Bytes of a key that are logged.
const SHOWN_KEY: usize = 64;

/// The typed export of a running connector that has an inventory.
pub(crate) type InventoryGuest = inventory::Guest;

impl Start<ConnectorData, InventoryGuest> for ConnectorStart {
    fn store(&self, limits: &Limits) -> Store<ConnectorData> {
        self.new_store(limits)
    }

    fn instantiate<'a>(
        &'a self,
        store: &'a mut Store<ConnectorData>,
    ) -> BoxFuture<'a, wasmtime::Result<InventoryGuest>> {
        async move {
            let Some(indices) = &self.pre.inventory else {
                return Err(wasmtime::format_err!("there is no inventory"));
            };
            let instance_pre = self.pre.connector.instance_pre();
            let instance = instance_pre.instantiate_async(&mut *store).await?;
            indices.load(store, &instance)
        }
        .boxed()
    }

    fn validate<'a>(
        &'a self,
        store: &'a mut Store<ConnectorData>,
    ) -> BoxFuture<'a, wasmtime::Result<Vec<SettingsProblem>>> {
        self.validate_offline(store)
    }
}

impl ConnectorStart {
    /// The page after `cursor`, `None` when the source does not know it any
    /// more.
    pub(crate) async fn next_page(
        &self,
        guard: &Guard<ConnectorData, InventoryGuest>,
        pages: &PageLimits,
        cursor: Option<String>,
        limit: u32,
        deadline: Instant,
    ) -> Result<Option<InventoryPage>, CallError> {
        if self.pre.inventory.is_none() {
            return Err(CallError::Unsupported(
                "the connector has no inventory".to_owned(),
            ));
        }
        guard
            .call(
                Some(deadline),
                self,
                |live| {
                    async move {
                        let inventory = &live.bindings;
                        let cursor = cursor.as_deref();
                        inventory
                            .call_next_page(&mut live.store, cursor, limit)
                            .await
                    }
                    .boxed()
                },
                |page| match page {
                    Ok(page) => page_from_wit(page, pages, &self.common.log).map(Some),
                    Err(inventory::SyncError::CursorExpired) => Ok(None),
                    Err(inventory::SyncError::Failed(error)) => Err(self.error(error)),
                },
            )
            .await
    }
}

fn page_from_wit(
    page: inventory::Page,
    limits: &PageLimits,
    log: &PluginLog,
) -> Result<InventoryPage, CallError> {
    let over = |what: String| Err(CallError::LimitHit(what));
    let entries = page.upserts.len().saturating_add(page.removals.len());
    if entries > limits.entries {
        let most = limits.entries;
        return over(format!("a page has {entries} entries, allowed are {most}"));
    }
    if page.cursor.len() > LONGEST_CURSOR {
        return over(format!("a cursor has more than {LONGEST_CURSOR} bytes"));
    }
    if page.removals.iter().any(|key| key.len() > LONGEST_KEY) {
        return over(format!("a removal has more than {LONGEST_KEY} bytes"));
    }
    let mut unusable = 0;
    let upserts = page.upserts.into_iter().filter_map(|device| {
        let device = usable(device, log);
        unusable += u64::from(device.is_none());
        device
    });
    Ok(InventoryPage {
        upserts: upserts.collect(),
        removals: page.removals,
        cursor: page.cursor,
        more: page.more,
        total: page.total,
        unusable,
    })
}

/// The device, unless it is beyond its bounds. One bad record must not keep
/// the whole fleet from being read; asked for by itself, it is an error.
fn usable(device: wit::Device, log: &PluginLog) -> Option<Device> {
    let key = device.key.clone();
    device_from_wit(device, log)
        .inspect_err(|error| {
            let (key, error) = (log.presentable(&key, SHOWN_KEY), error.to_string());
            let fields = [("key", key.as_str()), ("error", error.as_str())];
            log.write(Level::WARN, "device left out of the inventory", fields);
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::super::device::tests::{device, log};
    use super::*;

    const LIMITS: PageLimits = PageLimits {
        wall_clock: std::time::Duration::from_secs(1),
        entries: 3,
        bytes: 1 << 20,
    };

    fn page(upserts: usize, removals: usize) -> inventory::Page {
        inventory::Page {
            upserts: vec![device(); upserts],
            removals: vec!["gone".to_owned(); removals],
            cursor: "c".to_owned(),
            more: true,
            total: Some(9),
        }
    }

    #[track_caller]
    fn refused(page: inventory::Page, expected: &str) {
        let error = page_from_wit(page, &LIMITS, &log()).unwrap_err();
        assert!(error.is_plugin_fault(), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn a_page_keeps_what_it_says() {
        let page = page_from_wit(page(2, 1), &LIMITS, &log()).unwrap();
        assert_eq!(page.upserts.len(), 2);
        assert_eq!(page.removals, ["gone"]);
        assert_eq!((&*page.cursor, page.more), ("c", true));
        assert_eq!((page.total, page.unusable), (Some(9), 0));
    }

    #[test]
    fn a_page_is_bounded() {
        refused(page(2, 2), "a page has 4 entries, allowed are 3");
        refused(page(4, 0), "a page has 4 entries, allowed are 3");
        let mut long = page(0, 0);
        long.cursor = "x".repeat(LONGEST_CURSOR + 1);
        refused(long, "a cursor has more than 65536 bytes");
        let mut long = page(0, 0);
        long.removals = vec!["x".repeat(LONGEST_KEY + 1)];
        refused(long, "a removal has more than 4096 bytes");
    }

    #[test]
    fn a_bad_record_is_left_out_and_a_bad_identifier_too() {
        let mut bad = page(3, 0);
        bad.upserts[0].key.clear();
        let malformed = wit::DeviceId::Mac("not an address".to_owned());
        bad.upserts[1].ids.push(malformed);
        let page = page_from_wit(bad, &LIMITS, &log()).unwrap();
        assert_eq!((page.upserts.len(), page.unusable), (2, 1));
        assert_eq!(page.upserts[0], page.upserts[1]);
    }
}
