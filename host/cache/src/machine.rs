//! What the processor and the system are told about memory. None of it changes
//! what anything means.
#![expect(
    unsafe_code,
    reason = "hints to processor and system have no safe form; each says why it is sound"
)]

use std::collections::HashMap;

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

/// What the system calls a huge page, on nearly all of its machines.
const HUGE: usize = 2 << 20;

/// So many bytes of a block make it worth a large page: the rest of it is what
/// was allocated beside them.
const ENOUGH: usize = HUGE / 8;
/// `MADV_COLLAPSE`, since Linux 6.1.
#[cfg(target_os = "linux")]
const COLLAPSE: libc::c_int = 25;

/// Memory that questions read in no order, in blocks of huge pages: how many
/// bytes of each block are so.
#[derive(Debug, Default)]
pub(crate) struct Blocks(HashMap<usize, usize>);

impl Blocks {
    /// Notes that `what` is read in no order.
    pub(crate) fn note<T>(&mut self, what: &[T]) {
        let mut start = what.as_ptr().addr();
        let end = start.saturating_add(size_of_val(what));
        while start < end {
            let next = (start / HUGE + 1) * HUGE;
            *self.0.entry(start / HUGE).or_default() += next.min(end) - start;
            start = next;
        }
    }

    /// Has the system make one page of each block that holds much of it: the
    /// processor then finds it without reading tables about it first. A
    /// system that cannot leaves it as it is. Whoever touches a block just then
    /// waits for a fraction of a millisecond.
    pub(crate) fn collapse(&self) {
        #[cfg(target_os = "linux")]
        for (block, bytes) in &self.0 {
            if *bytes >= ENOUGH {
                let address = std::ptr::without_provenance_mut(block * HUGE);
                // SAFETY: the content of memory is the same before and after;
                // an address where nothing is mapped is an error and no more.
                let _ = unsafe { libc::madvise(address, HUGE, COLLAPSE) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_where_they_are() {
        let memory = vec![1_u8; 3 * HUGE];
        let mut blocks = Blocks::default();
        blocks.note(&memory);
        blocks.note::<u8>(&[]);
        assert_eq!(blocks.0.values().sum::<usize>(), memory.len());
        assert!(blocks.0.values().all(|bytes| *bytes <= HUGE));
        assert!(blocks.0.len() >= 3);
        blocks.collapse();
        assert!(memory.iter().all(|byte| *byte == 1));
    }
}
