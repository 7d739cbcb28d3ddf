//! Threads that stand for other machines: those that run only while no other
//! thread wants to, and those that never wait for one.
#![expect(
    unsafe_code,
    reason = "the system's call has no safe form in the crates we use"
)]

/// Has this thread run only on processors that nobody else wants, as work on
/// another machine would. A system that refuses leaves it as it is.
pub(crate) fn only_when_idle() {
    let _ = schedule(libc::SCHED_IDLE, 0);
}

/// Has this thread run as soon as it has something to do, as a client on
/// another machine would: a wait for a processor here is the generator's and
/// not the server's. It needs a right that root has; says whether it got it.
pub(crate) fn at_once() -> bool {
    schedule(libc::SCHED_FIFO, 1)
}

fn schedule(policy: i32, priority: i32) -> bool {
    let priority = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: the kernel reads one structure, which lives until the call has
    // returned; 0 is this thread.
    unsafe { libc::sched_setscheduler(0, policy, &raw const priority) == 0 }
}
