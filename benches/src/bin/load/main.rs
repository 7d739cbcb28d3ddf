//! The gateway as a process under load, beside other servers in the same run.
//!
//! Only ratios between figures of one run mean anything: the machine is shared
//! and noisy, and load and server share its cores.

mod effort;
mod generator;
mod idle;
mod measure;
mod product;
mod report;
mod servers;
mod subject;
mod wrk;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Parser, ValueEnum as _};

use effort::Effort;
use measure::Measurement;
use report::Report;

/// Measures the gateway over HTTP, and prints Markdown.
#[derive(Parser)]
struct Arguments {
    /// What to measure; everything if nothing is named.
    #[arg(value_enum)]
    measurements: Vec<Measurement>,
    /// Few and short rounds: to see that it works, not for figures.
    #[arg(long)]
    quick: bool,
    /// So many turns of each side of a comparison.
    #[arg(long)]
    turns: Option<usize>,
    /// So many seconds at each fixed rate.
    #[arg(long)]
    seconds: Option<u64>,
    /// Write the result here, as well as to standard output.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Only start the servers that throughput is compared of, print where they
    /// are, and wait for the end of standard input: for a profiler.
    #[arg(long, conflicts_with_all = ["measurements", "output"])]
    hold: bool,
    /// Serve the constant answer in this folder and nothing else.
    #[arg(long, value_name = "FOLDER", hide = true)]
    bare: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Both the clients and the constant answer, as the gateway does it.
        .on_thread_start(portreeve_store::come_first)
        .build()?;
    match &arguments.bare {
        Some(folder) => runtime.block_on(servers::serve(folder)),
        None if arguments.hold => runtime.block_on(measure::hold()),
        None => runtime.block_on(measure(&arguments)),
    }
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let mut effort = if arguments.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    effort.rounds = arguments.turns.unwrap_or(effort.rounds);
    effort.paced = arguments.seconds.map_or(effort.paced, Duration::from_secs);
    let measurements = match arguments.measurements.as_slice() {
        [] => Measurement::value_variants(),
        named => named,
    };
    let mut report = Report::default();
    for measurement in measurements {
        let started = Instant::now();
        let name = format!("{measurement:?}").to_lowercase();
        let measured = measurement.run(&effort, &mut report).await;
        measured.with_context(|| format!("cannot measure `{name}`"))?;
        let seconds = started.elapsed().as_secs_f64();
        // For whoever waits; nothing depends on it.
        let _ = writeln!(std::io::stderr(), "   {name}: {seconds:.1} s");
    }
    write!(std::io::stdout(), "{}", report.text())?;
    if let Some(output) = &arguments.output {
        std::fs::write(output, report.text())?;
    }
    Ok(())
}
