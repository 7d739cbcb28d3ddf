//! What a look-up takes from Graph.

use portreeve_plugin::connector::Outcome;
use portreeve_plugin::device::DeviceId;

use super::*;

#[test]
fn a_look_up_leaves_the_same_record_behind() {
    let known = format!(
        "<guid>{GUID}</guid><register_status>true</register_status><Compliance>\
         <status>false</status><failure_reason>too old</failure_reason></Compliance>"
    );
    let graph = format!(
        r#"{{"id":"{GUID}","complianceState":"noncompliant","isEncrypted":true,"serialNumber":"S-17"}}"#
    );
    let services = Fake::new([endpoints("a"), devices(&[&known]), ok(&graph)]);
    let asked = [DeviceId::Mac("00:50:56:a4:89:5a".to_owned())];
    let outcome = crate::retrieval::find(&services, &settings(), &asked).unwrap();
    let Outcome::Found(device) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(device.key, GUID);
    assert_eq!(
        device.ids,
        [
            DeviceId::Guid(GUID.to_owned()),
            DeviceId::Serial("S-17".to_owned()),
            asked[0].clone(),
        ]
    );
    assert_eq!(device.posture.disk_encrypted, Tristate::Yes);
    assert_eq!(
        device.compliance.failing[0].message.as_deref(),
        Some("too old")
    );
    assert!(attribute(&device, "intune.matched-by").is_some());
    assert_eq!(attribute(&device, record::LISTED), None);
    assert_eq!(
        services.asked()[2],
        format!("{GRAPH_LIST}/{GUID}?$select={SELECT}")
    );
}

#[test]
fn a_look_up_that_graph_does_not_add_to() {
    let known = format!("<guid>{GUID}</guid><register_status>true</register_status>");
    let found = |answer| {
        let services = Fake::new([endpoints("a"), devices(&[&known]), answer]);
        crate::retrieval::read(&services, &settings(), GUID)
    };
    // It may do without what Graph refuses or does not have.
    for code in [403, 404] {
        assert_eq!(found(status(code)).unwrap().unwrap().key, GUID, "{code}");
    }
    // Facts that were there yesterday must not vanish because Graph is busy.
    assert_eq!(found(status(429)), Err(Error::RateLimited(None)));
    assert!(matches!(found(status(500)), Err(Error::Unavailable(_))));
    let other = r#"{"id":"00000000-0000-4000-8000-000000000001"}"#;
    for body in [other, "{}", "", "[]"] {
        assert!(
            matches!(found(ok(body)), Err(Error::BadResponse(_))),
            "{body}"
        );
    }
}
