//! A source that plays a script and a picture in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use portreeve_domain::{Device, Identifier, Timestamp};
use prometheus::Registry;
use tokio::sync::Semaphore;
use tokio::time::Instant as Moment;

use crate::inventory::{
    Change, Inventory, InventorySettings, InventorySource, InventoryState, Picture, PictureError,
};
use crate::{
    CheckReport, Health, InventoryError, InventoryPage, Lookup, Source, SourceError,
    SourceErrorKind,
};

/// The paused clock as a calendar.
pub(super) fn clock() -> Timestamp {
    thread_local! {
        static START: Moment = Moment::now();
    }
    let elapsed = START.with(Moment::elapsed);
    Timestamp::from_millis(1_800_000_000_000).plus(elapsed)
}

pub(super) fn device(key: &str) -> Device {
    Device {
        key: key.to_owned(),
        ..Device::default()
    }
}

/// Devices, where to go on, and whether more is waiting.
pub(super) fn page(upserts: &[&str], cursor: &str, more: bool) -> Step {
    Step::Answer(Ok(InventoryPage {
        upserts: upserts.iter().map(|key| device(key)).collect(),
        cursor: cursor.to_owned(),
        more,
        total: Some(100),
        ..InventoryPage::default()
    }))
}

pub(super) fn removals(keys: &[&str], cursor: &str) -> Step {
    Step::Answer(Ok(InventoryPage {
        removals: keys.iter().map(|key| (*key).to_owned()).collect(),
        cursor: cursor.to_owned(),
        ..InventoryPage::default()
    }))
}

pub(super) fn expired() -> Step {
    Step::Answer(Err(InventoryError::CursorExpired))
}

pub(super) fn fails(kind: SourceErrorKind, retry_after: Option<Duration>) -> Step {
    Step::Answer(Err(InventoryError::Failed(SourceError {
        kind,
        message: "because".to_owned(),
        retry_after,
    })))
}

pub(super) fn unavailable() -> Step {
    fails(SourceErrorKind::Unavailable, None)
}

#[derive(Debug)]
pub(super) enum Step {
    Answer(Result<InventoryPage, InventoryError>),
    /// Never answers.
    Hang,
}

/// A source that plays a script, then says that nothing has changed.
#[derive(Debug)]
pub(super) struct Script {
    steps: Mutex<VecDeque<Step>>,
    calls: Mutex<Vec<(Option<String>, Moment)>>,
    called: Semaphore,
    pub(super) latency: Duration,
    pub(super) has_inventory: bool,
}

impl Script {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self {
            steps: Mutex::new(steps.into()),
            calls: Mutex::default(),
            called: Semaphore::new(0),
            latency: Duration::ZERO,
            has_inventory: true,
        }
    }

    pub(super) fn add(&self, steps: Vec<Step>) {
        self.steps.lock().extend(steps);
    }

    /// The cursors that were asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        let calls = self.calls.lock();
        let cursor = |cursor: &Option<String>| cursor.as_deref().unwrap_or("-").to_owned();
        calls.iter().map(|(asked, _)| cursor(asked)).collect()
    }

    /// Seconds between the calls.
    pub(super) fn gaps(&self) -> Vec<f64> {
        let calls = self.calls.lock();
        let gap = |pair: &[(Option<String>, Moment)]| (pair[1].1 - pair[0].1).as_secs_f64();
        calls.windows(2).map(gap).collect()
    }

    /// Waits for so many calls from now on.
    pub(super) async fn called(&self, times: u32) {
        self.called.acquire_many(times).await.unwrap().forget();
    }
}

impl Source for Script {
    fn find<'a>(
        &'a self,
        _identifiers: &'a [Identifier],
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        unreachable!("nobody asks for one device")
    }

    fn has_inventory(&self) -> bool {
        self.has_inventory
    }

    fn next_page<'a>(
        &'a self,
        cursor: Option<&'a str>,
        _limit: u32,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<InventoryPage, InventoryError>> {
        let step = self.steps.lock().pop_front();
        let call = (cursor.map(str::to_owned), Moment::now());
        self.calls.lock().push(call);
        self.called.add_permits(1);
        async move {
            tokio::time::sleep(self.latency).await;
            match step {
                Some(Step::Answer(answer)) => answer,
                Some(Step::Hang) => std::future::pending().await,
                None => Ok(InventoryPage {
                    cursor: cursor.unwrap_or_default().to_owned(),
                    ..InventoryPage::default()
                }),
            }
        }
        .boxed()
    }

    fn check(&self, _deadline: Instant) -> BoxFuture<'_, CheckReport> {
        unreachable!("nobody checks")
    }

    fn health(&self) -> Health {
        Health::Ok
    }
}

/// A picture in memory. What is in it outlives the engine, as a store would.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) records: Mutex<BTreeMap<String, Record>>,
    pub(super) state: Mutex<Option<InventoryState>>,
    /// Failures to come, of any call.
    pub(super) failures: Mutex<u32>,
    /// Writes done.
    pub(super) writes: Mutex<u32>,
    pub(super) latency: Duration,
    /// Whether completing hangs, as if the process died there.
    pub(super) hangs_at_the_end: Mutex<bool>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) device: Device,
    pub(super) epoch: u32,
    pub(super) fetched_at: Timestamp,
}

impl Shelf {
    /// One with a complete picture of these devices.
    pub(super) fn of(keys: &[&str], cursor: Option<&str>) -> Self {
        let shelf = Self::default();
        for key in keys {
            shelf.put(device(key), 1, clock());
        }
        *shelf.state.lock() = Some(InventoryState {
            phase: crate::inventory::Phase::Delta,
            epoch: 1,
            cursor: cursor.map(str::to_owned),
            started_at: clock(),
            completed_at: Some(clock()),
            read: keys.len() as u64,
            total: None,
        });
        shelf
    }

    pub(super) fn put(&self, device: Device, epoch: u32, fetched_at: Timestamp) {
        let record = Record {
            device,
            epoch,
            fetched_at,
        };
        let key = record.device.key.clone();
        self.records.lock().insert(key, record);
    }

    pub(super) fn keys(&self) -> String {
        let records = self.records.lock();
        let keys: Vec<&str> = records.keys().map(String::as_str).collect();
        keys.join(" ")
    }

    pub(super) fn state(&self) -> InventoryState {
        self.state.lock().clone().unwrap()
    }

    pub(super) fn take_in(&self, change: Change, state: InventoryState) {
        for device in change.upserts {
            let mut records = self.records.lock();
            match records.get_mut(&device.key) {
                Some(newer) if newer.fetched_at > change.fetched_at => newer.epoch = state.epoch,
                _ => {
                    drop(records);
                    self.put(device, state.epoch, change.fetched_at);
                }
            }
        }
        for key in change.removals {
            self.records.lock().remove(&key);
        }
        *self.state.lock() = Some(state);
    }

    pub(super) fn sweep(&self, state: InventoryState) -> u64 {
        let mut records = self.records.lock();
        let before = records.len();
        records.retain(|_, record| {
            record.epoch == state.epoch || record.fetched_at >= state.started_at
        });
        *self.state.lock() = Some(state);
        (before - records.len()) as u64
    }

    async fn write<T>(&self, work: impl FnOnce() -> T) -> Result<T, PictureError> {
        tokio::time::sleep(self.latency).await;
        let mut failures = self.failures.lock();
        if *failures > 0 {
            *failures -= 1;
            return Err(PictureError("the disk is full".to_owned()));
        }
        *self.writes.lock() += 1;
        Ok(work())
    }
}

impl Picture for Shelf {
    fn load_state(&self) -> BoxFuture<'_, Result<Option<InventoryState>, PictureError>> {
        async move {
            let state = self.write(|| self.state.lock().clone()).await?;
            *self.writes.lock() -= 1;
            Ok(state)
        }
        .boxed()
    }

    fn apply(
        &self,
        change: Change,
        state: InventoryState,
    ) -> BoxFuture<'_, Result<(), PictureError>> {
        self.write(|| self.take_in(change, state)).boxed()
    }

    fn complete(&self, state: InventoryState) -> BoxFuture<'_, Result<u64, PictureError>> {
        async move {
            if *self.hangs_at_the_end.lock() {
                std::future::pending::<()>().await;
            }
            self.write(|| self.sweep(state)).await
        }
        .boxed()
    }

    fn devices(&self) -> Option<u64> {
        Some(self.records.lock().len() as u64)
    }
}

/// Starts at once, asks for changes every ten minutes, reads in full every day.
pub(super) fn settings() -> InventorySettings {
    InventorySettings {
        interval: Duration::from_mins(10),
        full_interval: Duration::from_hours(24),
        jitter: Duration::ZERO,
        ..InventorySettings::default()
    }
}

pub(super) fn start(source: &Arc<Script>, picture: &Arc<Shelf>) -> Inventory {
    start_with(source, picture, settings(), &Registry::new())
}

pub(super) fn start_with(
    source: &Arc<Script>,
    picture: &Arc<Shelf>,
    settings: InventorySettings,
    registry: &Registry,
) -> Inventory {
    let source = InventorySource {
        switched_on: true,
        name: "mdm".into(),
        source: Arc::clone(source) as Arc<dyn Source>,
        picture: Arc::clone(picture) as Arc<dyn Picture>,
        settings,
    };
    Inventory::with_clock(vec![source], registry, clock).unwrap()
}

/// Waits for the run under way, or the next.
pub(super) async fn run(inventory: &Inventory) -> Result<(), crate::inventory::SyncError> {
    inventory.request_sync("mdm", false).unwrap().ended().await
}
