//! The native fast path without HTTP: finding a device, finding its verdict.
//!
//! Questions come in random order, so that at a million devices each one pays
//! for memory that no processor cache holds.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use portreeve_cache::{
    CacheSettings, ChainId, DeviceCache, Freshness, FreshnessRules, Remembered, SourceId,
    VerdictCache,
};
use portreeve_domain::{
    Connection, Device, Fact, FactsRead, Finding, Guid, Identifier, MacAddress, Subject, Timestamp,
    Verdict,
};

#[path = "../tests/fleet/mod.rs"]
mod fleet;

use fleet::{device, guid, mac, scramble};

const SOURCE: SourceId = SourceId(0);
const CHAIN: ChainId = ChainId(1);
const NOW: Timestamp = Timestamp::from_millis(1_000_000);
const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const RULES: FreshnessRules = FreshnessRules {
    ttl: Duration::from_mins(5),
    max_stale_compliant: Duration::from_hours(4),
    max_stale_other: Duration::from_hours(1),
    negative_ttl: Duration::from_mins(1),
};

fn devices(count: u64) -> DeviceCache {
    let cache = DeviceCache::new(CacheSettings {
        max_devices: usize::MAX,
        max_bytes: usize::MAX,
        ..CacheSettings::default()
    });
    for number in 0..count {
        cache.insert(SOURCE, &device(number), NOW);
    }
    // As the gateway does when it has read many.
    cache.settle();
    cache
}

/// Numbers below `count` in an order that no prefetcher follows.
fn shuffled(count: u64) -> impl Iterator<Item = u64> {
    (0_u64..).map(move |step| scramble(step) % count)
}

/// Questions for devices of the cache, prepared so that only asking is timed.
fn asked(count: u64, identifier: impl Fn(u64) -> Identifier) -> Vec<Arc<[Identifier]>> {
    let numbers = shuffled(count).take(200_000);
    numbers
        .map(|number| Arc::from([identifier(number)]))
        .collect()
}

fn find(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    for count in SIZES {
        let cache = devices(count);
        let mut measure = |name: &str, asked: Vec<Arc<[Identifier]>>| {
            let mut asked = asked.iter().cycle();
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| asked.next().map(|asked| cache.find(SOURCE, asked)));
            });
        };
        measure("mac", asked(count, |number| Identifier::Mac(mac(number))));
        measure(
            "guid",
            asked(count, |number| Identifier::Guid(guid(number))),
        );
        measure(
            "absent",
            asked(count, |number| Identifier::Mac(mac(number + count))),
        );
    }
}

fn verdict(criterion: &mut Criterion) {
    let mut facts = FactsRead::default();
    for fact in [Fact::Now, Fact::Compliance, Fact::Posture, Fact::LastSeen] {
        facts.note(fact);
    }
    let mut with_connection = facts.clone();
    with_connection.note(Fact::Connection);
    let connection = Arc::new(Connection {
        client: "radius-1".into(),
        nas: Some("switch-17.example".to_owned()),
        attachment: Some("GigabitEthernet1/0/17".to_owned()),
        ..Connection::default()
    });
    let mut group = criterion.benchmark_group("answer");
    for (name, facts) in [("device-facts", facts), ("connection-too", with_connection)] {
        for count in SIZES {
            let cache = devices(count);
            let verdicts = VerdictCache::new(usize::MAX, Duration::from_hours(1));
            let lists = Arc::default();
            // Decoded where content changed, so not on this way.
            let device: Arc<Device> = Arc::default();
            let subject = |requested: &Arc<[Identifier]>| Subject {
                now: NOW,
                connection: Arc::clone(&connection),
                requested: Arc::clone(requested),
                finding: Finding::Device(Arc::clone(&device)),
                sources: Vec::new(),
                lists: Arc::clone(&lists),
            };
            for number in 0..count {
                let requested: Arc<[Identifier]> = Arc::from([Identifier::Mac(mac(number))]);
                if let Remembered::Found(record) = cache.find(SOURCE, &requested) {
                    let subject = subject(&requested);
                    let value = Arc::new(Verdict::Permit);
                    let provenance = Some(record.provenance());
                    verdicts.insert(CHAIN, &subject, provenance, &facts, None, value);
                }
            }
            let asked = asked(count, |number| Identifier::Mac(mac(number)));
            let mut asked = asked.iter().cycle();
            // The whole way in memory: record, freshness, subject, verdict.
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| {
                    let requested = asked.next()?;
                    let Remembered::Found(record) = cache.find(SOURCE, requested) else {
                        return None;
                    };
                    if RULES.of(&record, NOW) != Freshness::Fresh {
                        return None;
                    }
                    let subject = subject(requested);
                    verdicts.get(CHAIN, &subject, Some(record.provenance()))
                });
            });
            let statistics = verdicts.statistics();
            assert_eq!(statistics.misses, 0, "only hits are measured");
        }
    }
}

fn insert(criterion: &mut Criterion) {
    let count = 100_000;
    let mut group = criterion.benchmark_group("insert");
    let cache = devices(count);
    let mut numbers = shuffled(count);
    group.bench_function("unchanged", |bencher| {
        bencher.iter_batched(
            || device(numbers.next().unwrap_or(0)),
            |device| cache.insert(SOURCE, &device, NOW),
            BatchSize::SmallInput,
        );
    });
    let mut name = 0_u64;
    group.bench_function("changed", |bencher| {
        bencher.iter_batched(
            || {
                name += 1;
                Device {
                    name: Some(name.to_string()),
                    ..device(numbers.next().unwrap_or(0))
                }
            },
            |device| cache.insert(SOURCE, &device, NOW),
            BatchSize::SmallInput,
        );
    });
    let bounded: DeviceCache = DeviceCache::new(CacheSettings {
        max_devices: 100_000,
        ..CacheSettings::default()
    });
    let mut number = 0;
    group.bench_function("new-and-evict", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                device(number)
            },
            |device| bounded.insert(SOURCE, &device, NOW),
            BatchSize::SmallInput,
        );
    });
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for text in ["00:50:56:a4:89:5a", "00-50-56-A4-89-5A", "0050.56a4.895a"] {
        group.bench_function(text, |bencher| {
            bencher.iter(|| MacAddress::parse(black_box(text.as_bytes())));
        });
    }
    group.bench_function("guid", |bencher| {
        let text = guid(1).to_string();
        bencher.iter(|| Guid::parse(black_box(text.as_bytes())));
    });
}

criterion_group!(cache, parse, find, verdict, insert);
criterion_main!(cache);
