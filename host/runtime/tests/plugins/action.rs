//! Acting on devices through a guest that may misbehave.

use std::time::Duration;

use portreeve_runtime::{Action, BreakerState, CallError, TicketState};

use crate::support::{deadline, narrow, wasi};

#[tokio::test]
async fn actions_reach_the_guest_as_they_are() {
    let connector = narrow("unknown").start().await;
    assert!(connector.has_actions());
    let other = Action::Other {
        name: "rebootNow".to_owned(),
        arguments: "{}".to_owned(),
    };
    for (action, said, state) in [
        (Action::Sync, "1 sync", TicketState::Pending),
        (Action::Wipe, "1 wipe", TicketState::Pending),
        (Action::Lock, "1 lock", TicketState::Refused),
        (Action::Retire, "1 retire", TicketState::Failed),
        (
            Action::Notify("hello".to_owned()),
            "1 notify hello",
            TicketState::Pending,
        ),
        (other, "1 rebootNow {}", TicketState::Pending),
    ] {
        let ticket = connector
            .start_action("device", action, "1", deadline())
            .await
            .unwrap();
        assert_eq!((ticket.key.as_deref(), ticket.state), (Some(said), state));
        assert_eq!(ticket.detail.as_deref(), Some("as told"));
    }
    let status = connector
        .action_status("device", "1 sync", deadline())
        .await;
    assert_eq!(status.unwrap().state, TicketState::Done);
    let names = connector.supported_actions("device", deadline()).await;
    let expected = ["sync", "wipe", "lock: missing permission `Devices.Lock`"];
    assert_eq!(names.unwrap(), expected);
    assert_eq!(connector.status().calls, 0, "look-ups count for themselves");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let connector = narrow("unknown")
        .limits(|limits| limits.wall_clock = Duration::from_millis(300))
        .start()
        .await;
    for (device, expected) in [
        ("forbidden", CallError::Forbidden("because".to_owned())),
        (
            "slow-down",
            CallError::RateLimited(Some(Duration::from_millis(1500))),
        ),
        ("hang", CallError::OutOfTime),
    ] {
        let started = connector.start_action(device, Action::Sync, "1", deadline());
        assert_eq!(started.await.unwrap_err(), expected, "{device}");
    }
}

#[tokio::test]
async fn crashes_open_the_breaker_of_actions_alone() {
    let connector = narrow("unknown").start().await;
    while connector.actions_status().breaker != BreakerState::Open {
        let status = connector.action_status("crash", "1", deadline()).await;
        assert!(matches!(status, Err(CallError::Trap(_))), "{status:?}");
    }
    assert_eq!(connector.status().breaker, BreakerState::Closed);
}

#[tokio::test]
async fn a_connector_without_actions_says_so() {
    let connector = wasi("unknown").start().await;
    assert!(!connector.has_actions());
    let started = connector
        .start_action("device", Action::Sync, "1", deadline())
        .await;
    let expected = CallError::Unsupported("the connector acts on no device".to_owned());
    assert_eq!(started.unwrap_err(), expected);
    let names = connector.supported_actions("device", deadline()).await;
    assert!(names.is_err());
}
