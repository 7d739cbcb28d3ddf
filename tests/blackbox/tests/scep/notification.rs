//! What becomes of requests is told, and what was not taken is told again.

use anyhow::ensure;
use portreeve_tenant::{Challenge, Fault, Step};

use crate::device::{Device, Wanted};
use crate::server::ScepServer;

#[tokio::test]
async fn what_the_tenant_does_not_take_is_told_again() -> anyhow::Result<()> {
    let stand = crate::stand().await?;
    let server = ScepServer::start(&stand).await?;
    let challenge = stand.tenant.challenge(&Challenge::default());
    let device = Device::new(Wanted {
        challenge: Some(&challenge),
        ..Wanted::default()
    })
    .await?;
    ensure!(server.enrol(&device).await?, "{}", server.log());
    let refused = Fault::Code {
        code: "BadDeviceIdInChallenge".to_owned(),
    };
    for (fault, said) in [
        (Fault::InternalError, "answered 500"),
        (refused, "BadDeviceIdInChallenge"),
    ] {
        stand.tenant.set_fault(Step::ScepSuccess, fault);
        let told = server.notify(60).await?;
        let text = String::from_utf8_lossy(&told.stderr).into_owned();
        ensure!(told.status.code() == Some(1), "{told:?}");
        ensure!(
            text.contains(said) && text.contains("hint: revoke"),
            "{text}"
        );
        ensure!(server.waiting()? == 1 && stand.tenant.notifications().is_empty());
    }
    stand.tenant.clear_faults();
    ensure!(server.notify(60).await?.status.success());
    ensure!(stand.tenant.notifications()[0].issued);
    stand.stop().await?.tenant.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_was_not_issued_is_told_too() -> anyhow::Result<()> {
    let stand = crate::stand().await?;
    let server = ScepServer::start(&stand).await?;
    let challenge = stand.tenant.challenge(&Challenge::default());
    // The server itself takes no request of this key.
    let device = Device::new(Wanted {
        challenge: Some(&challenge),
        ..Wanted::default()
    })
    .await?;
    server.approve(&device).await?;
    ensure!(server.notify(3600).await?.status.success());
    ensure!(stand.tenant.notifications().is_empty(), "it may still come");
    let told = server.notify(0).await?;
    ensure!(told.status.success(), "{told:?}");
    let notifications = stand.tenant.notifications();
    let [notification] = notifications.as_slice() else {
        anyhow::bail!("{notifications:?}");
    };
    ensure!(!notification.issued && server.waiting()? == 0);
    ensure!(notification.told["hResult"] == 0x8000_4005_u32);
    stand.stop().await?.tenant.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn behind_the_gate_no_certificate_leaves_that_the_tenant_does_not_know() -> anyhow::Result<()>
{
    let stand = crate::stand().await?;
    let (server, mut gate) = ScepServer::start(&stand).await?.gated().await?;
    let challenge = stand.tenant.challenge(&Challenge::default());
    let device = Device::new(Wanted {
        challenge: Some(&challenge),
        ..Wanted::default()
    })
    .await?;
    let refused = Fault::Code {
        code: "BadDeviceIdInChallenge".to_owned(),
    };
    for fault in [Fault::InternalError, refused] {
        stand.tenant.set_fault(Step::ScepSuccess, fault.clone());
        ensure!(!server.enrol(&device).await?, "{fault:?}");
        stand.tenant.clear_faults();
    }
    ensure!(stand.tenant.notifications().is_empty());
    ensure!(server.enrol(&device).await?, "{}", server.log());
    let thumbprint = device.thumbprint().await?;
    let notifications = stand.tenant.notifications();
    let told = notifications
        .iter()
        .any(|it| it.text("certificateThumbprint") == Some(thumbprint.as_str()));
    ensure!(told && server.waiting()? == 0, "{notifications:?}");
    // Refused ones get the server's own answer.
    let other = Device::new(Wanted::default()).await?;
    ensure!(!server.enrol(&other).await?);
    gate.kill().await?;
    stand.stop().await?.tenant.shutdown().await;
    Ok(())
}
