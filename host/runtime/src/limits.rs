//! How much a plugin may use, and who counts it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

/// The bounds of one configured instance of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest time of one call, waiting included. The caller's deadline can
    /// only shorten it.
    pub wall_clock: Duration,
    /// Bytes of memory, summed over all memories of an instance.
    pub memory: usize,
    /// Elements of tables, summed over all tables of an instance.
    pub table_elements: usize,
    /// Bytes that a guest may hand to the host at once: a log event, a request,
    /// a device record.
    pub handover: usize,
    /// Calls under way at the same time. Others wait for their turn.
    pub concurrent_calls: usize,
    /// What may be logged.
    pub log: LogLimits,
    /// Whether an instance serves more than one call.
    pub reuse: Reuse,
}

/// The bounds of one page of a connector's inventory. What is not said here is
/// as in [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// Longest time of one page, waiting included. Longer than that of a
    /// look-up: no client waits for a page, and a source may collect it from
    /// several requests.
    pub wall_clock: Duration,
    /// Devices and removals in one page.
    pub entries: usize,
    /// Bytes of one page, and of each answer it is made from.
    pub bytes: usize,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self {
            wall_clock: Duration::from_mins(2),
            entries: 20_000,
            bytes: 32 << 20,
        }
    }
}

/// What a plugin may log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Events in a second, on average.
    pub events_per_second: u32,
    /// Events at once, before the average counts.
    pub burst: u32,
    /// Bytes of a message with its fields. The rest is cut off.
    pub message_bytes: usize,
}

/// Whether an instance of a component serves more than one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// A new instance for each call: nothing is left over from the last one.
    Fresh,
    /// An instance is kept for the next call, up to this many.
    UpTo {
        /// Calls before it is thrown away.
        calls: u32,
    },
}

impl Limits {
    /// What suits a connector: it waits for a network.
    pub fn connector() -> Self {
        Self {
            wall_clock: Duration::from_secs(10),
            memory: 64 << 20,
            table_elements: 100_000,
            handover: 16 << 20,
            concurrent_calls: 16,
            log: LogLimits::default(),
            reuse: Reuse::UpTo { calls: 256 },
        }
    }

    /// What suits a policy: it only computes, and starting it is cheap.
    pub fn policy() -> Self {
        Self {
            wall_clock: Duration::from_millis(250),
            handover: 1 << 20,
            concurrent_calls: 64,
            reuse: Reuse::Fresh,
            ..Self::connector()
        }
    }
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            events_per_second: 20,
            burst: 100,
            message_bytes: 4096,
        }
    }
}

/// Counts what one instance uses.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_limit: usize,
    memory: usize,
    table_limit: usize,
    tables: usize,
    /// What the last permitted growth added, to be taken back if it fails.
    pending: usize,
    /// A growth was refused.
    pub(crate) refused: bool,
    /// A host function refused to go on.
    pub(crate) exceeded: Option<&'static str>,
    /// When the call that is under way has to be over.
    pub(crate) deadline: Instant,
    /// The guest was last interrupted while it computed, it does not wait for
    /// the host.
    pub(crate) computing: Arc<AtomicBool>,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_limit: limits.memory,
            memory: 0,
            table_limit: limits.table_elements,
            tables: 0,
            pending: 0,
            refused: false,
            exceeded: None,
            deadline: Instant::now() + limits.wall_clock,
            computing: Arc::default(),
        }
    }

    /// Starts counting for a call.
    pub(crate) fn begin(&mut self, deadline: Instant) {
        self.deadline = deadline;
        self.refused = false;
        self.exceeded = None;
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        let total = self.memory.saturating_add(more);
        if total > self.memory_limit {
            self.refused = true;
            self.pending = 0;
            return Ok(false);
        }
        self.memory = total;
        self.pending = more;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory = self.memory.saturating_sub(self.pending);
        self.pending = 0;
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.tables.saturating_add(desired.saturating_sub(current));
        if total > self.table_limit {
            self.refused = true;
            return Ok(false);
        }
        self.tables = total;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> Meter {
        Meter::new(&Limits {
            memory: 1000,
            table_elements: 10,
            ..Limits::policy()
        })
    }

    #[test]
    fn memory_is_summed_over_all_memories() {
        let mut meter = meter();
        assert!(meter.memory_growing(0, 600, None).unwrap());
        assert!(meter.memory_growing(0, 400, None).unwrap());
        assert!(!meter.refused);
        assert!(!meter.memory_growing(400, 401, None).unwrap());
        assert!(meter.refused);
    }

    #[test]
    fn a_growth_that_failed_is_given_back_once() {
        let mut meter = meter();
        assert!(meter.memory_growing(0, 600, None).unwrap());
        assert!(meter.memory_growing(600, 1000, None).unwrap());
        meter
            .memory_grow_failed(wasmtime::format_err!("full"))
            .unwrap();
        meter
            .memory_grow_failed(wasmtime::format_err!("type"))
            .unwrap();
        assert!(meter.memory_growing(600, 1000, None).unwrap());
        assert!(!meter.memory_growing(1000, 1001, None).unwrap());
    }

    #[test]
    fn tables_are_summed_too() {
        let mut meter = meter();
        assert!(meter.table_growing(0, 6, None).unwrap());
        assert!(!meter.table_growing(0, 5, None).unwrap());
        assert!(meter.refused);
    }
}
