//! The scripts that ask the simulated tenant with Microsoft's libraries, as they
//! are: what works there has to work here.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::product::Product;

const DEADLINE: Duration = Duration::from_mins(2);
const HINT: &str = "hint: `cargo xtask prerequisites` installs it";

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tenant/clients")
}

async fn check(mut command: Command, expected: &[&str]) -> anyhow::Result<()> {
    let shown = format!("{command:?}");
    let output = command.kill_on_drop(true).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(DEADLINE, output)
        .await
        .with_context(|| format!("{shown} took too long"))?
        .with_context(|| format!("{shown} cannot be started; {HINT}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{shown}\n{stdout}{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    ensure!(lines == expected, "{lines:?}");
    Ok(())
}

#[tokio::test]
async fn msal_for_python() -> anyhow::Result<()> {
    let product = Product::new()?;
    let stand = product.stand().await?;
    product.describe(&stand)?;
    let python = env::var_os("PORTREEVE_PYTHON").unwrap_or_else(|| {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        top.join("target/clients/venv/bin/python").into_os_string()
    });
    let mut command = Command::new(python);
    command
        .arg(clients().join("check_msal.py"))
        .arg(product.directory.path());
    let expected = [
        "ok msal with secret",
        "ok msal with certificate",
        "ok msal with thumbprint",
        "ok msal with PFX file",
        "ok msal reports refusals",
    ];
    check(command, &expected)
        .await
        .with_context(|| stand.log())?;
    let log = stand.log();
    ensure!(!log.contains("s3cret") && !log.contains("eyJ"), "{log}");
    stand.gateway.stop().await
}

#[tokio::test]
async fn msal_for_node() -> anyhow::Result<()> {
    let library = clients().join("node_modules/@azure/msal-node");
    ensure!(library.is_dir(), "no @azure/msal-node; {HINT}");
    let product = Product::new()?;
    let stand = product.stand().await?;
    product.describe(&stand)?;
    let node = env::var_os("PORTREEVE_NODE").unwrap_or_else(|| OsString::from("node"));
    let mut command = Command::new(node);
    command
        .arg(clients().join("check_msal_node.mjs"))
        .arg(product.directory.path())
        .env(
            "NODE_EXTRA_CA_CERTS",
            product.directory.path().join("ca.pem"),
        )
        .env_remove("NODE_USE_ENV_PROXY");
    let expected = [
        "ok msal-node with secret",
        "ok msal-node with certificate",
        "ok msal-node reports refusals",
    ];
    check(command, &expected)
        .await
        .with_context(|| stand.log())?;
    stand.gateway.stop().await
}
