//! Who may have a certificate gets one, and the tenant learns of it.

use anyhow::ensure;
use portreeve_tenant::Challenge;

use crate::device::{Device, Wanted};
use crate::server::ScepServer;

#[tokio::test]
async fn an_approved_device_gets_a_certificate_and_the_tenant_is_told() -> anyhow::Result<()> {
    let stand = crate::stand().await?;
    let server = ScepServer::start(&stand).await?;
    let challenge = stand.tenant.challenge(&Challenge {
        subject: "CN=ann".to_owned(),
        key_bits: 2048,
        ..Challenge::default()
    });
    let wanted = Wanted {
        challenge: Some(&challenge),
        ..Wanted::default()
    };
    let device = Device::new(wanted).await?;
    ensure!(server.enrol(&device).await?, "{}", server.log());
    ensure!(server.waiting()? == 1);

    let told = server.notify(60).await?;
    ensure!(told.status.success(), "{told:?}");
    let notifications = stand.tenant.notifications();
    let [notification] = notifications.as_slice() else {
        anyhow::bail!("{notifications:?}");
    };
    ensure!(notification.issued);
    let thumbprint = device.thumbprint().await?;
    ensure!(notification.text("certificateThumbprint") == Some(thumbprint.as_str()));
    let serial = device.certificate_text(&["-serial"]).await?;
    let told_serial = notification.text("certificateSerialNumber");
    ensure!(told_serial.is_some_and(|told| serial.trim() == format!("serial={told}")));
    let issuer = notification.text("issuingCertificateAuthority");
    ensure!(
        issuer.is_some_and(|issuer| issuer.contains("scep-ca")),
        "{issuer:?}"
    );
    // Both sides know the transaction.
    let transaction = notification.text("transactionId").unwrap_or_default();
    ensure!(stand.log().contains(transaction), "{}", stand.log());

    // It is told once.
    ensure!(server.waiting()? == 0);
    ensure!(server.notify(0).await?.status.success());
    ensure!(stand.tenant.notifications().len() == 1);
    stand.stop().await?.tenant.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_renewal_with_the_same_key_is_another_certificate() -> anyhow::Result<()> {
    let stand = crate::stand().await?;
    let server = ScepServer::start(&stand).await?;
    let mut thumbprints = Vec::new();
    let first = stand.tenant.challenge(&Challenge::default());
    let mut wanted = Wanted {
        challenge: Some(&first),
        ..Wanted::default()
    };
    let device = Device::new(wanted).await?;
    let second = stand.tenant.challenge(&Challenge {
        subject: "CN=ann".to_owned(),
        ..Challenge::default()
    });
    for challenge in [&first, &second] {
        wanted.challenge = Some(challenge);
        device.ask(wanted).await?;
        ensure!(server.enrol(&device).await?, "{}", server.log());
        let told = server.notify(60).await?;
        ensure!(told.status.success(), "{told:?}");
        thumbprints.push(device.thumbprint().await?);
    }
    ensure!(thumbprints[0] != thumbprints[1]);
    let notifications = stand.tenant.notifications();
    let told: Vec<_> = notifications
        .iter()
        .filter_map(|it| it.text("certificateThumbprint"))
        .collect();
    ensure!(told == thumbprints, "{told:?} {thumbprints:?}");
    stand.stop().await?.tenant.shutdown().await;
    Ok(())
}
