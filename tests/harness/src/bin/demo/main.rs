//! The main job, seen running: a simulated Intune tenant and the real gateway
//! over TLS on loopback, a handful of devices, then the same without the
//! tenant.

mod cases;
mod table;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use portreeve_harness::{ADMIN_KEY, Client, REST_KEY, Stand};

use cases::Case;

/// Shows Portreeve answering for a simulated Intune tenant.
#[derive(Parser)]
#[command(name = "cargo xtask demo", version)]
struct Arguments {
    /// End by itself; exit code 0 only if every answer was the expected one.
    #[arg(long)]
    once: bool,
    /// Port of the gateway, a free one by default.
    #[arg(long, default_value_t = 0)]
    gateway_port: u16,
    /// Port of the simulated tenant, a free one by default.
    #[arg(long, default_value_t = 0)]
    tenant_port: u16,
}

/// The rules of the demo; everything else is the baseline policy's default.
const POLICY: &str = r#"
compliance.non-compliant = "restrict"
obligations.permit.vlan = "10"
obligations.grace.vlan = "10"
obligations.grace.session-timeout = "1h"
obligations.restrict.vlan = "66"
obligations.restrict.redirect = "https://portal.manage.microsoft.com"
"#;

/// How long a device record is fresh here, so that nobody has to wait to see a
/// stale one.
const TTL: &str = "2s";

#[tokio::main]
async fn main() -> ExitCode {
    match demo(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo(arguments: &Arguments) -> anyhow::Result<bool> {
    let stand = Stand::builder()
        .ports(arguments.gateway_port, arguments.tenant_port)
        .devices(1_000)
        .ttl(TTL)
        .policy(POLICY)
        .start()
        .await?;
    say(&format!("simulated tenant  {}", stand.tenant.origin()));
    say(&format!("gateway           {}", stand.gateway.origin()));

    say("\nThe tenant is up:\n");
    let mut good = ask(&stand.client, &cases::tenant_up()).await?;

    stand
        .tenant
        .stop()
        .await
        .context("switching the tenant off")?;
    wait_until_stale(&stand.client).await?;
    say("\nThe tenant is switched off; what is known still answers, marked stale:\n");
    good &= ask(&stand.client, &cases::tenant_down()).await?;
    stand
        .tenant
        .resume()
        .await
        .context("switching the tenant on")?;

    say(if good {
        "\nEvery answer was the expected one."
    } else {
        "\nNot every answer was the expected one."
    });
    if !arguments.once {
        go_on(&stand).await?;
    }
    stand.gateway.stop().await?;
    stand.tenant.shutdown().await;
    Ok(good)
}

/// Asks all questions and prints question and answer as a table. True if every
/// answer was the expected one.
async fn ask(client: &Client, cases: &[Case]) -> anyhow::Result<bool> {
    let mut rows = Vec::new();
    for case in cases {
        let reply = client
            .get(&format!("/v1/devices/{}", case.identifier))
            .await?;
        rows.push(table::row(case, &reply));
    }
    say(&table::render(&rows, std::io::stdout().is_terminal()));
    Ok(rows.iter().all(table::Row::is_expected))
}

/// The records were fresh a moment ago: asks until they are not.
async fn wait_until_stale(client: &Client) -> anyhow::Result<()> {
    let path = format!("/v1/devices/{}", cases::tenant_down_first());
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let stale = async {
        loop {
            tick.tick().await;
            if *client.get(&path).await?.field("stale") == true {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), stale)
        .await
        .context("no answer was marked stale")?
}

/// Leaves both running and says how to ask.
async fn go_on(stand: &Stand) -> anyhow::Result<()> {
    let ca = stand.directory().join("ca.pem");
    let (ca, origin) = (ca.display(), stand.gateway.origin());
    let compliant = portreeve_tenant::well_known::COMPLIANT;
    say(&format!(
        r#"
Go on by hand (the tenant is up again, Ctrl-C ends everything):

  curl --cacert {ca} -H 'Authorization: Bearer {REST_KEY}' \
    {origin}/v1/devices/{mac}

  curl --cacert {ca} -H 'Authorization: Bearer {REST_KEY}' -H 'Content-Type: application/json' \
    -d '{{"identifiers": ["{guid}"]}}' {origin}/v1/decisions

  curl --cacert {ca} -H 'Authorization: Bearer {ADMIN_KEY}' {origin}/metrics

The configuration: {config}"#,
        mac = compliant.mac,
        guid = compliant.guid,
        config = stand.config().display(),
    ));
    tokio::signal::ctrl_c().await?;
    Ok(())
}

fn say(text: &str) {
    // A reader that went away is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{text}");
}
