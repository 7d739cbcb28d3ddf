//! What administrators get wrong, in Entra and in the configuration.

use std::fmt::Write as _;
use std::time::Duration;

use portreeve_harness::{Authority, Credential, Stand};
use portreeve_tenant::Resource;

use crate::{advice, stand};

fn keep(name: &str, told: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, told);
    });
}

/// Changes the configuration file; the gateway that runs does not look at it.
fn edit(stand: &Stand, from: &str, to: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(stand.config())?;
    anyhow::ensure!(text.contains(from), "no `{from}` in {text}");
    std::fs::write(stand.config(), text.replace(from, to))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn permissions() -> anyhow::Result<()> {
    let stand = stand().await?;
    let mut told = String::new();
    let (graph, intune) = (Resource::Graph, Resource::Intune);
    let devices = "DeviceManagementManagedDevices.Read.All";
    for (case, granted) in [
        ("no consent at all", vec![]),
        (
            "no Application.Read.All",
            vec![(graph, devices), (intune, "get_device_compliance")],
        ),
        (
            "no DeviceManagementManagedDevices.Read.All",
            vec![
                (graph, "Application.Read.All"),
                (intune, "get_device_compliance"),
            ],
        ),
        (
            "no get_device_compliance",
            vec![
                (graph, "Application.Read.All"),
                (graph, devices),
                (intune, "scep_challenge_provider"),
            ],
        ),
        (
            "more than is needed",
            vec![
                (graph, "Application.Read.All"),
                (graph, devices),
                (graph, "Directory.Read.All"),
                (graph, "User.Read.All"),
                (intune, "get_device_compliance"),
            ],
        ),
    ] {
        stand.tenant.revoke(graph);
        stand.tenant.revoke(intune);
        for (resource, role) in granted {
            stand.tenant.grant(resource, role);
        }
        let found = stand
            .program(&["connector", "check", "contoso", "--json"])
            .await?
            .json()?;
        // What is superfluous passes, so it is looked for among the codes.
        let codes: Vec<&str> = found["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|finding| finding["code"].as_str())
            .collect();
        writeln!(told, "# {case}\n{}{codes:?}\n", advice(&stand).await?)?;
    }
    keep("permissions", &told);
    stand.gateway.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials() -> anyhow::Result<()> {
    let stand = stand().await?;
    let mut told = String::new();
    let secret = stand.directory().join("contoso-secret");
    std::fs::write(&secret, "another")?;
    writeln!(told, "# a wrong secret\n{}", advice(&stand).await?)?;
    stand
        .tenant
        .register_secret("short-lived", Some(Duration::from_mins(1)));
    std::fs::write(&secret, "short-lived")?;
    stand.tenant.advance(Duration::from_mins(2));
    writeln!(told, "# an expired secret\n{}", advice(&stand).await?)?;
    std::fs::write(&secret, stand.tenant.client_secret())?;
    stand.tenant.set_enabled(false);
    writeln!(
        told,
        "# the application is disabled\n{}",
        advice(&stand).await?
    )?;
    stand.tenant.set_enabled(true);
    stand.tenant.advance(Duration::from_mins(58));
    writeln!(
        told,
        "# the clock is an hour off\n{}",
        advice(&stand).await?
    )?;
    keep("credentials", &told);
    stand.gateway.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates() -> anyhow::Result<()> {
    let stand = Stand::builder()
        .credential(Credential::CertificatePem)
        .start()
        .await?;
    let mut told = String::new();
    stand.tenant.remove_credentials();
    writeln!(told, "# another certificate\n{}", advice(&stand).await?)?;
    stand.tenant.advance(Duration::from_hours(1));
    writeln!(
        told,
        "# another certificate, and the clock\n{}",
        advice(&stand).await?
    )?;
    keep("certificates", &told);
    stand.gateway.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration() -> anyhow::Result<()> {
    type Edit = fn(&Stand) -> anyhow::Result<()>;
    let mut told = String::new();
    let tenant = |stand: &Stand| stand.tenant.tenant_id().to_string();
    let cases: [(&str, Edit); 8] = [
        ("the retired audience", |stand| {
            edit(
                stand,
                "https://graph.microsoft.com/.default",
                "https://graph.windows.net/.default",
            )
        }),
        ("one slash for two is taken by this tenant", |stand| {
            edit(stand, "microsoft.com//.default", "microsoft.com/.default")
        }),
        ("an audience of version 1", |stand| {
            edit(
                stand,
                "https://api.manage.microsoft.com//.default",
                "https://api.manage.microsoft.com/",
            )
        }),
        ("another client", |stand| {
            let client = stand.tenant.client_id().to_string();
            edit(stand, &client, "00000000-0000-4000-8000-000000000000")
        }),
        ("no private network is granted", |stand| {
            edit(
                stand,
                "private-networks = [\"127.0.0.0/8\"]",
                "private-networks = []",
            )
        }),
        ("Graph is not granted", |stand| {
            let host = stand.tenant.origin().trim_start_matches("https://");
            edit(
                stand,
                &format!("egress = [\"{host}\", "),
                "egress = [\"example.com\", ",
            )?;
            edit(stand, &format!("\"{host}\", \"127.0.0.2"), "\"127.0.0.2")
        }),
        ("the service is elsewhere", |stand| {
            edit(
                stand,
                "service-hosts = [\"127.0.0.1\", \"127.0.0.2\"]",
                "service-hosts = [\"fef.example.com\"]",
            )
        }),
        ("nobody is trusted", |stand| {
            let other = Authority::generate("Another authority")?;
            std::fs::write(stand.directory().join("contoso-ca.pem"), other.pem())?;
            Ok(())
        }),
    ];
    let stand = stand().await?;
    let right = std::fs::read_to_string(stand.config())?;
    for (case, change) in cases {
        change(&stand)?;
        writeln!(told, "# {case}\n{}", advice(&stand).await?)?;
        std::fs::write(stand.config(), &right)?;
    }
    std::fs::write(
        stand.directory().join("contoso-ca.pem"),
        stand.tenant.ca_pem(),
    )?;
    edit(
        &stand,
        &tenant(&stand),
        "11111111-1111-4111-8111-111111111111",
    )?;
    writeln!(told, "# another tenant\n{}", advice(&stand).await?)?;
    std::fs::write(stand.config(), &right)?;
    stand.tenant.stop().await?;
    writeln!(told, "# nobody is there\n{}", advice(&stand).await?)?;
    stand.tenant.resume().await?;
    writeln!(told, "# all is well\n{}", advice(&stand).await?)?;
    keep("configuration", &told);
    stand.gateway.stop().await
}
