//! How fast a fleet comes from a plugin into the device cache, without a store
//! and without a network.
//!
//! `cargo run --release --example inventory_rate [DEVICES]`

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_cache::{CacheSettings, DeviceCache, SourceId};
use portreeve_egress::{Egress, EgressSettings};
use portreeve_gateway::inventory::{
    Change, Inventory, InventorySettings, InventorySource, InventoryState, Picture, PictureError,
};
use portreeve_runtime::{
    BreakerSettings, ConnectorSettings, Limits, MemoryState, PageLimits, Runtime, RuntimeSettings,
};
use prometheus::Registry;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The cache alone.
#[derive(Debug)]
struct Memory(DeviceCache);

impl Picture for Memory {
    fn load_state(&self) -> BoxFuture<'_, Result<Option<InventoryState>, PictureError>> {
        async { Ok(None) }.boxed()
    }

    fn apply(
        &self,
        change: Change,
        _state: InventoryState,
    ) -> BoxFuture<'_, Result<(), PictureError>> {
        async move {
            for device in change.upserts {
                self.0.insert(SourceId(0), device, change.fetched_at);
            }
            Ok(())
        }
        .boxed()
    }

    fn complete(&self, _state: InventoryState) -> BoxFuture<'_, Result<u64, PictureError>> {
        async { Ok(0) }.boxed()
    }
}

fn main() -> Result<(), Failure> {
    let devices = std::env::args()
        .nth(1)
        .map_or(Ok(100_000), |text| text.parse())?;
    let clients = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    clients.block_on(measure(devices))
}

async fn measure(devices: usize) -> Result<(), Failure> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests");
    let guest = guests.join("fixture-connector.wasm");
    let component = std::fs::read(&guest)
        .map_err(|error| format!("{}: {error}; run `cargo xtask guests`", guest.display()))?;
    let plugin = Runtime::new(&RuntimeSettings::default())?
        .load(&component)
        .await?;
    let fleet = serde_json::json!({ "devices": devices });
    let settings = ConnectorSettings {
        settings: serde_json::json!({ "behaviour": "unknown", "inventory": fleet }),
        limits: Limits::connector(),
        pages: PageLimits::default(),
        breaker: BreakerSettings::default(),
        egress: Egress::new("rate", EgressSettings::default())?,
        state: Arc::new(MemoryState::default()),
    };
    let connector = plugin.connector("rate", settings).await?;
    let cache = CacheSettings {
        max_devices: devices,
        ..CacheSettings::default()
    };
    let memory = Arc::new(Memory(DeviceCache::new(cache)));
    let source = InventorySource {
        name: "rate".into(),
        source: Arc::new(connector),
        picture: Arc::clone(&memory) as Arc<dyn Picture>,
        settings: InventorySettings {
            jitter: Duration::ZERO,
            ..InventorySettings::default()
        },
    };
    let before = resident();
    let began = Instant::now();
    let inventory = Inventory::start(vec![source], &Registry::new())?;
    inventory.request_sync("rate", true)?.ended().await?;
    let first = began.elapsed();
    let filled = resident();
    let began = Instant::now();
    inventory.request_sync("rate", true)?.ended().await?;
    let again = began.elapsed();
    report("first read", memory.0.len(), first, before, filled);
    report("read again", memory.0.len(), again, filled, resident());
    inventory.shutdown().await;
    Ok(())
}

#[expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "the report is what this program is for"
)]
fn report(name: &str, devices: usize, took: Duration, before: u64, after: u64) {
    let rate = devices as f64 / took.as_secs_f64();
    let grown = after.saturating_sub(before) / 1024;
    println!("{name}: {devices} devices in {took:.1?}, {rate:.0}/s, {grown} MiB more in memory");
}

/// Kibibytes in memory, where the system tells.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
