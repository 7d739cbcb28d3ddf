//! Each limit stops a guest, and only that guest.

use std::time::{Duration, Instant};

use portreeve_runtime::{
    BreakerSettings, BreakerState, CallError, Limits, LookupOutcome, Reuse, Runtime,
    RuntimeSettings,
};
use serde_json::json;

use crate::server::Server;
use crate::support::{PATIENCE, deadline, find, mac, narrow, policy_on, settings, wasi};

fn short(limits: &mut Limits) {
    limits.wall_clock = Duration::from_millis(200);
}

#[tokio::test]
async fn an_endless_loop_is_stopped() {
    let connector = narrow("loop").limits(short).start().await;
    assert_eq!(find(&connector).await, Err(CallError::OutOfTime));
    let status = connector.status();
    assert_eq!((status.calls, status.faults), (1, 1));
    assert!(status.last_fault.unwrap().contains("ran out of time"));
}

#[tokio::test]
async fn the_callers_deadline_counts_if_it_is_earlier() {
    let connector = narrow("loop").start().await;
    let began = Instant::now();
    let soon = began + Duration::from_millis(100);
    assert_eq!(
        connector.find(&[mac()], soon).await,
        Err(CallError::OutOfTime)
    );
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    let past = connector.find(&[mac()], began).await;
    assert_eq!(past, Err(CallError::Timeout));
}

#[tokio::test]
async fn a_memory_bomb_is_stopped() {
    let limit = 8 << 20;
    let connector = narrow("bomb")
        .limits(|limits| limits.memory = limit)
        .start()
        .await;
    assert_eq!(
        find(&connector).await,
        Err(CallError::OutOfMemory { limit })
    );
}

#[tokio::test]
async fn memory_from_the_start_counts_too() {
    let limit = 64 << 10;
    let setup = narrow("unknown").limits(|limits| limits.memory = limit);
    let error = setup.try_start().await.unwrap_err();
    assert_eq!(error, CallError::OutOfMemory { limit }.into());
}

#[tokio::test]
async fn a_crash_is_an_error_and_the_next_call_is_answered() {
    let connector = narrow("crash").start().await;
    for _ in 0..2 {
        let error = find(&connector).await.unwrap_err();
        assert!(matches!(error, CallError::Trap(_)), "{error:?}");
        let device = connector.read("k9", deadline()).await.unwrap().unwrap();
        assert_eq!(device.key, "k9");
    }
    assert_eq!(connector.read("gone", deadline()).await, Ok(None));
}

#[tokio::test]
async fn endless_recursion_is_a_crash() {
    let error = find(&narrow("recurse").start().await).await.unwrap_err();
    assert!(matches!(error, CallError::Trap(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_handed_over_at_once_is_bounded() {
    let connector = narrow("huge-log")
        .set("count", 2)
        .limits(|limits| limits.handover = 1 << 20)
        .start()
        .await;
    let error = find(&connector).await.unwrap_err();
    assert!(matches!(error, CallError::LimitHit(_)), "{error:?}");
}

#[tokio::test]
async fn a_huge_record_is_refused_as_a_whole() {
    let connector = narrow("huge-record").set("count", 300 << 10).start().await;
    let error = find(&connector).await.unwrap_err();
    assert_eq!(
        error,
        CallError::LimitHit("a device record has too much text".to_owned())
    );
    assert_eq!(connector.status().faults, 1);
}

#[tokio::test]
async fn things_in_the_host_are_bounded() {
    let error = find(&wasi("hoard").start().await).await.unwrap_err();
    assert!(error.is_plugin_fault(), "{error:?}");
}

#[tokio::test]
async fn calls_at_the_same_time_are_bounded() {
    let server = Server::start().await;
    let connector = narrow("http")
        .asking(&server, "/hang")
        .limits(|limits| limits.concurrent_calls = 1)
        .start()
        .await;
    let soon = || Instant::now() + Duration::from_millis(50);
    let (_, busy) = tokio::join!(
        async {
            connector
                .find(&[mac()], Instant::now() + Duration::from_secs(2))
                .await
        },
        async {
            server.requested().await;
            connector.find(&[mac()], soon()).await
        }
    );
    assert_eq!(busy, Err(CallError::Busy));
    let free = connector.read("k", deadline()).await;
    assert!(matches!(free, Ok(Some(_))), "{free:?}");
}

#[tokio::test]
async fn a_full_pool_is_nobodys_fault() {
    let server = Server::start().await;
    let one = RuntimeSettings {
        instances: 1,
        ..settings()
    };
    let runtime = Runtime::new(&one).unwrap();
    let policy = policy_on(&runtime, json!({}), Limits::policy()).await;
    let connector = narrow("http")
        .asking(&server, "/hang")
        .limits(|limits| limits.reuse = Reuse::Fresh)
        .start_on(&runtime)
        .await;
    let subject = crate::policy::subject();
    let (_, refused) = tokio::join!(
        async {
            connector
                .find(&[mac()], Instant::now() + Duration::from_secs(1))
                .await
        },
        async {
            server.requested().await;
            policy.evaluate(subject.clone()).await
        }
    );
    assert_eq!(refused, Err(CallError::PoolFull));
    assert_eq!(policy.status().faults, 0);
    assert!(
        policy.evaluate(subject).await.is_ok(),
        "there is room again"
    );
}

#[tokio::test]
async fn a_breaker_opens_after_faults_in_a_row() {
    let mut setup = narrow("crash");
    setup.breaker = BreakerSettings {
        faults: 2,
        pause: PATIENCE,
    };
    let connector = setup.start().await;
    for _ in 0..2 {
        assert_eq!(connector.status().breaker, BreakerState::Closed);
        assert!(matches!(find(&connector).await, Err(CallError::Trap(_))));
    }
    assert_eq!(connector.status().breaker, BreakerState::Open);
    let refused = connector.read("k", deadline()).await;
    assert!(
        matches!(refused, Err(CallError::BreakerOpen { .. })),
        "{refused:?}"
    );
    assert_eq!(connector.status().calls, 2, "it was left alone");
}

#[tokio::test]
async fn a_breaker_closes_when_the_plugin_has_recovered() {
    let mut setup = narrow("crash");
    setup.breaker = BreakerSettings {
        faults: 1,
        pause: Duration::ZERO,
    };
    let connector = setup.start().await;
    assert!(find(&connector).await.is_err());
    assert_eq!(connector.status().breaker, BreakerState::HalfOpen);
    assert!(connector.read("k", deadline()).await.is_ok());
    assert_eq!(connector.status().breaker, BreakerState::Closed);
}

#[tokio::test]
async fn errors_of_the_source_do_not_open_the_breaker() {
    let mut setup = narrow("fail").set("text", "unavailable");
    setup.breaker.faults = 1;
    let connector = setup.start().await;
    for _ in 0..3 {
        let error = find(&connector).await.unwrap_err();
        assert_eq!(error, CallError::Unavailable("because".to_owned()));
    }
    assert_eq!(connector.status().breaker, BreakerState::Closed);
    assert_eq!(connector.status().faults, 0);
}

#[tokio::test]
async fn waiting_for_the_host_is_bounded_and_no_fault() {
    let connector = wasi("sleep").limits(short).start().await;
    assert_eq!(find(&connector).await, Err(CallError::Timeout));
    assert_eq!(connector.status().faults, 0);
}

#[tokio::test]
async fn a_call_that_is_given_up_is_ended() {
    let server = Server::start().await;
    let connector = narrow("http").asking(&server, "/hang").start().await;
    tokio::select! {
        outcome = find(&connector) => panic!("{outcome:?}"),
        () = server.requested() => {}
    }
    server.given_up().await;
}

#[tokio::test]
async fn instances_are_kept_as_often_as_told() {
    for (reuse, expected) in [
        (Reuse::Fresh, [1, 1, 1, 1]),
        (Reuse::UpTo { calls: 3 }, [1, 2, 3, 1]),
    ] {
        let connector = narrow("remember").limits(|limits| limits.reuse = reuse);
        let connector = connector.start().await;
        let mut seen = Vec::new();
        for _ in 0..4 {
            let Ok(LookupOutcome::Found(device)) = find(&connector).await else {
                panic!("no device");
            };
            seen.push(device.attribute("calls.memory").cloned().unwrap());
        }
        assert_eq!(
            seen,
            expected.map(portreeve_domain::Value::Integer),
            "{reuse:?}"
        );
    }
}
