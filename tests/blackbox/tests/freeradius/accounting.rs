//! Sessions that a switch reports.

use portreeve_harness::Stand;
use portreeve_tenant::well_known;
use serde_json::Value;

use crate::raddb::Raddb;
use crate::server::FreeRadius;
use crate::switch::{ask, report};
use crate::{STAFF, https, settings};

/// What `portreeve session list` shows.
async fn sessions(stand: &Stand, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
    let command = [&["session", "list", "--json"], arguments].concat();
    let output = stand.program(&command).await?;
    anyhow::ensure!(output.code == Some(0), "{output:?}");
    let answer = output.json()?;
    let sessions = answer.get("sessions").and_then(Value::as_array);
    Ok(sessions.cloned().unwrap_or_default())
}

fn attributes(status: &str, id: &str, more: &str) -> String {
    format!(
        "Acct-Status-Type = {status}\nAcct-Session-Id = '{id}'\nUser-Name = 'host/laptop'\n\
         NAS-IP-Address = 192.0.2.7\nNAS-Identifier = 'switch-7'\nNAS-Port = 50101\n\
         NAS-Port-Id = 'Gi1/0/1'\nCalling-Station-Id = '{}'\n{more}",
        well_known::COMPLIANT.mac.separated('-')
    )
}

#[tokio::test]
async fn sessions_are_known_until_they_end() {
    let stand = settings().store().start().await.unwrap();
    let raddb = Raddb::new(&stand, https(&stand)).unwrap();
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();

    let pair = "Cisco-AVPair = 'audit-session-id=0A01010100000FA4'\n";
    report(&radius, &attributes("Start", "000A1", pair))
        .await
        .unwrap();
    let later = "Acct-Session-Time = 60\nFramed-IP-Address = 198.51.100.7\n";
    report(&radius, &attributes("Interim-Update", "000A1", later))
        .await
        .unwrap();
    report(&radius, &attributes("Start", "000A2", ""))
        .await
        .unwrap();

    let mac = well_known::COMPLIANT.mac.to_string();
    let found = sessions(&stand, &["--mac", &mac]).await.unwrap();
    let ids: Vec<&str> = found.iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(ids, ["000A2", "000A1"]);
    let first = &found[1];
    for (name, expected) in [
        ("audit_session_id", "0A01010100000FA4".into()),
        ("nas_address", "192.0.2.7".into()),
        ("nas_identifier", "switch-7".into()),
        ("nas_port", 50_101.into()),
        ("nas_port_id", "Gi1/0/1".into()),
        ("mac", Value::from("00:50:56:00:01:01")),
        ("user", "host/laptop".into()),
        ("framed_address", "198.51.100.7".into()),
        ("client", "radius".into()),
    ] {
        assert_eq!(first[name], expected, "{name} of {first}");
    }
    let listed = stand
        .program(&["session", "list", "-n", "1"])
        .await
        .unwrap();
    assert!(
        listed
            .stdout
            .contains("as host/laptop at switch-7 port Gi1/0/1, session 000A2")
    );
    assert!(listed.stdout.ends_with("1 of 2 sessions\n"), "{listed:?}");

    report(&radius, &attributes("Stop", "000A1", ""))
        .await
        .unwrap();
    // A crash forgets neither what is there nor what has ended.
    let (stand, _) = stand.crash().await.unwrap();
    let found = sessions(&stand, &["--nas", "192.0.2.7"]).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["id"], "000A2");

    // The server asked the gateway that has crashed; a new one has another port.
    let raddb = Raddb::new(&stand, https(&stand)).unwrap();
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();
    report(
        &radius,
        "Acct-Status-Type = Accounting-On\nNAS-IP-Address = 192.0.2.7\n",
    )
    .await
    .unwrap();
    assert_eq!(sessions(&stand, &[]).await.unwrap(), [Value::Null; 0]);

    // Switches have their answer also when nobody takes the report.
    let Stand { gateway, .. } = stand;
    gateway.stop().await.unwrap();
    report(&radius, &attributes("Start", "000A3", ""))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_report_that_cannot_be_read_disturbs_nobody() {
    let stand = settings().store().start().await.unwrap();
    let raddb = Raddb::new(&stand, https(&stand)).unwrap();
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();
    // Without a name of the session.
    report(
        &radius,
        "Acct-Status-Type = Start\nNAS-IP-Address = 192.0.2.7\n",
    )
    .await
    .unwrap();
    assert!(sessions(&stand, &[]).await.unwrap().is_empty());
    let mac = well_known::COMPLIANT.mac.to_string();
    assert_eq!(ask(&radius, &mac).await.unwrap().vlan(), Some(STAFF));
}
