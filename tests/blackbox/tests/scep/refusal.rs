//! Whatever comes back but an approval: no certificate.

use anyhow::ensure;
use portreeve_tenant::{Challenge, Fault, RetryAfter, Step, Tenant};
use serde_json::json;

use crate::device::{Device, Wanted};
use crate::server::ScepServer;

async fn device(challenge: Option<&str>) -> anyhow::Result<Device> {
    Device::new(Wanted {
        challenge,
        ..Wanted::default()
    })
    .await
}

#[tokio::test]
async fn no_certificate_is_issued_unless_the_tenant_approves() -> anyhow::Result<()> {
    let stand = crate::stand().await?;
    let tenant = &stand.tenant;
    let server = ScepServer::start(&stand).await?;
    let sealed = |change: fn(&mut Challenge)| {
        let mut challenge = Challenge::default();
        change(&mut challenge);
        tenant.challenge(&challenge)
    };
    let fine = sealed(|_| {});
    let other = Tenant::builder().start().await?;
    let foreign = other.challenge(&Challenge::default());
    other.shutdown().await;
    let withdrawn = sealed(|it| "gone".clone_into(&mut it.profile));
    tenant.withdraw_profile("gone");
    for (challenge, exit, said) in [
        (
            Some(sealed(|it| it.valid_seconds = -1)),
            3,
            "ChallengeExpired",
        ),
        (Some(foreign), 3, "SignatureValidationFailed"),
        (Some(format!("-{fine}")), 3, "ChallengeDecodingError"),
        (Some(withdrawn), 3, "ScepProfileNoLongerTargeted"),
        (
            Some(sealed(|it| "CN=bob".clone_into(&mut it.subject))),
            3,
            "SubjectNameMismatch",
        ),
        (
            Some(sealed(|it| it.key_bits = 4096)),
            3,
            "KeyLengthMismatch",
        ),
        (Some("a-short-password".to_owned()), 4, "somebody else"),
        (None, 4, "somebody else"),
    ] {
        let device = device(challenge.as_deref()).await?;
        ensure!(!server.enrol(&device).await?, "{said}");
        let verified = server.verify(&device).await?;
        let text = String::from_utf8_lossy(&verified.stderr).into_owned();
        ensure!(verified.status.code() == Some(exit), "{said}: {verified:?}");
        ensure!(text.contains(said), "{said}: {text}");
        ensure!(text.contains("no certificate may be issued"), "{text}");
    }
    // A refusal may be an attack.
    ensure!(
        stand.log().contains("which may be an attack"),
        "{}",
        stand.log()
    );

    let device = device(Some(&fine)).await?;
    let code = |code: &str| Fault::Code {
        code: code.to_owned(),
    };
    let absent = RetryAfter::Absent;
    for (step, fault) in [
        (Step::ScepValidation, code("RegisteredKeyMismatch")),
        (Step::ScepValidation, code("Brandnew")),
        (Step::ScepValidation, code("")),
        (Step::ScepValidation, Fault::InternalError),
        (Step::ScepValidation, Fault::Unauthorized),
        (Step::ScepValidation, Fault::MissingPermission),
        (Step::ScepValidation, Fault::Malformed),
        (Step::ScepValidation, Fault::Truncated),
        (Step::ScepValidation, Fault::Dropped),
        (
            Step::ScepValidation,
            Fault::TooManyRequests {
                retry_after: absent,
            },
        ),
        (
            Step::ScepValidation,
            Fault::Unavailable {
                retry_after: absent,
            },
        ),
    ] {
        tenant.set_fault(step, fault.clone());
        ensure!(!server.enrol(&device).await?, "{fault:?}");
        tenant.clear_faults();
        // The next good run works.
        ensure!(server.verify(&device).await?.status.success(), "{fault:?}");
    }
    stand.tenant.stop().await?;
    ensure!(!server.enrol(&device).await?, "the tenant is down");
    stand.tenant.resume().await?;
    ensure!(server.enrol(&device).await?, "{}", server.log());

    let stopped = stand.stop().await?;
    ensure!(!server.enrol(&device).await?, "the gateway is down");
    let verified = server.verify(&device).await?;
    ensure!(verified.status.code() == Some(1), "{verified:?}");
    stopped.tenant.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn without_a_token_nothing_is_approved() -> anyhow::Result<()> {
    for (step, fault) in [
        (Step::Token, Fault::Unauthorized),
        (Step::IntuneToken, Fault::ExpiredSecret),
        (Step::GraphToken, Fault::InternalError),
        (Step::Discovery, Fault::InternalError),
        (Step::Discovery, Fault::Unauthorized),
        (Step::Discovery, Fault::Malformed),
    ] {
        // Fresh each time, or what was got before still serves.
        let stand = crate::stand().await?;
        let challenge = stand.tenant.challenge(&Challenge::default());
        let device = device(Some(&challenge)).await?;
        let body = json!({ "transaction_id": "tx", "csr": device.request()? });
        let client = crate::client(&stand)?;
        stand.tenant.set_fault(step, fault.clone());
        let refused = client.post("/v1/scep/validate", &body).await?;
        ensure!(
            matches!(refused.status.as_u16(), 502 | 503),
            "{fault:?}: {refused:?}"
        );
        ensure!(refused.body["approved"] == false, "{refused:?}");
        ensure!(stand.tenant.requests(Step::ScepValidation) == 0);
        stand.stop().await?.tenant.shutdown().await;
    }
    Ok(())
}
