//! How long it takes to try out another policy on all endpoints.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use portreeve_benches::scripted::{fill, gateway};
use portreeve_gateway::trial::{Candidate, Headway};
use portreeve_gateway::{ChainsSettings, Evaluator, Mode, OnError};
use portreeve_harness::guest;
use portreeve_runtime::{
    BreakerSettings, Limits, Policy, PolicySettings, Runtime, RuntimeSettings,
};
use serde_json::json;
use tokio::runtime::Runtime as Tokio;

/// The one in force and the other one decide about every endpoint, each on a
/// fresh instance.
fn impact(criterion: &mut Criterion) {
    const ENDPOINTS: u32 = 100_000;
    let tokio = Tokio::new().unwrap();
    let _tasks_run_here = tokio.enter();
    let mut made = None;
    let mut group = criterion.benchmark_group("impact");
    group.sample_size(10);
    group.bench_function(BenchmarkId::new("endpoints", ENDPOINTS), |bencher| {
        let (gateway, chains) = made.get_or_insert_with(|| {
            let runtime = Runtime::new(&RuntimeSettings::default()).unwrap();
            let policy: Arc<dyn Evaluator> = Arc::new(tokio.block_on(baseline(&runtime)));
            let gateway = gateway(vec![Arc::clone(&policy)]).unwrap();
            tokio.block_on(fill(&gateway, ENDPOINTS));
            let settings = portreeve_gateway::PolicySettings {
                name: "candidate".into(),
                digest: "1".into(),
                evaluator: policy,
                on_error: OnError::Deny,
                mode: Mode::Enforce,
            };
            (gateway, ChainsSettings::from(vec![settings]))
        });
        bencher.iter(|| {
            let candidate = Candidate {
                chains: chains.clone(),
                lists: None,
            };
            let impact = gateway.impact(candidate, &Headway::default(), tokio.handle());
            assert_eq!(impact.unwrap().endpoints, u64::from(ENDPOINTS));
        });
    });
}

async fn baseline(runtime: &Runtime) -> Policy {
    let component = std::fs::read(guest("baseline").unwrap()).unwrap();
    let plugin = runtime.load(&component).await.unwrap();
    let settings = PolicySettings {
        settings: json!({}),
        limits: Limits::policy(),
        breaker: BreakerSettings::default(),
    };
    plugin.policy("baseline", settings).await.unwrap()
}

criterion_group!(benches, impact);
criterion_main!(benches);
