//! A gateway whose Intune connector asks another gateway.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use portreeve_harness::{Stand, guest, program};
use portreeve_tenant::well_known::{COMPLIANT, IN_GRACE, JAILBROKEN, NON_COMPLIANT, UNKNOWN};
use serde_json::Value;
use tokio::process::Command;

use crate::product::{CLIENT_ID, Product, TENANT};

/// The configuration of the gateway in front.
fn configuration(product: &Product, stand: &Stand, version: u8) -> anyhow::Result<String> {
    let folder = product.directory.path().display();
    let origin = stand.gateway.origin();
    let host = origin.trim_start_matches("https://");
    let credential = |resource: &str| {
        format!(
            r#"kind = "oauth2-client-certificate"
token-url = "{origin}/intune/{TENANT}/oauth2/v2.0/token"
client-id = "{CLIENT_ID}"
scope = "{resource}/.default"
certificate = "{folder}/client.crt"
key = "{folder}/client.key""#
        )
    };
    Ok(format!(
        r#"
[server.plain]
listen = "127.0.0.1:0"

[clients.rest]
faces = ["rest"]
bearer = {{ file = "{folder}/secret" }}

[connectors.behind]
plugin = {intune:?}
egress = ["{host}"]
private-networks = ["127.0.0.0/8"]
trust = ["{folder}/ca.pem"]
timeout = "20s"

[connectors.behind.settings]
graph-url = "{origin}/intune/graph"
service-hosts = ["127.0.0.1"]
service-version = {version}

[connectors.behind.credentials.graph]
urls = ["{origin}/intune/graph/"]
{graph}

[connectors.behind.credentials.intune]
urls = ["{origin}/intune/"]
{api}

[policies.baseline]
plugin = {baseline:?}

[chain]
policies = ["baseline"]
"#,
        intune = guest("intune")?.display().to_string(),
        baseline = guest("baseline")?.display().to_string(),
        graph = credential("https://graph.microsoft.com"),
        api = credential("https://api.manage.microsoft.com/"),
    ))
}

async fn portreeve(config: &std::path::Path, arguments: &[&str]) -> anyhow::Result<(bool, Value)> {
    let mut command = Command::new(program("portreeve")?);
    command
        .args(arguments)
        .arg("--json")
        .arg("--config")
        .arg(config);
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let (stdout, stderr) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    let document = serde_json::from_slice(stdout)
        .with_context(|| format!("{arguments:?}: {}{stderr}", String::from_utf8_lossy(stdout)))?;
    Ok((output.status.success(), document))
}

async fn check(version: u8) -> anyhow::Result<()> {
    let product = Product::new()?;
    let stand = product.stand().await?;
    product.describe(&stand)?;
    let config = product.directory.path().join("in-front.toml");
    std::fs::write(&config, configuration(&product, &stand, version)?)?;
    // Name, TLS, token, permission, discovery, service, look-up.
    let (passed, report) = portreeve(&config, &["connector", "check", "behind"]).await?;
    ensure!(passed, "{report:#}\n{}", stand.log());
    for (known, verdict, found) in [
        (COMPLIANT, "permit", true),
        (NON_COMPLIANT, "deny", true),
        (IN_GRACE, "permit", true),
        // Compliant for its management system, but not for the policy behind.
        (JAILBROKEN, "deny", true),
        (UNKNOWN, "deny", false),
    ] {
        let mac = known.mac.separated(':');
        let (_, answer) = portreeve(&config, &["lookup", &mac]).await?;
        let said = answer.get("verdict").and_then(Value::as_str);
        let device = answer.get("device").is_some_and(|device| !device.is_null());
        ensure!(
            (said, device) == (Some(verdict), found),
            "{}: {answer:#}",
            known.name
        );
    }
    stand.gateway.stop().await
}

#[tokio::test]
async fn through_the_newer_service() -> anyhow::Result<()> {
    check(3).await
}

#[tokio::test]
async fn through_the_older_service() -> anyhow::Result<()> {
    check(2).await
}
