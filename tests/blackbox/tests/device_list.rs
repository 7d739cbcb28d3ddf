//! The inventory as people look at it: two tenants side by side, over HTTP and on
//! the command line, with the checks that devices failed.

use anyhow::{Context as _, ensure};
use portreeve_harness::{Output, Reply, Stand, StandBuilder, member};
use portreeve_tenant::device::{Compliance, Device};
use portreeve_tenant::{Fault, Resource, RetryAfter, Step, Tenant};
use serde_json::{Value, json};

const KEY: &str = "auditor-key-0123456789abcdef0123456789";
const SHARED_SERIAL: &str = "SHARED-1";
const DETAILS: &str = "DeviceManagementConfiguration.Read.All";

fn device(number: u8, system: &str, serial: &str) -> anyhow::Result<Device> {
    let guid = format!("00000000-0000-4000-8000-0000000000{number:02x}");
    Ok(Device {
        operating_system: system.to_owned(),
        os_version: format!("10.{number}"),
        serial_number: serial.to_owned(),
        ..Device::new(guid.parse()?)
    })
}

fn failing(number: u8, system: &str, serial: &str) -> anyhow::Result<Device> {
    Ok(Device {
        compliance: Compliance::NonCompliant,
        encrypted: false,
        failure_reason: Some("not encrypted".to_owned()),
        ..device(number, system, serial)?
    })
}

/// The second tenant has a device of the first, too, and one of its own.
fn stand() -> anyhow::Result<StandBuilder> {
    let fabrikam = Tenant::builder()
        .without_well_known()
        .device(device(0x20, "Windows", SHARED_SERIAL)?)
        .device(failing(0x21, "macOS", "MAC-1")?);
    Ok(Stand::builder()
        .fabrikam(fabrikam)
        .store()
        .inventory("jitter = \"30d\"")
        .compliance_details()
        .secret("auditor-key", KEY)
        .extra("[clients.auditor]\nfaces = [\"inventory\"]\nbearer = { file = \"auditor-key\" }\n"))
}

async fn start() -> anyhow::Result<Stand> {
    let stand = stand()?.start().await?;
    for device in [
        failing(0x10, "Windows", SHARED_SERIAL)?,
        device(0x11, "iOS", "PHONE-1")?,
        device(0x12, "Android", "PHONE-2")?,
        device(0x13, "ChromeOS", "BOOK-1")?,
        device(0x14, "Linux", "PC-1")?,
    ] {
        stand.tenant.add_device(device);
    }
    let second = stand.fabrikam.as_ref().context("the second tenant")?;
    stand.tenant.grant(Resource::Graph, DETAILS);
    second.grant(Resource::Graph, DETAILS);
    for source in ["contoso", "fabrikam"] {
        let sync = ["connector", "sync", source, "--full"];
        done(&stand.program(&sync).await?)?;
    }
    Ok(stand)
}

fn done(output: &Output) -> anyhow::Result<&str> {
    ensure!(output.code == Some(0), "{output:?}");
    Ok(&output.stdout)
}

async fn list(stand: &Stand, query: &str) -> anyhow::Result<Reply> {
    let client = stand.client_with(Some(KEY), None)?;
    let reply = client.get(&format!("/v1/devices?{query}")).await?;
    ensure!(reply.status.is_success(), "{query}: {reply:?}");
    Ok(reply)
}

/// The values of some facts, a text for each entry.
async fn told(stand: &Stand, query: &str, fields: &str) -> anyhow::Result<Vec<String>> {
    let reply = list(stand, &format!("{query}&fields={fields}")).await?;
    let devices = reply.field("devices").as_array().context("devices")?;
    let one = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = |value: &Value| match value {
        Value::Array(values) => values.iter().map(one).collect::<Vec<_>>().join(" "),
        other => one(other),
    };
    let row = |device: &Value| {
        let values = fields.split(',').map(|field| text(member(device, field)));
        values.collect::<Vec<_>>().join(" ")
    };
    Ok(devices.iter().map(row).collect())
}

#[tokio::test]
async fn two_tenants_are_kept_apart_and_shown_with_their_names() -> anyhow::Result<()> {
    let stand = start().await?;
    let shared = format!("filter=serial%20eq%20{SHARED_SERIAL}&sort=source");
    assert_eq!(
        told(&stand, &shared, "source,compliance,os.version,verdict").await?,
        [
            "contoso non-compliant 10.16 deny",
            // What is answered is what the first source says.
            "fabrikam compliant 10.32 deny",
        ]
    );
    assert_eq!(
        told(&stand, "source=fabrikam&sort=serial", "serial,type").await?,
        ["MAC-1 macos", "SHARED-1 windows",]
    );
    let types = "filter=serial%20in%20(PHONE-1,PHONE-2,BOOK-1,PC-1)&sort=serial";
    assert_eq!(
        told(&stand, types, "type").await?,
        ["chromeos", "linux", "ios", "android"]
    );
    let page = stand.client_with(Some(KEY), None)?;
    let page = page
        .get(&format!("/v1/devices/serial:{SHARED_SERIAL}?detail=all"))
        .await?;
    let versions = member(page.field("facts"), "os.version");
    let versions: Vec<(&Value, &Value)> = versions
        .as_array()
        .context("versions")?
        .iter()
        .map(|told| (member(told, "source"), member(told, "value")))
        .collect();
    assert_eq!(
        versions,
        [
            (&json!("contoso"), &json!("10.16")),
            (&json!("fabrikam"), &json!("10.32"))
        ]
    );

    // The same on the command line.
    let table = [
        "device",
        "list",
        "--filter",
        "type eq macos",
        "--fields",
        "source,serial",
    ];
    let table = stand.program(&table).await?;
    assert_eq!(
        done(&table)?,
        "SOURCE    SERIAL\nfabrikam  MAC-1\n1 of 1 records\n"
    );
    let shown = stand.program(&["device", "show", "serial:MAC-1"]).await?;
    let shown = done(&shown)?;
    ensure!(
        shown.contains("source fabrikam: told ") && shown.contains("type: macos (fabrikam)"),
        "{shown}"
    );
    let file = stand.directory().join("devices.csv");
    let path = file.display().to_string();
    let export = [
        "device",
        "export",
        &path,
        "--fields",
        "serial,compliance.failing",
        "--source",
        "fabrikam",
        "--sort",
        "serial",
    ];
    done(&stand.program(&export).await?)?;
    assert_eq!(
        std::fs::read_to_string(&file)?,
        "serial,compliance.failing\r\nMAC-1,storage-require-encryption rule\r\nSHARED-1,\r\n"
    );
    // Nothing is written over.
    assert_eq!(stand.program(&export).await?.code, Some(1));
    stand.gateway.stop().await
}

#[tokio::test]
async fn what_a_device_failed_is_read_in_batches_and_waits_when_graph_says_so() -> anyhow::Result<()>
{
    let stand = start().await?;
    let failed = "filter=compliance.failing%20eq%20storage-require-encryption&source=contoso";
    assert_eq!(told(&stand, failed, "serial").await?, [SHARED_SERIAL]);
    let batches = stand.tenant.requests(Step::Batch);
    assert_eq!(batches, 1, "one page with less than twenty of them");
    // A part of a batch that is refused for a while has the page read once more.
    for retry_after in [
        RetryAfter::Seconds(0.2),
        RetryAfter::Date(1),
        RetryAfter::Absent,
    ] {
        let busy = Fault::TooManyRequests { retry_after };
        stand.tenant.plan_fault(Step::PolicyStates, busy, 1);
        done(
            &stand
                .program(&["connector", "sync", "contoso", "--full"])
                .await?,
        )?;
        assert_eq!(told(&stand, failed, "serial").await?, [SHARED_SERIAL]);
    }
    // Without the permission the devices are there, and what they failed is not.
    stand
        .tenant
        .plan_fault(Step::Batch, Fault::MissingPermission, 1);
    done(
        &stand
            .program(&["connector", "sync", "contoso", "--full"])
            .await?,
    )?;
    assert_eq!(told(&stand, failed, "serial").await?, Vec::<String>::new());
    let known = format!("filter=serial%20eq%20{SHARED_SERIAL}&source=contoso");
    assert_eq!(told(&stand, &known, "compliance").await?, ["non-compliant"]);
    stand.gateway.stop().await
}
