//! The store on disks that misbehave.

mod disk;
mod documents;
mod full_disk;
mod power_cut;
mod writer;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use portreeve_domain::Timestamp;

use crate::file::{Disk, Opening};
use crate::{Batch, DeviceRow, InventoryState, Phase, Store};

fn open_on(path: &Path, disk: Arc<dyn Disk>) -> Store {
    let cache_bytes = 1 << 20;
    Store::open_as(path, Opening { cache_bytes, disk }).unwrap()
}

fn row<'a>(key: &'a str, epoch: u32, device: &'a [u8]) -> DeviceRow<'a> {
    DeviceRow {
        source: "intune",
        key,
        fetched_at: Timestamp::from_millis(u64::from(epoch)),
        epoch,
        device,
    }
}

fn state(epoch: u32) -> InventoryState {
    InventoryState {
        phase: Phase::Full,
        epoch,
        cursor: None,
        started_at: Timestamp::from_millis(1),
        completed_at: None,
        read: u64::from(epoch),
        total: None,
    }
}

/// Replaces all rows by those of generation `number`; whether a batch is there
/// as a whole can be told from any part of it.
fn generation(number: u32) -> Batch {
    let mut batch = Batch::default();
    batch.set_words(number - 1, vec![format!("word {number}")]);
    for key in 0..40 {
        batch.put_device(&row(&format!("key {key}"), number, &[7; 300]));
    }
    batch.remove_device("intune", &format!("extra {}", number - 1));
    batch.put_device(&row(&format!("extra {number}"), number, b""));
    batch.set_inventory("intune", state(number));
    batch.put_document("plugin", "k", number.to_string().into_bytes(), None);
    batch
}

/// The generation that is stored, after seeing that it is there as a whole.
fn stored_generation(store: &Store) -> u32 {
    let Some(state) = store.inventory_state("intune").unwrap() else {
        assert_eq!(store.words().unwrap().len(), 0);
        assert_eq!(store.device_count("intune").unwrap(), 0);
        return 0;
    };
    let number = state.epoch;
    let mut keys = Vec::new();
    store
        .read_devices(&mut |row| {
            assert_eq!(row.epoch, number, "{}", row.key);
            keys.push(row.key.to_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(keys.len(), 41);
    assert!(keys.contains(&format!("extra {number}")));
    assert_eq!(store.words().unwrap().len(), number as usize);
    let document = store.document("plugin", "k", Timestamp::default()).unwrap();
    assert_eq!(document.unwrap().value, number.to_string().into_bytes());
    number
}
