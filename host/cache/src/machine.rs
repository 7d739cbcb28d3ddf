//! What the processor and the system are told about memory. None of it changes
//! what anything means.
#![expect(
    unsafe_code,
    reason = "hints to processor and system have no safe form; each says why it is sound"
)]

/// Has the processor fetch the beginning of `what` into its caches, without
/// waiting for it. Does nothing where it cannot.
#[inline]
pub(crate) fn prefetch<T>(what: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program could see and never
        // faults; a reference is a valid address besides.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(what).cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = what;
}
