//! `portreeve lookup`

mod local;
mod remote;
mod text;

pub(super) use remote::Asked;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::Lookup;
use crate::config::Environment;
use crate::output;

/// Asks about one endpoint, a running gateway or in this process.
pub(super) fn run(command: Lookup, environment: &dyn Environment) -> anyhow::Result<ExitCode> {
    let Lookup {
        identifiers,
        config,
        json,
        timeout,
        remote,
    } = command;
    let timeout = Duration::from_secs(timeout);
    let (answer, elapsed) = if let Some(url) = &remote.url {
        let asked = remote::Asked::new(url, &remote, timeout, environment)?;
        super::block_on(async {
            let begun = Instant::now();
            anyhow::Ok((asked.ask(&identifiers).await?, begun.elapsed()))
        })??
    } else {
        let config = super::load(&config, environment)?;
        super::block_on(local::ask(&config, identifiers, timeout))??
    };
    if json {
        output::json(&answer)?;
    } else {
        output::line(text::render(&answer, elapsed).trim_end())?;
    }
    Ok(exit_code(&answer))
}

/// As `--help` says.
fn exit_code(answer: &Value) -> ExitCode {
    ExitCode::from(match answer.get("verdict").and_then(Value::as_str) {
        Some("permit") => 0,
        Some("restrict") => 3,
        Some("deny") => 4,
        Some("cannot-tell") => 5,
        _ => 1,
    })
}
