//! The whole chain through real sockets: a client asks the gateway process, a
//! WebAssembly connector asks the simulated tenant, a WebAssembly policy
//! decides.

use anyhow::{Context as _, ensure};
use portreeve_harness::{
    ADMIN_KEY, Client, Credential, RADIUS_PASSWORD, REST_KEY, Reply, Stand, member,
};
use portreeve_tenant::device::generated_mac;
use portreeve_tenant::well_known::{
    COMPLIANT, IN_GRACE, JAILBROKEN, NON_COMPLIANT, RETIRED, UNKNOWN,
};
use portreeve_tenant::{Fault, Moved, RetryAfter, Step};
use serde_json::{Value, json};

/// Verdict, first reason or absence, and how the answer came about.
fn summary(reply: &Reply) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let reasons = reply.field("reasons");
    let why = match reasons.get(0) {
        Some(reason) => text(member(reason, "code")),
        None => text(reply.field("absence")),
    };
    (
        text(reply.field("verdict")),
        why,
        text(reply.field("origin")),
    )
}

async fn ask(
    client: &Client,
    identifier: impl ToString,
) -> anyhow::Result<(u16, String, String, String)> {
    let reply = client
        .get(&format!("/v1/devices/{}", identifier.to_string()))
        .await?;
    let (verdict, why, origin) = summary(&reply);
    Ok((reply.status.as_u16(), verdict, why, origin))
}

fn is(found: &(u16, String, String, String), expected: (u16, &str, &str, &str)) -> bool {
    (
        found.0,
        found.1.as_str(),
        found.2.as_str(),
        found.3.as_str(),
    ) == expected
}

#[tokio::test]
async fn every_state_has_its_own_answer() -> anyhow::Result<()> {
    let stand = Stand::builder().devices(10).start().await?;
    for (identifier, expected) in [
        (
            COMPLIANT.mac.separated(':'),
            (200, "permit", "meets-baseline", "fetched"),
        ),
        (
            COMPLIANT.mac.separated('-'),
            (200, "permit", "meets-baseline", "cached"),
        ),
        (
            COMPLIANT.mac.to_string(),
            (200, "permit", "meets-baseline", "cached"),
        ),
        (
            NON_COMPLIANT.guid.to_string(),
            (200, "deny", "non-compliant", "fetched"),
        ),
        (
            IN_GRACE.guid.to_string(),
            (200, "permit", "in-grace-period", "fetched"),
        ),
        (
            JAILBROKEN.mac.separated('-'),
            (200, "deny", "jailbroken", "fetched"),
        ),
        (
            RETIRED.guid.to_string(),
            (404, "deny", "unknown-device", "fetched"),
        ),
        (
            UNKNOWN.mac.separated(':'),
            (404, "deny", "unknown-device", "fetched"),
        ),
        (
            UNKNOWN.mac.separated('-'),
            (404, "deny", "unknown-device", "cached"),
        ),
        (
            generated_mac(3).separated(':'),
            (200, "permit", "meets-baseline", "fetched"),
        ),
    ] {
        let found = ask(&stand.client, &identifier).await?;
        assert!(
            is(&found, expected),
            "{identifier}: {found:?}, expected {expected:?}"
        );
    }
    stand.tenant.stop().await?;
    let found = ask(&stand.client, generated_mac(9).separated(':')).await?;
    assert!(
        is(
            &found,
            (503, "cannot-tell", "sources-unavailable", "fetched")
        ),
        "{found:?}"
    );
    stand.gateway.stop().await
}

#[tokio::test]
async fn a_certificates_guid_and_a_mac_are_one_question() -> anyhow::Result<()> {
    let stand = Stand::builder().start().await?;
    let question = json!({
        "identifiers": [COMPLIANT.mac.separated(':'), COMPLIANT.guid.to_string()],
        "connection": { "medium": "wireless", "authentication": "eap-tls", "attachment": "corp" },
    });
    let reply = stand.client.post("/v1/decisions", &question).await?;
    assert_eq!(
        (reply.status.as_u16(), summary(&reply).0.as_str()),
        (200, "permit")
    );
    // The unknown GUID in the certificate is not excused by a known MAC.
    let question =
        json!({ "identifiers": [COMPLIANT.mac.separated(':'), UNKNOWN.guid.to_string()] });
    let reply = stand.client.post("/v1/decisions", &question).await?;
    assert_ne!(summary(&reply).0, "permit", "{:?}", reply.body);

    let batch = json!({ "questions": [
        { "identifiers": [COMPLIANT.guid.to_string()] },
        { "identifiers": ["nonsense"] },
        { "identifiers": [UNKNOWN.guid.to_string()] },
    ] });
    let reply = stand.client.post("/v1/decisions/batch", &batch).await?;
    let answers = reply.field("answers").as_array().context("answers")?;
    let verdicts: Vec<_> = answers
        .iter()
        .map(|answer| member(answer, "verdict"))
        .collect();
    assert_eq!(
        verdicts,
        [&json!("permit"), &Value::Null, &json!("deny")],
        "{:?}",
        reply.body
    );
    stand.gateway.stop().await
}

#[tokio::test]
async fn every_kind_of_credential_gets_its_token() -> anyhow::Result<()> {
    for credential in [
        Credential::Secret,
        Credential::SecretV1,
        Credential::CertificatePem,
        Credential::CertificatePfx,
    ] {
        let stand = Stand::builder().credential(credential).start().await?;
        let found = ask(&stand.client, COMPLIANT.guid).await?;
        ensure!(
            is(&found, (200, "permit", "meets-baseline", "fetched")),
            "{credential:?}: {found:?}\n{}",
            stand.log()
        );
        stand.gateway.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn many_askers_make_one_call_and_one_token_each() -> anyhow::Result<()> {
    let stand = Stand::builder().start().await?;
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let client = stand.client.clone();
        askers.spawn(async move { ask(&client, COMPLIANT.guid).await });
    }
    for found in askers.join_all().await {
        assert_eq!(found?.1, "permit");
    }
    assert_eq!(stand.tenant.requests(Step::Compliance), 1);
    assert_eq!(stand.tenant.requests(Step::Discovery), 1);
    assert_eq!(stand.tenant.requests(Step::GraphToken), 1);
    assert_eq!(stand.tenant.requests(Step::IntuneToken), 1);
    stand.gateway.stop().await
}

/// Every step fails in every way; the answer is "cannot tell", nothing hangs,
/// and the next good run works.
#[tokio::test]
async fn no_failure_becomes_an_answer() -> anyhow::Result<()> {
    let faults = || {
        [
            Fault::Dropped,
            Fault::InternalError,
            Fault::Unavailable {
                retry_after: RetryAfter::Absent,
            },
            Fault::Malformed,
            Fault::Truncated,
            Fault::Timeout,
            Fault::Drip { interval_ms: 50 },
            Fault::Endless,
            Fault::Redirect {
                location: "https://127.0.0.1:1/".to_owned(),
            },
            // The last one: the body is good, and whoever takes it keeps it.
            Fault::WrongContentType,
        ]
    };
    for step in [
        Step::GraphToken,
        Step::Discovery,
        Step::IntuneToken,
        Step::Compliance,
    ] {
        // A stand for each step, so that tokens and the discovered service are
        // not remembered from the step before.
        let stand = Stand::builder().devices(100).start().await?;
        for (index, fault) in (0_u32..).zip(faults()) {
            let name = format!("{step:?} {fault:?}");
            stand.tenant.set_fault(step, fault);
            let device = generated_mac(index * 7).separated(':');
            let found = ask(&stand.client, &device).await?;
            let tolerated = name.contains("WrongContentType") && found.1 != "cannot-tell";
            assert!(
                tolerated
                    || is(
                        &found,
                        (503, "cannot-tell", "sources-unavailable", "fetched")
                    ),
                "{name}: {found:?}"
            );
            stand.tenant.clear_faults();
        }
        stand.gateway.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_moved_scale_unit_is_found_again_within_one_question() -> anyhow::Result<()> {
    for old in [Moved::NotFound, Moved::Redirected, Moved::Refused] {
        let name = format!("{old:?}");
        let stand = Stand::builder().devices(10).scale_unit().start().await?;
        let found = ask(&stand.client, COMPLIANT.guid).await?;
        assert_eq!(found.1, "permit", "{name}: {found:?}");
        stand.tenant.move_scale_unit(old).await?;
        let found = ask(&stand.client, NON_COMPLIANT.guid).await?;
        ensure!(
            is(&found, (200, "deny", "non-compliant", "fetched")),
            "{name}: {found:?}\n{}",
            stand.log()
        );
        assert_eq!(stand.tenant.requests(Step::Discovery), 2, "{name}");
        stand.gateway.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn nobody_asks_without_a_name() -> anyhow::Result<()> {
    let stand = Stand::builder().start().await?;
    let path = format!("/v1/devices/{}", COMPLIANT.guid);
    for (key, path, expected) in [
        (None, path.as_str(), 401),
        (Some("wrong"), path.as_str(), 401),
        (Some(REST_KEY), path.as_str(), 200),
        (Some(ADMIN_KEY), path.as_str(), 403),
        (Some(REST_KEY), "/metrics", 403),
        (Some(ADMIN_KEY), "/metrics", 200),
        (None, "/metrics", 401),
        (None, "/openapi.json", 401),
        (None, "/v1/decisions", 401),
        (None, "/healthz", 200),
        (None, "/readyz", 200),
    ] {
        let reply = stand.client_with(key, None)?.get(path).await?;
        assert_eq!(
            reply.status.as_u16(),
            expected,
            "{key:?} {path}: {:?}",
            reply.body
        );
    }
    let certificate = stand
        .authority
        .client(stand.directory(), "switch", "urn:example:switch")?;
    let other = stand
        .authority
        .client(stand.directory(), "other", "urn:example:other")?;
    for (files, expected) in [(certificate, 200), (other, 401)] {
        let mut identity = std::fs::read(files.certificate)?;
        identity.extend(std::fs::read(files.key)?);
        let reply = stand.client_with(None, Some(&identity))?.get(&path).await?;
        assert_eq!(reply.status.as_u16(), expected, "{:?}", reply.body);
    }
    stand.gateway.stop().await
}

#[tokio::test]
async fn secrets_stay_where_they_are() -> anyhow::Result<()> {
    let stand = Stand::builder().start().await?;
    stand
        .tenant
        .set_fault(Step::Compliance, Fault::EchoCredential);
    let echoed = stand
        .client
        .get(&format!("/v1/devices/{}", COMPLIANT.guid))
        .await?;
    stand.tenant.clear_faults();
    stand
        .tenant
        .set_fault(Step::IntuneToken, Fault::ExpiredSecret);
    let refused = stand
        .client
        .get(&format!("/v1/devices/{}", NON_COMPLIANT.guid))
        .await?;
    let wrong = stand.client_with(Some("a-wrong-key-that-must-not-be-logged"), None)?;
    wrong
        .get(&format!("/v1/devices/{}", COMPLIANT.guid))
        .await?;
    let metrics = stand
        .client_with(Some(ADMIN_KEY), None)?
        .get("/metrics")
        .await?;
    let seen = format!(
        "{} {} {} {}",
        stand.log(),
        echoed.body,
        refused.body,
        metrics.body
    );
    ensure!(!stand.log().is_empty(), "nothing was logged");
    for secret in [
        stand.tenant.client_secret(),
        REST_KEY,
        ADMIN_KEY,
        RADIUS_PASSWORD,
        "a-wrong-key-that-must-not-be-logged",
        // The beginning of every signed token.
        "eyJ",
    ] {
        assert!(!seen.contains(secret), "`{secret}` is in {seen}");
    }
    stand.gateway.stop().await
}

#[tokio::test]
async fn metrics_tell_faces_and_outcomes_apart() -> anyhow::Result<()> {
    let stand = Stand::builder().start().await?;
    for _ in 0..3 {
        ask(&stand.client, COMPLIANT.guid).await?;
    }
    ask(&stand.client, UNKNOWN.guid).await?;
    let reply = stand
        .client_with(Some(ADMIN_KEY), None)?
        .get("/metrics")
        .await?;
    let text = reply.body.as_str().context("metrics are text")?;
    for line in [
        r#"portreeve_answers_total{origin="cached",outcome="permit"} 2"#,
        r#"portreeve_answers_total{origin="fetched",outcome="permit"} 1"#,
        r#"portreeve_answers_total{origin="fetched",outcome="deny"} 1"#,
        r#"portreeve_source_seconds_count{outcome="found",source="contoso"} 1"#,
        r#"portreeve_source_seconds_count{outcome="unknown-device",source="contoso"} 1"#,
        r#"portreeve_cache_entries{cache="devices"} 1"#,
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line} is not in\n{text}"
        );
    }
    stand.gateway.stop().await
}
