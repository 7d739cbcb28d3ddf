//! One table for every face: the same question gives the same verdict, in
//! whatever protocol it is asked, of whichever source the device is, and in
//! whatever state it is.
//!
//! A face is one function here; what it can say is [`Said`].

mod asker;
mod imitated;
mod ise;
mod pxgrid;
mod radius;
mod rest;

use anyhow::{Context as _, ensure};
use portreeve_harness::{Stand, StandBuilder};
use portreeve_tenant::{Compliance, Device, Mac, Tenant, well_known};

use asker::{Asker, Named, Said};
use well_known::WellKnown;

/// The client of all faces that know names and passwords; its bearer key is the
/// password, too.
const USER: &str = "product";
const PASSWORD: &str = "a-password-of-every-product-0123456789";
/// The client of the Intune shape.
const INTUNE_CLIENT: &str = "3f7c0d52-8d1e-4c53-9c9b-0f2f3a5d6e71";

/// Devices of the second source, and one that both have.
const FABRIKAM_COMPLIANT: u64 = 0x0050_560F_0001;
const FABRIKAM_NON_COMPLIANT: u64 = 0x0050_560F_0002;
/// An address that two different devices have, one in each source.
const SHARED: u64 = 0x0050_560F_0003;
/// Asked about only after sources have gone.
const NEVER_ASKED: u64 = 0x0050_560F_0099;

/// The GUID of the devices here, by number.
fn guid(number: u8) -> String {
    format!("b0000000-0000-4000-8000-0000000000{number:02}")
}

fn device(mac: u64, number: u8) -> anyhow::Result<Device> {
    let mut device = Device::new(guid(number).parse()?);
    device.wifi_mac = Some(Mac::from_bits(mac));
    Ok(device)
}

/// Both sources' devices are read as a whole, when the test says so.
fn two_sources() -> anyhow::Result<StandBuilder> {
    let non_compliant = Device {
        compliance: Compliance::NonCompliant,
        failure_reason: Some("no disk encryption".to_owned()),
        ..device(FABRIKAM_NON_COMPLIANT, 2)?
    };
    let fabrikam = Tenant::builder()
        .without_well_known()
        .device(device(FABRIKAM_COMPLIANT, 1)?)
        .device(non_compliant)
        .device(device(SHARED, 3)?);
    Ok(Stand::builder()
        .fabrikam(fabrikam)
        .store()
        .inventory("jitter = \"30d\"")
        .negative_ttl("1h")
        .secret("password", PASSWORD)
        .extra(&format!(
            "[pxgrid]\n\
             [clients.{USER}]\nfaces = [\"ise\", \"kandji\", \"jamf\", \"clearpass\"]\n\
             basic = {{ username = \"{USER}\", password = {{ file = \"password\" }} }}\n\
             bearer = {{ file = \"password\" }}\npatience = \"5s\"\n\
             [clients.intune]\nfaces = [\"intune\"]\npatience = \"5s\"\n\
             intune = {{ client-id = \"{INTUNE_CLIENT}\", secret = {{ file = \"password\" }} }}\n"
        ))
        .policy(
            "compliance = { non-compliant = \"restrict\" }\n\
             [policies.baseline.settings.obligations]\nrestrict = { vlan = \"66\" }",
        ))
}

async fn start(builder: StandBuilder) -> anyhow::Result<(Stand, Asker)> {
    let stand = builder.start().await?;
    stand.tenant.add_device(device(SHARED, 4)?);
    for source in ["contoso", "fabrikam"] {
        let output = stand
            .program(&["connector", "sync", source, "--full"])
            .await?;
        ensure!(output.code == Some(0), "{output:?}");
    }
    let asker = Asker::new(&stand).await?;
    Ok((stand, asker))
}

fn by_mac(mac: u64) -> Named {
    Named {
        mac: Mac::from_bits(mac).separated(':').to_lowercase(),
        guid: None,
    }
}

fn known(device: WellKnown) -> Named {
    by_mac(device.mac.bits())
}

/// Asks faces, one after the other; each must say what is expected.
macro_rules! ask {
    ($stand:expr, $asker:expr, $name:expr, $named:expr, $expected:expr, [$($face:path),* $(,)?]) => {
        $(
            let said = $face($asker, $named).await;
            let said = said.with_context(|| format!("{}: {}", $name, stringify!($face)))?;
            ensure!(
                said == $expected,
                "{}: {} says {said:?}, expected {:?}\n{}",
                $name, stringify!($face), $expected, $stand.log()
            );
        )*
    };
}

/// Asks all faces by MAC address.
async fn check(
    (stand, asker): &(Stand, Asker),
    name: &str,
    named: &Named,
    expected: Said,
) -> anyhow::Result<()> {
    ask!(
        stand,
        asker,
        name,
        named,
        expected,
        [
            rest::device,
            rest::batch,
            rest::decision,
            radius::authorize,
            ise::version_2,
            ise::version_3,
            pxgrid::endpoint,
            imitated::intune,
            imitated::kandji,
            imitated::jamf,
            imitated::clearpass
        ]
    );
    Ok(())
}

/// Asks those that know certificates, by GUID and MAC address.
async fn check_certified(
    (stand, asker): &(Stand, Asker),
    name: &str,
    named: &Named,
    expected: Said,
) -> anyhow::Result<()> {
    ask!(
        stand,
        asker,
        name,
        named,
        expected,
        [rest::batch, rest::decision, radius::authorize,]
    );
    Ok(())
}

#[tokio::test]
async fn while_all_sources_answer() -> anyhow::Result<()> {
    let asked = start(two_sources()?).await?;
    for (name, named, expected) in [
        ("compliant", known(well_known::COMPLIANT), Said::Permit),
        (
            "restricted",
            known(well_known::NON_COMPLIANT),
            Said::NotPermit,
        ),
        ("in grace", known(well_known::IN_GRACE), Said::Permit),
        ("grace over", known(well_known::GRACE_OVER), Said::NotPermit),
        ("jailbroken", known(well_known::JAILBROKEN), Said::NotPermit),
        (
            "never evaluated",
            known(well_known::NEVER_EVALUATED),
            Said::NotPermit,
        ),
        ("unknown", known(well_known::UNKNOWN), Said::Unknown),
        ("of the second", by_mac(FABRIKAM_COMPLIANT), Said::Permit),
        (
            "restricted, of the second",
            by_mac(FABRIKAM_NON_COMPLIANT),
            Said::NotPermit,
        ),
        ("ambiguous", by_mac(SHARED), Said::NotPermit),
    ] {
        check(&asked, name, &named, expected).await?;
    }
    asked.0.gateway.stop().await
}

/// Certificates name devices by their GUID.
#[tokio::test]
async fn by_certificate() -> anyhow::Result<()> {
    let asked = start(two_sources()?).await?;
    let certified = |device: WellKnown, mac: WellKnown| Named {
        guid: Some(device.guid.to_string()),
        ..known(mac)
    };
    for (name, named, expected) in [
        (
            "compliant",
            certified(well_known::COMPLIANT, well_known::COMPLIANT),
            Said::Permit,
        ),
        (
            "a foreign dock",
            certified(well_known::COMPLIANT, well_known::UNKNOWN),
            Said::Permit,
        ),
        (
            "not compliant in a dock of one that is",
            certified(well_known::NON_COMPLIANT, well_known::COMPLIANT),
            Said::NotPermit,
        ),
        (
            "a stranger in a dock of one that is compliant",
            certified(well_known::UNKNOWN, well_known::COMPLIANT),
            Said::NotPermit,
        ),
        (
            "unknown",
            certified(well_known::UNKNOWN, well_known::UNKNOWN),
            Said::Unknown,
        ),
        (
            "of the second",
            Named {
                guid: Some(guid(1)),
                ..known(well_known::UNKNOWN)
            },
            Said::Permit,
        ),
    ] {
        check_certified(&asked, name, &named, expected).await?;
    }
    asked.0.gateway.stop().await
}

#[tokio::test]
async fn while_a_source_is_away() -> anyhow::Result<()> {
    let asked = start(two_sources()?).await?;
    let fabrikam = asked.0.fabrikam.as_ref().context("the second source")?;
    fabrikam.stop().await?;
    for (name, named, expected) in [
        ("compliant", known(well_known::COMPLIANT), Said::Permit),
        (
            "restricted",
            known(well_known::NON_COMPLIANT),
            Said::NotPermit,
        ),
        // Read before.
        ("of the second", by_mac(FABRIKAM_COMPLIANT), Said::Permit),
        // The second might know it.
        ("never asked", by_mac(NEVER_ASKED), Said::CannotTell),
    ] {
        check(&asked, name, &named, expected).await?;
    }
    asked.0.gateway.stop().await
}

#[tokio::test]
async fn while_all_that_is_known_is_stale() -> anyhow::Result<()> {
    let asked = start(two_sources()?.ttl("1ms")).await?;
    check(
        &asked,
        "unknown",
        &known(well_known::UNKNOWN),
        Said::Unknown,
    )
    .await?;
    let fabrikam = asked.0.fabrikam.as_ref().context("the second source")?;
    asked.0.tenant.stop().await?;
    fabrikam.stop().await?;
    let told = asked.0.client.ask(known(well_known::COMPLIANT).mac).await?;
    ensure!(told.stale, "{told:?}");
    for (name, named, expected) in [
        ("compliant", known(well_known::COMPLIANT), Said::Permit),
        (
            "restricted",
            known(well_known::NON_COMPLIANT),
            Said::NotPermit,
        ),
        ("in grace", known(well_known::IN_GRACE), Said::Permit),
        ("of the second", by_mac(FABRIKAM_COMPLIANT), Said::Permit),
        (
            "restricted, of the second",
            by_mac(FABRIKAM_NON_COMPLIANT),
            Said::NotPermit,
        ),
        ("unknown", known(well_known::UNKNOWN), Said::Unknown),
        ("never asked", by_mac(NEVER_ASKED), Said::CannotTell),
    ] {
        check(&asked, name, &named, expected).await?;
    }
    asked.0.gateway.stop().await
}
