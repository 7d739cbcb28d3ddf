//! Who believes whom: RADIUS server and gateway each other, and both of them
//! nothing that devices and management systems say.

use portreeve_harness::Stand;
use portreeve_tenant::well_known;

use crate::raddb::Raddb;
use crate::server::FreeRadius;
use crate::switch::{ask, ask_as};
use crate::{CERTIFIED, QUARANTINE, STAFF, UNAVAILABLE, careless, https, plain, stand};

#[tokio::test]
async fn a_server_that_the_gateway_refuses_rejects_nobody() {
    let stand = stand().await.unwrap();
    let compliant = well_known::COMPLIANT.mac.to_string();

    let wrong_password = Raddb::new(&stand, plain(&stand)).unwrap();
    wrong_password
        .set("portreeve.conf", "password", "wrong")
        .unwrap();
    // The certificate is right and trusted, but it is nobody's.
    let stranger = certified(&stand, "stranger", "urn:example:stranger").unwrap();
    // The other way round: this server does not trust the gateway.
    let distrustful = Raddb::new(&stand, https(&stand)).unwrap();
    let other = distrustful.device_ca().display().to_string();
    distrustful
        .set("portreeve.conf", "ca_file", &other)
        .unwrap();

    for raddb in [wrong_password, stranger, distrustful] {
        let radius = FreeRadius::start(&stand, raddb).await.unwrap();
        let reply = ask(&radius, &compliant).await.unwrap();
        assert!(reply.accepted, "{reply:?}");
        assert_eq!(reply.vlan(), Some(UNAVAILABLE), "{reply:?}");
        assert_eq!(
            reply.get("Reply-Message"),
            Some("device status unavailable")
        );
    }
}

#[tokio::test]
async fn a_certificate_in_place_of_a_password() {
    let stand = stand().await.unwrap();
    let raddb = certified(&stand, "radius-client", CERTIFIED).unwrap();
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();
    let reply = ask(&radius, &well_known::COMPLIANT.mac.to_string())
        .await
        .unwrap();
    assert_eq!(reply.vlan(), Some(STAFF), "{reply:?}");
    let denied = ask(&radius, &well_known::JAILBROKEN.mac.to_string())
        .await
        .unwrap();
    assert!(!denied.accepted, "{denied:?}");
}

/// A configuration with a certificate for `san`, which the gateway trusts, and
/// without Basic authentication.
fn certified(stand: &Stand, name: &str, san: &str) -> anyhow::Result<Raddb> {
    let files = stand.authority.client(stand.directory(), name, san)?;
    let raddb = Raddb::new(stand, https(stand))?;
    let module = "mods-enabled/portreeve";
    for (key, path) in [
        ("certificate_file", &files.certificate),
        ("private_key_file", &files.key),
    ] {
        raddb.uncomment(module, &format!("#{key} = "))?;
        let setting = format!("    {key} = \"{}\"", path.display());
        raddb.add("portreeve.conf", "ca_file = ", &setting)?;
    }
    for line in ["auth = 'basic'", "username = ", "password = "] {
        raddb.remove(module, line)?;
    }
    Ok(raddb)
}

#[tokio::test]
async fn texts_of_the_management_system_are_not_expanded() {
    let stand = stand().await.unwrap();
    let marker = stand.directory().join("ran");
    let command = format!("%{{exec:/usr/bin/touch {}}}", marker.display());
    let mut device = stand.tenant.device(well_known::NON_COMPLIANT.guid).unwrap();
    device.failure_reason = Some(command.clone());
    stand.tenant.add_device(device);

    let mac = well_known::NON_COMPLIANT.mac.to_string();

    // The same server is in danger when an answer does not say `do_xlat`.
    let careless = careless::start(&command).unwrap();
    let raddb = Raddb::new(&stand, &careless).unwrap();
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();
    let reply = ask(&radius, &mac).await.unwrap();
    assert!(reply.accepted, "{reply:?}");
    assert!(
        marker.exists(),
        "FreeRADIUS expands nothing, so this shows nothing"
    );
    std::fs::remove_file(&marker).unwrap();
    drop(radius);

    let raddb = Raddb::new(&stand, https(&stand)).unwrap();
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();
    let reply = ask(&radius, &mac).await.unwrap();
    assert_eq!(reply.vlan(), Some(QUARANTINE), "{reply:?}");
    let message = reply.get("Reply-Message").unwrap();
    assert!(message.contains(&command), "{message}");

    // What a device says of itself goes the other way.
    let compliant = well_known::COMPLIANT.mac.to_string();
    let reply = ask_as(&radius, &compliant, &command).await.unwrap();
    assert_eq!(reply.vlan(), Some(STAFF), "{reply:?}");
    assert!(
        !marker.exists(),
        "FreeRADIUS ran a command that somebody else wrote"
    );
}
