//! micromdm's SCEP server as a process of its own, with `portreeve
//! scep-verifier` as its verifier and `portreeve scep-notify` beside it.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use portreeve_harness::{Stand, program, until};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::device::Device;

/// How long a step may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Ports are free when they are chosen; somebody else may be quicker.
const ATTEMPTS: usize = 5;

/// A server that is ready. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct ScepServer {
    folder: TempDir,
    url: String,
    /// What asks the gateway: address and credential.
    gateway: Vec<String>,
    /// What the gate before it prints, if there is one.
    gate: Option<Lines<BufReader<ChildStdout>>>,
    _process: Child,
}

impl ScepServer {
    pub(crate) async fn start(stand: &Stand) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| stand.directory().join(name).display().to_string();
        let gateway = [
            "--url",
            stand.gateway.origin(),
            "--ca",
            &path("ca.pem"),
            "--token-file",
            &path("scep-key"),
        ]
        .map(str::to_owned)
        .to_vec();
        write_verifier(folder.path(), &gateway)?;
        let init = ["ca", "-init", "-depot", "depot", "-keySize", "2048"];
        let made = run("scepserver", &init, folder.path()).await?;
        ensure!(made.status.success(), "{made:?}");
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let log = std::fs::File::create(folder.path().join("server.log"))?;
            let mut process = Command::new(installed("scepserver")?)
                .args(["-depot", "depot", "-port", &port.to_string(), "-debug"])
                .args(["-allowrenew", "0", "-crtvalid", "30", "-csrverifierexec"])
                .arg(folder.path().join("verifier"))
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .kill_on_drop(true)
                .spawn()?;
            let url = format!("http://127.0.0.1:{port}/scep");
            let ready = until("the SCEP server", async || {
                if process.try_wait()?.is_some() {
                    return Ok(Some(false));
                }
                let asked = reqwest::get(format!("{url}?operation=GetCACaps")).await;
                Ok(asked.is_ok_and(|it| it.status() == 200).then_some(true))
            });
            // When the port was taken meanwhile, somebody else answers; the
            // process has ended then.
            if ready.await? && process.try_wait()?.is_none() {
                return Ok(Self {
                    folder,
                    url,
                    gateway,
                    gate: None,
                    _process: process,
                });
            }
        }
        anyhow::bail!("the SCEP server did not start: {}", log_in(folder.path()))
    }

    /// Puts `portreeve scep-notify` before the server; devices ask there from now
    /// on.
    pub(crate) async fn gated(mut self) -> anyhow::Result<(Self, Child)> {
        let server = self.url.trim_end_matches("/scep").to_owned();
        let mut gate = Command::new(program("portreeve")?)
            .args(["scep-notify", "--depot", "depot", "--spool", "approved"])
            .args(["--listen", "127.0.0.1:0", "--server", &server])
            .args(&self.gateway)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = gate.stdout.take().context("its output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await??;
        let line = line.context("a line")?;
        let (_, origin) = line.split_once("http://").context("an address")?;
        self.url = format!("http://{origin}/scep");
        self.gate = Some(lines);
        Ok((self, gate))
    }

    /// Lets a device ask for a certificate; whether it gets one.
    pub(crate) async fn enrol(&self, device: &Device) -> anyhow::Result<bool> {
        let certificate = device.certificate();
        if certificate.exists() {
            std::fs::remove_file(&certificate)?;
        }
        let ask = [
            "-private-key",
            "key.pem",
            "-certificate",
            "certificate.pem",
            "-server-url",
            &self.url,
        ];
        let output = run("scepclient", &ask, device.folder()).await?;
        let issued = certificate.exists();
        ensure!(
            issued == output.status.success() || !issued,
            "{output:?}\n{}",
            self.log()
        );
        Ok(issued)
    }

    /// Lets `portreeve scep-notify` look once. `wait` is for how long
    /// certificates may be missing, in seconds.
    pub(crate) async fn notify(&self, wait: u32) -> anyhow::Result<Output> {
        let mut arguments = vec!["scep-notify", "--once", "--depot", "depot"];
        let wait = wait.to_string();
        arguments.extend(["--spool", "approved", "--wait", &wait]);
        arguments.extend(self.gateway.iter().map(String::as_str));
        let portreeve = program("portreeve")?;
        run_at(&portreeve, &arguments, self.folder.path()).await
    }

    /// Asks as the server does, and says what the verifier says.
    pub(crate) async fn verify(&self, device: &Device) -> anyhow::Result<Output> {
        self.verifier(device, &[]).await
    }

    /// The same, as if the server failed afterwards.
    pub(crate) async fn approve(&self, device: &Device) -> anyhow::Result<()> {
        let output = self.verifier(device, &["--spool", "approved"]).await?;
        ensure!(output.status.success(), "{output:?}");
        Ok(())
    }

    async fn verifier(&self, device: &Device, more: &[&str]) -> anyhow::Result<Output> {
        let request = std::fs::File::open(device.folder().join("csr.pem"))?;
        let output = Command::new(program("portreeve")?)
            .arg("scep-verifier")
            .args(&self.gateway)
            .args(more)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .stdin(request)
            .output();
        Ok(tokio::time::timeout(PATIENCE, output).await??)
    }

    /// Approved requests that wait, of which nobody has been told.
    pub(crate) fn waiting(&self) -> anyhow::Result<usize> {
        let folder = self.folder.path().join("approved");
        let files = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        let requests = files
            .iter()
            .filter(|file| file.path().extension().is_some_and(|it| it == "csr"));
        Ok(requests.count())
    }

    /// What the server and its verifier have said.
    pub(crate) fn log(&self) -> String {
        log_in(self.folder.path())
    }
}

/// The program that the server runs for every request: it takes no arguments.
fn write_verifier(folder: &Path, gateway: &[String]) -> anyhow::Result<()> {
    let quoted: Vec<String> = gateway.iter().map(|it| format!("'{it}'")).collect();
    let text = format!(
        "#!/bin/sh\nexec '{}' scep-verifier {} --spool '{}' 2>>'{}'\n",
        program("portreeve")?.display(),
        quoted.join(" "),
        folder.join("approved").display(),
        folder.join("verifier.log").display(),
    );
    let path = folder.join("verifier");
    std::fs::write(&path, text)?;
    std::fs::create_dir_all(folder.join("approved"))?;
    Ok(std::fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(0o755),
    )?)
}

fn log_in(folder: &Path) -> String {
    ["server.log", "verifier.log"]
        .map(|name| std::fs::read_to_string(folder.join(name)).unwrap_or_default())
        .join("\n")
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

fn installed(name: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new("/usr/bin").join(name);
    ensure!(
        path.exists(),
        "there is no `{}`; hint: is Debian's package `scep` installed?",
        path.display()
    );
    Ok(path)
}

async fn run(name: &str, arguments: &[&str], folder: &Path) -> anyhow::Result<Output> {
    run_at(&installed(name)?, arguments, folder).await
}

async fn run_at(path: &Path, arguments: &[&str], folder: &Path) -> anyhow::Result<Output> {
    let output = Command::new(path)
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(PATIENCE, output)
        .await
        .with_context(|| format!("{} {arguments:?} does not end", path.display()))?
        .with_context(|| format!("cannot run {}", path.display()))
}
