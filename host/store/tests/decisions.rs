//! The decision log with its thread.

use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use portreeve_domain::{Origin, Timestamp};
use portreeve_store::Status;
use portreeve_store::decisions::{
    DecisionWriter, Entry, Filter, Found, Grounds, Judged, Keep, LogError, LogSettings, Reader,
    Ruling,
};

fn entry(ruling: Ruling, latency: u64) -> Entry {
    let judged = Judged::new(&Grounds {
        whole: false,
        chain_name: "default",
        decision: None,
        quarantined: false,
        ruling,
        reasons: &[],
        policy: None,
        chain: &[],
        facts: Vec::new(),
        source: None,
        absence: None,
        detail: None,
    });
    Entry {
        at: Timestamp::now(),
        client: "ise".into(),
        face: "rest",
        request: Some("r1".into()),
        identifiers: Arc::new([]),
        judged: Arc::new(judged),
        origin: Origin::Fetched,
        stale: false,
        latency: Duration::from_micros(latency),
        changed: true,
    }
}

#[tokio::test]
async fn what_is_recorded_can_be_read_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let settings = LogSettings::new(&directory.path().join("decisions"));
    let (log, writer) = DecisionWriter::start(&settings).unwrap();
    let reader = Reader::new(&settings.directory);
    let mut follower = reader.follow(&Filter::default()).unwrap();
    let mut latencies = Vec::new();
    for round in 0..3_u64 {
        for number in 0..1_000 {
            assert!(log.record(entry(Ruling::Permit, round * 1_000 + number)));
        }
        log.flush().await.unwrap();
        let flow = follower.poll(&mut |found| {
            if let Found::Decision { record, .. } = found {
                latencies.push(record.latency_us);
            }
            ControlFlow::Continue(())
        });
        assert!(flow.unwrap().is_continue());
        assert_eq!(latencies.len() as u64, (round + 1) * 1_000);
    }
    assert!(latencies.is_sorted());
    log.record(entry(Ruling::Deny, 5_000));
    writer.shutdown().await.unwrap();
    assert_eq!(log.figures().written, 3_001);
    assert_eq!(log.status(), Status::Ok);
    assert!(!log.record(entry(Ruling::Permit, 0)));
    assert_eq!(log.flush().await, Err(LogError::Closed));

    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&settings.directory) & 0o777, 0o700);
    for file in std::fs::read_dir(&settings.directory).unwrap() {
        assert_eq!(mode(&file.unwrap().path()) & 0o777, 0o600);
    }
}

#[tokio::test]
async fn the_rule_can_be_changed_while_it_runs() {
    let directory = tempfile::tempdir().unwrap();
    let settings = LogSettings::new(directory.path());
    let (log, _writer) = DecisionWriter::start(&settings).unwrap();
    assert!(!log.wants(Ruling::Permit, false));
    assert!(log.wants(Ruling::Permit, true));
    log.set_keep(Keep::All);
    assert!(log.wants(Ruling::Permit, false));
    log.set_keep(Keep::None);
    assert!(!log.wants(Ruling::Deny, true));
}

#[test]
fn a_directory_that_cannot_be_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let settings = LogSettings::new(&file.join("decisions"));
    let error = DecisionWriter::start(&settings).map(|_| ()).unwrap_err();
    assert!(matches!(error, LogError::Io { .. }), "{error}");
}
