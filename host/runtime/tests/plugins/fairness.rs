//! Plugins that hang do not hold up those that do not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_domain::Verdict;
use portreeve_runtime::{CallError, Limits, Runtime};
use serde_json::json;
use tokio::task::JoinSet;

use crate::policy::subject;
use crate::support::{deadline, find, narrow, policy_on, settings};

/// As many hang as there are threads for plugins.
const HANGING: usize = 2;

fn patient(limits: Limits) -> Limits {
    Limits {
        wall_clock: Duration::from_secs(4),
        ..limits
    }
}

#[tokio::test]
async fn a_connector_answers_while_others_compute_without_end() {
    let runtime = Runtime::new(&settings()).unwrap();
    let hanging = narrow("loop").limits(|limits| *limits = patient(limits.clone()));
    let hanging = hanging.start_on(&runtime).await;
    let good = narrow("unknown").start_on(&runtime).await;
    let mut loops = JoinSet::new();
    for _ in 0..HANGING {
        let hanging = hanging.clone();
        loops.spawn(async move { find(&hanging).await });
    }
    while hanging.status().calls < HANGING as u64 {
        tokio::task::yield_now().await;
    }
    for _ in 0..5 {
        assert!(good.find(&[], deadline()).await.is_ok());
    }
    assert!(
        loops.try_join_next().is_none(),
        "the loops are still running"
    );
    while let Some(stopped) = loops.join_next().await {
        assert_eq!(stopped.unwrap(), Err(CallError::OutOfTime));
    }
}

/// On one thread, which is the caller's: it must not be held up either.
#[tokio::test]
async fn a_policy_that_hangs_leaves_the_callers_thread() {
    let runtime = Runtime::new(&settings()).unwrap();
    let limits = patient(Limits::policy());
    let hanging = policy_on(&runtime, json!({ "behaviour": "loop" }), limits.clone()).await;
    let good = policy_on(&runtime, json!({}), limits).await;
    let mut loops = JoinSet::new();
    for _ in 0..HANGING {
        let hanging = hanging.clone();
        loops.spawn(async move { hanging.evaluate(subject()).await });
    }
    while hanging.status().calls < HANGING as u64 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    for _ in 0..100 {
        let evaluation = good.evaluate(Arc::clone(&subject())).await.unwrap();
        assert_eq!(evaluation.decision.verdict, Verdict::Permit);
    }
    assert!(
        loops.try_join_next().is_none(),
        "after {:?}",
        began.elapsed()
    );
    while let Some(stopped) = loops.join_next().await {
        assert_eq!(stopped.unwrap(), Err(CallError::OutOfTime));
    }
}
