//! What a gateway knows outlives it: crashes, a tenant that is gone, a full
//! disk, a damaged file, backups.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use portreeve_harness::{Client, Output, Stand, StandBuilder, Stopped, member, until};
use portreeve_tenant::Step;
use portreeve_tenant::device::{Device, generated_guid, generated_mac};
use portreeve_tenant::well_known::{COMPLIANT, IN_GRACE, NON_COMPLIANT};
use serde_json::json;

const WHEN_ASKED: &str = "jitter = \"30d\"\npage-size = 500";
const SYNC: [&str; 4] = ["connector", "sync", "contoso", "--full"];

fn stand() -> StandBuilder {
    Stand::builder().inventory(WHEN_ASKED).store()
}

fn succeeded(output: &Output) -> anyhow::Result<()> {
    ensure!(output.code == Some(0), "{output:?}");
    Ok(())
}

fn refused(output: &Output, expected: &str) -> anyhow::Result<()> {
    ensure!(output.code == Some(1), "{output:?}");
    ensure!(output.stdout.is_empty(), "{output:?}");
    ensure!(
        output.stderr.contains(expected),
        "`{expected}` is not in {output:?}"
    );
    Ok(())
}

/// Waits until everything that was learnt is durable.
async fn written(operator: &Client) -> anyhow::Result<()> {
    until("an empty queue of the store", async || {
        let queued = operator.metric("portreeve_store_queued").await?;
        Ok((queued.context("the metric")? == 0.0).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_crash_and_a_tenant_that_is_gone_change_no_answer() -> anyhow::Result<()> {
    for (ttl, is_stale) in [("5m", false), ("1ms", true)] {
        let stand = stand().devices(600).ttl(ttl).start().await?;
        succeeded(&stand.program(&SYNC).await?)?;
        // One that the inventory has not seen: a question brings it.
        let new = generated_guid(5_000);
        stand.tenant.add_device(Device::new(new));
        assert_eq!(stand.client.ask(new).await?.origin, "fetched");
        written(&stand.operator()?).await?;

        stand.tenant.stop().await?;
        let (stand, _) = stand.crash().await?;
        for (identifier, expected) in [
            (new.to_string(), (200, "permit")),
            (COMPLIANT.mac.separated(':'), (200, "permit")),
            (NON_COMPLIANT.guid.to_string(), (200, "deny")),
            (IN_GRACE.guid.to_string(), (200, "permit")),
            (generated_mac(599).separated(':'), (200, "deny")),
            (generated_guid(0).to_string(), (200, "permit")),
        ] {
            for _ in 0..3 {
                let told = stand.client.ask(&identifier).await?;
                assert_eq!(told.short(), expected, "{identifier}");
                assert!(told.is_from_memory(), "{identifier}: {told:?}");
                assert_eq!(told.stale, is_stale, "{identifier}: {told:?}");
            }
        }
        // Who was never known cannot be told.
        let told = stand.client.ask(generated_guid(5_001)).await?;
        assert_eq!(told.short(), (503, "cannot-tell"));
        stand.gateway.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_connectors_own_memory_outlives_a_crash() -> anyhow::Result<()> {
    // Without the inventory the connector remembers one thing: where the
    // compliance service is.
    let stand = Stand::builder().devices(10).store().start().await?;
    assert_eq!(stand.client.ask(generated_guid(0)).await?.origin, "fetched");
    assert_eq!(stand.tenant.requests(Step::Discovery), 1);
    let (stand, _) = stand.crash().await?;
    assert_eq!(stand.client.ask(generated_guid(1)).await?.origin, "fetched");
    assert_eq!(stand.tenant.requests(Step::Discovery), 1);
    let (stand, _) = stand.restart().await?;
    assert_eq!(stand.client.ask(generated_guid(2)).await?.origin, "fetched");
    assert_eq!(stand.tenant.requests(Step::Discovery), 1);
    stand.gateway.stop().await
}

#[tokio::test]
async fn one_store_has_one_gateway() -> anyhow::Result<()> {
    let stand = stand().start().await?;
    let copy = stand.directory().join("copy.redb");
    let copy = copy.to_str().context("a path")?;
    succeeded(&stand.program(&["store", "backup", copy]).await?)?;
    // One that is to serve says first which secrets it has read.
    let is_refused = |stderr: &str| {
        let mut lines = stderr.lines();
        lines.any(|line| line.starts_with("error: ") && line.contains("portreeve.redb"))
    };
    for arguments in [
        &["serve"][..],
        &["store", "verify"],
        &["store", "compact"],
        &["store", "restore", copy],
    ] {
        let output = stand.program(arguments).await?;
        ensure!(output.code == Some(1), "{arguments:?}: {output:?}");
        ensure!(is_refused(&output.stderr), "{arguments:?}: {output:?}");
    }
    // The one that is there serves on, and its socket is still its own.
    assert_eq!(
        stand.client.ask(COMPLIANT.guid).await?.short(),
        (200, "permit")
    );
    succeeded(&stand.program(&SYNC).await?)?;
    stand.gateway.stop().await
}

fn damage(path: &Path) -> anyhow::Result<()> {
    let mut bytes = std::fs::read(path)?;
    let length = bytes.len();
    for byte in bytes.get_mut(length / 8..length / 2).context("a file")? {
        *byte ^= 0x5a;
    }
    std::fs::write(path, bytes)?;
    Ok(())
}

/// Fetched devices, a backup, and a gateway that is stopped.
async fn with_backup(devices: u32) -> anyhow::Result<(Stopped, String)> {
    let stand = stand().devices(devices).start().await?;
    succeeded(&stand.program(&SYNC).await?)?;
    let copy = stand.directory().join("copy.redb");
    let copy = copy.to_str().context("a path")?.to_owned();
    // While the gateway runs.
    let output = stand.program(&["store", "backup", &copy]).await?;
    succeeded(&output)?;
    assert_eq!(output.stdout, format!("copied to `{copy}`\n"));
    let stopped = stand.stop().await?;
    Ok((stopped, copy))
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_a_backup_helps() -> anyhow::Result<()> {
    let (stopped, copy) = with_backup(600).await?;
    damage(&stopped.data().join("portreeve.redb"))?;
    for arguments in [&["serve"][..], &["store", "verify"]] {
        let output = stopped.program(arguments).await?;
        refused(&output, "portreeve.redb")?;
        ensure!(output.stderr.contains("store restore"), "{output:?}");
    }
    // A damaged copy takes no file's place.
    let bad = stopped.directory().join("bad.redb");
    std::fs::copy(&copy, &bad)?;
    damage(&bad)?;
    let bad = bad.to_str().context("a path")?.to_owned();
    let output = stopped.program(&["store", "restore", &bad]).await?;
    refused(&output, "bad.redb")?;

    let nothing = stopped.program(&["store", "restore", "nothing"]).await?;
    refused(&nothing, "there is no copy at `nothing`")?;

    let output = stopped.program(&["store", "restore", &copy]).await?;
    succeeded(&output)?;
    let count = stopped.tenant.device_count();
    ensure!(
        output.stdout.contains(&format!("with {count} devices")),
        "{output:?}"
    );
    let before = stopped.data().join("portreeve.redb.before-restore");
    ensure!(before.is_file(), "the damaged file is kept");
    stopped.tenant.stop().await?;
    let (stand, _) = stopped.start().await?;
    let told = stand.client.ask(COMPLIANT.mac.separated(':')).await?;
    assert_eq!(told.short(), (200, "permit"));
    assert!(told.is_from_memory(), "{told:?}");
    let stopped = stand.stop().await?;

    // On a new machine there is nothing but the copy.
    std::fs::remove_dir_all(stopped.data())?;
    let output = stopped.program(&["store", "restore", &copy]).await?;
    succeeded(&output)?;
    let mode = std::fs::metadata(stopped.data())?.permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let (stand, _) = stopped.start().await?;
    let told = stand.client.ask(COMPLIANT.mac.separated(':')).await?;
    assert_eq!(told.short(), (200, "permit"));
    stand.gateway.stop().await
}

#[tokio::test]
async fn the_file_can_be_looked_after() -> anyhow::Result<()> {
    let (stopped, copy) = with_backup(2_000).await?;
    let count = stopped.tenant.device_count();
    let report = stopped.program(&["store", "verify", "--json"]).await?;
    succeeded(&report)?;
    let report = report.json()?;
    assert_eq!(*member(&report, "repaired"), json!(false), "{report}");
    assert_eq!(member(&report, "devices")["contoso"], json!(count));
    // Not over a file that is there.
    let output = stopped.program(&["store", "backup", &copy]).await?;
    refused(&output, "copy.redb")?;
    // Without a gateway, too.
    let other = stopped.directory().join("other.redb");
    let other = other.to_str().context("a path")?.to_owned();
    succeeded(&stopped.program(&["store", "backup", &other]).await?)?;

    let compacted = stopped.program(&["store", "compact", "--json"]).await?;
    succeeded(&compacted)?;
    let compacted = compacted.json()?;
    let bytes = |name| member(&compacted, name).as_u64().context("bytes");
    ensure!(bytes("after")? <= bytes("before")?, "{compacted}");
    let found = std::fs::metadata(stopped.data().join("portreeve.redb"))?.len();
    assert_eq!(found, bytes("after")?);

    // What was learnt since the backup is gone with the file that knew it.
    let (stand, _) = stopped.start().await?;
    let new = generated_guid(5_000);
    stand.tenant.add_device(Device::new(new));
    assert_eq!(stand.client.ask(new).await?.short(), (200, "permit"));
    let stopped = stand.kill().await?;
    succeeded(&stopped.program(&["store", "verify"]).await?)?;
    succeeded(&stopped.program(&["store", "restore", &other]).await?)?;
    stopped.tenant.stop().await?;
    let (stand, _) = stopped.start().await?;
    let told = stand.client.ask(new).await?;
    assert_eq!(told.short(), (503, "cannot-tell"));
    let told = stand.client.ask(generated_guid(1_900)).await?;
    assert_eq!(told.short(), (200, "permit"));
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_full_disk_stops_no_answer_and_mends_by_itself() -> anyhow::Result<()> {
    let stopped = stand().start().await?.stop().await?;
    let file = stopped.data().join("portreeve.redb");
    let kibibytes = std::fs::metadata(&file)?.len() / 1024;
    stopped.tenant.generate(20_000);
    let (stand, _) = stopped.start_on_full_disk(kibibytes).await?;
    let operator = stand.operator()?;
    let metric = async |name| {
        let value = operator.metric(name).await?;
        value.with_context(|| format!("no metric `{name}`"))
    };
    // A fleet is more than the file can take.
    let mut sync = stand.follow(&SYNC)?;
    until("a failing store", async || {
        let failing = metric("portreeve_store_failing").await?;
        Ok((failing > 0.5).then_some(()))
    })
    .await?;
    ensure!(metric("portreeve_store_failures_total").await? > 0.0);
    let ready = stand.client.get("/readyz").await?;
    assert_eq!(ready.status.as_u16(), 200, "{ready:?}");
    let kept = ready.field("kept").get(0).context("the store")?;
    assert_eq!(
        *kept,
        json!({ "name": "store", "state": "failing" }),
        "{ready:?}"
    );
    // Questions are answered, those that nobody asked before, too.
    for number in 19_000..19_010 {
        let told = stand.client.ask(generated_guid(number)).await?;
        ensure!(told.status == 200, "{told:?}");
        let again = stand.client.ask(generated_guid(number)).await?;
        ensure!(again.is_from_memory(), "{again:?}");
    }

    stand.gateway.lift_file_limit().await?;
    until("a store that takes it again", async || {
        let failing = metric("portreeve_store_failing").await?;
        Ok((failing < 0.5).then_some(()))
    })
    .await?;
    // The read under way ends by itself.
    let done = sync.line().await?;
    let count = stand.tenant.device_count();
    ensure!(done.contains(&format!("{count} devices read")), "{done}");
    stand.tenant.stop().await?;
    let (stand, _) = stand.crash().await?;
    for number in [0, 10_000, 19_001] {
        let told = stand.client.ask(generated_guid(number)).await?;
        ensure!(told.status == 200 && told.is_from_memory(), "{told:?}");
    }
    stand.gateway.stop().await
}
