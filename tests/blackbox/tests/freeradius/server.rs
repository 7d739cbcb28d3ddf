//! FreeRADIUS as a process of its own.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use portreeve_harness::Stand;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::programs::installed;
use crate::raddb::Raddb;

/// How long a start may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ports are free when they are chosen; somebody else may be quicker.
const ATTEMPTS: usize = 5;

/// A FreeRADIUS that is ready. Dropping it kills it, and shows what it and the
/// gateway logged if a test has failed.
#[derive(Debug)]
pub(crate) struct FreeRadius {
    pub(crate) raddb: Raddb,
    pub(crate) port: u16,
    accounting_port: u16,
    log: Log,
    gateway_log: PathBuf,
    _process: Child,
    _reader: JoinSet<()>,
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn push(&self, line: &str) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(line);
        text.push('\n');
    }

    fn text(&self) -> String {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone()
    }
}

impl FreeRadius {
    /// Starts it on a free port and waits until it is ready.
    pub(crate) async fn start(stand: &Stand, raddb: Raddb) -> anyhow::Result<Self> {
        let mut said = String::new();
        for _ in 0..ATTEMPTS {
            let (port, accounting_port) = (free_port()?, free_port()?);
            raddb.set("sites-enabled/portreeve", "port", &port.to_string())?;
            let accounting = "sites-enabled/portreeve-accounting";
            raddb.set(accounting, "port", &accounting_port.to_string())?;
            let log = Log::default();
            let (process, reader, ready) = spawn(&raddb, &log)?;
            let ready = tokio::time::timeout(PATIENCE, ready).await;
            said = log.text();
            match ready {
                Ok(Ok(())) => {
                    return Ok(Self {
                        raddb,
                        port,
                        accounting_port,
                        log,
                        gateway_log: stand.directory().join("portreeve.log"),
                        _process: process,
                        _reader: reader,
                    });
                }
                // It has ended; only for this reason it is worth another try.
                Ok(Err(_)) if said.contains("Address already in use") => {}
                Ok(Err(_)) => break,
                Err(_) => bail!("FreeRADIUS was not ready in time:\n{said}"),
            }
        }
        bail!("FreeRADIUS did not start; hint: is `freeradius-rest` installed?\n{said}")
    }

    /// Where it takes questions.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Where it takes reports.
    pub(crate) fn accounting_address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.accounting_port)
    }
}

fn free_port() -> anyhow::Result<u16> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(socket.local_addr()?.port())
}

impl Drop for FreeRadius {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let gateway = std::fs::read_to_string(&self.gateway_log).unwrap_or_default();
            #[expect(clippy::print_stderr, reason = "this is the report of a failed test")]
            {
                eprintln!("--- FreeRADIUS ---\n{}", self.log.text());
                eprintln!("--- gateway ---\n{gateway}");
            }
        }
    }
}

/// The receiver gets a value when it is ready, and an error when it ends before.
fn spawn(raddb: &Raddb, log: &Log) -> anyhow::Result<(Child, JoinSet<()>, oneshot::Receiver<()>)> {
    let mut process = Command::new(installed("freeradius")?)
        .args(["-f", "-xx", "-l", "stdout", "-d"])
        .arg(raddb.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start FreeRADIUS")?;
    let stdout = process.stdout.take().context("the server's output")?;
    let (sender, receiver) = oneshot::channel();
    let log = log.clone();
    let mut reader = JoinSet::new();
    reader.spawn(async move {
        let mut sender = Some(sender);
        // Bytes, because what it repeats from packets may be no UTF-8.
        let mut lines = BufReader::new(stdout).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            let line = String::from_utf8_lossy(&line);
            log.push(&line);
            if line.contains("Ready to process requests")
                && let Some(sender) = sender.take()
            {
                // Nobody waits any more if the start took too long.
                let _ = sender.send(());
            }
        }
    });
    Ok((process, reader, receiver))
}
