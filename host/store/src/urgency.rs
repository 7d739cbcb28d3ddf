//! How soon the system lets a thread go on that has something to do.
#![expect(
    unsafe_code,
    reason = "the system's call has no safe form in the crates we use"
)]

use std::io;

/// What a thread asks for at once in nanoseconds; the shortest that Linux
/// grants (`sched(7)`, "slice"). Others have some milliseconds.
const SHORT: u64 = 100_000;
/// How far work that nobody waits for stands back, in the system's steps
/// (`nice`, of which there are 19).
const STEPS: i32 = 10;

/// Lets this thread go on as soon as it has something to do, before others use
/// up their turns: it answers questions, and does little at a time. A system
/// that refuses leaves it as it is.
pub fn come_first() {
    let nice = rustix::process::getpriority_process(None).unwrap_or(0);
    let _ = set(nice, SHORT);
}

/// Makes this thread less urgent than those that answer questions: it has work
/// that nobody waits for. A system that refuses leaves it as it is.
pub fn give_way() {
    if set(STEPS, 0).is_err() {
        let _ = rustix::process::setpriority_process(None, STEPS);
    }
}

/// Sets `nice` and the length of turns, 0 for the usual one, of this thread.
fn set(nice: i32, slice: u64) -> io::Result<()> {
    let attributes = libc::sched_attr {
        size: u32::try_from(size_of::<libc::sched_attr>()).unwrap_or(0),
        sched_policy: libc::SCHED_OTHER.cast_unsigned(),
        sched_flags: 0,
        sched_nice: nice,
        sched_priority: 0,
        // Since Linux 6.12, for ordinary threads too; before, it is not read.
        sched_runtime: slice,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads as many bytes as `size` says from a structure
    // that lives until the call has returned; 0 is this thread.
    let refused = unsafe {
        libc::syscall(
            libc::SYS_sched_setattr,
            0,
            std::ptr::from_ref(&attributes),
            0,
        )
    };
    if refused == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgency_is_a_threads_own() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        std::thread::spawn(move || {
            come_first();
            assert_eq!(nice(), before);
            give_way();
            assert_eq!(nice(), STEPS);
        })
        .join()
        .unwrap();
        assert_eq!(nice(), before);
    }
}
