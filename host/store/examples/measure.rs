//! What the store costs with many devices: `measure [ROWS] [DIRECTORY]`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a program that prints figures"
)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_domain::{Origin, Timestamp};
use portreeve_store::decisions::{
    DecisionWriter, Entry, Filter, Grounds, Judged, Keep, LogSettings, Reader, Ruling,
};
use portreeve_store::{
    Batch, DeviceRow, InventoryState, Phase, Quota, SetDocument, Store, StoreSettings, backup,
    compact, verify,
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments
        .next()
        .map_or(1_000_000, |text| text.parse().unwrap());
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(directory).unwrap();
    let path = directory.path().join("portreeve.redb");

    measure_decisions(&directory.path().join("decisions"));
    for size in [1_000, 5_000] {
        let path = directory.path().join(format!("batches of {size}"));
        let store = open(&path);
        let count = rows.min(100_000);
        let took = write(&store, 0..count, size, 1);
        println!("{count} new rows, batches of {size}: {}", rate(count, took));
        let took = write(&store, 0..count, size, 2);
        println!(
            "{count} rows again, batches of {size}: {}",
            rate(count, took)
        );
    }

    let store = open(&path);
    let took = write(&store, 0..rows, 5_000, 1);
    println!("{rows} new rows, batches of 5000: {}", rate(rows, took));
    let took = write(&store, 0..rows / 2, 5_000, 2);
    println!(
        "{} rows again, batches of 5000: {}",
        rows / 2,
        rate(rows / 2, took)
    );
    println!(
        "file: {} MB, peak memory: {}",
        store.file_bytes() >> 20,
        peak()
    );
    scan(&store, rows);

    let request = |number: u64| SetDocument {
        namespace: "plugin".to_owned(),
        key: "cursor".to_owned(),
        value: number.to_le_bytes().to_vec(),
        if_version: None,
        ttl: None,
        quota: Quota::default(),
        now: Timestamp::from_millis(1),
    };
    let started = Instant::now();
    for number in 0..100 {
        store.set_document(&request(number)).unwrap();
    }
    println!("one document, durable: {:?}", started.elapsed() / 100);

    let unclean = directory.path().join("unclean");
    std::fs::copy(&path, &unclean).unwrap();
    let started = Instant::now();
    drop(store);
    println!("close: {:?}", started.elapsed());
    for (path, what) in [(&path, "a clean stop"), (&unclean, "a kill")] {
        // The copy is on its way to the disk; that is not the store's time.
        std::fs::File::open(path).unwrap().sync_all().unwrap();
        let started = Instant::now();
        let store = open(path);
        println!("open after {what}: {:?}", started.elapsed());
        scan(&store, rows);
    }

    let store = open(&path);
    let state = InventoryState {
        phase: Phase::Full,
        epoch: 2,
        cursor: None,
        started_at: Timestamp::from_millis(1),
        completed_at: None,
        read: rows,
        total: Some(rows),
    };
    let before = Timestamp::from_millis(u64::MAX);
    let started = Instant::now();
    let swept = store
        .sweep("intune", 2, before, &state, &mut |_| ())
        .unwrap();
    println!(
        "sweep of {swept}: {:?}, peak memory: {}",
        started.elapsed(),
        peak()
    );
    let started = Instant::now();
    backup(&store, &directory.path().join("backup")).unwrap();
    println!("backup of the rest: {:?}", started.elapsed());
    drop(store);
    let started = Instant::now();
    let report = verify(&path, &mut |_, _| Ok(())).unwrap();
    println!("verify: {:?}, {:?}", started.elapsed(), report.devices);
    let started = Instant::now();
    let compacted = compact(&path).unwrap();
    println!("compact: {:?}, {compacted:?}", started.elapsed());
    println!("peak memory: {}", peak());
}

/// What it costs to record a decision, and how fast they are written and read.
fn measure_decisions(directory: &Path) {
    const COUNT: u64 = 500_000;
    let settings = LogSettings {
        keep: Keep::All,
        queue: 1 << 20,
        ..LogSettings::new(directory)
    };
    let (log, writer) = DecisionWriter::start(&settings).unwrap();
    let judged = Arc::new(Judged::new(&Grounds {
        whole: false,
        chain_name: "default",
        decision: None,
        quarantined: false,
        ruling: Ruling::Permit,
        reasons: &[],
        policy: None,
        chain: &[],
        facts: vec![("compliance".to_owned(), "compliant".into())],
        source: None,
        absence: None,
        detail: None,
    }));
    let client = Arc::<str>::from("ise");
    let identifiers: Arc<[_]> = vec!["00:50:56:a4:89:5a".parse().unwrap()].into();
    let started = Instant::now();
    for number in 0..COUNT {
        log.record(Entry {
            at: Timestamp::from_millis(1_772_352_000_000 + number / 100),
            client: Arc::clone(&client),
            face: "rest",
            request: None,
            identifiers: Arc::clone(&identifiers),
            judged: Arc::clone(&judged),
            origin: Origin::Cached,
            stale: false,
            latency: Duration::from_micros(3),
            changed: false,
        });
    }
    let recorded = started.elapsed();
    drop(writer);
    let took = started.elapsed();
    let figures = log.figures();
    println!(
        "record a decision: {:?} each",
        recorded / u32::try_from(COUNT).unwrap()
    );
    println!(
        "{} written, {} MB: {}",
        figures.written,
        figures.bytes >> 20,
        rate(COUNT, took)
    );
    let (mut seen, started) = (0, Instant::now());
    Reader::new(directory)
        .read_all(&Filter::default(), &mut |_| {
            seen += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    println!("{seen} decisions read: {}", rate(seen, started.elapsed()));
}

fn open(path: &Path) -> Store {
    Store::open(path, &StoreSettings::default()).unwrap()
}

/// A key like those of a cloud: a GUID, in no order.
fn key(number: u64) -> String {
    let low = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let high = low.rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    format!("{:08x}-{:04x}-{:016x}", high >> 32, high & 0xffff, low)
}

fn write(store: &Store, rows: std::ops::Range<u64>, size: u64, epoch: u32) -> Duration {
    let started = Instant::now();
    let mut next = rows.start;
    while next < rows.end {
        let mut batch = Batch::default();
        for number in next..(next + size).min(rows.end) {
            batch.put_device(&DeviceRow {
                source: "intune",
                key: &key(number),
                fetched_at: Timestamp::from_millis(number),
                epoch,
                device: &[7; 200],
            });
        }
        store.commit(&batch).unwrap();
        next += size;
    }
    started.elapsed()
}

fn scan(store: &Store, rows: u64) {
    let (mut seen, mut bytes) = (0, 0);
    let started = Instant::now();
    store
        .read_devices(&mut |row| {
            seen += 1;
            bytes += row.device.len();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, rows);
    println!(
        "scan of {seen} rows, {} MB: {:?}",
        bytes >> 20,
        started.elapsed()
    );
}

fn rate(rows: u64, took: Duration) -> String {
    format!("{took:.2?}, {:.0}/s", rows as f64 / took.as_secs_f64())
}

/// The most memory the process had so far.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap_or("unknown").trim().to_owned()
}
