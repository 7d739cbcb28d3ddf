//! What a connector is lent, and how its answers come out.

use std::time::Duration;

use portreeve_domain::{ComplianceState, Value};
use portreeve_egress::{CredentialKind, CredentialSettings, Secret};
use portreeve_runtime::{CallError, LookupOutcome, ReportVerdict};

use crate::server::Server;
use crate::support::{deadline, find, found, mac, narrow, text};

#[tokio::test]
async fn three_answers_stay_three() {
    let unknown = find(&narrow("unknown").start().await).await;
    assert_eq!(unknown, Ok(LookupOutcome::Unknown));
    let ambiguous = find(&narrow("ambiguous").start().await).await;
    let keys = vec!["k1".to_owned(), "k2".to_owned()];
    assert_eq!(ambiguous, Ok(LookupOutcome::Ambiguous(keys)));
    let device = found(&narrow("malformed-id").start().await).await;
    assert_eq!(device.compliance.state, ComplianceState::Compliant);
    assert_eq!(device.ids, [mac()], "the one that is none was left out");
}

#[tokio::test]
async fn errors_of_a_connector_keep_their_kind() {
    let because = || "because".to_owned();
    for (kind, expected) in [
        ("misconfigured", CallError::Misconfigured(because())),
        ("unauthenticated", CallError::Unauthenticated(because())),
        ("forbidden", CallError::Forbidden(because())),
        (
            "rate-limited",
            CallError::RateLimited(Some(Duration::from_millis(1500))),
        ),
        ("unavailable", CallError::Unavailable(because())),
        ("timeout", CallError::Timeout),
        ("bad-response", CallError::BadResponse(because())),
        ("unsupported", CallError::Unsupported(because())),
        ("other", CallError::Other(because())),
    ] {
        let connector = narrow("fail").set("text", kind).start().await;
        assert_eq!(find(&connector).await, Err(expected), "{kind}");
    }
}

#[tokio::test]
async fn a_check_reports_and_is_fit_to_be_shown() {
    let connector = narrow("unknown").start().await;
    let report = connector.check(deadline()).await.unwrap();
    assert_eq!(report.verdict, ReportVerdict::Degraded);
    assert_eq!(report.findings[0].subject, "fixture\\n");
}

#[tokio::test]
async fn state_outlives_an_instance_and_guards_its_versions() {
    let connector = narrow("remember").limits(|limits| {
        limits.reuse = portreeve_runtime::Reuse::Fresh;
    });
    let connector = connector.start().await;
    for expected in 1..=3 {
        let device = found(&connector).await;
        assert_eq!(
            device.attribute("calls.state"),
            Some(&Value::Integer(expected))
        );
        assert_eq!(text(&device, "state.stored"), "yes");
        assert!(text(&device, "state.stale").contains("Conflict"));
    }
}

#[tokio::test]
async fn credentials_are_described_and_never_shown() {
    let server = Server::start().await;
    let connector = narrow("credential").set("text", "api");
    let connector = connector
        .asking(&server, "/ok")
        .credential(&server, "t0ken-value");
    let device = found(&connector.start().await).await;
    assert!(text(&device, "credential.status").contains("Ready"));
    assert!(text(&device, "credential.scopes").contains("http://127.0.0.1:"));
    assert_eq!(
        device.attribute("signature.bytes"),
        Some(&Value::Integer(0))
    );
    assert!(!format!("{device:?}").contains("t0ken-value"));
    let device = found(&narrow("credential").set("text", "other").start().await).await;
    assert!(text(&device, "credential.status").contains("Missing"));
}

#[tokio::test]
async fn a_signing_key_signs_without_being_seen() {
    let mut setup = narrow("credential").set("text", "hook");
    setup.egress.credentials.push(CredentialSettings {
        slot: "hook".to_owned(),
        urls: Vec::new(),
        kind: CredentialKind::Hmac {
            secret: Secret::new("k3y-value"),
        },
    });
    let device = found(&setup.start().await).await;
    assert_eq!(
        device.attribute("signature.bytes"),
        Some(&Value::Integer(32))
    );
    assert_eq!(text(&device, "signature.genuine"), "yes");
    assert!(!format!("{device:?}").contains("k3y-value"));
}
