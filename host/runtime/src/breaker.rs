//! Leaving a plugin alone that keeps failing.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// When a plugin is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Faults in a row that open it: traps, time spent computing, limits.
    pub faults: u32,
    /// How long it stays open before one call is let through as a probe.
    pub pause: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            faults: 5,
            pause: Duration::from_secs(30),
        }
    }
}

/// Whether calls are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// All of them.
    Closed,
    /// None, for a while.
    Open,
    /// One, to see whether the plugin has recovered.
    HalfOpen,
}

impl BreakerState {
    /// A word for it in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// Counts the faults of one configured instance.
#[derive(Debug)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    faults_in_a_row: u32,
    open_until: Option<Instant>,
    probing: bool,
}

/// Leave to call the plugin once. Dropped without a word, it counts as neither
/// good nor bad.
#[derive(Debug)]
pub(crate) struct Admission<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            inner: Mutex::default(),
        }
    }

    /// Leave for one call, or how long to wait for it.
    pub(crate) fn admit(&self, now: Instant) -> Result<Admission<'_>, Duration> {
        let mut inner = self.inner.lock();
        let Some(open_until) = inner.open_until else {
            return Ok(self.admission(false));
        };
        let left = open_until.saturating_duration_since(now);
        if left > Duration::ZERO {
            return Err(left);
        }
        if inner.probing {
            // The probe's own deadline bounds how long this can last.
            return Err(self.settings.pause);
        }
        inner.probing = true;
        Ok(self.admission(true))
    }

    fn admission(&self, probe: bool) -> Admission<'_> {
        Admission {
            breaker: self,
            probe,
        }
    }

    pub(crate) fn state(&self, now: Instant) -> BreakerState {
        match self.inner.lock().open_until {
            None => BreakerState::Closed,
            Some(until) if until > now => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }
}

impl Admission<'_> {
    /// The plugin did its work, even if the source failed.
    pub(crate) fn succeeded(self) {
        let mut inner = self.breaker.inner.lock();
        inner.faults_in_a_row = 0;
        // Only the probe closes it: a call from before says nothing about now.
        if self.probe {
            inner.open_until = None;
        }
    }

    /// The plugin is to blame. Says whether it is left alone from now on.
    pub(crate) fn failed(self, now: Instant) -> bool {
        let mut inner = self.breaker.inner.lock();
        inner.faults_in_a_row = inner.faults_in_a_row.saturating_add(1);
        let opens = self.probe || inner.faults_in_a_row >= self.breaker.settings.faults;
        if opens {
            inner.open_until = Some(now + self.breaker.settings.pause);
        }
        opens
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.inner.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings {
            faults: 2,
            pause: PAUSE,
        })
    }

    #[test]
    fn opens_after_faults_in_a_row_only() {
        let (breaker, now) = (breaker(), Instant::now());
        breaker.admit(now).unwrap().failed(now);
        breaker.admit(now).unwrap().succeeded();
        breaker.admit(now).unwrap().failed(now);
        assert_eq!(breaker.state(now), BreakerState::Closed);
        breaker.admit(now).unwrap().failed(now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.admit(now).unwrap_err(), PAUSE);
    }

    #[test]
    fn one_probe_decides() {
        let (breaker, start) = (breaker(), Instant::now());
        for _ in 0..2 {
            breaker.admit(start).unwrap().failed(start);
        }
        let later = start + PAUSE;
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err());
        probe.failed(later);
        assert_eq!(breaker.state(later), BreakerState::Open);
        let latest = later + PAUSE;
        breaker.admit(latest).unwrap().succeeded();
        assert_eq!(breaker.state(latest), BreakerState::Closed);
    }

    #[test]
    fn a_probe_that_was_given_up_lets_the_next_one_through() {
        let (breaker, start) = (breaker(), Instant::now());
        for _ in 0..2 {
            breaker.admit(start).unwrap().failed(start);
        }
        drop(breaker.admit(start + PAUSE).unwrap());
        assert!(breaker.admit(start + PAUSE).is_ok());
    }
}
