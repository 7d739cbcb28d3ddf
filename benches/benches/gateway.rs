//! The gateway in this process: hits by number of devices, what a chain of
//! policies costs by its length when nothing is remembered, and what a list of
//! the inventory costs.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_benches::scripted::{Permits, connection, fill, gateway, hit, question, scramble};
use portreeve_domain::{Question, Subject, Timestamp, Verdict};
use portreeve_gateway::query::{Query, Search};
use portreeve_gateway::selection::Choice;
use portreeve_gateway::{Evaluation, Evaluator, Health, PolicyError};
use portreeve_harness::guest;
use portreeve_runtime::{
    BreakerSettings, Limits, Policy, PolicySettings, Reuse, Runtime, RuntimeSettings,
};
use serde_json::json;
use tokio::runtime::Runtime as Tokio;

const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
const CHAINS: [usize; 3] = [1, 2, 4];

fn hits(criterion: &mut Criterion) {
    let tokio = Tokio::new().unwrap();
    let _tasks_run_here = tokio.enter();
    let connection = connection();
    let mut group = criterion.benchmark_group("hit");
    for count in SIZES {
        // Only when it is asked for: a million devices take a while.
        let mut made = None;
        group.bench_function(BenchmarkId::new("devices", count), |bencher| {
            let (gateway, asked) = made.get_or_insert_with(|| {
                let gateway = gateway(vec![Arc::new(Permits)]).unwrap();
                tokio.block_on(fill(&gateway, count));
                // As after a start or an inventory.
                gateway.memory().settle();
                let numbers = (0..200_000).map(|step| scramble(step) % u64::from(count));
                let asked: Vec<Question> = numbers
                    .map(|number| question(u32::try_from(number).unwrap(), &connection))
                    .collect();
                (gateway, asked)
            });
            let mut asked = asked.iter().cycle();
            bencher.iter(|| hit(gateway, asked.next().unwrap().asked()).unwrap());
        });
    }
}

/// Runs the policy and then has no opinion, for the next one to be asked, and
/// for nothing to be remembered.
#[derive(Debug)]
struct Undecided(Arc<dyn Evaluator>);

impl Evaluator for Undecided {
    fn evaluate(&self, subject: Arc<Subject>) -> BoxFuture<'_, Result<Evaluation, PolicyError>> {
        async move {
            let mut evaluation = self.0.evaluate(subject).await?;
            evaluation.decision.verdict = Verdict::Abstain;
            evaluation.decision.valid_for = Some(Duration::ZERO);
            Ok(evaluation)
        }
        .boxed()
    }

    fn health(&self) -> Health {
        self.0.health()
    }
}

fn chains(criterion: &mut Criterion) {
    let tokio = Tokio::new().unwrap();
    let _tasks_run_here = tokio.enter();
    let runtime = Runtime::new(&RuntimeSettings::default()).unwrap();
    let fresh = tokio.block_on(baseline(&runtime, Reuse::Fresh));
    let reused = tokio.block_on(baseline(&runtime, Reuse::UpTo { calls: 1_000_000 }));
    let kinds: [(&str, Arc<dyn Evaluator>); 3] = [
        ("native", Arc::new(Permits)),
        ("fresh", Arc::new(fresh)),
        ("reused", Arc::new(reused)),
    ];
    let asked = question(0, &connection());
    let mut group = criterion.benchmark_group("chain");
    for (name, evaluator) in &kinds {
        for length in CHAINS {
            let chain = (0..length)
                .map(|_| -> Arc<dyn Evaluator> { Arc::new(Undecided(Arc::clone(evaluator))) });
            let gateway = gateway(chain.collect()).unwrap();
            tokio.block_on(fill(&gateway, 1));
            group.bench_function(BenchmarkId::new(*name, length), |bencher| {
                bencher
                    .to_async(&tokio)
                    .iter(|| async { gateway.answer(&asked).await });
            });
        }
    }
}

async fn baseline(runtime: &Runtime, reuse: Reuse) -> Policy {
    let component = std::fs::read(guest("baseline").unwrap()).unwrap();
    let plugin = runtime.load(&component).await.unwrap();
    let limits = Limits {
        reuse,
        ..Limits::policy()
    };
    let settings = PolicySettings {
        settings: json!({}),
        limits,
        breaker: BreakerSettings::default(),
    };
    plugin.policy("baseline", settings).await.unwrap()
}

/// What a list of the inventory costs, of all devices that there are.
fn selections(criterion: &mut Criterion) {
    const DEVICES: u32 = 100_000;
    let tokio = Tokio::new().unwrap();
    let _tasks_run_here = tokio.enter();
    let asker = connection();
    let mut made = None;
    let mut group = criterion.benchmark_group("select");
    group.sample_size(10);
    for (name, filter, search, order) in [
        ("all", "", "", ""),
        (
            "filter",
            "compliance eq non-compliant and os.version lt 10.0.19045",
            "",
            "",
        ),
        ("search", "", "1b00", ""),
        ("sort", "", "", "-last-seen,mac"),
        ("verdict", "verdict ne permit", "", ""),
    ] {
        let query = (!filter.is_empty()).then(|| Query::parse(filter, Timestamp::now()).unwrap());
        let order = order.split(',').filter(|fact| !fact.is_empty());
        let choice = Choice {
            query,
            search: Search::new(search),
            order: order.map(|fact| fact.parse().unwrap()).collect(),
            ..Choice::default()
        };
        group.bench_function(BenchmarkId::new(name, DEVICES), |bencher| {
            let gateway = made.get_or_insert_with(|| {
                let gateway = gateway(vec![Arc::new(Permits)]).unwrap();
                tokio.block_on(fill(&gateway, DEVICES));
                gateway
            });
            bencher
                .to_async(&tokio)
                .iter(|| async { gateway.select(choice.clone(), &asker).await.unwrap().len() });
        });
    }
}

criterion_group!(benches, hits, chains, selections);
criterion_main!(benches);
