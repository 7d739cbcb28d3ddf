//! Recording a decision allocates nothing.
#![expect(
    unsafe_code,
    reason = "counting allocations takes an allocator of our own, which only passes on"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::{Origin, Timestamp};
use portreeve_store::decisions::{
    DecisionWriter, Entry, Grounds, Judged, Keep, LogSettings, Ruling,
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

#[test]
fn recording_allocates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let settings = LogSettings {
        keep: Keep::All,
        queue: 1_000,
        reserve: 100,
        ..LogSettings::new(directory.path())
    };
    let (log, writer) = DecisionWriter::start(&settings).unwrap();
    let judged = Arc::new(Judged::new(&Grounds {
        whole: false,
        chain_name: "default",
        decision: None,
        quarantined: false,
        ruling: Ruling::Deny,
        reasons: &[],
        policy: None,
        chain: &[],
        facts: Vec::new(),
        source: None,
        absence: None,
        detail: None,
    }));
    let (client, identifiers) = (Arc::<str>::from("ise"), Arc::new([]));
    let before = ALLOCATIONS.get();
    // More than the queue holds, so that drops are among them.
    for number in 0..5_000 {
        let ruling = judged.ruling();
        if log.wants(ruling, false) {
            log.record(Entry {
                at: Timestamp::from_millis(number),
                client: Arc::clone(&client),
                face: "rest",
                request: None,
                identifiers: identifiers.clone(),
                judged: Arc::clone(&judged),
                origin: Origin::Cached,
                stale: false,
                latency: Duration::from_micros(1),
                changed: false,
            });
        }
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    drop(writer);
    let figures = log.figures();
    assert_eq!(figures.written + figures.dropped_denials, 5_000);
    assert!(figures.gaps > 0 || figures.dropped_denials == 0);
}
