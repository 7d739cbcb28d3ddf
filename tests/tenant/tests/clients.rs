//! Microsoft's own libraries against the tenant, see `clients/README.md`.
//!
//! The program itself is started, so that its files and its line `ready` are checked as well.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly, its helpers included"
)]

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_mins(1);
const HINT: &str =
    "hint: `tests/tenant/clients/README.md` names the three commands that install it";

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// A running `portreeve-tenant`, ended with its handle.
struct Program {
    _child: Child,
    directory: TempDir,
}

async fn start() -> Program {
    let directory = tempfile::tempdir().expect("a directory");
    let mut child = Command::new(env!("CARGO_BIN_EXE_portreeve-tenant"))
        .args(["--devices", "20", "--directory"])
        .arg(directory.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the tenant starts");
    let stdout = child.stdout.take().expect("its output");
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(DEADLINE, lines.next_line()).await;
    let line = line.expect("in time").expect("readable").expect("a line");
    assert!(line.starts_with("ready https://127.0.0.1:"), "{line}");
    Program {
        _child: child,
        directory,
    }
}

async fn check(mut command: Command, expected: &[&str]) {
    let shown = format!("{command:?}");
    command.kill_on_drop(true).stdin(Stdio::null());
    let output = timeout(DEADLINE, command.output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("{shown} took too long"))
        .unwrap_or_else(|error| panic!("{shown} cannot be started: {error}\n{HINT}"));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}\n{stdout}{stderr}\n{HINT}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines, expected);
}

fn python() -> Command {
    Command::new(env::var_os("PORTREEVE_PYTHON").unwrap_or_else(|| {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        top.join("target/clients/venv/bin/python").into_os_string()
    }))
}

/// Microsoft's client of Graph, generated from Graph's own model.
#[tokio::test]
async fn msgraph_sdk() {
    let tenant = start().await;
    let mut command = python();
    command
        .arg(clients().join("check_msgraph.py"))
        .arg(tenant.directory.path());
    let expected = [
        "ok msgraph-sdk reads all pages",
        "ok msgraph-sdk reads one device",
        "ok msgraph-sdk filters",
        "ok msgraph-sdk waits when it is asked to",
    ];
    check(command, &expected).await;
}

#[tokio::test]
async fn msal_for_python() {
    let tenant = start().await;
    let mut command = python();
    command
        .arg(clients().join("check_msal.py"))
        .arg(tenant.directory.path());
    let expected = [
        "ok msal with secret",
        "ok msal with certificate",
        "ok msal with thumbprint",
        "ok msal with PFX file",
        "ok msal reports refusals",
    ];
    check(command, &expected).await;
}

#[tokio::test]
async fn msal_for_node() {
    assert!(
        clients().join("node_modules/@azure/msal-node").is_dir(),
        "@azure/msal-node is not installed\n{HINT}"
    );
    let node = env::var_os("PORTREEVE_NODE").unwrap_or_else(|| OsString::from("node"));
    let tenant = start().await;
    let mut command = Command::new(node);
    command
        .arg(clients().join("check_msal_node.mjs"))
        .arg(tenant.directory.path())
        .env(
            "NODE_EXTRA_CA_CERTS",
            tenant.directory.path().join("ca.pem"),
        )
        .env_remove("NODE_USE_ENV_PROXY");
    let expected = [
        "ok msal-node with secret",
        "ok msal-node with certificate",
        "ok msal-node reports refusals",
    ];
    check(command, &expected).await;
}
