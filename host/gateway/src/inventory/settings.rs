//! What the operator decided about one source's inventory.

use std::time::Duration;

/// The shortest wait between two runs, whatever is configured.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest wait, so that points in time can be computed.
const LONGEST: Duration = Duration::from_hours(24 * 30);

/// The longest time for one page.
const LONGEST_PAGE: Duration = Duration::from_hours(1);

/// When and how a source's inventory is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventorySettings {
    /// Whether it is read at all.
    pub enabled: bool,
    /// From the end of one run to the start of the next, which asks for changes
    /// if the source can tell them.
    pub interval: Duration,
    /// From the start of one full read to the start of the next; looked at when
    /// a run is due.
    pub full_interval: Duration,
    /// Each run starts later than it is due by a random time up to this, the
    /// first after a start too, so that several instances spread.
    pub jitter: Duration,
    /// Devices wished for in one page.
    pub page_limit: u32,
    /// How long one page may take.
    pub page_timeout: Duration,
    /// Devices that a source can have. One that lists more does not end.
    pub max_devices: u64,
}

impl Default for InventorySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_mins(15),
            full_interval: Duration::from_hours(24),
            jitter: Duration::from_mins(1),
            page_limit: 1000,
            page_timeout: Duration::from_mins(2),
            max_devices: 10_000_000,
        }
    }
}

impl InventorySettings {
    /// The same, within what the engine can keep to.
    pub(super) fn bounded(self) -> Self {
        Self {
            interval: self.interval.clamp(SHORTEST, LONGEST),
            full_interval: self.full_interval.clamp(SHORTEST, LONGEST),
            jitter: self.jitter.min(LONGEST),
            page_timeout: self.page_timeout.min(LONGEST_PAGE),
            page_limit: self.page_limit.max(1),
            ..self
        }
    }
}
