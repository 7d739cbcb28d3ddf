//! A hit allocates nothing.
#![expect(
    unsafe_code,
    reason = "counting allocations takes an allocator of our own, which only passes on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use portreeve_cache::{
    CacheSettings, ChainId, DeviceCache, FreshnessRules, Remembered, SourceId, VerdictCache,
};
use portreeve_domain::{
    Device, Fact, FactsRead, Finding, Identifier, Lists, Subject, Timestamp, Verdict,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn a_hit_allocates_nothing() {
    let ids: Vec<Identifier> = [
        "3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
        "udid:u",
        "serial:s",
        "imei:352099001761481",
        "x-name:n",
        "00:50:56:a4:89:5a",
        "hostname:h",
        "user:u@example.com",
    ]
    .iter()
    .map(|text| text.parse().unwrap())
    .collect();
    let source = SourceId(0);
    let now = Timestamp::from_millis(1_000_000);
    let devices: DeviceCache = DeviceCache::new(CacheSettings::default());
    let verdicts = VerdictCache::new(100, Duration::from_mins(1));
    let device = Arc::new(Device {
        key: "a".to_owned(),
        ids: ids.clone(),
        ..Device::default()
    });
    let record = devices.insert(source, &device, now);
    assert!(devices.attach(&record, Arc::default()));
    let provenance = Some(record.provenance());
    let subject = Subject {
        now,
        connection: Arc::default(),
        requested: ids.clone().into(),
        finding: Finding::Device(Arc::clone(&device)),
        sources: Vec::new(),
        lists: Arc::new(Lists::default()),
    };
    let mut facts = FactsRead::default();
    for fact in [
        Fact::Connection,
        Fact::Sources,
        Fact::Compliance,
        Fact::Identifiers,
        Fact::ListMembership {
            list: "vip".into(),
            member: "a".into(),
        },
    ] {
        facts.note(fact);
    }
    let value = Arc::new(Verdict::Permit);
    verdicts.insert(ChainId(1), &subject, provenance, &facts, None, value);
    let rules = FreshnessRules {
        ttl: Duration::from_mins(1),
        max_stale_compliant: Duration::from_mins(1),
        max_stale_other: Duration::from_mins(1),
        negative_ttl: Duration::from_mins(1),
    };
    let ask = || {
        let Remembered::Found(record) = devices.find(source, &subject.requested) else {
            panic!("the record is there");
        };
        black_box(rules.of(&record, subject.now));
        assert!(
            ids.iter()
                .all(|id| record.carries(id) && !record.contradicts(id))
        );
        assert!(record.attached().is_some());
        let provenance = Some(record.provenance());
        let verdict = verdicts.get(ChainId(1), &subject, provenance);
        assert_eq!(verdict.as_deref(), Some(&Verdict::Permit));
    };
    // A thread's first look-up registers it with the index.
    ask();
    assert_eq!(allocations(ask), 0);
    assert!(allocations(|| drop(black_box(Box::new(1)))) > 0);
}
