//! Publish-subscribe with clients that were not written here.

use portreeve_harness::member;
use portreeve_tenant::Compliance;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use super::*;

/// A client that prints JSON texts. Dropping it kills it.
struct Printing {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Printing {
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("a client cannot be started; {HINT}"))?;
        let stdout = process.stdout.take().context("its output")?;
        let lines = BufReader::new(stdout).lines();
        Ok(Self { process, lines })
    }

    /// The next text, on one line or on several.
    async fn json(&mut self) -> anyhow::Result<Value> {
        let read = async {
            let mut text = String::new();
            while let Some(line) = self.lines.next_line().await? {
                if text.is_empty() && !line.starts_with('{') {
                    continue;
                }
                text.push_str(&line);
                if let Ok(json) = serde_json::from_str(&text) {
                    return Ok(json);
                }
            }
            anyhow::bail!("the client ended after {text:?}")
        };
        let read = tokio::time::timeout(PATIENCE, read).await;
        read.context("the client prints nothing")?
    }

    /// As Ctrl-C would.
    async fn interrupt(&mut self) -> anyhow::Result<()> {
        let id = self.process.id().context("the client has ended")?;
        let asked = Command::new("kill")
            .args(["-INT", &id.to_string()])
            .status()
            .await?;
        ensure!(asked.success(), "the client could not be interrupted");
        Ok(())
    }
}

/// An approved node and its password.
async fn node(stand: &Stand, name: &str, may: &str) -> anyhow::Result<Value> {
    let added = stand
        .program(&["pxgrid", "add", name, "--may", may])
        .await?;
    ensure!(added.code == Some(0), "{added:?}");
    Ok(json!({ "name": name, "password": added.stdout.trim() }))
}

fn with(given: &Value, more: &Value) -> Value {
    let members = [given, more].map(Value::as_object).into_iter().flatten();
    let members = members.flatten();
    members
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The command `px-subscribe` of pxgrid-util.
fn px_subscribe(given: &Value) -> Command {
    let mut command = Command::new(python().with_file_name("px-subscribe"));
    for (option, name) in [
        ("--port", "port"),
        ("--nodename", "name"),
        ("--password", "password"),
        ("--servercert", "ca"),
        ("--service", "service"),
        ("--topic", "topic"),
    ] {
        let value = member(given, name);
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        command.args([option, &value]);
    }
    command.args(["--hostname", "localhost", "--subscribe"]);
    command
}

/// Returns when a figure of the gateway is what is expected.
async fn until(stand: &Stand, figure: &str, expected: f64) -> anyhow::Result<()> {
    let operator = stand.operator()?;
    let reached = async {
        while operator.metric(figure).await?.unwrap_or(0.0) < expected {}
        Ok(())
    };
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached.with_context(|| format!("{figure} is not {expected}"))?
}

#[tokio::test]
async fn a_change_of_a_device_reaches_subscribers() -> anyhow::Result<()> {
    let (stand, certificate) = stand().await?;
    let given = with(
        &given(&stand, &certificate)?,
        &json!({ "service": "com.cisco.ise.mdm", "topic": "endpointTopic" }),
    );
    let util = with(&given, &node(&stand, "util", "subscribe").await?);
    let api = with(&given, &node(&stand, "api", "subscribe").await?);
    let mut util = Printing::start(&mut px_subscribe(&util))?;
    let mut api = Printing::start(&mut script("subscribe_pxgrid_api.py", &api))?;
    until(&stand, "portreeve_pxgrid_subscriptions", 2.0).await?;

    let now = stand.tenant.now_ms();
    let mac = given["non_compliant"].clone();
    for (compliance, compliant) in [
        (Compliance::Compliant, true),
        (Compliance::NonCompliant, false),
    ] {
        stand.tenant.change_device(NON_COMPLIANT.guid, |device| {
            device.compliance = compliance;
            device.last_check_in = now;
        });
        let synced = stand.program(&["connector", "sync", "contoso"]).await?;
        ensure!(synced.code == Some(0), "{synced:?}");
        for client in [&mut util, &mut api] {
            let message = client.json().await?;
            assert_eq!(message["macAddress"], mac, "{message}");
            assert_eq!(message["registered"], true, "{message}");
            assert_eq!(message["compliant"], compliant, "{message}");
        }
    }
    util.interrupt().await?;
    let left = "portreeve_pxgrid_connections_ended_total{reason=\"left\"}";
    until(&stand, left, 1.0).await?;
    stand.gateway.stop().await
}

/// pxgrid-api says a wrong length with what it publishes, and closes at once.
#[tokio::test]
async fn what_one_client_publishes_another_gets() -> anyhow::Result<()> {
    let (stand, certificate) = stand().await?;
    let given = given(&stand, &certificate)?;
    let provider = node(&stand, "provider", "publish").await?;
    let provider = with(&with(&given, &provider), &json!({ "asset": "first" }));
    // Nobody listens yet, but from here on there is such a service.
    run("publish_pxgrid_api.py", &provider).await?;
    let consumer = node(&stand, "consumer", "subscribe").await?;
    let consumer = with(
        &with(&given, &consumer),
        &json!({ "service": "com.cisco.endpoint.asset", "topic": "assetTopic" }),
    );
    let mut consumer = Printing::start(&mut px_subscribe(&consumer))?;
    until(&stand, "portreeve_pxgrid_subscriptions", 1.0).await?;
    for asset in ["second", "dritté"] {
        run(
            "publish_pxgrid_api.py",
            &with(&provider, &json!({ "asset": asset })),
        )
        .await?;
        let message = consumer.json().await?;
        assert_eq!(message["opType"], "CREATE", "{message}");
        assert_eq!(message["asset"]["assetName"], asset, "{message}");
    }
    stand.gateway.stop().await
}
