//! Acting on devices through real sockets: the program tells the simulated
//! tenant, once for each device, and follows what becomes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use portreeve_harness::{Client, Reply, Stand, StandBuilder, member, until};
use portreeve_tenant::device::generated_guid;
use portreeve_tenant::{Fault, Resource, RetryAfter, Step, Tenant};
use serde_json::{Value, json};

const PRIVILEGED: &str = "DeviceManagementManagedDevices.PrivilegedOperations.All";
const OTHER_KEY: &str = "another-key-0123456789abcdef0123";

/// Two clients that may act, and a gateway that allows it.
fn acting(devices: u32, rules: &str) -> StandBuilder {
    let client = |name: &str, file: &str| {
        format!(
            "[clients.{name}]\nfaces = [\"actions\"]\nbearer = {{ file = \"{file}\" }}\n\
             patience = \"20s\"\nactions = [\"sync\", \"lock\", \"wipe\", \"notify\"]\n"
        )
    };
    Stand::builder()
        .devices(devices)
        .store()
        .secret("acting-key", ACTING_KEY)
        .secret("other-key", OTHER_KEY)
        .extra(&format!(
            "[actions]\nallow = [\"sync\", \"lock\", \"wipe\", \"other:rebootNow\"]\n\
             first-look = \"200ms\"\n{rules}\n{}{}",
            client("acting", "acting-key"),
            client("other", "other-key")
        ))
}

const ACTING_KEY: &str = "acting-key-0123456789abcdef01234";

fn client(stand: &Stand) -> anyhow::Result<Client> {
    stand.client_with(Some(ACTING_KEY), None)
}

fn permitted(stand: &Stand) {
    stand.tenant.grant(Resource::Graph, PRIVILEGED);
}

fn guids(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers
        .map(|number| generated_guid(number).to_string())
        .collect()
}

async fn start(client: &Client, body: Value) -> anyhow::Result<Reply> {
    client.post("/v1/actions", &body).await
}

fn started(reply: &Reply) -> anyhow::Result<String> {
    ensure!(reply.status == 200, "{reply:?}");
    let id = reply.field("id").as_str();
    Ok(id.context("a job has an id")?.to_owned())
}

async fn job(client: &Client, id: &str) -> anyhow::Result<Value> {
    let reply = client.get(&format!("/v1/actions/jobs/{id}")).await?;
    ensure!(reply.status == 200, "{reply:?}");
    Ok(reply.body)
}

/// Waits until a job is in this state.
async fn settled(client: &Client, id: &str, state: &str) -> anyhow::Result<Value> {
    until(state, async || {
        let job = job(client, id).await?;
        Ok((*member(&job, "state") == json!(state)).then_some(job))
    })
    .await
}

fn detail(reply: &Reply) -> &str {
    reply.field("detail").as_str().unwrap_or_default()
}

/// How often each device was told.
fn told(tenant: &Tenant) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for acted in tenant.acted() {
        *told.entry(acted.device.to_string()).or_default() += 1;
    }
    told
}

#[tokio::test]
async fn handed_over_is_not_done() -> anyhow::Result<()> {
    let stand = acting(10, "").start().await?;
    permitted(&stand);
    let client = client(&stand)?;
    let body = json!({ "action": "sync", "devices": guids(3..4) });
    let id = started(&start(&client, body).await?)?;
    let told = settled(&client, &id, "handed-over").await?;
    assert_eq!(*member(member(&told, "counts"), "handed-over"), json!(1));
    stand.tenant.advance(Duration::from_secs(61));
    let told = settled(&client, &id, "finished").await?;
    let device = member(&told, "devices").get(0).context("a device")?;
    assert_eq!(*member(device, "state"), json!("done"));
    assert_eq!(*member(device, "source"), json!("contoso"));
    assert_eq!(stand.tenant.acted().len(), 1);
    // Another client's job is no business of this one.
    let other = stand.client_with(Some(OTHER_KEY), None)?;
    let reply = other.get(&format!("/v1/actions/jobs/{id}")).await?;
    assert_eq!(reply.status, 404);
    // Nor may one without the face see any.
    assert_eq!(stand.client.get("/v1/actions/jobs").await?.status, 403);
    let log = stand.log();
    ensure!(log.contains("a job was asked for"), "{log}");
    ensure!(log.contains("handed-over") && log.contains("done"), "{log}");
    stand.gateway.stop().await
}

#[tokio::test]
async fn what_is_not_allowed_or_not_permitted_is_said_before_anything_is_sent() -> anyhow::Result<()>
{
    let stand = acting(10, "").start().await?;
    let client = client(&stand)?;
    let device = guids(3..4);
    for (action, status, expected) in [
        ("notify", 403, "`allow` of `[actions]`"),
        ("retire", 403, "client `acting` may not ask"),
        ("other:rebootNow", 403, "client `acting` may not ask"),
        ("sync", 409, PRIVILEGED),
        ("explode", 400, "expected `sync`"),
    ] {
        let arguments = match action {
            "notify" => json!({ "title": "t", "body": "b" }),
            _ => json!({}),
        };
        let body = json!({ "action": action, "arguments": arguments, "devices": device });
        let reply = start(&client, body).await?;
        assert_eq!(reply.status.as_u16(), status, "{reply:?}");
        ensure!(detail(&reply).contains(expected), "{reply:?}");
    }
    let path = format!("/v1/devices/{}/actions", generated_guid(3));
    let possible = client.get(&path).await?;
    let actions = possible.field("actions").as_array().context("actions")?;
    let sync = actions
        .iter()
        .find(|action| *member(action, "action") == json!("sync"));
    let sync = sync.context("sync")?;
    assert_eq!(*member(sync, "possible"), json!(false));
    let reason = member(sync, "reason").as_str().unwrap_or_default();
    ensure!(reason.contains("missing permission"), "{reason}");
    assert_eq!(stand.tenant.requests(Step::DeviceAction), 0);
    assert_eq!(stand.tenant.acted(), []);
    let unknown = json!({ "action": "sync", "devices": ["00:50:56:ff:ff:01"] });
    let reply = start(&client, unknown).await?;
    assert_eq!(reply.status, 409);
    ensure!(detail(&reply).contains("no source knows"), "{reply:?}");
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_wipe_is_confirmed_by_whom_the_operator_says() -> anyhow::Result<()> {
    let stand = acting(10, "").start().await?;
    permitted(&stand);
    let (client, other) = (client(&stand)?, stand.client_with(Some(OTHER_KEY), None)?);
    let wipe = json!({
        "action": "wipe",
        "arguments": { "keepUserData": false },
        "devices": guids(3..5),
        "idempotency_key": "first",
    });
    let mut keyless = wipe.clone();
    keyless["idempotency_key"] = Value::Null;
    let reply = start(&client, keyless).await?;
    ensure!(detail(&reply).contains("idempotency key"), "{reply:?}");
    let asked = start(&client, wipe.clone()).await?;
    assert_eq!(*asked.field("state"), json!("to-be-confirmed"), "{asked:?}");
    let token = member(asked.field("confirmation"), "token").clone();
    // The same once more is the same; something else under the key is not.
    let again = start(&client, wipe.clone()).await?;
    assert_eq!(*member(again.field("confirmation"), "token"), token);
    let mut changed = wipe.clone();
    changed["devices"] = json!(guids(3..4));
    assert_eq!(start(&client, changed).await?.status, 409);
    assert_eq!(stand.tenant.acted(), []);

    let confirm = async |client: &Client, token: &Value| {
        let body = json!({ "token": token });
        client.post("/v1/actions/confirm", &body).await
    };
    let refused = confirm(&other, &token).await?;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(confirm(&client, &json!("0123")).await?.status, 410);
    let shown = json!({ "token": token, "show": true });
    let shown = other.post("/v1/actions/confirm", &shown).await?;
    assert_eq!(shown.field("devices").as_array().map(Vec::len), Some(2));
    assert_eq!(stand.tenant.acted(), []);
    let id = started(&confirm(&client, &token).await?)?;
    assert_eq!(confirm(&client, &token).await?.status, 410);
    settled(&client, &id, "handed-over").await?;
    assert_eq!(started(&start(&client, wipe).await?)?, id);
    let acted = stand.tenant.acted();
    assert_eq!(acted.len(), 2);
    ensure!(
        acted
            .iter()
            .all(|it| it.body == r#"{"keepUserData":false}"#)
    );
    stand.tenant.advance(Duration::from_secs(61));
    settled(&client, &id, "finished").await?;
    stand.gateway.stop().await
}

#[tokio::test]
async fn four_eyes_and_a_confirmation_that_comes_too_late() -> anyhow::Result<()> {
    let rules = "confirm-by = \"another-client\"";
    let stand = acting(10, rules).start().await?;
    permitted(&stand);
    let (client, other) = (client(&stand)?, stand.client_with(Some(OTHER_KEY), None)?);
    let wipe = json!({ "action": "wipe", "devices": guids(3..4), "idempotency_key": "k" });
    let asked = start(&client, wipe.clone()).await?;
    let body = json!({ "token": member(asked.field("confirmation"), "token") });
    assert_eq!(client.post("/v1/actions/confirm", &body).await?.status, 403);
    let confirmed = other.post("/v1/actions/confirm", &body).await?;
    assert_eq!(*confirmed.field("confirmed_by"), json!("other"));
    settled(&client, &started(&confirmed)?, "handed-over").await?;
    assert_eq!(stand.tenant.acted().len(), 1);
    stand.gateway.stop().await?;

    let stand = acting(10, "confirm-within = \"1ms\"").start().await?;
    permitted(&stand);
    let client = self::client(&stand)?;
    let asked = start(&client, wipe).await?;
    let body = json!({ "token": member(asked.field("confirmation"), "token") });
    // The clock has moved on by more than that.
    assert_eq!(client.post("/v1/actions/confirm", &body).await?.status, 410);
    assert_eq!(stand.tenant.acted(), []);
    stand.gateway.stop().await
}

#[tokio::test]
async fn many_devices_and_a_source_that_wants_to_be_left_alone() -> anyhow::Result<()> {
    let stand = acting(300, "").start().await?;
    permitted(&stand);
    let client = client(&stand)?;
    for retry_after in [RetryAfter::Seconds(0.25), RetryAfter::Absent] {
        let fault = Fault::TooManyRequests { retry_after };
        stand.tenant.plan_fault(Step::DeviceAction, fault, 2);
    }
    let body = json!({ "action": "sync", "devices": guids(0..300) });
    let reply = client.post("/v1/actions", &body).await?;
    let id = started(&reply)?;
    let told = settled(&client, &id, "handed-over").await?;
    assert_eq!(*member(member(&told, "counts"), "handed-over"), json!(300));
    let told = self::told(&stand.tenant);
    assert_eq!(told.len(), 300);
    ensure!(told.values().all(|times| *times == 1), "{told:?}");
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_crash_in_the_middle_does_nothing_twice() -> anyhow::Result<()> {
    let stand = acting(120, "").start().await?;
    permitted(&stand);
    let client = self::client(&stand)?;
    let slow = Fault::Slow { delay_ms: 20 };
    stand.tenant.set_fault(Step::DeviceAction, slow);
    let body = json!({ "action": "wipe", "devices": guids(0..120), "idempotency_key": "k" });
    let asked = start(&client, body.clone()).await?;
    let confirm = json!({ "token": member(asked.field("confirmation"), "token") });
    let id = started(&client.post("/v1/actions/confirm", &confirm).await?)?;
    until("a quarter", async || {
        Ok((stand.tenant.acted().len() >= 30).then_some(()))
    })
    .await?;
    let (stand, _) = stand.crash().await?;
    let client = self::client(&stand)?;
    let told = settled(&client, &id, "handed-over").await?;
    assert_eq!(member(&told, "devices").as_array().map(Vec::len), Some(120));
    let told = self::told(&stand.tenant);
    ensure!(told.values().all(|times| *times == 1), "{told:?}");
    // Of those under way in the crash nobody knows whether they arrived: they
    // are not told again, and looked for instead.
    ensure!(told.len() >= 116, "{} of 120", told.len());
    assert_eq!(started(&start(&client, body).await?)?, id);
    stand.gateway.stop().await
}

#[tokio::test]
async fn what_waits_can_be_taken_back() -> anyhow::Result<()> {
    let stand = acting(40, "").start().await?;
    permitted(&stand);
    let client = client(&stand)?;
    let fault = Fault::TooManyRequests {
        retry_after: RetryAfter::Seconds(600.0),
    };
    stand.tenant.set_fault(Step::DeviceAction, fault);
    let body = json!({ "action": "sync", "devices": guids(0..40) });
    let id = started(&start(&client, body).await?)?;
    let path = format!("/v1/actions/jobs/{id}/cancel");
    until("all of them taken back", async || {
        let reply = client.post(&path, &json!({})).await?;
        let cancelled = member(reply.field("counts"), "cancelled").as_u64();
        Ok((cancelled == Some(40)).then_some(()))
    })
    .await?;
    assert_eq!(
        *member(&job(&client, &id).await?, "state"),
        json!("finished")
    );
    assert_eq!(stand.tenant.acted(), []);
    stand.gateway.stop().await
}

#[tokio::test]
async fn two_tenants_are_kept_apart() -> anyhow::Result<()> {
    let guid = generated_guid(7);
    let stand = acting(3, "").fabrikam(Tenant::builder().devices(10));
    let stand = stand.start().await?;
    permitted(&stand);
    let fabrikam = stand.fabrikam.clone().context("fabrikam")?;
    let client = client(&stand)?;
    // Known to the second one only, where the permission is missing.
    let body = json!({ "action": "sync", "devices": [guid.to_string()] });
    let reply = start(&client, body.clone()).await?;
    ensure!(detail(&reply).contains("source `fabrikam`"), "{reply:?}");
    let both =
        json!({ "action": "sync", "devices": [generated_guid(1).to_string(), guid.to_string()] });
    let reply = start(&client, both).await?;
    let id = started(&reply)?;
    settled(&client, &id, "handed-over").await?;
    assert_eq!(stand.tenant.acted().len(), 1);
    assert_eq!(fabrikam.acted(), []);
    stand.gateway.stop().await
}

#[tokio::test]
async fn the_command_line_acts() -> anyhow::Result<()> {
    let stand = acting(10, "").start().await?;
    permitted(&stand);
    let guid = generated_guid(3).to_string();
    let output = stand.program(&["action", "start", "wipe", &guid]).await?;
    ensure!(output.code == Some(0), "{output:?}");
    let line = output.stdout.lines().last().unwrap_or_default();
    let token = line.rsplit(' ').next().unwrap_or_default();
    let output = stand
        .program(&["action", "confirm", token, "--json"])
        .await?;
    ensure!(output.code == Some(0), "{output:?}");
    let confirmed = output.json()?;
    let id = member(&confirmed, "id").as_str().context("an id")?;
    until("the wipe", async || {
        Ok((stand.tenant.acted().len() == 1).then_some(()))
    })
    .await?;
    let output = stand.program(&["action", "show", id]).await?;
    ensure!(output.stdout.contains(&guid), "{output:?}");
    let output = stand.program(&["action", "list"]).await?;
    ensure!(output.stdout.ends_with("1 jobs\n"), "{output:?}");
    let output = stand.program(&["action", "start", "retire", &guid]).await?;
    ensure!(output.code == Some(1), "{output:?}");
    ensure!(output.stderr.contains("`[actions]`"), "{output:?}");
    let output = stand.program(&["action", "possible", &guid]).await?;
    ensure!(output.stdout.contains("sync: possible"), "{output:?}");
    stand.gateway.stop().await
}
