//! The HTTP path under load, against a bare hyper server with a constant answer
//! of the same size in the same run. Only the ratio means anything: the machine
//! is shared and noisy.

mod bare;
mod report;
mod wrk;

use std::io::Write as _;

use anyhow::Context as _;
use clap::Parser;
use portreeve_harness::{REST_KEY, Stand};
use portreeve_tenant::well_known::COMPLIANT;

use report::{Measured, Report};
use wrk::Load;

/// Runs wrk against the gateway and a bare server, in turns.
#[derive(Parser)]
struct Arguments {
    /// Serve the constant answer in this file and nothing else.
    #[arg(long, value_name = "FILE", hide = true)]
    bare: Option<std::path::PathBuf>,
    /// Turns; the median of each side counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load in each turn.
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Connections.
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Write the result here, as well as to standard output.
    #[arg(long)]
    output: Option<std::path::PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match &arguments.bare {
        Some(body) => runtime.block_on(bare::serve(body)),
        None => runtime.block_on(compare(&arguments)),
    }
}

async fn compare(arguments: &Arguments) -> anyhow::Result<()> {
    // A record that stays fresh for the whole run: this is about hits.
    let stand = Stand::builder().ttl("1h").start().await?;
    let path = format!("/v1/devices/{}", COMPLIANT.mac.separated('-'));
    let first = stand.client.get(&path).await?;
    anyhow::ensure!(first.status.is_success(), "the first answer: {first:?}");
    let warm = stand.client.get(&path).await?;
    anyhow::ensure!(*warm.field("origin") == "cached", "no hit: {warm:?}");

    let plain = stand.gateway.origins.get(1).context("the plain listener")?;
    let constant = bare::Bare::start(stand.directory(), &warm).await?;
    let load = Load {
        seconds: arguments.seconds,
        connections: arguments.connections,
        key: REST_KEY,
    };
    let mut report = Report::default();
    for _ in 0..arguments.rounds {
        report
            .gateway
            .push(load.run(&format!("{plain}{path}")).await?);
        report
            .bare
            .push(load.run(&format!("{}{path}", constant.origin)).await?);
    }
    let text = report.render(arguments.connections, arguments.seconds);
    write!(std::io::stdout(), "{text}")?;
    if let Some(output) = &arguments.output {
        std::fs::write(output, &text)?;
    }
    stand.gateway.stop().await?;
    let Measured { errors, .. } = Measured::median(&report.gateway);
    anyhow::ensure!(
        errors == 0,
        "the gateway gave {errors} answers that were none"
    );
    Ok(())
}
