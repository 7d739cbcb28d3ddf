//! Certificate requests, answered by a guest that may misbehave.

use std::time::{Duration, Instant};

use portreeve_domain::Timestamp;
use portreeve_domain::scep::{
    Approval, CertificateRequest, Declined, Issued, NotIssued, Refusal, RevocationResult,
};
use portreeve_runtime::{BreakerState, CallError, Connector, LookupOutcome, ScepError};

use crate::support::{PATIENCE, deadline, find, narrow, wasi};

fn request(transaction: &str) -> CertificateRequest {
    CertificateRequest::new(transaction, vec![0x30, 0]).unwrap()
}

async fn validate(connector: &Connector, transaction: &str) -> Result<Approval, ScepError> {
    connector
        .validate_request(&request(transaction), deadline())
        .await
}

fn refused(message: &str) -> ScepError {
    let refusal = Refusal {
        code: "ChallengeExpired".to_owned(),
        message: message.to_owned(),
    };
    Declined::Refused(refusal).into()
}

#[tokio::test]
async fn an_approval_names_whom_it_is_for_and_all_else_is_none() {
    let connector = narrow("unknown").start().await;
    assert!(connector.has_scep() && connector.has_revocations());
    let approval = validate(&connector, "tx-1").await.unwrap();
    assert_eq!(approval.ids, ["serial:S-1".parse().unwrap()]);
    assert_eq!(approval.user.as_deref(), Some("ann"));
    let elsewhere = Declined::Elsewhere("not for me".to_owned());
    let argument = Declined::Argument("`csr`: it is empty".to_owned());
    for (transaction, expected) in [
        // What is no text for people is made one.
        ("refuse", refused("late\\n")),
        ("elsewhere", elsewhere.into()),
        ("argument", argument.into()),
        ("fail", CallError::Unavailable("because".to_owned()).into()),
    ] {
        assert_eq!(validate(&connector, transaction).await, Err(expected));
    }
    let status = connector.scep_status();
    assert_eq!((status.calls, status.faults), (5, 0));
    assert_eq!(connector.status().calls, 0, "look-ups count for themselves");
}

#[tokio::test]
async fn notifications_are_taken_or_refused() {
    let connector = narrow("unknown").start().await;
    let issued = Issued::new(&"0a".repeat(20), "01", Timestamp::now(), "CN=CA").unwrap();
    let not_issued = NotIssued::new(5, "boom").unwrap();
    for (transaction, expected) in [
        ("tx-1", Ok(())),
        ("refuse", Err(refused("late"))),
        (
            "fail",
            Err(CallError::Unavailable("because".to_owned()).into()),
        ),
    ] {
        let request = request(transaction);
        let told = connector.notify_issued(&request, &issued, deadline()).await;
        assert_eq!(told, expected);
        let told = connector.notify_not_issued(&request, &not_issued, deadline());
        assert_eq!(told.await, expected);
    }
}

#[tokio::test]
async fn revocations_are_as_many_as_were_asked_for() {
    let connector = narrow("unknown").start().await;
    let pending = connector.revocations(3, Some("CN=CA"), deadline()).await;
    let pending = pending.unwrap();
    assert_eq!(pending.len(), 3);
    assert_eq!(pending[2].context, "context 2");
    assert_eq!(pending[2].issuer.as_deref(), Some("CN=CA"));
    let greedy = connector.revocations(3, Some("greedy"), deadline()).await;
    assert!(
        matches!(&greedy, Err(ScepError::Failed(CallError::LimitHit(_)))),
        "{greedy:?}"
    );
    let result = |context: &str| [RevocationResult::new(context, true, 0, None).unwrap()];
    let report = |context: &'static str| {
        let connector = connector.clone();
        async move {
            connector
                .report_revocations(&result(context), deadline())
                .await
        }
    };
    assert_eq!(report("context 2").await, Ok(()));
    let failed = CallError::Unavailable("because".to_owned());
    assert_eq!(report("fail").await, Err(failed.into()));
}

#[tokio::test]
async fn a_connector_without_it_says_so() {
    let connector = wasi("unknown").start().await;
    assert!(!connector.has_scep() && !connector.has_revocations());
    let error = validate(&connector, "tx-1").await.unwrap_err();
    assert!(
        matches!(error, ScepError::Failed(CallError::Unsupported(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_approval_is_bounded() {
    let connector = narrow("unknown").start().await;
    let error = validate(&connector, "many").await.unwrap_err();
    assert!(
        matches!(error, ScepError::Failed(CallError::LimitHit(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_request_that_breaks_the_plugin_leaves_look_ups_alone() {
    let mut setup = narrow("unknown");
    setup.breaker.faults = 1;
    setup.breaker.pause = PATIENCE;
    let connector = setup.start().await;
    let crashed = validate(&connector, "crash").await;
    assert!(
        matches!(&crashed, Err(ScepError::Failed(CallError::Trap(_)))),
        "{crashed:?}"
    );
    assert_eq!(connector.scep_status().breaker, BreakerState::Open);
    let left_alone = validate(&connector, "tx-1").await;
    assert!(
        matches!(
            &left_alone,
            Err(ScepError::Failed(CallError::BreakerOpen { .. }))
        ),
        "{left_alone:?}"
    );
    assert_eq!(connector.status().breaker, BreakerState::Closed);
    assert_eq!(find(&connector).await, Ok(LookupOutcome::Unknown));
}

#[tokio::test]
async fn a_request_that_hangs_is_stopped_by_the_callers_deadline() {
    let connector = narrow("unknown").start().await;
    let soon = Instant::now() + Duration::from_millis(200);
    let stopped = connector.validate_request(&request("hang"), soon).await;
    assert_eq!(stopped, Err(CallError::OutOfTime.into()));
}
