//! One source's devices as its inventory changes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_cache::SourceId;
use portreeve_domain::{Device, Timestamp};
use portreeve_store::{Batch, DeviceRow};

use super::Memory;
use crate::Record;
use crate::inventory::{Change, InventoryState, Phase, Picture, PictureError};

/// One source's part of the memory.
#[derive(Clone, Debug)]
pub struct SourcePicture {
    memory: Arc<Memory>,
    source: SourceId,
    name: Arc<str>,
    /// Whether what was read before does not count, once.
    anew: Arc<AtomicBool>,
}

impl SourcePicture {
    /// The part of the source of this name, `None` when there is none.
    pub fn new(memory: &Arc<Memory>, name: &str) -> Option<Self> {
        let place = memory
            .sources
            .read()
            .iter()
            .position(|known| **known == *name)?;
        Some(Self {
            memory: Arc::clone(memory),
            source: SourceId(u16::try_from(place).ok()?),
            name: name.into(),
            anew: Arc::default(),
        })
    }

    /// The same, to be read in full at first: what the store has of it is not in
    /// memory, as the source was not there at the start.
    #[must_use]
    pub fn anew(self) -> Self {
        self.anew.store(true, Ordering::Relaxed);
        self
    }

    /// Puts one device into memory and gives its row for the store. A look-up
    /// that came after the page knows better; its facts stay.
    fn take_in(&self, device: &Device, state: &InventoryState, at: Timestamp, batch: &mut Batch) {
        let present = self.memory.devices.get(self.source, &device.key);
        let before = present.as_ref().map(Record::generation);
        let newer = present.filter(|record| record.fetched_at() > at);
        let record = newer.unwrap_or_else(|| self.memory.devices.insert(self.source, device, at));
        match self.memory.touched.get() {
            Some(touched) if before == Some(record.generation()) => touched.note_refreshed(&record),
            Some(touched) => touched.note(&record),
            None => {}
        }
        batch.put_device(&DeviceRow {
            source: &self.name,
            key: &device.key,
            fetched_at: record.fetched_at(),
            epoch: state.epoch,
            device: record.packed(),
        });
    }

    /// Removes a device from memory. Whether there was one.
    fn remove(&self, key: &str) -> bool {
        let devices = &self.memory.devices;
        let Some(touched) = self.memory.touched.get() else {
            return devices.remove(self.source, key);
        };
        let record = devices.get(self.source, key);
        let is_removed = devices.remove(self.source, key);
        if let Some(record) = &record {
            touched.note(record);
        }
        is_removed
    }

    fn apply_now(&self, change: &Change, state: InventoryState) -> Batch {
        let mut batch = Batch::default();
        let is_first_page = state.read <= change.upserts.len() as u64;
        if state.phase == Phase::Full && is_first_page {
            let evictions = self.memory.devices.statistics().evictions;
            let room = &self.memory.room;
            room.begins(self.source.0, state.epoch, evictions);
        }
        for device in &change.upserts {
            self.take_in(device, &state, change.fetched_at, &mut batch);
        }
        for key in &change.removals {
            self.remove(key);
            batch.remove_device(&self.name, key);
        }
        batch.set_inventory(&self.name, stored(state));
        batch
    }

    /// Removes what was said before `started_at` from memory.
    fn forget_older(&self, started_at: Timestamp) -> u64 {
        let mut old = Vec::new();
        self.memory.devices.for_each(self.source, |record| {
            if record.fetched_at() < started_at {
                old.push(record.key());
            }
        });
        let mut gone = 0;
        for key in old {
            let still = self.memory.devices.get(self.source, &key);
            if still.is_some_and(|record| record.fetched_at() < started_at) {
                gone += u64::from(self.remove(&key));
            }
        }
        gone
    }
}

impl Picture for SourcePicture {
    fn load_state(&self) -> BoxFuture<'_, Result<Option<InventoryState>, PictureError>> {
        let this = self.clone();
        let load = move || match this.memory.store() {
            Some(store) => store
                .inventory_state(&this.name)
                .map_err(|error| unkept(&error)),
            None => Ok(None),
        };
        let anew = self.anew.swap(false, Ordering::Relaxed);
        let begun = move |state: InventoryState| {
            if anew {
                state.restarted(Timestamp::now())
            } else {
                state
            }
        };
        async move { Ok(aside(load).await??.map(loaded).map(begun)) }.boxed()
    }

    fn apply(
        &self,
        change: Change,
        state: InventoryState,
    ) -> BoxFuture<'_, Result<(), PictureError>> {
        let this = self.clone();
        async move {
            // A thousand devices are milliseconds, and questions do not wait.
            let batch = aside(move || this.apply_now(&change, state)).await?;
            match self.memory.writer() {
                Some(writer) => writer.commit(batch).await.map_err(|error| unkept(&error)),
                None => Ok(()),
            }
        }
        .boxed()
    }

    fn complete(&self, state: InventoryState) -> BoxFuture<'_, Result<u64, PictureError>> {
        let this = self.clone();
        async move {
            let started_at = state.started_at;
            let epoch = state.epoch;
            if let Some(writer) = self.memory.writer() {
                // What look-ups wrote since then comes first.
                writer.flush().await.map_err(|error| unkept(&error))?;
            }
            let sweep = move || {
                let memory = &this.memory;
                let stored = match memory.store() {
                    Some(store) => store
                        .sweep(&this.name, epoch, started_at, &stored(state), &mut |_| {})
                        .map_err(|error| unkept(&error))?,
                    None => 0,
                };
                // Memory last: what is in it only was never durable.
                let gone = this.forget_older(started_at).max(stored);
                memory.settle();
                memory.room.completed(this.source.0, epoch);
                // Whatever went by unnoticed comes out now.
                if let Some(touched) = memory.touched.get() {
                    touched.note_all();
                }
                Ok(gone)
            };
            aside(sweep).await?
        }
        .boxed()
    }

    fn devices(&self) -> Option<u64> {
        self.memory.store()?.device_count(&self.name).ok()
    }
}

/// Does something that takes long where it holds up nobody.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PictureError> {
    let work = || {
        // These threads do nothing that anybody waits for.
        portreeve_store::give_way();
        work()
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| PictureError(error.to_string()))
}

fn unkept(error: &portreeve_store::StoreError) -> PictureError {
    PictureError(error.to_string())
}

fn stored(state: InventoryState) -> portreeve_store::InventoryState {
    portreeve_store::InventoryState {
        phase: match state.phase {
            Phase::Full => portreeve_store::Phase::Full,
            Phase::Delta => portreeve_store::Phase::Delta,
        },
        epoch: state.epoch,
        cursor: state.cursor,
        started_at: state.started_at,
        completed_at: state.completed_at,
        read: state.read,
        total: state.total,
    }
}

fn loaded(state: portreeve_store::InventoryState) -> InventoryState {
    InventoryState {
        phase: match state.phase {
            portreeve_store::Phase::Full => Phase::Full,
            portreeve_store::Phase::Delta => Phase::Delta,
        },
        epoch: state.epoch,
        cursor: state.cursor,
        started_at: state.started_at,
        completed_at: state.completed_at,
        read: state.read,
        total: state.total,
    }
}
