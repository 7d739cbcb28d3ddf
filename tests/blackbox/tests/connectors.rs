//! Connection records of a gateway that runs: switched on and off, made anew,
//! added, changed and removed, with questions going on.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use portreeve_harness::{Credential, Output, Stand, guest, member, write_private};
use portreeve_tenant::device::generated_mac;
use portreeve_tenant::well_known::COMPLIANT;
use portreeve_tenant::{Step, Tenant};
use serde_json::{Value, json};

async fn run(stand: &Stand, arguments: &[&str]) -> anyhow::Result<Output> {
    stand.program(arguments).await
}

async fn done(stand: &Stand, arguments: &[&str]) -> anyhow::Result<Output> {
    let output = run(stand, arguments).await?;
    ensure!(output.code == Some(0), "{arguments:?}: {output:?}");
    Ok(output)
}

/// The command fails, and says this.
async fn refused(stand: &Stand, arguments: &[&str], why: &str) -> anyhow::Result<()> {
    let output = run(stand, arguments).await?;
    ensure!(output.code == Some(1), "{arguments:?}: {output:?}");
    ensure!(output.stderr.contains(why), "{arguments:?}: {output:?}");
    Ok(())
}

async fn record(stand: &Stand, name: &str) -> anyhow::Result<Value> {
    let output = done(stand, &["connector", "show", name, "--json"]).await?;
    output.json()
}

fn edit(path: &Path, from: &str, to: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path)?;
    ensure!(text.contains(from), "`{from}` is not in {text}");
    std::fs::write(path, text.replace(from, to))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_changed_under_traffic_without_a_failed_request() -> anyhow::Result<()> {
    let stand = Arc::new(Stand::builder().devices(4_000).store().start().await?);
    let stop = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicU32::new(0));
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (stand, stop, next) = (Arc::clone(&stand), Arc::clone(&stop), Arc::clone(&next));
        askers.spawn(async move {
            // Nobody has asked for them before, so each takes a look-up.
            while !stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed) % 4_000;
                let mac = generated_mac(number).separated(':');
                let told = stand.client.ask(&mac).await?;
                ensure!(told.status == 200, "{mac}: {told:?}");
            }
            anyhow::Ok(())
        });
    }
    for round in 0..5 {
        let secret = format!("another-secret-of-round-{round}");
        stand.tenant.register_secret(&secret, None);
        let file = stand.directory().join("contoso-secret");
        write_private(&file, secret.as_bytes())?;
        let output = done(&stand, &["reload", "--json"]).await?;
        let state = output.json()?;
        assert_eq!(*member(&state, "needs_restart"), json!([]));
        done(&stand, &["connector", "cycle", "contoso"]).await?;
    }
    let asked = next.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    for outcome in askers.join_all().await {
        outcome?;
    }
    ensure!(asked > 100, "only {asked} questions were asked");
    ensure!(stand.tenant.requests(Step::Token) >= 5, "no new tokens");
    // The last one is in use: the others are good for nothing any more.
    stand.tenant.remove_credentials();
    stand
        .tenant
        .register_secret("another-secret-of-round-4", None);
    done(&stand, &["connector", "cycle", "contoso"]).await?;
    Ok(())
}

#[tokio::test]
async fn settings_that_nobody_has_tested_are_not_enabled() -> anyhow::Result<()> {
    let stand = Stand::builder().store().start().await?;
    let enable = ["connector", "enable", "contoso"];
    done(&stand, &["connector", "disable", "contoso"]).await?;
    assert_eq!(
        *member(&record(&stand, "contoso").await?, "state"),
        json!("disabled")
    );
    refused(&stand, &enable, "it was never checked").await?;
    done(&stand, &["connector", "enable", "contoso", "--check"]).await?;
    done(&stand, &["connector", "disable", "contoso"]).await?;
    done(&stand, &enable).await?;

    done(&stand, &["connector", "disable", "contoso"]).await?;
    edit(&stand.config(), "timeout = \"10s\"", "timeout = \"9s\"")?;
    done(&stand, &["reload"]).await?;
    refused(
        &stand,
        &enable,
        "its settings are others than those that were checked",
    )
    .await?;
    let shown = record(&stand, "contoso").await?;
    assert_eq!(*member(member(&shown, "check"), "current"), json!(false));

    // It stays so over a restart, and so does what is known of the check.
    let (stand, _) = stand.restart().await?;
    let told = stand.client.ask(COMPLIANT.guid).await?;
    assert_eq!(told.status, 503, "nobody can be asked");
    refused(
        &stand,
        &enable,
        "its settings are others than those that were checked",
    )
    .await?;
    done(&stand, &["connector", "enable", "contoso", "--force"]).await?;
    let told = stand.client.ask(COMPLIANT.guid).await?;
    assert_eq!(told.short(), (200, "permit"));
    let log = stand.log();
    let audited = |line: &&str| line.contains("a source was switched on");
    let line = log.lines().rfind(audited).context("an audit event")?;
    ensure!(line.contains("forced") && line.contains("true"), "{line}");
    let list = done(&stand, &["connector", "list"]).await?.stdout;
    ensure!(
        list.contains("Microsoft Intune") && list.contains("mobile-device-manager"),
        "{list}"
    );
    refused(
        &stand,
        &["connector", "show", "contso"],
        "there is no source `contso`",
    )
    .await?;
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_cycle_takes_over_the_certificate_that_the_tenant_has_now() -> anyhow::Result<()> {
    let credential = Credential::CertificatePem;
    let stand = Stand::builder()
        .credential(credential)
        .store()
        .start()
        .await?;
    assert_eq!(
        stand.client.ask(COMPLIANT.guid).await?.short(),
        (200, "permit")
    );
    stand.tenant.remove_credentials();
    let certificate = stand.tenant.new_certificate()?;
    let cycle = ["connector", "cycle", "contoso"];
    // The gateway has the old one still: it fails its check, and nothing changes.
    let output = run(&stand, &cycle).await?;
    ensure!(output.code == Some(1), "{output:?}");
    ensure!(
        output.stdout.contains("what was in force stays so"),
        "{output:?}"
    );
    let shown = record(&stand, "contoso").await?;
    assert_eq!(*member(&shown, "enabled"), json!(true));

    let file = |name: &str| stand.directory().join(name);
    std::fs::write(file("contoso.pem"), &certificate.certificate_pem)?;
    write_private(&file("contoso.key"), certificate.key_pem.as_bytes())?;
    let tokens = stand.tenant.requests(Step::Token);
    let output = done(&stand, &cycle).await?;
    ensure!(
        output.stdout.contains("is made anew and enabled"),
        "{output:?}"
    );
    ensure!(
        stand.tenant.requests(Step::Token) > tokens,
        "new tokens are got"
    );
    let shown = record(&stand, "contoso").await?;
    assert_eq!(*member(member(&shown, "check"), "current"), json!(true));
    let mac = COMPLIANT.mac.separated(':');
    assert_eq!(stand.client.ask(&mac).await?.short(), (200, "permit"));
    stand.gateway.stop().await
}

/// A tenant by the URLs that Cisco ISE has for it. What no real cloud has, ports
/// and paths, is set by hand.
fn by_urls(name: &str, tenant: &Tenant) -> anyhow::Result<String> {
    let mut text = String::new();
    let graph = tenant.graph_url();
    let host = tenant.origin();
    let unit = format!("https://127.0.0.1:{}", tenant.unit_port());
    write!(
        text,
        r#"
[connectors.{name}]
plugin = {intune:?}
description = "by its URLs"
egress = ["{host}", "{unit}"]
private-networks = ["127.0.0.0/8"]
trust = ["{name}-ca.pem"]

[connectors.{name}.intune-urls]
auto-discovery-url = "{graph}"
token-issuing-url = "{token}"
client-id = "{client}"
secret = {{ file = "{name}-secret" }}

[connectors.{name}.settings]
graph-url = "{graph}"
service-hosts = ["127.0.0.1"]

[connectors.{name}.credentials.graph]
urls = ["{graph}/v1.0/"]
scope = "https://graph.microsoft.com/.default"

[connectors.{name}.credentials.intune]
urls = ["{unit}/TrafficGateway/"]
"#,
        intune = guest("intune")?.display().to_string(),
        token = tenant.token_url_v2(),
        client = tenant.client_id(),
    )?;
    Ok(text)
}

#[tokio::test]
async fn a_second_tenant_comes_and_goes_without_a_restart() -> anyhow::Result<()> {
    let credential = Credential::CertificatePfx;
    let stand = Stand::builder()
        .credential(credential)
        .store()
        .start()
        .await?;
    let other = Tenant::builder().name("fabrikam").without_well_known();
    let other = other.devices(3).rich().start().await?;
    let mac = generated_mac(1).separated(':');
    let unknown = stand.client.ask(&mac).await?;
    assert_eq!(unknown.short().0, 404, "{unknown:?}");

    let file = |name: &str| stand.directory().join(name);
    std::fs::write(file("fabrikam-ca.pem"), other.ca_pem())?;
    write_private(&file("fabrikam-secret"), other.client_secret().as_bytes())?;
    let config = std::fs::read_to_string(stand.config())?;
    let wrong = by_urls("fabrikam", &other)?.replace("client-id = \"", "client-id = \"x");
    std::fs::write(stand.config(), format!("{config}{wrong}"))?;
    let output = run(&stand, &["reload"]).await?;
    ensure!(output.code == Some(1), "a bad one is refused: {output:?}");
    std::fs::write(
        stand.config(),
        format!("{config}{}", by_urls("fabrikam", &other)?),
    )?;
    done(&stand, &["reload"]).await?;

    let told = stand.client.ask(&mac).await?;
    assert_eq!(told.status, 200, "{told:?}");
    let told = stand.client.ask(COMPLIANT.guid).await?;
    assert_eq!(
        told.short(),
        (200, "permit"),
        "the other tenant, by its certificate"
    );
    let shown = record(&stand, "fabrikam").await?;
    assert_eq!(*member(&shown, "description"), json!("by its URLs"));

    // What is known of a tenant that is not asked says nothing.
    done(&stand, &["connector", "disable", "fabrikam"]).await?;
    let told = stand.client.ask(&mac).await?;
    assert_eq!(told.short().0, 404, "{told:?}");
    done(&stand, &["connector", "disable", "contoso"]).await?;
    let told = stand.client.ask(&mac).await?;
    assert_eq!(
        told.short().0,
        503,
        "nobody says that it is unknown: {told:?}"
    );
    done(&stand, &["connector", "enable", "contoso", "--check"]).await?;

    std::fs::write(stand.config(), config)?;
    done(&stand, &["reload"]).await?;
    let list = done(&stand, &["connector", "list", "--json"])
        .await?
        .json()?;
    let connectors = member(&list, "connectors").as_array().context("a list")?;
    assert_eq!(connectors.len(), 1);
    let told = stand.client.ask(COMPLIANT.mac.separated('-')).await?;
    assert_eq!(told.short(), (200, "permit"));
    other.shutdown().await;
    stand.gateway.stop().await
}
