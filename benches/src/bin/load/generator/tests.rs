//! The generator against a server that stalls as it is told.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;

/// Answers at once, but for request number `stalled`, which takes `stall`.
/// Connections from the second on are served beside.
async fn server(stalled: u64, stall: Duration, status: u16) -> (Target, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU64::new(0));
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let requests = Arc::clone(&requests);
            connections.spawn(async move {
                let service = service_fn(move |_| {
                    let number = requests.fetch_add(1, Ordering::SeqCst);
                    async move {
                        if number == stalled {
                            tokio::time::sleep(stall).await;
                        }
                        let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
                        *response.status_mut() = status.try_into().unwrap();
                        Ok::<_, Infallible>(response)
                    }
                });
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    let target = Target {
        address,
        tls: None,
        version: Version::Http1,
        key: "key".to_owned(),
    };
    (target, serving)
}

fn paced(target: Target, connections: u32, rate: u32, millis: u64) -> Paced {
    Paced {
        target,
        paths: one("/"),
        connections,
        rate,
        length: Duration::from_millis(millis),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_would_have_come_during_a_stall_count_as_late() {
    let stall = Duration::from_millis(200);
    let (target, _serving) = server(10, stall, 200).await;
    // One request every 5 ms on one connection: 40 come during the stall.
    let latencies = paced(target, 1, 200, 500).run().await.unwrap();
    assert_eq!(
        (latencies.len(), latencies.failed, latencies.missing),
        (100, 0, 0)
    );
    // The slowest is the stalled one; without the correction it would be the
    // only slow one of 100, and 90 % would be fast.
    assert!(latencies.slowest() >= 199_000.0, "{}", latencies.slowest());
    assert!(
        latencies.quantile(0.9) >= 100_000.0,
        "{}",
        latencies.quantile(0.9)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_comes_is_counted_to_the_end_of_the_run() {
    let (target, _serving) = server(3, Duration::from_hours(1), 200).await;
    let run = Paced {
        length: Duration::from_millis(100),
        ..paced(target, 1, 100, 100)
    };
    let latencies = run.run().await.unwrap();
    assert_eq!((latencies.len(), latencies.missing), (10, 7));
    assert!(latencies.quantile(0.5) >= GRACE.as_secs_f64() * 1e6 * 0.99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_apart() {
    for (status, unknown, shed, failed) in [
        (200, 0, 0, 0),
        (404, 20, 0, 0),
        (503, 0, 20, 0),
        (401, 0, 0, 20),
    ] {
        let (target, _serving) = server(u64::MAX, Duration::ZERO, status).await;
        let latencies = paced(target, 2, 200, 100).run().await.unwrap();
        let found = (latencies.unknown, latencies.shed, latencies.failed);
        assert_eq!(found, (unknown, shed, failed), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_counts_answers_and_errors() {
    let length = Duration::from_millis(50);
    for (status, answers) in [(200, true), (503, false)] {
        let (target, _serving) = server(u64::MAX, Duration::ZERO, status).await;
        let flood = Flood {
            target,
            paths: one("/"),
            connections: 2,
            streams: 1,
            length,
        };
        let flooded = flood.run().await.unwrap();
        assert_eq!(flooded.rate > 0.0, answers, "{status}");
        assert_eq!(flooded.errors > 0, !answers, "{status}");
    }
}
