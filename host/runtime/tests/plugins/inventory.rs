//! Reading a whole fleet from a guest that may misbehave.

use std::time::{Duration, Instant};

use portreeve_runtime::{
    BreakerState, CallError, Connector, InventoryError, InventoryPage, LookupOutcome,
};
use serde_json::json;

use crate::support::{PATIENCE, Setup, deadline, find, narrow, wasi};

fn fleet(table: serde_json::Value) -> Setup {
    let mut setup = narrow("unknown").set("inventory", table);
    setup.pages.wall_clock = PATIENCE;
    setup
}

async fn page(
    connector: &Connector,
    cursor: Option<&str>,
) -> Result<InventoryPage, InventoryError> {
    connector.next_page(cursor, 4, deadline()).await
}

async fn trouble(trouble: &str) -> (Connector, Result<InventoryPage, InventoryError>) {
    let connector = fleet(json!({ "trouble": trouble })).start().await;
    let page = page(&connector, None).await;
    (connector, page)
}

#[tokio::test]
async fn a_fleet_is_read_page_by_page_and_then_its_changes() {
    let table = json!({ "changes": 1, "removals": 2 });
    let connector = fleet(table).start().await;
    assert!(connector.has_inventory());
    let mut keys = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = page(&connector, cursor.as_deref()).await.unwrap();
        assert_eq!((page.total, page.unusable), (Some(10), 0));
        assert_eq!(page.upserts[0].ids.len(), 3);
        keys.extend(page.upserts.into_iter().map(|device| device.key));
        cursor = Some(page.cursor);
        if !page.more {
            break;
        }
    }
    assert_eq!(keys.len(), 10);
    assert_eq!(keys[9], "device-9");
    let changes = page(&connector, cursor.as_deref()).await.unwrap();
    assert_eq!(changes.removals, ["device-8", "device-9"]);
    assert_eq!((changes.upserts.len(), changes.more), (1, false));
    let status = connector.inventory_status();
    assert_eq!((status.calls, status.faults), (4, 0));
    assert_eq!(connector.status().calls, 0, "look-ups count for themselves");
}

#[tokio::test]
async fn a_connector_without_an_inventory_says_so() {
    let connector = wasi("unknown").start().await;
    assert!(!connector.has_inventory());
    let error = page(&connector, None).await.unwrap_err();
    assert!(
        matches!(error, InventoryError::Failed(CallError::Unsupported(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_expired_cursor_is_no_failure_of_the_source() {
    let connector = fleet(json!({})).start().await;
    let expired = page(&connector, Some("from another time")).await;
    assert_eq!(expired, Err(InventoryError::CursorExpired));
    assert!(page(&connector, None).await.is_ok());
}

#[tokio::test]
async fn errors_of_the_source_keep_their_kind() {
    let setup = fleet(json!({ "trouble": "fail" })).set("text", "rate-limited");
    let connector = setup.start().await;
    let limited = CallError::RateLimited(Some(Duration::from_millis(1500)));
    let page = page(&connector, None).await;
    assert_eq!(page, Err(limited.into()));
    assert_eq!(connector.inventory_status().faults, 0);
}

#[tokio::test]
async fn a_record_that_is_none_is_left_out() {
    let (_, page) = trouble("malformed").await;
    let page = page.unwrap();
    assert_eq!((page.upserts.len(), page.unusable), (3, 1));
    assert_eq!(page.upserts[0].key, "device-1");
}

#[tokio::test]
async fn a_page_is_bounded_in_entries_and_in_bytes() {
    let big = || fleet(json!({ "trouble": "oversize", "devices": 2000 }));
    let mut few = big();
    few.pages.entries = 1999;
    let error = page(&few.start().await, None).await.unwrap_err();
    let text = "the plugin went over a limit: a page has 2000 entries, allowed are 1999";
    assert_eq!(error.to_string(), text);
    let mut small = big();
    small.pages.bytes = 64 << 10;
    let error = page(&small.start().await, None).await.unwrap_err();
    let text = "the plugin went over a limit: more than 65536 bytes handed over at once";
    assert_eq!(error.to_string(), text);
    assert_eq!(
        page(&big().start().await, None)
            .await
            .unwrap()
            .upserts
            .len(),
        2000
    );
}

#[tokio::test]
async fn a_page_that_breaks_the_plugin_leaves_look_ups_alone() {
    let mut setup = fleet(json!({ "trouble": "crash" }));
    setup.breaker.faults = 1;
    setup.breaker.pause = PATIENCE;
    let connector = setup.start().await;
    let crashed = page(&connector, None).await.unwrap_err();
    assert!(
        matches!(crashed, InventoryError::Failed(CallError::Trap(_))),
        "{crashed:?}"
    );
    assert_eq!(connector.inventory_status().breaker, BreakerState::Open);
    let refused = page(&connector, None).await.unwrap_err();
    assert!(
        matches!(
            refused,
            InventoryError::Failed(CallError::BreakerOpen { .. })
        ),
        "{refused:?}"
    );
    assert_eq!(connector.status().breaker, BreakerState::Closed);
    assert_eq!(find(&connector).await, Ok(LookupOutcome::Unknown));
}

#[tokio::test]
async fn a_page_has_its_own_time_and_does_not_hold_up_look_ups() {
    let mut setup = fleet(json!({ "trouble": "hang" }));
    setup = setup.limits(|limits| limits.concurrent_calls = 1);
    setup.pages.wall_clock = Duration::from_secs(2);
    let connector = setup.start().await;
    let hanging = tokio::task::JoinSet::from_iter([{
        let connector = connector.clone();
        async move { (page(&connector, None).await, Instant::now()) }
    }]);
    for _ in 0..10 {
        assert_eq!(find(&connector).await, Ok(LookupOutcome::Unknown));
    }
    let answered = Instant::now();
    let (stopped, at) = hanging.join_all().await.remove(0);
    assert_eq!(stopped, Err(CallError::OutOfTime.into()));
    assert!(answered < at, "they were answered meanwhile");
}
