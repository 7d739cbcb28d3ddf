//! How a configured instance is doing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::breaker::{Breaker, BreakerState};
use crate::error::CallError;
use crate::plugin_log::PluginLog;

/// How a configured instance of a plugin is doing, since it was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceStatus {
    /// Whether calls are let through.
    pub breaker: BreakerState,
    /// Calls that were made.
    pub calls: u64,
    /// Calls that ended in a fault of the plugin itself.
    pub faults: u64,
    /// The last such fault, for an administrator.
    pub last_fault: Option<Arc<str>>,
    /// Log events that were dropped because there were too many.
    pub log_dropped: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: AtomicU64,
    faults: AtomicU64,
    last_fault: Mutex<Option<Arc<str>>>,
}

impl Tally {
    pub(crate) fn note_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_fault(&self, fault: &CallError) {
        self.faults.fetch_add(1, Ordering::Relaxed);
        *self.last_fault.lock() = Some(fault.to_string().into());
    }

    pub(crate) fn status(&self, breaker: &Breaker, log: &PluginLog) -> InstanceStatus {
        InstanceStatus {
            breaker: breaker.state(Instant::now()),
            calls: self.calls.load(Ordering::Relaxed),
            faults: self.faults.load(Ordering::Relaxed),
            last_fault: self.last_fault.lock().clone(),
            log_dropped: log.dropped(),
        }
    }
}
