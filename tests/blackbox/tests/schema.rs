//! schemathesis, which was not written here, asks the real program everything
//! that its OpenAPI document allows, and a lot that it does not allow.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use portreeve_harness::Stand;
use tokio::process::Command;

/// Bearer key of a client that may do all that the document describes.
const KEY: &str = "schemathesis-key-0123456789abcdef";
/// The same cases in each run.
const SEED: &str = "4";
/// Cases for each operation.
const EXAMPLES: &str = "25";
/// How long a run may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(5);

fn schemathesis() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let program = root.join("target/clients/schemathesis/bin/st");
    ensure!(
        program.is_file(),
        "there is no `{}`; hint: `cargo xtask prerequisites` installs it",
        program.display()
    );
    Ok(program)
}

#[tokio::test]
async fn every_answer_is_as_described() -> anyhow::Result<()> {
    let stand = Stand::builder()
        .store()
        .extra(
            "[clients.schemathesis]\n\
             faces = [\"rest\", \"admin\", \"metrics\", \"clearpass\", \"inventory\", \"actions\", \"scep\"]\n\
             bearer = { file = \"schemathesis-key\" }\n",
        )
        .secret("schemathesis-key", KEY)
        .start()
        .await?;
    let plain = stand.gateway.origins.iter();
    let origin = plain
        .rev()
        .find(|origin| origin.starts_with("http://"))
        .context("the listener without TLS")?;
    let described = stand.client.get("/openapi.json").await?;
    ensure!(described.status.is_success(), "{described:?}");
    let document = stand.directory().join("openapi.json");
    std::fs::write(&document, described.body.to_string())?;

    let output = Command::new(schemathesis()?)
        .current_dir(stand.directory())
        .arg("--config-file")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/schemathesis.toml"))
        .args(["run", "--url", origin])
        .args(["--header", &format!("Authorization: Bearer {KEY}")])
        .args(["--seed", SEED, "--max-examples", EXAMPLES])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--checks", "all", "--continue-on-failure"])
        .args(["--warnings", "off", "--no-color"])
        .arg(&document)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .context("schemathesis does not end")??;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}\n{errors}");
    // It did something: the summary counts what it has asked.
    ensure!(said.contains("No issues found"), "{said}");
    stand.gateway.stop().await
}
