//! What the operator decided about the ISE face.

use std::time::Duration;

/// What Cisco ISE is told about this server, and bounds of its lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IseSettings {
    /// Where ISE sends users of unregistered devices. Empty: nowhere.
    pub redirect_url: String,
    /// Who makes this server, as ISE shows it.
    pub vendor: String,
    /// What it is called, as ISE shows it.
    pub product: String,
    /// Devices in one answer at most.
    pub query_max_size: usize,
    /// How long ISE waits for an answer, unless its client waits less.
    pub patience: Duration,
    /// Lists of several pages that are kept at the same time.
    pub max_lists: usize,
    /// How long a list is kept after its last page was asked for.
    pub list_lifetime: Duration,
    /// Whether messages to users are taken.
    pub messaging: bool,
}

impl IseSettings {
    /// Fewer devices in an answer would make more pages than can be numbered.
    pub const FEWEST: usize = 100;
    /// More devices would make an answer of tens of megabytes.
    pub const MOST: usize = 10_000;
}

impl Default for IseSettings {
    fn default() -> Self {
        Self {
            redirect_url: String::new(),
            vendor: "Portreeve".to_owned(),
            product: "Portreeve".to_owned(),
            query_max_size: 1_000,
            // Cisco asks for answers within 200 ms (Cisco, ISE MDM API v3);
            // the rest is for the way.
            patience: Duration::from_millis(150),
            max_lists: 16,
            list_lifetime: Duration::from_mins(5),
            messaging: false,
        }
    }
}
