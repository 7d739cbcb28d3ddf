//! What it costs to tell many clients apart.

use std::fmt::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use portreeve_harness::{REST_KEY, Stand};
use tempfile::TempDir;

use crate::effort::Effort;
use crate::report::{Report, Spread, Table};
use crate::subject::Subject;
use crate::wrk::{Load, Measured, taking_turns};

const CONNECTIONS: u32 = 8;

/// Configured clients with a bearer key each.
pub(super) struct Clients {
    pub(super) toml: String,
    pub(super) keys: Vec<String>,
    /// Where their keys are.
    directory: TempDir,
}

impl Clients {
    /// So many, with names that begin with `name`.
    pub(super) fn new(name: &str, count: u32) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (mut toml, mut keys) = (String::new(), Vec::new());
        for number in 0..count {
            let key = format!("bench-{name}-key-{number:010}-0123456789abcdef");
            let file = directory.path().join(format!("{name}-{number}"));
            // Secrets that others can read are refused.
            let mut open = std::fs::OpenOptions::new();
            open.write(true).create_new(true).mode(0o600);
            std::io::Write::write_all(&mut open.open(&file)?, key.as_bytes())?;
            write!(
                toml,
                "[clients.{name}-{number}]\nfaces = [\"rest\"]\npatience = \"5s\"\n\
                 bearer = {{ file = {:?} }}\n",
                file.display().to_string()
            )?;
            keys.push(key);
        }
        Ok(Self {
            toml,
            keys,
            directory,
        })
    }
}

pub(super) async fn measure(effort: &Effort, report: &mut Report) -> anyhow::Result<()> {
    let mut sides = Vec::new();
    for count in effort.clients {
        let clients = Clients::new("bench", *count)?;
        let subject = Subject::start(Stand::builder().extra(&clients.toml)).await?;
        let script = taking_turns(clients.directory.path().join("keys.lua"), &clients.keys)?;
        let load = Load {
            length: effort.turn,
            connections: CONNECTIONS,
            key: REST_KEY.to_owned(),
            script: Some(script),
        };
        sides.push((*count, clients, subject, load, Vec::<Measured>::new()));
    }
    for round in 0..effort.rounds {
        let mut order: Vec<_> = sides.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (_, _, subject, load, turns) in order {
            let url = format!("{}{}", subject.origins.plain, subject.path);
            turns.push(load.run(&url).await?);
        }
    }
    report.section("Cost by the number of clients");
    report.paragraph(&format!(
        "Hits over plain HTTP/1.1 by wrk, {CONNECTIONS} connections, each request with the bearer \
         key of the next of all configured clients; {} turns of {} s in alternation.",
        effort.rounds,
        effort.turn.as_secs()
    ));
    let mut table = Table::new(&[
        "configured clients",
        "answers/s",
        "errors",
        "against the first row",
    ]);
    let rates = |turns: &[Measured]| -> Vec<f64> { turns.iter().map(|turn| turn.rate).collect() };
    let first = sides.first().map(|side| rates(&side.4)).unwrap_or_default();
    for (count, _, _, _, turns) in &sides {
        let rates = rates(turns);
        let median = Spread::of(rates.iter().copied()).map_or(0.0, |spread| spread.median);
        let ratio = Spread::of_ratios(&rates, &first).map(Spread::readable);
        table.row(&[
            &count.to_string(),
            &format!("{median:.0}"),
            &turns
                .iter()
                .map(|turn| turn.errors)
                .sum::<u64>()
                .to_string(),
            &ratio.unwrap_or_default(),
        ]);
    }
    report.table(&table);
    for (_, _, subject, _, _) in sides {
        subject.stand.gateway.stop().await?;
    }
    Ok(())
}
