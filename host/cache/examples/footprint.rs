//! What a million devices cost: memory as the system counts it, and the time to
//! load them from packed bytes.
//!
//! `cargo run --release -p portreeve-cache --example footprint -- [DEVICES] [full]`
#![expect(clippy::print_stdout, reason = "its figures are for people")]

use std::time::Instant;

use portreeve_cache::packed::{Words, pack};
use portreeve_cache::{CacheSettings, DeviceCache, SourceId};
use portreeve_domain::Timestamp;

#[path = "../tests/fleet/mod.rs"]
mod fleet;

/// Bytes of this process in memory, zero where the system does not say.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kibibytes.unwrap_or(0) * 1_024
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000);
    let device = match arguments.next().as_deref() {
        Some("full") => fleet::full_device,
        _ => fleet::device,
    };
    let settings = CacheSettings {
        max_devices: usize::MAX,
        max_bytes: usize::MAX,
        ..CacheSettings::default()
    };
    let each = |bytes: usize| bytes / usize::try_from(count).unwrap_or(1);
    let now = Timestamp::from_millis(1);

    // A sync: one device after the other, decoded by its connector.
    let before = resident();
    let cache: DeviceCache = DeviceCache::new(settings);
    let started = Instant::now();
    for number in 0..count {
        cache.insert(SourceId(0), &device(number), now);
    }
    println!(
        "insert:         {} B resident each, {} B estimated each, {:?} with making them up",
        each(resident() - before),
        each(cache.statistics().bytes),
        started.elapsed(),
    );

    // A start: packed bytes from the store.
    let packed: Vec<Vec<u8>> = (0..count)
        .map(|number| pack(&device(number), cache.words()))
        .collect();
    let sizes = packed.iter().map(Vec::len).sum();
    println!("packed:         {} B each", each(sizes));
    let words = Words::restore(cache.words().since(0));
    drop(cache);
    let before = resident();
    let cache: DeviceCache = DeviceCache::with_words(settings, words.into());
    cache.reserve(usize::try_from(count).unwrap_or(0));
    let started = Instant::now();
    let refused = packed
        .iter()
        .filter(|packed| cache.insert_packed(SourceId(0), packed, now).is_err())
        .count();
    let elapsed = started.elapsed();
    println!(
        "insert_packed:  {} B more resident each, {elapsed:?}, {:.2} million/s, {refused} refused",
        each(resident().saturating_sub(before)),
        f64::from(u32::try_from(count).unwrap_or(0)) / elapsed.as_secs_f64() / 1e6,
    );
}
