/// How changes are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedSettings {
    /// Whether anybody needs it: it costs a decision for each device that
    /// changes, and memory for each that is known.
    pub enabled: bool,
    /// Changes that a subscriber may be behind.
    pub ring: usize,
    /// Devices that may wait to be looked at. With more of them all are.
    pub most_touched: usize,
}

impl Default for FeedSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            ring: 8_192,
            most_touched: 65_536,
        }
    }
}
