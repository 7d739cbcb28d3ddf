//! The allocator of policies: a static arena first, more memory only after it.
//!
//! A policy is often started anew for one question. An instance that never
//! grows its memory costs about half of one that does: growing means two
//! `mprotect` calls in the host, which also keep its threads from running side
//! by side. So the arena is part of the memory the component starts with. What
//! is freed is used again, so that a reused instance does not creep upward.

#![allow(
    unsafe_code,
    reason = "an allocator hands out raw memory; talc does the work, this file only feeds it"
)]

use std::alloc::Layout;

use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

/// Bytes of the arena. With 64 KiB of stack and the policy's own data this
/// stays below what the host keeps resident for an instance.
pub const ARENA_BYTES: usize = 128 * 1024;

/// The allocator type that `export_policy!` installs.
pub type Allocator = TalcSyncCell<ArenaThenGrow, WasmBinning>;

#[repr(align(16))]
struct Arena(#[expect(dead_code, reason = "only its address is used")] [u8; ARENA_BYTES]);

static mut ARENA: Arena = Arena([0; ARENA_BYTES]);

/// Gives talc the static arena once and WebAssembly pages afterwards.
#[derive(Debug)]
pub struct ArenaThenGrow {
    arena_given: bool,
}

// SAFETY: nothing in here allocates, and talc is touched only through the
// reference it passes in.
unsafe impl Source for ArenaThenGrow {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let (base, size) = if talc.source.arena_given {
            grown_pages(layout)?
        } else {
            talc.source.arena_given = true;
            ((&raw mut ARENA).cast(), ARENA_BYTES)
        };
        // SAFETY: both regions are used by nothing else, now or later. talc asks
        // again if the region is too small for what it needs.
        match unsafe { talc.claim(base, size) } {
            Some(_) => Ok(()),
            None => Err(()),
        }
    }
}

#[cfg(target_family = "wasm")]
fn grown_pages(layout: Layout) -> Result<(*mut u8, usize), ()> {
    const PAGE: usize = 64 * 1024;
    // Room for talc's own tags and for the alignment.
    let wanted = layout
        .size()
        .saturating_add(layout.align())
        .saturating_add(1024);
    let pages = wanted.div_ceil(PAGE);
    match core::arch::wasm32::memory_grow::<0>(pages) {
        usize::MAX => Err(()),
        before => Ok(((before * PAGE) as *mut u8, pages * PAGE)),
    }
}

#[cfg(not(target_family = "wasm"))]
fn grown_pages(_layout: Layout) -> Result<(*mut u8, usize), ()> {
    Err(())
}

/// Makes the allocator. Once per component, by `export_policy!`.
#[cfg(target_family = "wasm")]
pub const fn allocator() -> Allocator {
    TalcSyncCell::new_wasm(ArenaThenGrow { arena_given: false })
}

#[cfg(test)]
mod tests {
    use std::alloc::GlobalAlloc as _;

    use talc::cell::TalcCell;

    use super::*;

    /// One test, as there is one arena.
    #[test]
    fn what_is_freed_is_used_again_and_the_arena_is_given_once() {
        let allocator: TalcCell<ArenaThenGrow, WasmBinning> =
            TalcCell::new(ArenaThenGrow { arena_given: false });
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        // Many times the arena, but never much at once.
        for round in 0..1000 {
            let sizes = [7, 100, 1000 + round, 4096];
            // SAFETY: each block is freed with its own layout and not used.
            let blocks = sizes.map(|size| unsafe { allocator.alloc(layout(size)) });
            for (block, size) in blocks.into_iter().zip(sizes) {
                assert!(!block.is_null(), "round {round}");
                // SAFETY: as above.
                unsafe { allocator.dealloc(block, layout(size)) };
            }
        }
        // Outside of WebAssembly there is nothing to grow into.
        // SAFETY: the layouts are valid and the blocks not used.
        unsafe {
            assert!(allocator.alloc(layout(ARENA_BYTES)).is_null());
            assert!(!allocator.alloc(layout(ARENA_BYTES / 2)).is_null());
            assert!(allocator.alloc(layout(ARENA_BYTES / 2)).is_null());
        }
    }
}
