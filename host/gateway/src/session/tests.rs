use portreeve_cache::CacheSettings;
use portreeve_store::{Store, StoreSettings, Writer};

use super::*;

const SETTINGS: SessionSettings = SessionSettings {
    max: 3,
    expire_after: Duration::from_secs(100),
};

const MAC: &str = "00-50-56-A4-89-5A";

fn seconds(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + seconds * 1000)
}

fn nas(name: &str) -> Nas {
    match name.parse() {
        Ok(address) => Nas {
            address: Some(address),
            identifier: None,
        },
        Err(_) => Nas {
            address: None,
            identifier: Some(name.into()),
        },
    }
}

fn session(name: &str, id: &str, at: u64) -> Session {
    Session {
        nas: nas(name),
        id: id.into(),
        audit_id: None,
        calling_station: Some(MAC.into()),
        user: None,
        port: None,
        port_id: None,
        framed_address: None,
        client: "radius".into(),
        started_at: seconds(at),
        seen_at: seconds(at),
    }
}

/// What there is, the one heard of last first.
#[track_caller]
fn check(sessions: &Sessions, at: u64, expected: &[&str]) {
    let (found, total) = sessions.list(seconds(at), usize::MAX, |_| true);
    let found: Vec<&str> = found.iter().map(|session| &*session.id).collect();
    assert_eq!(found, expected);
    assert_eq!(total, expected.len());
    let of_endpoint = sessions.of(MAC.parse().unwrap(), seconds(at));
    let of_endpoint: Vec<&str> = of_endpoint.iter().map(|session| &*session.id).collect();
    assert_eq!(of_endpoint, expected);
    assert_eq!(
        sessions.live.get(),
        i64::try_from(sessions.len()).unwrap(),
        "the metric"
    );
}

fn volatile() -> Sessions {
    Sessions::volatile(SETTINGS)
}

#[tokio::test]
async fn sessions_begin_go_on_and_end() {
    let sessions = volatile();
    sessions.start(session("192.0.2.1", "a", 0)).await;
    sessions.start(session("192.0.2.2", "b", 1)).await;
    check(&sessions, 1, &["b", "a"]);
    sessions.update(session("192.0.2.1", "a", 2)).await;
    check(&sessions, 2, &["a", "b"]);
    // The same id at another server is another session.
    assert!(!sessions.end(&nas("192.0.2.2"), "a").await);
    assert!(sessions.end(&nas("192.0.2.1"), "a").await);
    assert!(!sessions.end(&nas("192.0.2.1"), "a").await);
    check(&sessions, 2, &["b"]);
}

#[tokio::test]
async fn a_report_adds_to_what_is_known() {
    let sessions = volatile();
    let first = Session {
        user: Some("ada".into()),
        port: Some(7),
        audit_id: Some("0A01".into()),
        ..session("192.0.2.1", "a", 5)
    };
    sessions.start(first).await;
    let later = Session {
        framed_address: Some("198.51.100.7".parse().unwrap()),
        port: Some(8),
        calling_station: None,
        ..session("192.0.2.1", "a", 9)
    };
    sessions.update(later).await;
    let known = sessions.of(MAC.parse().unwrap(), seconds(9));
    let known = known.first().unwrap();
    assert_eq!(known.user.as_deref(), Some("ada"));
    assert_eq!(known.audit_id.as_deref(), Some("0A01"));
    assert_eq!(known.port, Some(8));
    assert_eq!(known.framed_address, "198.51.100.7".parse().ok());
    assert_eq!((known.started_at, known.seen_at), (seconds(5), seconds(9)));

    // A server that has restarted counts from the beginning.
    sessions.start(session("192.0.2.1", "a", 20)).await;
    let user = |at| {
        let (found, _) = sessions.list(seconds(at), 1, |_| true);
        found.first().unwrap().user.clone()
    };
    assert_eq!(user(20), None);
    let named = Session {
        user: Some("ada".into()),
        ..session("192.0.2.1", "a", 21)
    };
    sessions.update(named).await;
    assert_eq!(user(21).as_deref(), Some("ada"));
    let other = Session {
        calling_station: Some("00-50-56-00-00-01".into()),
        ..session("192.0.2.1", "a", 22)
    };
    sessions.update(other).await;
    assert_eq!(user(22), None);
}

#[tokio::test]
async fn a_server_that_restarts_has_no_sessions() {
    let sessions = volatile();
    for (name, id) in [("192.0.2.1", "a"), ("192.0.2.10", "b"), ("wlc", "c")] {
        sessions.start(session(name, id, 0)).await;
    }
    assert_eq!(sessions.end_all(&nas("192.0.2.1")).await, 1);
    assert_eq!(sessions.end_all(&nas("wl")).await, 0);
    assert_eq!(sessions.end_all(&nas("wlc")).await, 1);
    check(&sessions, 0, &["b"]);
}

#[tokio::test]
async fn they_are_bounded_and_expire() {
    let sessions = volatile();
    for (id, at) in [("a", 0), ("b", 10), ("c", 20), ("d", 30)] {
        sessions.start(session("192.0.2.1", id, at)).await;
    }
    check(&sessions, 30, &["d", "c", "b"]);
    assert_eq!(sessions.displaced.get(), 1);
    check(&sessions, 110, &["d", "c", "b"]);
    check(&sessions, 111, &["d", "c"]);
    sessions.update(session("192.0.2.1", "c", 120)).await;
    check(&sessions, 200, &["c"]);
    check(&sessions, 1_000, &[]);
}

#[tokio::test]
async fn a_list_is_cut_and_counted() {
    let sessions = volatile();
    for (name, id) in [("192.0.2.1", "a"), ("192.0.2.2", "b"), ("192.0.2.1", "c")] {
        sessions.start(session(name, id, 0)).await;
    }
    let (found, total) = sessions.list(seconds(0), 1, |session| session.nas == nas("192.0.2.1"));
    assert_eq!((found.len(), total), (1, 2));
}

/// Memory with a store in this folder.
fn opened(folder: &std::path::Path) -> (Memory, Writer) {
    let store = Store::open(&folder.join("x.redb"), &StoreSettings::default()).unwrap();
    let (memory, writer, _) =
        Memory::durable(CacheSettings::default(), Vec::new(), Arc::new(store)).unwrap();
    (memory, writer)
}

#[tokio::test]
async fn a_restart_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let full = Session {
        nas: Nas {
            address: "2001:db8::1".parse().ok(),
            identifier: Some("wlc".into()),
        },
        audit_id: Some("0A01".into()),
        user: Some("host/laptop".into()),
        port: Some(50_101),
        port_id: Some("Gi1/0/1".into()),
        framed_address: "198.51.100.7".parse().ok(),
        ..session("wlc", "ä/b", 50)
    };
    {
        let (memory, writer) = opened(folder.path());
        let sessions = Sessions::at(SETTINGS, &memory, seconds(0)).unwrap();
        check(&sessions, 0, &[]);
        for (id, at) in [("too many", 0), ("old", 10), ("ended", 40)] {
            sessions.start(session("192.0.2.1", id, at)).await;
        }
        sessions.start(full.clone()).await;
        sessions.end(&nas("192.0.2.1"), "ended").await;
        writer.shutdown().await.unwrap();
    }
    let (memory, writer) = opened(folder.path());
    let documents = |memory: &Memory| {
        let store = memory.store().unwrap();
        store.document_usage("sessions").unwrap().keys
    };
    assert_eq!(documents(&memory), 2);
    let sessions = Sessions::at(SETTINGS, &memory, seconds(120)).unwrap();
    let (found, _) = sessions.list(seconds(120), 9, |_| true);
    assert_eq!(
        found.iter().map(|found| &**found).collect::<Vec<_>>(),
        [&full]
    );
    // What is too old leaves the store with the next change.
    sessions.start(session("192.0.2.1", "new", 121)).await;
    assert_eq!(documents(&memory), 2);
    writer.shutdown().await.unwrap();
}
