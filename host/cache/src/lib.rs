//! The native fast path: what was learnt about devices, and what was decided.
//!
//! [`DeviceCache`] finds a device record by any of its identifiers,
//! [`VerdictCache`] finds the decision that was made on it as long as every
//! fact behind the decision is the same, [`Flights`] lets many askers of one
//! absent device share one call to the source. A question that all of this can
//! answer runs no WebAssembly.
//!
//! A hit takes no lock that a writer holds and allocates nothing: both caches
//! stand on one open-addressing index that is read without locks. Everything
//! is bounded, whatever clients ask for.
//!
//! The crate knows neither HTTP nor WebAssembly, asks no source and has no
//! clock: the caller says what time it is.

mod counter;
mod device;
mod flights;
mod freshness;
mod index;
mod machine;
pub mod packed;
mod ring;
mod seats;
mod verdict;

use std::time::Duration;

pub use device::{
    Attached, DeviceCache, DeviceStatistics, Provenance, Record, Records, Remembered, Restoring,
    SourceId, Weighed,
};
pub use flights::{Boarding, Flights, FlightsFull, Lost, Pilot, Seat};
pub use freshness::{Freshness, FreshnessRules};
pub use verdict::{ChainId, VerdictCache, VerdictStatistics};

/// Bounds of the caches. They hold whatever clients and sources do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// Device records over all sources.
    pub max_devices: usize,
    /// Estimated bytes of all device records with their index entries.
    pub max_bytes: usize,
    /// Bytes of what callers keep beside device records.
    pub max_attached_bytes: usize,
    /// Identifiers remembered as unknown to a source.
    pub max_unknown: usize,
    /// Decisions remembered.
    pub max_verdicts: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            max_devices: 1_000_000,
            max_bytes: 2 << 30,
            max_attached_bytes: 256 << 20,
            max_unknown: 100_000,
            max_verdicts: 1_000_000,
        }
    }
}

/// How far apart two points in time are, in either direction.
///
/// An age that is read off a wall clock must not become zero for ever when the
/// clock jumps back: what was stored in the "future" is as old as it is away.
fn apart(one: portreeve_domain::Timestamp, other: portreeve_domain::Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}
