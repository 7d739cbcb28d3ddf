//! What a device and a verdict cost in memory, counted at the allocator.
#![expect(
    unsafe_code,
    reason = "counting bytes takes an allocator of our own, which only passes on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use portreeve_cache::{CacheSettings, DeviceCache, SourceId};
use portreeve_domain::{Device, Timestamp};

mod fleet;

struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);

/// What an allocator takes for so many bytes: eight of its own, and classes
/// that are 16 bytes apart.
fn taken(layout: Layout) -> usize {
    (layout.size() + 8).next_multiple_of(16)
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(taken(layout), Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(taken(layout), Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const DEVICES: u64 = 200_000;

fn settings(max_bytes: usize) -> CacheSettings {
    CacheSettings {
        max_bytes,
        ..CacheSettings::default()
    }
}

/// Bytes that a device costs really, and by the cache's own count.
fn cost(cache: &DeviceCache, device: impl Fn(u64) -> Device) -> (usize, usize) {
    let before = BYTES.load(Ordering::Relaxed);
    for number in 0..DEVICES {
        cache.insert(SourceId(0), &device(number), Timestamp::from_millis(1));
    }
    let grown = BYTES.load(Ordering::Relaxed) - before;
    let statistics = cache.statistics();
    (
        grown / statistics.devices,
        statistics.bytes / statistics.devices,
    )
}

/// One test, for the allocator counts for all threads.
#[test]
fn a_device_takes_less_than_400_bytes() {
    let cache = DeviceCache::new(settings(usize::MAX));
    let (real, counted) = cost(&cache, fleet::device);
    assert!(real < 400, "{real}");
    assert!(
        real.abs_diff(counted) < real / 10,
        "{real}, counted {counted}"
    );
    drop(cache);

    // With all that Graph says of it.
    let cache = DeviceCache::new(settings(usize::MAX));
    let (full, counted) = cost(&cache, fleet::full_device);
    assert!(full < 400, "{full}");
    assert!(
        full.abs_diff(counted) < full / 10,
        "{full}, counted {counted}"
    );
    drop(cache);

    // The bound in bytes is one of real ones, also while devices come and go.
    let most = 20_000_000;
    let before = BYTES.load(Ordering::Relaxed);
    let cache = DeviceCache::new(settings(most));
    cost(&cache, fleet::device);
    let (devices, bytes) = (cache.len(), BYTES.load(Ordering::Relaxed) - before);
    assert!(devices > most / 400, "{devices}");
    // Unknown identifiers and empty tables come on top.
    let fixed = 12_000_000;
    assert!(bytes < most + most / 10 + fixed, "{bytes}");
}
