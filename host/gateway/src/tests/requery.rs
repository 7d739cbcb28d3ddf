//! Asking again about endpoints that are connected.

use portreeve_domain::Timestamp;

use super::*;

async fn connect(gateway: &Gateway, mac: &str) {
    let now = Timestamp::now();
    let session = Session {
        nas: Nas {
            address: None,
            identifier: Some("switch-1".into()),
        },
        id: mac.into(),
        audit_id: None,
        calling_station: Some(mac.into()),
        user: None,
        port: None,
        port_id: None,
        framed_address: None,
        client: "radius".into(),
        started_at: now,
        seen_at: now,
    };
    gateway.sessions().start(session).await;
}

fn requery(gateway: &Gateway, interval: Option<Duration>) {
    let mut sources = gateway.sources();
    sources[0].requery = interval;
    gateway.replace_sources(sources).unwrap();
}

#[tokio::test]
async fn a_connected_endpoint_is_asked_about_again_when_its_record_is_old() {
    let source = Scripted::saying([
        found(ComplianceState::Compliant),
        found(ComplianceState::NonCompliant),
    ]);
    let gateway = plain(&[&source]).gateway;
    assert_eq!(verdict(&gateway.answer(&question(&[MAC])).await), "permit");
    let old = Some(Duration::ZERO);
    requery(&gateway, old);
    gateway.requery().await;
    assert_eq!(source.calls(), 1, "nobody is connected");
    connect(&gateway, MAC).await;
    requery(&gateway, None);
    gateway.requery().await;
    requery(&gateway, Some(Duration::from_hours(1)));
    gateway.requery().await;
    assert_eq!(source.calls(), 1, "the record is young");
    requery(&gateway, old);
    gateway.requery().await;
    assert_eq!(source.calls(), 2);
    assert_eq!(verdict(&gateway.answer(&question(&[MAC])).await), "deny");
}

#[tokio::test]
async fn a_source_that_fails_is_left_alone_until_the_next_round() {
    let source = Scripted::saying([found(ComplianceState::Compliant), down()]);
    let gateway = plain(&[&source]).gateway;
    gateway.answer(&question(&[MAC])).await;
    requery(&gateway, Some(Duration::ZERO));
    connect(&gateway, MAC).await;
    // An endpoint that the source does not know is nobody's to ask about.
    connect(&gateway, "00:50:56:00:00:99").await;
    gateway.requery().await;
    assert_eq!(source.calls(), 2);
    // What was known stays as it was.
    assert_eq!(verdict(&gateway.answer(&question(&[MAC])).await), "permit");
    gateway.disable("source-0", "test").await.unwrap();
    gateway.requery().await;
    assert_eq!(source.calls(), 2, "it is switched off");
}
