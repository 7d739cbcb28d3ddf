//! What ends up in the log of what guests say.

use std::io;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use portreeve_runtime::LogLimits;
use serde_json::Value;

use crate::server::Server;
use crate::support::{Setup, find, found, narrow, text, wasi};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged in this process. Plugins log on threads of their own, so the
/// log has to be the whole process's; tests tell theirs by the instance's name.
fn kept() -> &'static Kept {
    static KEPT: OnceLock<Kept> = OnceLock::new();
    KEPT.get_or_init(|| {
        let kept = Kept::default();
        let writer = kept.clone();
        tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .init();
        kept
    })
}

fn events(instance: &str) -> Vec<Value> {
    let log = String::from_utf8(kept().0.lock().clone()).unwrap();
    let events = log.lines().map(|line| serde_json::from_str(line).unwrap());
    events
        .filter(|event: &Value| event["instance"] == instance)
        .collect()
}

fn named(setup: Setup, name: &'static str) -> Setup {
    kept();
    Setup { name, ..setup }
}

#[tokio::test]
async fn a_flood_is_cut_and_told() {
    for (setup, name) in [(narrow("log"), "flood"), (wasi("print"), "wasi-flood")] {
        let setup = named(setup, name)
            .set("text", "drop of a flood")
            .set("count", 3000);
        let setup = setup.limits(|limits| {
            limits.log = LogLimits {
                events_per_second: 1,
                burst: 10,
                ..LogLimits::default()
            };
        });
        let connector = setup.start().await;
        found(&connector).await;
        let dropped = connector.status().log_dropped;
        assert!((2000..3000).contains(&dropped), "{dropped}");
        let events = events(name);
        assert!(events.len() < 1000, "{}", events.len());
        let told: u64 = events
            .iter()
            .filter_map(|event| event["dropped"].as_u64())
            .sum();
        assert_eq!(told, dropped);
    }
}

#[tokio::test]
async fn secrets_control_characters_and_long_texts_do_not_get_through() {
    let server = Server::start().await;
    let message = format!("t0ken-in-a-log\nforged \u{1b}[31m {}", "x".repeat(500));
    let setup = named(narrow("log"), "dirty").set("text", message);
    let setup = setup.credential(&server, "t0ken-in-a-log");
    let mut setup = setup.limits(|limits| limits.log.message_bytes = 100);
    setup.egress.private_networks = vec!["127.0.0.0/8".parse().unwrap()];
    found(&setup.start().await).await;
    let events = events("dirty");
    assert_eq!(events.len(), 1, "{events:?}");
    let written = events[0]["text"].as_str().unwrap();
    assert!(
        written.starts_with("[redacted]\\nforged \\u{1b}[31m xxx"),
        "{written}"
    );
    assert!(written.ends_with('…') && written.len() < 130, "{written}");
    assert_eq!(events[0]["plugin"], "dev.portreeve.fixture-connector");
    assert_eq!(events[0]["target"], "portreeve::plugin");
}

#[tokio::test]
async fn a_fault_is_told_once_for_each_call() {
    let mut setup = named(narrow("crash"), "crashing");
    setup.breaker.faults = 2;
    let connector = setup.start().await;
    for _ in 0..3 {
        assert!(find(&connector).await.is_err());
    }
    let events = events("crashing");
    let left_alone: Vec<_> = events.iter().map(|event| &event["left_alone"]).collect();
    assert_eq!(left_alone, [false, true], "{events:?}");
    assert_eq!(events[0]["level"], "WARN");
    assert!(events[0]["fault"].as_str().unwrap().contains("crashed"));
}

#[tokio::test]
async fn fields_are_kept() {
    let setup = named(narrow("log"), "fields").set("text", "hello");
    found(&setup.start().await).await;
    assert_eq!(events("fields")[0]["data"], "number=\"0\"");
}

#[tokio::test]
async fn an_identifier_that_is_none_is_told() {
    let setup = named(narrow("malformed-id"), "identifiers");
    find(&setup.start().await).await.unwrap();
    let events = events("identifiers");
    assert_eq!(events[0]["text"], "identifier left out");
    assert!(
        events[0]["data"]
            .as_str()
            .unwrap()
            .contains("not an address")
    );
}

#[tokio::test]
async fn standard_output_becomes_events() {
    let setup = named(wasi("print"), "printed").set("text", "one line");
    let connector = setup.limits(|limits| limits.reuse = portreeve_runtime::Reuse::Fresh);
    let device = found(&connector.start().await).await;
    assert_eq!(text(&device, "printed"), "1");
    let events = events("printed");
    let find = |text: &str| events.iter().find(|event| event["text"] == text).unwrap();
    assert_eq!(find("one line")["level"], "INFO");
    assert_eq!(find("on the error stream")["level"], "WARN");
}
