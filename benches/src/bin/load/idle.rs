//! Threads that run only while no other thread wants to.
#![expect(
    unsafe_code,
    reason = "the system's call has no safe form in the crates we use"
)]

/// Has this thread run only on processors that nobody else wants, as work on
/// another machine would. A system that refuses leaves it as it is.
pub(crate) fn only_when_idle() {
    let priority = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads one structure, which lives until the call has
    // returned; 0 is this thread.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const priority) };
}
