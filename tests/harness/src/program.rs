//! `portreeve` commands beside the gateway.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::program;

/// How long a command, or what is waited for, may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code, `None` when a signal ended it.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Logs and errors.
    pub stderr: String,
}

impl Output {
    /// The whole of stdout as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {self:?}"))
    }

    /// One JSON document for each line of stdout.
    pub fn json_lines(&self) -> anyhow::Result<Vec<Value>> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: `{line}`")))
            .collect()
    }
}

fn command(config: &Path, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(program("portreeve")?);
    command
        .args(arguments)
        .arg("--config")
        .arg(config)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// Runs a command with this configuration to its end.
pub(crate) async fn run(config: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let output = command(config, arguments)?.output();
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .with_context(|| format!("`portreeve {}` does not end", arguments.join(" ")))??;
    Ok(Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

/// A command that goes on printing. Dropping it kills it.
#[derive(Debug)]
pub struct Following {
    _process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    pub(crate) fn start(config: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = command(config, arguments)?;
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().context("the command's output")?;
        Ok(Self {
            _process: process,
            lines: BufReader::new(stdout).lines(),
        })
    }

    /// Its next line.
    pub async fn line(&mut self) -> anyhow::Result<String> {
        tokio::time::timeout(PATIENCE, self.lines.next_line())
            .await
            .context("it prints no more")??
            .context("it ended")
    }
}

/// Looks until there is something to see. For what others do in their own time:
/// each look asks them.
pub async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let seen = async {
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            // Whoever is waited for has the processor, too.
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen)
        .await
        .with_context(|| format!("not seen: {what}"))?
}
