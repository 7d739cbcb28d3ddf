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
use portreeve_benches::scripted::{
    Permits, connection, device, fill, gateway, hit, mac, question, scramble,
};
use portreeve_domain::{
    Attribute, Compliance, ComplianceState, Device, Identifier, OperatingSystem, Question, Subject,
    Timestamp, User, Value, Verdict,
};
use portreeve_gateway::inventory::{Change, InventoryState, Phase, Picture as _};
use portreeve_gateway::query::{Query, Search};
use portreeve_gateway::selection::Choice;
use portreeve_gateway::{Evaluation, Evaluator, Gateway, Health, PolicyError, SourcePicture};
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

/// A device about which its source tells as much as Graph does.
fn told(number: u32) -> Device {
    let mac = mac(number);
    let text = |name: &str, value: &str| Attribute {
        name: name.to_owned(),
        value: Value::Text(value.to_owned()),
    };
    let known = device(mac);
    let mut ids = known.ids.clone();
    ids.push(Identifier::Hostname(format!("pc-{number:06}").into()));
    Device {
        ids,
        compliance: Compliance {
            state: match number % 10 {
                0 => ComplianceState::NonCompliant,
                _ => ComplianceState::Compliant,
            },
            ..Compliance::default()
        },
        user: Some(User {
            id: Some(format!("{number:032x}")),
            principal_name: Some(format!("user{number}@contoso.example")),
            display_name: Some(format!("User {number}")),
            groups: Vec::new(),
        }),
        os: Some(OperatingSystem {
            family: "windows".to_owned(),
            version: Some(format!("10.0.{}.{}", 19_000 + number % 100, number % 4_000)),
            ..OperatingSystem::default()
        }),
        manufacturer: Some("Contoso".to_owned()),
        model: Some(format!("Laptop {}", number % 20)),
        name: Some(format!("PC-{number:06}")),
        enrolled_at: Some(Timestamp::from_millis(1_700_000_000_000)),
        last_seen: Some(Timestamp::from_millis(
            1_780_000_000_000 + u64::from(number) * 1000,
        )),
        attributes: vec![
            text("intune.management-agent", "mdm"),
            text("intune.enrollment-type", "windowsAzureADJoin"),
            text("intune.registration-state", "registered"),
            text("intune.device-category", "Office"),
            Attribute {
                name: "intune.entra-registered".to_owned(),
                value: Value::Boolean(true),
            },
            Attribute {
                name: "intune.management-certificate-expires".to_owned(),
                value: Value::Timestamp(Timestamp::from_millis(1_790_000_000_000)),
            },
        ],
        ..known
    }
}

/// Takes in so many of them, as an inventory does.
async fn read(gateway: &Gateway, devices: u32) {
    let picture = SourcePicture::new(gateway.memory(), "contoso").unwrap();
    let state = InventoryState {
        phase: Phase::Full,
        epoch: 1,
        cursor: None,
        started_at: Timestamp::now(),
        completed_at: None,
        read: 0,
        total: None,
    };
    for first in (0..devices).step_by(1_000) {
        let change = Change {
            upserts: (first..devices.min(first + 1_000)).map(told).collect(),
            removals: Vec::new(),
            fetched_at: Timestamp::now(),
        };
        picture.apply(change, state.clone()).await.unwrap();
    }
}

/// What a list of the inventory costs, of all devices that there are.
fn selections(criterion: &mut Criterion) {
    const DEVICES: u32 = 100_000;
    const PIECE: usize = 256;
    let tokio = Tokio::new().unwrap();
    let _tasks_run_here = tokio.enter();
    let asker = connection();
    let mut made = None;
    let mut group = criterion.benchmark_group("select");
    group.sample_size(10);
    let choice = |filter: &str, search: &str, order: &str| Choice {
        query: (!filter.is_empty()).then(|| Query::parse(filter, Timestamp::now()).unwrap()),
        search: Search::new(search),
        order: order
            .split(',')
            .filter(|fact| !fact.is_empty())
            .map(|fact| fact.parse().unwrap())
            .collect(),
        ..Choice::default()
    };
    let mut gateway = || {
        Arc::clone(made.get_or_insert_with(|| {
            let gateway = gateway(vec![Arc::new(Permits)]).unwrap();
            tokio.block_on(read(&gateway, DEVICES));
            assert_eq!(gateway.status().devices, DEVICES as usize);
            gateway
        }))
    };
    for (name, choice) in [
        ("all", choice("", "", "")),
        (
            "filter",
            choice(
                "os.version lt 10.0.19045 and compliance ne compliant",
                "",
                "",
            ),
        ),
        ("search", choice("", "user99", "")),
        ("sort", choice("", "", "-last-seen,name")),
        ("verdict", choice("verdict ne permit", "", "")),
    ] {
        group.bench_function(BenchmarkId::new(name, DEVICES), |bencher| {
            let gateway = gateway();
            bencher
                .to_async(&tokio)
                .iter(|| async { gateway.select(choice.clone(), &asker).await.unwrap().len() });
        });
    }
    // What a file is written from.
    group.bench_function(BenchmarkId::new("rows", DEVICES), |bencher| {
        let gateway = gateway();
        let all = tokio.block_on(gateway.select(Choice::default(), &asker));
        let all = Arc::new(all.unwrap());
        bencher.to_async(&tokio).iter(|| async {
            for start in (0..all.len()).step_by(PIECE) {
                let rows = gateway.rows(&all, start..start + PIECE, false);
                assert!(!rows.await.unwrap().is_empty());
            }
        });
    });
}

criterion_group!(benches, hits, chains, selections);
criterion_main!(benches);
