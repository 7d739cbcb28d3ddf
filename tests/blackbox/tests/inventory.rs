//! The inventory through real sockets: the program reads the simulated tenant's
//! fleet, and questions about devices that nobody asked for end in memory.

use anyhow::{Context as _, ensure};
use portreeve_harness::{Client, Output, Stand, StandBuilder, member, until};
use portreeve_tenant::device::{Compliance, Device, generated_guid, generated_mac};
use portreeve_tenant::well_known::{COMPLIANT, NON_COMPLIANT};
use portreeve_tenant::{Fault, RetryAfter, Step, Tenant};
use serde_json::{Value, json};

const PROGRESS: &str = "/v1/admin/connectors/contoso/sync";

/// Nothing is read but what the tests ask for.
const WHEN_ASKED: &str = "jitter = \"30d\"\npage-size = 500";

fn fleet(devices: u32) -> StandBuilder {
    Stand::builder()
        .devices(devices)
        .inventory(WHEN_ASKED)
        .store()
}

fn pages(tenant: &Tenant) -> u64 {
    tenant.device_count().div_ceil(500) as u64
}

/// Requests that a look-up makes.
fn look_ups(tenant: &Tenant) -> u64 {
    tenant.requests(Step::Compliance) + tenant.requests(Step::Device)
}

fn done(output: &Output) -> anyhow::Result<Value> {
    ensure!(output.code == Some(0), "{output:?}");
    output.json()
}

/// Asks about generated devices in one batch; gives those whose answer did not
/// come from memory, or is not `permit` or `deny`.
async fn unsettled(client: &Client, devices: u32) -> anyhow::Result<Vec<(u32, Value)>> {
    let mac = |number| generated_mac(number).separated(':');
    let questions = (0..devices).map(|number| json!({ "identifiers": [mac(number)] }));
    let batch = json!({ "questions": questions.collect::<Vec<_>>() });
    let reply = client.post("/v1/decisions/batch", &batch).await?;
    let answers = reply.field("answers").as_array().context("answers")?;
    ensure!(answers.len() == devices as usize, "{}", answers.len());
    let is_settled = |answer: &Value| {
        *member(answer, "origin") != json!("fetched") && !member(answer, "device").is_null()
    };
    let unsettled = (0..).zip(answers).filter(|(_, answer)| !is_settled(answer));
    Ok(unsettled
        .map(|(number, answer)| (number, answer.clone()))
        .collect())
}

#[tokio::test]
async fn devices_that_nobody_asked_for_are_answered_without_a_look_up() -> anyhow::Result<()> {
    let stand = fleet(3_000).start().await?;
    let output = stand
        .program(&["connector", "sync", "contoso", "--full", "--json"])
        .await?;
    let result = done(&output)?;
    assert_eq!(*member(&result, "read"), json!(stand.tenant.device_count()));
    assert_eq!(*member(&result, "pages"), json!(pages(&stand.tenant)));
    assert_eq!(*member(&result, "removed"), json!(0));
    for (identifier, expected) in [
        (COMPLIANT.guid.to_string(), (200, "permit")),
        (COMPLIANT.mac.separated('-'), (200, "permit")),
        (NON_COMPLIANT.guid.to_string(), (200, "deny")),
        (generated_mac(0).separated(':'), (200, "permit")),
        (generated_guid(2_703).to_string(), (200, "permit")),
    ] {
        let told = stand.client.ask(&identifier).await?;
        assert_eq!(told.short(), expected, "{identifier}");
        assert!(told.is_from_memory(), "{identifier}: {told:?}");
    }
    assert_eq!(unsettled(&stand.client, 3_000).await?, []);
    assert_eq!(look_ups(&stand.tenant), 0);

    // For people, and what the gateway says of itself.
    let output = stand.program(&["connector", "sync", "contoso"]).await?;
    ensure!(output.code == Some(0), "{output:?}");
    ensure!(
        output.stdout.starts_with("connector `contoso`: "),
        "{output:?}"
    );
    let operator = stand.operator()?;
    let connectors = operator.get("/v1/admin/connectors").await?;
    let contoso = connectors.field("connectors").get(0).context("contoso")?;
    assert_eq!(*member(contoso, "name"), json!("contoso"));
    assert_eq!(
        *member(member(contoso, "inventory"), "runs"),
        json!(2),
        "{contoso}"
    );
    let kept = operator
        .metric(r#"portreeve_cache_entries{cache="devices"}"#)
        .await?;
    let kept = kept.map(|kept| format!("{kept:.0}"));
    assert_eq!(kept, Some(stand.tenant.device_count().to_string()));
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_deleted_device_is_unknown_only_after_a_complete_read() -> anyhow::Result<()> {
    let stand = fleet(1_400).start().await?;
    let sync = ["connector", "sync", "contoso", "--full", "--json"];
    done(&stand.program(&sync).await?)?;
    let (gone, other) = (generated_guid(1_300), generated_guid(3));
    for guid in [gone, other] {
        assert!(stand.tenant.remove_device(guid));
        assert_eq!(stand.client.ask(guid).await?.short(), (200, "permit"));
    }

    // All pages but the last one are there, and it is not among them.
    let slow = |delay_ms| Fault::Slow { delay_ms };
    let last = pages(&stand.tenant) - 1;
    let first = u32::try_from(last)?;
    stand.tenant.plan_fault(Step::DeviceList, slow(0), first);
    stand.tenant.plan_fault(Step::DeviceList, slow(1_500), 1);
    let operator = stand.operator()?;
    let half_done = async {
        until("all pages but the last", async || {
            let progress = operator.get(PROGRESS).await?;
            Ok((*progress.field("pages") == json!(last)).then_some(()))
        })
        .await?;
        let told = stand.client.ask(gone).await?;
        let progress = operator.get(PROGRESS).await?;
        ensure!(*progress.field("pages") == json!(last), "{progress:?}");
        ensure!(told.short() == (200, "permit"), "{told:?}");
        ensure!(told.is_from_memory(), "{told:?}");
        anyhow::Ok(())
    };
    let (output, half_done) = tokio::join!(stand.program(&sync), half_done);
    half_done?;
    let result = done(&output?)?;
    assert_eq!(*member(&result, "removed"), json!(2));
    assert_eq!(*member(&result, "read"), json!(stand.tenant.device_count()));
    assert_eq!(stand.client.ask(other).await?.short(), (404, "deny"));

    // Neither memory nor store has it any more: without the source nobody can
    // tell.
    stand.tenant.stop().await?;
    let told = stand.client.ask(gone).await?;
    assert_eq!(told.short(), (503, "cannot-tell"));
    let (stand, _) = stand.crash().await?;
    let told = stand.client.ask(gone).await?;
    assert_eq!(told.short(), (503, "cannot-tell"));
    let told = stand.client.ask(generated_guid(1_301)).await?;
    assert_eq!(told.short(), (200, "permit"));
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_sync() -> anyhow::Result<()> {
    let stand = fleet(600).start().await?;
    done(
        &stand
            .program(&["connector", "sync", "contoso", "--json"])
            .await?,
    )?;
    let (changed, new) = (generated_guid(500), generated_guid(5_000));
    assert_eq!(stand.client.ask(changed).await?.short(), (200, "permit"));
    let now = stand.tenant.now_ms();
    stand.tenant.change_device(changed, |device| {
        device.compliance = Compliance::NonCompliant;
        device.last_check_in = now;
    });
    let mut device = Device::new(new);
    device.last_check_in = now;
    stand.tenant.add_device(device);
    assert_eq!(stand.client.ask(changed).await?.short(), (200, "permit"));
    stand.tenant.reset_requests();

    let output = stand
        .program(&["connector", "sync", "contoso", "--json"])
        .await?;
    let result = done(&output)?;
    assert_eq!(*member(&result, "kind"), json!("changes"), "{result}");
    assert_eq!(*member(&result, "removed"), json!(0));
    for (guid, expected) in [(changed, (200, "deny")), (new, (200, "permit"))] {
        let told = stand.client.ask(guid).await?;
        assert_eq!(told.short(), expected, "{guid}");
        assert!(told.is_from_memory(), "{told:?}");
    }
    assert_eq!(look_ups(&stand.tenant), 0);
    stand.gateway.stop().await
}

#[tokio::test]
async fn without_a_gateway_the_command_reads_into_the_store() -> anyhow::Result<()> {
    let stopped = fleet(1_200).start().await?.stop().await?;
    let output = stopped
        .program(&["connector", "sync", "contoso", "--json"])
        .await?;
    let result = done(&output)?;
    let count = stopped.tenant.device_count();
    assert_eq!(*member(&result, "read"), json!(count));
    ensure!(!stopped.data().join("control.sock").exists());
    let verified = stopped.program(&["store", "verify", "--json"]).await?;
    let verified = done(&verified)?;
    assert_eq!(member(&verified, "devices")["contoso"], json!(count));

    let (stand, _) = stopped.start().await?;
    assert_eq!(unsettled(&stand.client, 1_200).await?, []);
    assert_eq!(look_ups(&stand.tenant), 0);
    stand.gateway.stop().await
}

#[tokio::test]
async fn what_cannot_be_read_is_said_clearly() -> anyhow::Result<()> {
    let stand = fleet(10).start().await?;
    for (arguments, code, expected) in [
        (
            &["connector", "sync", "contosso"][..],
            1,
            "error: there is no connector `contosso` in the configuration\n\
             hint: did you mean `contoso`?\n",
        ),
        (&["connector", "sync"], 2, "<NAME>"),
    ] {
        let output = stand.program(arguments).await?;
        assert_eq!(output.code, Some(code), "{output:?}");
        ensure!(output.stderr.contains(expected), "{output:?}");
        assert_eq!(output.stdout, "");
    }
    // The source refuses for a reason that waiting does not mend.
    stand.tenant.revoke(portreeve_tenant::Resource::Graph);
    let output = stand.program(&["connector", "sync", "contoso"]).await?;
    assert_eq!(output.code, Some(1), "{output:?}");
    ensure!(output.stderr.starts_with("error: "), "{output:?}");
    stand.gateway.stop().await?;

    let switched_off = "enabled = false\njitter = \"30d\"";
    let of_the_plugin = "[connectors.contoso.inventory]\njitter = \"30d\"";
    for (stand, expected) in [
        (
            Stand::builder().inventory(switched_off).store(),
            "the inventory of source `contoso` is switched off",
        ),
        (
            Stand::builder().store(),
            "the inventory of source `contoso` is switched off",
        ),
        (
            Stand::builder().extra(of_the_plugin).store(),
            "the setting `inventory` is `off`",
        ),
        (
            Stand::builder().inventory(WHEN_ASKED),
            "what is read would be forgotten at once: there is no store",
        ),
    ] {
        let stand = stand.start().await?;
        let output = stand.program(&["connector", "sync", "contoso"]).await?;
        assert_eq!(output.code, Some(1), "{output:?}");
        ensure!(
            output.stderr.contains(expected),
            "{expected} is not in {output:?}"
        );
        assert_eq!(output.stdout, "");
        stand.gateway.stop().await?;
    }
    Ok(())
}

/// Reads a fleet whose second page meets faults.
async fn read_through(faults: &[Fault]) -> anyhow::Result<()> {
    let stand = fleet(1_400).start().await?;
    let plan = |fault: &Fault| stand.tenant.plan_fault(Step::DeviceList, fault.clone(), 1);
    plan(&Fault::Slow { delay_ms: 0 });
    faults.iter().for_each(plan);
    let operator = stand.operator()?;
    let paused = until("a pause", async || {
        let progress = operator.get(PROGRESS).await?;
        let pauses = *progress.field("activity") == json!("paused");
        Ok(pauses.then_some(progress.body))
    });
    let sync = stand.program(&["connector", "sync", "contoso", "--json"]);
    let meanwhile = async {
        let progress = paused.await?;
        ensure!(member(&progress, "resumes_at").is_string(), "{progress}");
        ensure!(member(&progress, "last_error").is_string(), "{progress}");
        // What was read is in use already.
        let told = stand.client.ask(generated_mac(7).separated(':')).await?;
        ensure!(told.short() == (200, "permit"), "{told:?}");
        ensure!(told.is_from_memory(), "{told:?}");
        anyhow::Ok(())
    };
    let (output, meanwhile) = tokio::join!(sync, meanwhile);
    meanwhile?;
    let result = done(&output?)?;
    let count = stand.tenant.device_count();
    assert_eq!(*member(&result, "read"), json!(count), "{result}");
    assert_eq!(unsettled(&stand.client, 1_400).await?, []);
    assert_eq!(look_ups(&stand.tenant), 0);
    // No page was read twice.
    let requests = pages(&stand.tenant) + faults.len() as u64;
    assert_eq!(stand.tenant.requests(Step::DeviceList), requests);
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_tenant_that_wants_less_is_given_time() -> anyhow::Result<()> {
    let throttled = |retry_after| Fault::TooManyRequests { retry_after };
    read_through(&[
        throttled(RetryAfter::Seconds(0.7)),
        throttled(RetryAfter::Date(1)),
        throttled(RetryAfter::Absent),
    ])
    .await
}

#[tokio::test]
async fn a_broken_page_is_read_again() -> anyhow::Result<()> {
    read_through(&[Fault::Truncated]).await
}

#[tokio::test]
async fn an_interrupted_full_read_goes_on_where_it_was() -> anyhow::Result<()> {
    let stand = fleet(3_000).start().await?;
    let sync = ["connector", "sync", "contoso", "--full", "--json"];
    done(&stand.program(&sync).await?)?;
    let gone = generated_guid(2_900);
    assert!(stand.tenant.remove_device(gone));

    // The fourth page never comes.
    let tenant = stand.tenant.clone();
    tenant.plan_fault(Step::DeviceList, Fault::Slow { delay_ms: 0 }, 3);
    tenant.plan_fault(Step::DeviceList, Fault::Timeout, 1);
    let asking = stand.follow(&sync)?;
    let operator = stand.operator()?;
    until("three pages", async || {
        let progress = operator.get(PROGRESS).await?;
        Ok((*progress.field("pages") == json!(3)).then_some(()))
    })
    .await?;
    let (stand, _) = stand.crash().await?;
    drop(asking);
    tenant.clear_faults();
    tenant.reset_requests();

    // Nobody is unknown, those that the read has not seen yet among them.
    assert_eq!(unsettled(&stand.client, 2_900).await?, []);
    let told = stand.client.ask(gone).await?;
    assert_eq!(told.short(), (200, "permit"));
    assert!(told.is_from_memory(), "{told:?}");
    let output = stand.program(&sync).await?;
    let result = done(&output)?;
    assert_eq!(*member(&result, "removed"), json!(1), "{result}");
    // The first three pages were not read again.
    assert_eq!(tenant.requests(Step::DeviceList), pages(&tenant) - 3);
    assert_eq!(unsettled(&stand.client, 2_900).await?, []);
    assert_eq!(look_ups(&tenant), 0);
    assert_eq!(stand.client.ask(gone).await?.short(), (404, "deny"));
    stand.gateway.stop().await
}
