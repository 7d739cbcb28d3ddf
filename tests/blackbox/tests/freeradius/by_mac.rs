//! MAC authentication bypass.

use portreeve_harness::Stand;
use portreeve_tenant::{Step, well_known};

use crate::raddb::Raddb;
use crate::server::FreeRadius;
use crate::switch::ask;
use crate::{
    QUARANTINE, REDIRECT, STAFF, UNAVAILABLE, UNKNOWN, https, plain, ready, settings, stand,
};

#[tokio::test]
async fn devices_by_mac_address() {
    let stand = stand().await.unwrap();
    let raddb = Raddb::new(&stand, https(&stand)).unwrap();
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();

    let compliant = well_known::COMPLIANT.mac;
    for spelling in [
        compliant.separated(':'),
        compliant.separated('-').to_lowercase(),
        compliant.separated('.'),
        "0050.5600.0101".to_owned(),
        "005056000101".to_owned(),
    ] {
        let reply = ask(&radius, &spelling).await.unwrap();
        assert!(reply.accepted, "{spelling}: {reply:?}");
        assert_eq!(reply.vlan(), Some(STAFF), "{spelling}: {reply:?}");
        assert_eq!(reply.get("Aruba-User-Role"), Some("staff"), "{reply:?}");
        assert_eq!(reply.get("Filter-Id"), Some("STAFF"), "{reply:?}");
        assert_eq!(reply.get("Airespace-ACL-Name"), Some("STAFF"), "{reply:?}");
        let group = "cts:security-group-tag=0010-00";
        assert_eq!(reply.get("Cisco-AVPair"), Some(group), "{reply:?}");
        assert_eq!(reply.get("Session-Timeout"), Some("28800"), "{reply:?}");
        assert_eq!(reply.get("Termination-Action"), Some("RADIUS-Request"));
        assert_eq!(reply.get("Reply-Message"), None, "{reply:?}");
    }

    let quarantined = ask(&radius, &well_known::NON_COMPLIANT.mac.to_string())
        .await
        .unwrap();
    assert!(quarantined.accepted, "{quarantined:?}");
    assert_eq!(quarantined.vlan(), Some(QUARANTINE), "{quarantined:?}");
    assert_eq!(quarantined.get("Cisco-AVPair"), Some(REDIRECT));
    let message = quarantined.get("Reply-Message").unwrap();
    assert!(
        message.contains("antivirus signatures are out of date"),
        "{message}"
    );

    let denied = ask(&radius, &well_known::JAILBROKEN.mac.to_string())
        .await
        .unwrap();
    assert!(!denied.accepted, "{denied:?}");
    assert_eq!(denied.vlan(), None, "{denied:?}");
    let message = denied.get("Reply-Message").unwrap();
    assert!(
        message.contains("protection of the operating system was removed"),
        "{message}"
    );

    for unknown in [well_known::UNKNOWN, well_known::RETIRED] {
        let reply = ask(&radius, &unknown.mac.to_string()).await.unwrap();
        assert!(reply.accepted, "{reply:?}");
        assert_eq!(reply.vlan(), Some(UNKNOWN), "{reply:?}");
        assert_eq!(reply.get("Reply-Message"), Some("unknown device"));
    }

    let before = stand.tenant.requests(Step::Compliance);
    let nameless = ask(&radius, "port 7").await.unwrap();
    assert!(!nameless.accepted, "{nameless:?}");
    assert_eq!(
        nameless.get("Reply-Message"),
        Some("no usable Calling-Station-Id")
    );
    assert_eq!(stand.tenant.requests(Step::Compliance), before);
}

#[tokio::test]
async fn when_nobody_can_tell_devices_are_not_rejected() {
    let stand = stand().await.unwrap();
    let raddb = Raddb::new(&stand, plain(&stand)).unwrap();
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();
    let compliant = well_known::COMPLIANT.mac.to_string();
    assert_eq!(ask(&radius, &compliant).await.unwrap().vlan(), Some(STAFF));

    stand.tenant.stop().await.unwrap();
    let known = ask(&radius, &compliant).await.unwrap();
    assert_eq!(known.vlan(), Some(STAFF), "{known:?}");
    // It is compliant, but the gateway has never seen it.
    let never_seen = ask(&radius, &well_known::LONG_SILENT.mac.to_string())
        .await
        .unwrap();
    assert!(never_seen.accepted, "{never_seen:?}");
    assert_eq!(never_seen.vlan(), Some(UNAVAILABLE), "{never_seen:?}");

    let Stand { gateway, .. } = stand;
    gateway.stop().await.unwrap();
    for mac in [compliant, well_known::JAILBROKEN.mac.to_string()] {
        let reply = ask(&radius, &mac).await.unwrap();
        assert!(reply.accepted, "{reply:?}");
        assert_eq!(reply.vlan(), Some(UNAVAILABLE), "{reply:?}");
        assert_eq!(
            reply.get("Reply-Message"),
            Some("device status unavailable")
        );
    }
}

#[tokio::test]
async fn a_tunnel_has_a_tag_where_the_switch_wants_one() {
    let settings = settings().policy(
        "[policies.baseline.settings.obligations]\n\
         permit = { vlan = \"10\", acl = \"#ACSACL#-IP-STAFF-5f1b\" }",
    );
    let stand = ready(settings).await.unwrap();
    let raddb = Raddb::new(&stand, https(&stand)).unwrap();
    raddb
        .replace(
            "mods-enabled/portreeve",
            "/radius/authorize",
            "/radius/authorize?tunnel-tag=1",
        )
        .unwrap();
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();
    // The second answer could come from what is kept of the first.
    for _ in 0..2 {
        let reply = ask(&radius, &well_known::COMPLIANT.mac.to_string())
            .await
            .unwrap();
        assert!(reply.accepted, "{reply:?}");
        for (name, expected) in [
            ("Tunnel-Type:1", "VLAN"),
            ("Tunnel-Medium-Type:1", "IEEE-802"),
            ("Tunnel-Private-Group-Id:1", STAFF),
            (
                "Cisco-AVPair",
                "ACS:CiscoSecure-Defined-ACL=#ACSACL#-IP-STAFF-5f1b",
            ),
        ] {
            assert_eq!(reply.get(name), Some(expected), "{reply:?}");
        }
        assert_eq!(reply.vlan(), None, "{reply:?}");
    }
}
