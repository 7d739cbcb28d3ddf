//! Waiting until a moment, to a few microseconds.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A timer of the kernel. Tokio's own has steps of a millisecond, as long as
/// what is measured.
#[derive(Debug)]
pub(crate) struct Pacer(AsyncFd<OwnedFd>);

impl Pacer {
    #[expect(
        deprecated,
        reason = "unsound only for types that give their descriptor away, and what replaces it is unsafe code"
    )]
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    /// Waits until `moment`; not at all if it has passed.
    pub(crate) async fn until(&self, moment: Instant) -> io::Result<()> {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: timespec(Duration::ZERO),
            it_value: timespec(left),
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.0.readable().await?;
            let mut expirations = [0_u8; 8];
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut expirations)?));
            // An error here means that it was not the timer that was ready.
            if let Ok(read) = read {
                return read.map(drop);
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn never_too_early() {
        let pacer = Pacer::new().unwrap();
        for micros in [0, 50, 2_000, 300] {
            let moment = Instant::now() + Duration::from_micros(micros);
            pacer.until(moment).await.unwrap();
            assert!(Instant::now() >= moment, "{micros}");
        }
    }

    #[tokio::test]
    async fn a_wait_that_was_given_up_does_not_end_the_next_one() {
        let (pacer, other) = (Pacer::new().unwrap(), Pacer::new().unwrap());
        let soon = Instant::now() + Duration::from_millis(2);
        // Polled once, so that the timer runs, and dropped.
        let _ = pacer.until(soon).now_or_never();
        // By then it has gone off, and somebody was told.
        other.until(soon + Duration::from_millis(2)).await.unwrap();
        let moment = Instant::now() + Duration::from_millis(20);
        pacer.until(moment).await.unwrap();
        assert!(Instant::now() >= moment);
    }
}
