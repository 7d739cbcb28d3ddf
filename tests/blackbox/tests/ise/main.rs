//! Cisco ISE, as strict as its description, asks the real program.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail as loudly as they like"
)]

mod simulator;
mod xml;

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use portreeve_harness::{RADIUS_PASSWORD, Stand, StandBuilder};
use portreeve_tenant::device::{generated_guid, generated_mac};
use portreeve_tenant::well_known::{ALL, COMPLIANT, IN_GRACE, JAILBROKEN, NON_COMPLIANT, UNKNOWN};
use portreeve_tenant::{Compliance, Tenant};
use serde_json::json;

use simulator::{Ise, Told};

/// The password's file is that of the client `radius`.
const CISCO: (&str, &str) = ("cisco", RADIUS_PASSWORD);

/// The first question about a device waits for the tenant, however busy the
/// machine is.
const CLIENTS: &str = r#"
[ise]
redirect-url = "https://portal.example.com/enrol?from=ise&to=here"
query-max-size = 100
patience = "30s"

[clients.cisco]
faces = ["ise"]
basic = { username = "cisco", password = { file = "radius-password" } }
networks = ["127.0.0.0/8"]
patience = "30s"

[clients.elsewhere]
faces = ["ise"]
basic = { username = "elsewhere", password = { file = "radius-password" } }
networks = ["192.0.2.0/24"]
"#;

fn stand(devices: u32) -> StandBuilder {
    Stand::builder().devices(devices).extra(CLIENTS)
}

/// Nothing is read but what the tests ask for.
fn with_inventory(devices: u32) -> StandBuilder {
    stand(devices).inventory("jitter = \"30d\"\npage-size = 500")
}

async fn sync(stand: &Stand, source: &str) -> anyhow::Result<()> {
    let output = stand
        .program(&["connector", "sync", source, "--full"])
        .await?;
    ensure!(output.code == Some(0), "{output:?}");
    Ok(())
}

fn plain(mac: portreeve_tenant::Mac) -> String {
    mac.to_string().to_ascii_uppercase()
}

#[tokio::test]
async fn every_version_tells_the_states_apart() -> anyhow::Result<()> {
    let stand = stand(10).store().start().await?;
    for version in [1, 2, 3] {
        let ise = Ise::connect(&stand, CISCO, version).await?;
        for (known, expected) in [
            (COMPLIANT, Some(true)),
            (NON_COMPLIANT, Some(false)),
            (IN_GRACE, Some(true)),
            (JAILBROKEN, Some(false)),
            (UNKNOWN, None),
        ] {
            let mac = plain(known.mac);
            let device = ise.device("macaddress", &mac).await?.device()?;
            let compliant = device.as_ref().map(|device| device.compliant);
            assert_eq!(compliant, expected, "{version} {}", known.name);
            let Some(device) = device else { continue };
            assert!(device.registered, "{device:?}");
            assert_eq!(device.name, mac);
            let reason = device.reason.unwrap_or_default();
            assert_eq!(reason.is_empty(), device.compliant, "{reason}");
            assert_eq!(device.last_contact.is_some(), version == 3);
        }
    }
    let ise = Ise::connect(&stand, CISCO, 3).await?;
    for value in [
        COMPLIANT.guid.to_string(),
        format!("ID:Microsoft%20Endpoint%20Manager:GUID:{}", COMPLIANT.guid),
    ] {
        let device = ise.device("guid", &value).await?.device()?;
        let device = device.context("registered")?;
        assert_eq!(device.name, COMPLIANT.guid.to_string());
        assert_eq!(device.guid, Some(COMPLIANT.guid.to_string()));
        assert!(device.compliant);
    }
    let unknown = ise.device("guid", &UNKNOWN.guid.to_string()).await?;
    assert_eq!(unknown.device()?, None);

    // What memory knows is answered, of the rest nothing is said.
    stand.tenant.stop().await?;
    let device = ise
        .device("macaddress", &plain(COMPLIANT.mac))
        .await?
        .device()?;
    assert!(device.context("registered")?.compliant);
    let told = ise.device("macaddress", &plain(generated_mac(9))).await?;
    assert!(matches!(told, Told::Unreachable(503, _)), "{told:?}");
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_batch_says_what_single_questions_do() -> anyhow::Result<()> {
    let stand = stand(20).start().await?;
    let ise = Ise::connect(&stand, CISCO, 2).await?;
    let mut macs: Vec<String> = (0..20).map(|number| plain(generated_mac(number))).collect();
    macs.extend(ALL.map(|known| plain(known.mac)));
    let mut expected = Vec::new();
    for mac in &macs {
        expected.extend(ise.device("macaddress", mac).await?.device()?);
    }
    ensure!(expected.len() < macs.len() && expected.len() > 20);
    let told = ise.batch(&macs).await?;
    assert_eq!(told, Told::Devices(expected));

    // One of which nothing can be told spoils it.
    stand.tenant.stop().await?;
    macs.push("0050560A0A0A".to_owned());
    let told = ise.batch(&macs).await?;
    assert!(matches!(told, Told::Unreachable(503, _)), "{told:?}");
    stand.gateway.stop().await
}

/// Addresses of generated devices by what the REST face says of them.
async fn by_verdict(stand: &Stand, devices: u32) -> anyhow::Result<[BTreeSet<String>; 2]> {
    let questions = (0..devices).map(|number| generated_mac(number).separated(':'));
    let questions = questions.map(|mac| json!({ "identifiers": [mac] }));
    let batch = json!({ "questions": questions.collect::<Vec<_>>() });
    let reply = stand.client.post("/v1/decisions/batch", &batch).await?;
    let answers = reply.field("answers").as_array().context("answers")?;
    ensure!(answers.len() == devices as usize);
    let mut sets = [BTreeSet::new(), BTreeSet::new()];
    for (number, answer) in (0..).zip(answers) {
        ensure!(!answer["device"].is_null(), "{answer}");
        let permit = answer["verdict"] == json!("permit");
        sets[usize::from(permit)].insert(plain(generated_mac(number)));
    }
    Ok(sets)
}

#[tokio::test]
async fn the_list_is_complete_or_refused() -> anyhow::Result<()> {
    const DEVICES: u32 = 1_500;
    let stand = with_inventory(DEVICES).store().start().await?;
    let newest = Ise::connect(&stand, CISCO, 3).await?;
    assert_eq!(newest.query_max_size, 100);
    let Told::Unreachable(503, reason) = newest.not_compliant("macaddress").await? else {
        anyhow::bail!("a list of what was never read");
    };
    assert!(
        reason.starts_with("the list would not be complete: source `contoso`: "),
        "{reason}"
    );
    sync(&stand, "contoso").await?;

    let [not_compliant, compliant] = by_verdict(&stand, DEVICES).await?;
    ensure!(not_compliant.len() > 100 && compliant.len() > 100);
    let guids: BTreeSet<String> = not_compliant
        .iter()
        .map(|mac| {
            let number = (0..DEVICES).find(|number| plain(generated_mac(*number)) == *mac);
            generated_guid(number.unwrap()).to_string()
        })
        .collect();
    for version in [1, 2, 3] {
        let ise = Ise::connect(&stand, CISCO, version).await?;
        for (value, expected) in [(false, &not_compliant), (true, &compliant)] {
            let Told::Devices(devices) = ise.compliance(value, "macaddress").await? else {
                anyhow::bail!("{version} {value}");
            };
            assert!(devices.iter().all(|device| device.compliant == value));
            let names: Vec<_> = devices.iter().map(|device| device.name.clone()).collect();
            let listed: BTreeSet<String> = names.iter().cloned().collect();
            assert_eq!(listed.len(), names.len(), "no address twice");
            let missing: Vec<_> = expected.difference(&listed).collect();
            assert!(missing.is_empty(), "{version} {value}: {missing:?}");
            let other = if value { &not_compliant } else { &compliant };
            assert!(listed.is_disjoint(other), "{version} {value}");
            assert!(value || listed.contains(&plain(NON_COMPLIANT.mac)));
            assert_eq!(listed.contains(&plain(COMPLIANT.mac)), value);
            assert!(!listed.contains(&plain(UNKNOWN.mac)));
        }
    }
    let Told::Devices(devices) = newest.not_compliant("guid").await? else {
        anyhow::bail!("by GUID");
    };
    let listed: BTreeSet<String> = devices.into_iter().map(|device| device.name).collect();
    let missing: Vec<_> = guids.difference(&listed).collect();
    assert!(missing.is_empty(), "{missing:?}");

    // A change is in the next list.
    let guid = COMPLIANT.guid.to_string();
    stand.tenant.change_device(COMPLIANT.guid, |device| {
        device.compliance = Compliance::NonCompliant;
    });
    sync(&stand, "contoso").await?;
    let Told::Devices(devices) = newest.compliance(true, "guid").await? else {
        anyhow::bail!("after a change");
    };
    assert!(devices.len() > 100 && devices.iter().all(|device| device.name != guid));
    stand.gateway.stop().await
}

#[tokio::test]
async fn one_source_that_is_not_read_spoils_the_list() -> anyhow::Result<()> {
    let fabrikam = Tenant::builder().without_well_known().devices(0);
    let stand = with_inventory(10)
        .store()
        .fabrikam(fabrikam)
        .start()
        .await?;
    sync(&stand, "contoso").await?;
    let ise = Ise::connect(&stand, CISCO, 3).await?;
    let Told::Unreachable(503, reason) = ise.not_compliant("guid").await? else {
        anyhow::bail!("a list without `fabrikam`");
    };
    assert!(reason.contains("source `fabrikam`"), "{reason}");
    sync(&stand, "fabrikam").await?;
    let told = ise.not_compliant("guid").await?;
    assert!(matches!(told, Told::Devices(_)), "{told:?}");
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_user_has_several_devices() -> anyhow::Result<()> {
    let stand = with_inventory(50).store().start().await?;
    sync(&stand, "contoso").await?;
    let device = stand.tenant.device(COMPLIANT.guid).context("a device")?;
    let user = device.user.context("a user")?.principal_name;
    let ise = Ise::connect(&stand, CISCO, 3).await?;
    let Told::Devices(devices) = ise
        .of_user(&user.to_uppercase().replace('@', "%40"))
        .await?
    else {
        anyhow::bail!("no list");
    };
    let mac = plain(COMPLIANT.mac);
    assert!(
        devices.iter().any(|device| device.name == mac),
        "{devices:?}"
    );
    let nobody = ise.of_user("nobody%40example.com").await?;
    assert_eq!(nobody, Told::Devices(Vec::new()));
    stand.gateway.stop().await
}

#[tokio::test]
async fn who_may_not_ask_is_told_so() -> anyhow::Result<()> {
    let stand = stand(0).start().await?;
    for (credential, expected) in [
        (("cisco", "wrong"), "401: "),
        (("nobody", RADIUS_PASSWORD), "401: "),
        // The right password from the wrong network.
        (("elsewhere", RADIUS_PASSWORD), "401: "),
        // The right password of who may use another face only.
        (
            ("radius", RADIUS_PASSWORD),
            "403: client `radius` may not use the face `ise`",
        ),
    ] {
        let error = Ise::connect(&stand, credential, 3)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains(RADIUS_PASSWORD));
    }
    let ise = Ise::connect(&stand, CISCO, 3).await?;
    let (done, reason) = ise.act("full_wipe", &plain(COMPLIANT.mac)).await?;
    assert!(!done);
    assert_eq!(reason, "client `cisco` may not ask for the action `wipe`");
    let log = stand.log();
    let audit = log.lines().find(|line| line.contains("audit"));
    let audit = audit.context("an audit event")?;
    for part in ["not-allowed", "cisco", "wipe"] {
        assert!(audit.contains(part), "{audit}");
    }
    stand.gateway.stop().await
}
