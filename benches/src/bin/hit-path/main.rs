//! Hits in memory and nothing else, for callgrind and for counting memory.
//!
//! `cargo xtask bench` runs it twice under callgrind with different numbers of
//! hits; the difference is what one hit costs, whatever the start took.

mod memory;

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use portreeve_benches::scripted::{
    Permits, connection, fill, gateway, hit, mac, question, scramble,
};
use portreeve_domain::{Asked, Identifier, MacAddress, Question};

/// Asks a gateway in this process about devices that it remembers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Ask so many times.
    Hits {
        /// What belongs to a hit.
        #[arg(value_enum)]
        part: Part,
        /// How many.
        hits: u64,
        /// Devices in memory.
        #[arg(long, default_value_t = 1_000)]
        devices: u32,
    },
    /// Print the bytes that each of so many devices takes, its decision
    /// included.
    Memory {
        /// How many.
        devices: u32,
    },
}

/// What belongs to a hit.
#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// From the question to the answer.
    Answer,
    /// Reading the address as a NAC product writes it, too.
    ParseAndAnswer,
}

fn main() -> anyhow::Result<()> {
    // One thread, so that nothing but the work is counted.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    match Arguments::parse().command {
        Command::Hits {
            part,
            hits,
            devices,
        } => runtime.block_on(ask(part, hits, devices)),
        Command::Memory { devices } => {
            let bytes = runtime.block_on(memory::per_device(devices))?;
            writeln!(std::io::stdout(), "{bytes:.0}")?;
            Ok(())
        }
    }
}

async fn ask(part: Part, hits: u64, devices: u32) -> anyhow::Result<()> {
    ensure!(devices > 0, "at least one device is needed");
    let gateway = gateway(vec![Arc::new(Permits)])?;
    fill(&gateway, devices).await;
    let connection = connection();
    let asked: Vec<(Question, String)> = (0..devices)
        .map(|number| {
            (
                question(number, &connection),
                mac(number).to_string().replace(':', "-"),
            )
        })
        .collect();
    let mut answered = 0_u64;
    for step in 0..hits {
        let position = usize::try_from(scramble(step) % u64::from(devices))?;
        let (question, text) = asked.get(position).context("a question")?;
        let answer = match part {
            Part::Answer => hit(&gateway, black_box(question).asked()),
            Part::ParseAndAnswer => {
                let mac = MacAddress::parse(black_box(text.as_bytes()))?;
                let asked = Asked {
                    identifiers: &[Identifier::Mac(mac)],
                    connection: &connection,
                };
                hit(&gateway, asked)
            }
        };
        answered += u64::from(black_box(answer).is_some());
    }
    ensure!(answered == hits, "only {answered} of {hits} were hits");
    Ok(())
}
