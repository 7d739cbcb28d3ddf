//! More questions than can wait: hits go on, misses are refused at once.

use anyhow::{Context as _, ensure};
use portreeve_harness::{RADIUS_PASSWORD, Stand, until};
use portreeve_tenant::device::{generated_guid, generated_mac};
use portreeve_tenant::well_known::COMPLIANT;
use portreeve_tenant::{Fault, Step};
use serde_json::{Value, json};

const BUSY: &str = "urn:portreeve:problem:busy";

#[tokio::test]
async fn a_miss_without_a_place_is_refused_and_hits_go_on() -> anyhow::Result<()> {
    let stand = Stand::builder()
        .devices(100)
        .server("max-waiting = 1")
        .start()
        .await?;
    let operator = stand.operator()?;
    let shed = async || {
        let shed = operator.metric("portreeve_face_shed_total").await?;
        shed.context("the metric")
    };
    assert_eq!(
        stand.client.ask(COMPLIANT.guid).await?.short(),
        (200, "permit")
    );
    assert!(shed().await?.abs() < 0.5);

    let http = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(
            stand.authority.pem().as_bytes(),
        )?])
        .build()?;
    let radius = |number: u32| {
        http.post(format!("{}/radius/authorize", stand.gateway.origin()))
            .basic_auth("radius", Some(RADIUS_PASSWORD))
            .json(&json!({ "Calling-Station-Id": generated_mac(number).separated('-') }))
            .send()
    };
    // One question waits for a source that says nothing.
    stand.tenant.set_fault(Step::Compliance, Fault::Timeout);
    let waiting = radius(1);
    let meanwhile = async {
        until("the call", async || {
            Ok((stand.tenant.requests(Step::Compliance) == 2).then_some(()))
        })
        .await?;
        let path = format!("/v1/devices/{}", generated_guid(2));
        let refused = stand.client.get(&path).await?;
        ensure!(refused.status.as_u16() == 503, "{refused:?}");
        ensure!(refused.headers["retry-after"] == "1", "{refused:?}");
        ensure!(*refused.field("type") == json!(BUSY), "{refused:?}");
        // It is no word about the device.
        ensure!(*refused.field("verdict") == Value::Null, "{refused:?}");

        let question = json!({ "identifiers": [generated_guid(3).to_string()] });
        let refused = stand.client.post("/v1/decisions", &question).await?;
        ensure!(refused.status.as_u16() == 503, "{refused:?}");
        let known = json!({ "identifiers": [COMPLIANT.guid.to_string()] });
        let batch = json!({ "questions": [question, known] });
        let reply = stand.client.post("/v1/decisions/batch", &batch).await?;
        ensure!(reply.status.as_u16() == 200, "{reply:?}");
        let answers = reply.field("answers");
        ensure!(answers[0]["problem"]["type"] == json!(BUSY), "{reply:?}");
        ensure!(answers[1]["verdict"] == json!("permit"), "{reply:?}");

        let refused = radius(4).await?;
        ensure!(refused.status().as_u16() == 503, "{refused:?}");
        ensure!(refused.headers()["retry-after"] == "1", "{refused:?}");

        for _ in 0..100 {
            let told = stand.client.ask(COMPLIANT.guid).await?;
            ensure!(told.short() == (200, "permit"), "{told:?}");
            ensure!(told.origin == "cached", "{told:?}");
        }
        ensure!((shed().await? - 4.0).abs() < 0.5, "{}", shed().await?);
        stand.tenant.clear_faults();
        anyhow::Ok(())
    };
    tokio::pin!(waiting);
    tokio::select! {
        told = &mut waiting => anyhow::bail!("it did not wait: {told:?}"),
        done = meanwhile => done?,
    }
    // It waits as long as its client does, and then its place is free.
    let given_up = waiting.await?;
    assert_eq!(given_up.status().as_u16(), 503);
    assert_ne!(given_up.headers()["retry-after"], "1");
    let told = stand.client.ask(generated_guid(5)).await?;
    assert_eq!(told.short(), (200, "permit"));
    // The call behind is still on its way; an end in order would wait for it.
    stand.gateway.kill().await
}
