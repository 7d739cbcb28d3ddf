//! What plugins say, kept short, rare and free of secrets.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use portreeve_egress::Egress;
use tracing::Level;

use crate::error::CallError;
use crate::limits::LogLimits;

/// The target of every event a plugin writes, for filters.
const TARGET: &str = "portreeve::plugin";

/// Text beyond this many times the bound on a message is not even searched for
/// secrets; what is left after that is cut to the bound.
const SEARCHED: usize = 16;

/// The log of one configured instance.
pub(crate) struct PluginLog {
    plugin: Arc<str>,
    instance: Arc<str>,
    limits: LogLimits,
    bucket: Mutex<Bucket>,
    unreported: AtomicU64,
    dropped: AtomicU64,
    egress: Option<Egress>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn take(&mut self, limits: &LogLimits, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        let filled = self.tokens + elapsed * f64::from(limits.events_per_second);
        self.tokens = filled.min(f64::from(limits.burst));
        self.filled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

impl fmt::Debug for PluginLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PluginLog")
            .field("plugin", &self.plugin)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl PluginLog {
    /// A log whose events are redacted by `egress`, where there is one.
    pub(crate) fn new(
        plugin: &str,
        instance: &str,
        limits: LogLimits,
        egress: Option<Egress>,
    ) -> Self {
        let bucket = Bucket {
            tokens: f64::from(limits.burst),
            filled: Instant::now(),
        };
        Self {
            plugin: plugin.into(),
            instance: instance.into(),
            limits,
            bucket: Mutex::new(bucket),
            unreported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            egress,
        }
    }

    /// Whether anybody keeps events of this level.
    pub(crate) fn enabled(level: Level) -> bool {
        match level {
            Level::TRACE => tracing::enabled!(target: TARGET, Level::TRACE),
            Level::DEBUG => tracing::enabled!(target: TARGET, Level::DEBUG),
            Level::INFO => tracing::enabled!(target: TARGET, Level::INFO),
            Level::WARN => tracing::enabled!(target: TARGET, Level::WARN),
            Level::ERROR => tracing::enabled!(target: TARGET, Level::ERROR),
        }
    }

    /// Writes one event, if there is room for it.
    pub(crate) fn write<'a>(
        &self,
        level: Level,
        message: &'a str,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        if !Self::enabled(level) {
            return;
        }
        if !self.bucket.lock().take(&self.limits, Instant::now()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.unreported.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let message = self.presentable(message, self.limits.message_bytes);
        let mut left = self.limits.message_bytes.saturating_sub(message.len());
        let mut data = String::new();
        for (key, value) in fields {
            if left == 0 {
                break;
            }
            let pair = self.presentable(&format!("{key}={value:?}"), left);
            left = left.saturating_sub(pair.len() + 1);
            if !data.is_empty() {
                data.push(' ');
            }
            data.push_str(&pair);
        }
        self.emit(level, &message, &data);
    }

    /// Says how many events were dropped since this was last said.
    pub(crate) fn report_dropped(&self) {
        let dropped = self.unreported.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(
                target: TARGET,
                plugin = &*self.plugin,
                instance = &*self.instance,
                dropped,
                "the plugin logs too much, events were dropped"
            );
        }
    }

    /// Says that the plugin itself failed, and what follows.
    pub(crate) fn report_fault(&self, fault: &CallError, left_alone: bool) {
        tracing::warn!(
            target: TARGET,
            plugin = &*self.plugin,
            instance = &*self.instance,
            %fault,
            left_alone,
            "the plugin failed"
        );
    }

    /// Events dropped since the instance was started.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Text that may be shown: no secrets, no control characters, not too long.
    pub(crate) fn presentable(&self, text: &str, bytes: usize) -> String {
        let searched = cut(text, bytes.saturating_mul(SEARCHED));
        let redacted = match &self.egress {
            Some(egress) => egress.redact(searched),
            None => Cow::Borrowed(searched),
        };
        let short = cut(&redacted, bytes);
        let mut shown = String::with_capacity(short.len());
        for character in short.chars() {
            // Escaped, so that a guest cannot forge a line or colour a terminal.
            if character.is_control() {
                shown.extend(character.escape_debug());
            } else {
                shown.push(character);
            }
        }
        if short.len() < text.len() {
            shown.push('…');
        }
        shown
    }

    fn emit(&self, level: Level, message: &str, data: &str) {
        macro_rules! emit {
            ($level:expr) => {
                tracing::event!(
                    target: TARGET,
                    $level,
                    plugin = &*self.plugin,
                    instance = &*self.instance,
                    text = message,
                    data,
                    "plugin"
                )
            };
        }
        match level {
            Level::TRACE => emit!(Level::TRACE),
            Level::DEBUG => emit!(Level::DEBUG),
            Level::INFO => emit!(Level::INFO),
            Level::WARN => emit!(Level::WARN),
            Level::ERROR => emit!(Level::ERROR),
        }
    }
}

/// The longest beginning of at most `bytes` bytes that is whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_bucket_has_a_burst_and_a_rate() {
        let limits = LogLimits {
            events_per_second: 10,
            burst: 3,
            message_bytes: 100,
        };
        let start = Instant::now();
        let mut bucket = Bucket {
            tokens: 3.0,
            filled: start,
        };
        let taken = (0..10).filter(|_| bucket.take(&limits, start)).count();
        assert_eq!(taken, 3);
        assert!(bucket.take(&limits, start + Duration::from_millis(101)));
        assert!(!bucket.take(&limits, start + Duration::from_millis(102)));
        let later = start + Duration::from_hours(1);
        let taken = (0..10).filter(|_| bucket.take(&limits, later)).count();
        assert_eq!(taken, 3, "an idle hour does not make a longer burst");
    }

    #[test]
    fn text_is_escaped_and_cut() {
        let log = PluginLog::new("p", "i", LogLimits::default(), None);
        assert_eq!(log.presentable("a\nb\u{1b}[31m", 100), "a\\nb\\u{1b}[31m");
        assert_eq!(log.presentable("äöü", 3), "ä…");
        assert_eq!(log.presentable("äöü", 6), "äöü");
    }
}
