//! 802.1X with EAP-TLS.

use portreeve_harness::Stand;
use portreeve_tenant::well_known;

use crate::raddb::Raddb;
use crate::server::FreeRadius;
use crate::supplicant::authenticate;
use crate::{QUARANTINE, REDIRECT, STAFF, UNAVAILABLE, UNKNOWN, https, stand};

#[tokio::test]
async fn devices_by_certificate() {
    let stand = stand().await.unwrap();
    let raddb = Raddb::new(&stand, https(&stand)).unwrap();
    let devices = raddb.device_authority().unwrap();
    let folder = raddb.path().join("certs");
    let radius = FreeRadius::start(&stand, raddb).await.unwrap();
    let certificate = |name: &str, uri: &str| devices.client(&folder, name, uri).unwrap();
    let permitted = well_known::COMPLIANT.mac.separated(':');

    // Its address is unknown to everybody; the GUID decides.
    let endpoint_manager = format!(
        "ID:Microsoft Endpoint Manager:GUID:{}",
        well_known::COMPLIANT.guid
    );
    let compliant = certificate("compliant", &endpoint_manager);
    let unknown = well_known::UNKNOWN.mac.separated(':');
    let outcome = authenticate(&radius, &compliant, &unknown).await.unwrap();
    assert!(
        outcome.accepted && outcome.succeeded,
        "{}",
        outcome.transcript
    );
    assert_eq!(
        outcome.vlan().as_deref(),
        Some(STAFF),
        "{}",
        outcome.transcript
    );
    assert!(outcome.has_keys(), "{}", outcome.transcript);

    // The address alone would be permitted.
    let other_form = format!("IntuneDeviceId://{}", well_known::NON_COMPLIANT.guid);
    let non_compliant = certificate("non-compliant", &other_form);
    let outcome = authenticate(&radius, &non_compliant, &permitted)
        .await
        .unwrap();
    assert!(
        outcome.accepted && outcome.succeeded,
        "{}",
        outcome.transcript
    );
    assert_eq!(
        outcome.vlan().as_deref(),
        Some(QUARANTINE),
        "{}",
        outcome.transcript
    );
    assert_eq!(outcome.cisco_pairs(), [REDIRECT]);

    // EAP must fail too, and no keys may leave with the reject.
    let jailbroken = format!("IntuneDeviceId://{}", well_known::JAILBROKEN.guid);
    let jailbroken = certificate("jailbroken", &jailbroken);
    let outcome = authenticate(&radius, &jailbroken, &permitted)
        .await
        .unwrap();
    assert!(
        !outcome.accepted && !outcome.succeeded,
        "{}",
        outcome.transcript
    );
    assert!(!outcome.has_keys(), "{}", outcome.transcript);
    assert_eq!(outcome.vlan(), None, "{}", outcome.transcript);

    let stranger = format!("IntuneDeviceId://{}", well_known::UNKNOWN.guid);
    let stranger = certificate("stranger", &stranger);
    let outcome = authenticate(&radius, &stranger, &unknown).await.unwrap();
    assert!(outcome.accepted, "{}", outcome.transcript);
    assert_eq!(
        outcome.vlan().as_deref(),
        Some(UNKNOWN),
        "{}",
        outcome.transcript
    );

    // A certificate of somebody else's authority never gets as far as that.
    let before = stand.log().lines().count();
    let forged = stand
        .authority
        .client(&folder, "forged", &endpoint_manager)
        .unwrap();
    let outcome = authenticate(&radius, &forged, &unknown).await.unwrap();
    assert!(
        !outcome.accepted && !outcome.succeeded,
        "{}",
        outcome.transcript
    );
    assert_eq!(stand.log().lines().count(), before);

    let Stand { gateway, .. } = stand;
    gateway.stop().await.unwrap();
    let outcome = authenticate(&radius, &compliant, &unknown).await.unwrap();
    assert!(outcome.accepted, "{}", outcome.transcript);
    assert_eq!(
        outcome.vlan().as_deref(),
        Some(UNAVAILABLE),
        "{}",
        outcome.transcript
    );
}
