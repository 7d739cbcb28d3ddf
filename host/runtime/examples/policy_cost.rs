//! What one decision costs: a policy on a fresh and on a reused instance.
//!
//! `cargo run --release -p portreeve-runtime --example policy_cost [GUEST.wasm]`
//! measures the fixture, or another policy whose settings may be empty.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_domain::{Device, Finding, Subject, Timestamp};
use portreeve_runtime::{
    BreakerSettings, Limits, Policy, PolicySettings, Reuse, Runtime, RuntimeSettings,
};
use tokio::task::JoinSet;

const WARM_UP: u32 = 2_000;
const CALLS: u32 = 20_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests");
    let guest = std::env::args_os().nth(1);
    let guest = guest.map_or_else(|| guests.join("fixture-policy.wasm"), Into::into);
    let component = std::fs::read(&guest)
        .map_err(|error| format!("{}: {error}; run `cargo xtask guests`", guest.display()))?;
    let clients = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    clients.block_on(measure(&component))
}

async fn measure(component: &[u8]) -> Result<(), Failure> {
    let runtime = Runtime::new(&RuntimeSettings::default())?;
    let plugin = runtime.load(component).await?;
    for (name, reuse) in [
        ("fresh", Reuse::Fresh),
        ("reused", Reuse::UpTo { calls: u32::MAX }),
    ] {
        let settings = PolicySettings {
            settings: serde_json::json!({}),
            limits: Limits {
                reuse,
                ..Limits::policy()
            },
            breaker: BreakerSettings::default(),
        };
        let policy = plugin.policy("cost", settings).await?;
        for tasks in [1, 2] {
            report(name, tasks, &policy).await?;
        }
    }
    Ok(())
}

async fn report(name: &str, tasks: u32, policy: &Policy) -> Result<(), Failure> {
    decide(policy, WARM_UP).await?;
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let policy = policy.clone();
        running.spawn(async move { decide(&policy, CALLS).await });
    }
    let mut times = Vec::new();
    while let Some(finished) = running.join_next().await {
        times.extend(finished??);
    }
    let rate = f64::from(tasks * CALLS) / began.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).copied();
    let (p50, p99) = (at(500).unwrap_or_default(), at(990).unwrap_or_default());
    #[expect(
        clippy::print_stdout,
        reason = "the report is what this program is for"
    )]
    {
        println!(
            "{name:<7} {tasks} tasks  p50 {p50:>9.1?}  p99 {p99:>9.1?}  {rate:>9.0} decisions/s"
        );
    }
    Ok(())
}

async fn decide(policy: &Policy, calls: u32) -> Result<Vec<Duration>, Failure> {
    let subject = Arc::new(Subject {
        now: Timestamp::from_millis(1),
        connection: Arc::default(),
        requested: Arc::new([]),
        finding: Finding::Device(Arc::new(Device::default())),
        sources: Vec::new(),
        lists: Arc::default(),
    });
    let mut times = Vec::with_capacity(calls as usize);
    for _ in 0..calls {
        let began = Instant::now();
        policy.evaluate(Arc::clone(&subject)).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}
