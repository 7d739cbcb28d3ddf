//! Whatever happens at the source, on the way and to the process: the picture
//! comes out right, and loses nothing on the way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use portreeve_domain::{Device, Identifier};
use prometheus::Registry;
use proptest::prelude::*;
use tokio::sync::Notify;

use super::support::{Shelf, clock, settings};
use crate::inventory::{
    Activity, Change, Inventory, InventorySettings, InventorySource, InventoryState, Picture,
    PictureError, SyncError,
};
use crate::{
    CheckReport, Health, InventoryError, InventoryPage, Lookup, Source, SourceError,
    SourceErrorKind,
};

/// Devices, or changes, on one page.
const PAGE: usize = 3;

/// What happens at the source.
#[derive(Clone, Copy, Debug)]
enum Event {
    Put(u8),
    Delete(u8),
}

/// What becomes of a call of the source or of the picture.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Works,
    Fails,
    Misconfigured,
    RateLimited,
    CursorsExpire,
    /// The process dies before the call does anything.
    CrashBefore,
    /// The process dies before it learns that the call worked.
    CrashAfter,
}

/// One call: what happens first, what becomes of it, and how long it takes.
type Turn = (Vec<Event>, Fate, u64);

/// A device in the source: another life after each time it was deleted.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    life: u32,
    version: u32,
}

#[derive(Debug, Default)]
struct World {
    devices: BTreeMap<String, Entry>,
    /// Keys of what changed, in order.
    log: Vec<String>,
    counter: u32,
    /// Cursors of other generations are expired.
    generation: u32,
    tells_changes: bool,
    script: VecDeque<Turn>,
    /// What has been in the source ever since the picture has it.
    steady: BTreeSet<String>,
}

impl World {
    fn happen(&mut self, event: Event) {
        self.counter += 1;
        let number = self.counter;
        match event {
            Event::Put(key) => {
                let new = Entry {
                    life: number,
                    version: number,
                };
                let entry = self.devices.entry(format!("{key:03}")).or_insert(new);
                entry.version = number;
                self.log.push(format!("{key:03}"));
            }
            Event::Delete(key) => {
                let key = format!("{key:03}");
                self.devices.remove(&key);
                self.steady.remove(&key);
                self.log.push(key);
            }
        }
    }

    fn device(&self, key: &str) -> Option<Device> {
        let entry = self.devices.get(key)?;
        Some(Device {
            key: key.to_owned(),
            name: Some(entry.life.to_string()),
            model: Some(entry.version.to_string()),
            ..Device::default()
        })
    }

    fn page(&self, cursor: Option<&str>) -> Result<InventoryPage, InventoryError> {
        let parts: Vec<&str> = cursor.unwrap_or_default().split(' ').collect();
        let (generation, from) = (self.generation, self.log.len());
        match parts[..] {
            [""] => Ok(self.full_page("", from)),
            [of, ..] if of != generation.to_string() => Err(InventoryError::CursorExpired),
            [_, "full", after, from] => Ok(self.full_page(after, from.parse().unwrap())),
            [_, "changes", from] => Ok(self.changes(from.parse().unwrap())),
            _ => unreachable!("no cursor of this source: {cursor:?}"),
        }
    }

    fn full_page(&self, after: &str, from: usize) -> InventoryPage {
        let mut rest = self.devices.keys().filter(|key| key.as_str() > after);
        let keys: Vec<&String> = rest.by_ref().take(PAGE).collect();
        let more = rest.next().is_some();
        let generation = self.generation;
        InventoryPage {
            upserts: keys.iter().filter_map(|key| self.device(key)).collect(),
            cursor: match keys.last() {
                Some(last) if more => format!("{generation} full {last} {from}"),
                _ if self.tells_changes => format!("{generation} changes {from}"),
                _ => String::new(),
            },
            more,
            ..InventoryPage::default()
        }
    }

    fn changes(&self, from: usize) -> InventoryPage {
        let until = self.log.len().min(from + PAGE);
        let keys: BTreeSet<&String> = self.log[from..until].iter().collect();
        let (there, gone): (Vec<&String>, Vec<&String>) = keys
            .into_iter()
            .partition(|key| self.devices.contains_key(*key));
        InventoryPage {
            upserts: there.iter().filter_map(|key| self.device(key)).collect(),
            removals: gone.into_iter().cloned().collect(),
            cursor: format!("{} changes {until}", self.generation),
            more: until < self.log.len(),
            ..InventoryPage::default()
        }
    }
}

/// The source and the picture, for one life of the process.
#[derive(Debug)]
struct Process {
    world: Arc<Mutex<World>>,
    shelf: Arc<Shelf>,
    is_dead: Mutex<bool>,
    died: Notify,
    /// The script is played to its end.
    is_over: Notify,
}

impl Process {
    /// Plays the next turn. Does not come back when the process is dead.
    async fn turn(&self) -> Fate {
        let turn = self.world.lock().script.pop_front();
        let Some((events, fate, latency)) = turn else {
            self.is_over.notify_one();
            return Fate::Works;
        };
        tokio::time::sleep(Duration::from_millis(latency)).await;
        for event in events {
            self.world.lock().happen(event);
        }
        match fate {
            Fate::CrashBefore => self.die().await,
            _ => self.live().await,
        }
        fate
    }

    async fn die(&self) {
        *self.is_dead.lock() = true;
        self.died.notify_one();
        self.live().await;
    }

    async fn live(&self) {
        let is_dead = *self.is_dead.lock();
        if is_dead {
            std::future::pending::<()>().await;
        }
    }

    async fn write<T>(&self, work: impl FnOnce(&Shelf) -> T) -> Result<T, PictureError> {
        let fate = self.turn().await;
        if matches!(fate, Fate::Fails | Fate::RateLimited) {
            return Err(PictureError("the disk is full".to_owned()));
        }
        let result = work(&self.shelf);
        self.nothing_is_lost();
        if matches!(fate, Fate::CrashAfter) {
            self.die().await;
        }
        Ok(result)
    }

    fn nothing_is_lost(&self) {
        let records = self.shelf.records.lock();
        for key in &self.world.lock().steady {
            assert!(records.contains_key(key), "{key} is lost");
        }
    }

    fn take_in(&self, kept: &Shelf, change: Change, state: InventoryState) {
        let seen: Vec<Device> = change.upserts.clone();
        kept.take_in(change, state);
        let mut world = self.world.lock();
        for device in seen {
            let is_same = world
                .devices
                .get(&device.key)
                .is_some_and(|entry| Some(entry.life.to_string()) == device.name);
            if is_same {
                world.steady.insert(device.key);
            }
        }
    }
}

impl Source for Process {
    fn find<'a>(
        &'a self,
        _identifiers: &'a [Identifier],
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<Lookup, SourceError>> {
        unreachable!("nobody asks for one device")
    }

    fn has_inventory(&self) -> bool {
        true
    }

    fn next_page<'a>(
        &'a self,
        cursor: Option<&'a str>,
        _limit: u32,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<InventoryPage, InventoryError>> {
        async move {
            let fails = |kind| {
                Err(InventoryError::Failed(SourceError {
                    kind,
                    message: "because".to_owned(),
                    retry_after: None,
                }))
            };
            match self.turn().await {
                Fate::Fails => return fails(SourceErrorKind::Unavailable),
                Fate::Misconfigured => return fails(SourceErrorKind::Misconfigured),
                Fate::RateLimited => return fails(SourceErrorKind::RateLimited),
                Fate::CursorsExpire => self.world.lock().generation += 1,
                Fate::CrashAfter => self.die().await,
                Fate::Works | Fate::CrashBefore => {}
            }
            self.world.lock().page(cursor)
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

impl Picture for Process {
    fn load_state(&self) -> BoxFuture<'_, Result<Option<InventoryState>, PictureError>> {
        async { Ok(self.shelf.state.lock().clone()) }.boxed()
    }

    fn apply(
        &self,
        change: Change,
        state: InventoryState,
    ) -> BoxFuture<'_, Result<(), PictureError>> {
        self.write(|shelf| self.take_in(shelf, change, state))
            .boxed()
    }

    fn complete(&self, state: InventoryState) -> BoxFuture<'_, Result<u64, PictureError>> {
        self.write(|shelf| shelf.sweep(state)).boxed()
    }
}

fn start(process: &Arc<Process>) -> Inventory {
    let source = InventorySource {
        switched_on: true,
        name: "mdm".into(),
        source: Arc::clone(process) as Arc<dyn Source>,
        picture: Arc::clone(process) as Arc<dyn Picture>,
        settings: InventorySettings {
            full_interval: Duration::from_mins(45),
            jitter: Duration::from_mins(1),
            ..settings()
        },
    };
    Inventory::with_clock(vec![source], &Registry::new(), clock).unwrap()
}

#[track_caller]
fn equals_the_source(world: &Mutex<World>, shelf: &Shelf) {
    let world = world.lock();
    let kept: BTreeMap<String, Option<Device>> = shelf
        .records
        .lock()
        .iter()
        .map(|(key, record)| (key.clone(), Some(record.device.clone())))
        .collect();
    let there = world.devices.keys();
    let there: BTreeMap<_, _> = there.map(|key| (key.clone(), world.device(key))).collect();
    assert_eq!(kept, there);
}

async fn play(tells_changes: bool, before: Vec<Event>, script: Vec<Turn>, after: Vec<Event>) {
    let mut world = World {
        tells_changes,
        ..World::default()
    };
    for event in before {
        world.happen(event);
    }
    world.script = script.into();
    // Whoever finds the script at its end shall not overtake a crash.
    let rest: Turn = (Vec::new(), Fate::Works, 10);
    world.script.extend([rest.clone(), rest]);
    let world = Arc::new(Mutex::new(world));
    let shelf = Arc::new(Shelf::default());
    let reborn = || {
        Arc::new(Process {
            world: Arc::clone(&world),
            shelf: Arc::clone(&shelf),
            is_dead: Mutex::default(),
            died: Notify::new(),
            is_over: Notify::new(),
        })
    };
    let mut process = reborn();
    let mut inventory = start(&process);
    loop {
        let mut progress = inventory.progress("mdm").unwrap();
        tokio::select! {
            _ = progress.wait_for(|progress| progress.activity == Activity::Stopped) => {
                panic!("the engine broke");
            }
            () = process.is_over.notified() => break,
            () = process.died.notified() => {
                process = reborn();
                inventory = start(&process);
            }
        }
    }
    // What was under way when the script ended may fail. Nothing happens any
    // more after that.
    while let Err(error) = synced(&inventory, false).await {
        assert_ne!(error, SyncError::Stopped, "the engine broke");
    }
    if tells_changes {
        // The run may have ended a full read that began long ago.
        synced(&inventory, false).await.unwrap();
        equals_the_source(&world, &shelf);
    }
    synced(&inventory, true).await.unwrap();
    equals_the_source(&world, &shelf);
    for event in after {
        world.lock().happen(event);
    }
    synced(&inventory, false).await.unwrap();
    equals_the_source(&world, &shelf);
    inventory.shutdown().await;
}

/// Asks for a run later than anything was read.
async fn synced(inventory: &Inventory, full: bool) -> Result<(), SyncError> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    inventory.request_sync("mdm", full).unwrap().ended().await
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u8..30).prop_map(Event::Put),
        (0_u8..30).prop_map(Event::Delete)
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let fate = prop_oneof![
        12 => Just(Fate::Works),
        1 => Just(Fate::Fails),
        1 => Just(Fate::Misconfigured),
        1 => Just(Fate::RateLimited),
        1 => Just(Fate::CursorsExpire),
        1 => Just(Fate::CrashBefore),
        1 => Just(Fate::CrashAfter),
    ];
    (prop::collection::vec(event(), 0..4), fate, 1_u64..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_picture_comes_out_right(
        tells_changes: bool,
        before in prop::collection::vec((0_u8..30).prop_map(Event::Put), 0..30),
        script in prop::collection::vec(turn(), 0..80),
        after in prop::collection::vec(event(), 0..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(tells_changes, before, script, after));
    }
}
