//! What devices were told to do, and when they have done it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use crate::device::{Acted, ActionState, Device, Directory};
use crate::graph::ActionKind;

/// The most that are remembered.
const MOST: usize = 100_000;

const DEFAULT_DELAY_MS: i64 = 60_000;

/// What devices were told to do.
#[derive(Debug)]
pub(crate) struct Actions {
    delay_ms: AtomicI64,
    acted: Mutex<Vec<Acted>>,
    /// Device, action, when it is due.
    open: Mutex<Vec<(Uuid, &'static ActionKind, i64)>>,
}

impl Default for Actions {
    fn default() -> Self {
        Self {
            delay_ms: AtomicI64::new(DEFAULT_DELAY_MS),
            acted: Mutex::default(),
            open: Mutex::default(),
        }
    }
}

impl Actions {
    pub(crate) fn set_delay(&self, delay: Duration) {
        let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        self.delay_ms.store(delay, Ordering::Relaxed);
    }

    pub(crate) fn acted(&self) -> Vec<Acted> {
        self.acted.lock().clone()
    }

    pub(crate) fn note(&self, device: &Device, kind: &'static ActionKind, body: &[u8], now: i64) {
        let mut acted = self.acted.lock();
        if acted.len() < MOST {
            acted.push(Acted {
                device: device.guid,
                action: kind.name.to_owned(),
                body: String::from_utf8_lossy(body).into_owned(),
            });
        }
        let mut open = self.open.lock();
        if open.len() < MOST {
            let due = now.saturating_add(self.delay_ms.load(Ordering::Relaxed));
            open.push((device.guid, kind, due));
        }
    }

    /// Does what is due.
    pub(crate) fn settle(&self, directory: &RwLock<Directory>, now: i64) {
        let mut open = self.open.lock();
        let (due, later): (Vec<_>, Vec<_>) = open.drain(..).partition(|(_, _, due)| *due <= now);
        *open = later;
        if due.is_empty() {
            return;
        }
        let mut directory = directory.write();
        for (guid, kind, _) in due {
            let Some(mut device) = directory.get(guid) else {
                continue;
            };
            let mut results = device.action_results.iter_mut();
            let result = results.find(|result| result.name == kind.name);
            // Whoever changed it by hand has the last word.
            let Some(result) = result.filter(|result| result.state.is_open()) else {
                continue;
            };
            result.state = ActionState::Done;
            result.updated = now;
            if kind.removes {
                directory.remove(guid);
            } else {
                directory.add(device);
            }
        }
    }
}
