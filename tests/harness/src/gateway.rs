//! The gateway as a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::program;

/// How long a start or an orderly end may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A gateway that serves. Dropping it kills it.
#[derive(Debug)]
pub struct Gateway {
    process: Child,
    /// One origin for each listener, e.g. `https://127.0.0.1:41234`.
    pub origins: Vec<String>,
}

impl Gateway {
    /// Starts it with the configuration at `config`, and waits until it serves
    /// on `listeners` addresses. Its log goes into `log`.
    pub async fn start(config: &Path, log: &Path, listeners: usize) -> anyhow::Result<Self> {
        Self::start_within(config, log, listeners, None).await
    }

    /// The same, with files that cannot grow beyond so many KiB.
    pub(crate) async fn start_within(
        config: &Path,
        log: &Path,
        listeners: usize,
        largest_file: Option<u64>,
    ) -> anyhow::Result<Self> {
        let program = program("portreeve")?;
        let mut command = match largest_file {
            None => Command::new(program),
            Some(kibibytes) => {
                let mut shell = Command::new("bash");
                // The signal would end the program; a full disk does not.
                let limited = format!("trap '' XFSZ; ulimit -S -f {kibibytes}; exec \"$@\"");
                shell.args(["-c", &limited, "limited"]).arg(program);
                shell
            }
        };
        let mut process = command
            .arg("serve")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log)?)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the gateway")?;
        let stdout = process.stdout.take().context("the gateway's output")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = async {
            let mut origins = Vec::new();
            while origins.len() < listeners {
                match lines.next_line().await? {
                    Some(line) => origins.extend(line.strip_prefix("ready ").map(str::to_owned)),
                    None => bail!("it ended"),
                }
            }
            Ok(origins)
        };
        let origins = tokio::time::timeout(PATIENCE, ready)
            .await
            .context("it was not ready in time")
            .and_then(|ready| ready)
            .with_context(|| {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                format!("the gateway did not start:\n{said}")
            })?;
        Ok(Self { process, origins })
    }

    /// The first listener.
    pub fn origin(&self) -> &str {
        self.origins.first().map_or("", String::as_str)
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Its files may grow again without bound.
    pub async fn lift_file_limit(&self) -> anyhow::Result<()> {
        let id = self.process.id().context("the gateway has ended already")?;
        let lifted = Command::new("prlimit")
            .args(["--pid", &id.to_string(), "--fsize=unlimited:"])
            .status()
            .await?;
        ensure!(lifted.success(), "the limit could not be lifted");
        Ok(())
    }

    /// Ends it as a crash does.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill().await?;
        Ok(())
    }

    /// Asks it to end and waits until it has.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.process.id().context("the gateway has ended already")?;
        let asked = Command::new("kill").arg(id.to_string()).status().await?;
        ensure!(asked.success(), "the gateway could not be asked to end");
        let status = tokio::time::timeout(PATIENCE, self.process.wait())
            .await
            .context("the gateway did not end")??;
        ensure!(status.success(), "the gateway ended with {status}");
        Ok(())
    }
}
