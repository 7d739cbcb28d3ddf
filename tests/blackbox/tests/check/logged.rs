//! What the log says about requests to the outside.

use anyhow::Context as _;
use portreeve_harness::Stand;
use portreeve_tenant::well_known::COMPLIANT;
use portreeve_tenant::{Fault, Step};
use serde_json::Value;

/// The lines of the log with this message.
fn lines(stand: &Stand, message: &str) -> Vec<Value> {
    stand
        .log()
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line.get("message").and_then(Value::as_str) == Some(message))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_logged_with_code_and_identifiers() -> anyhow::Result<()> {
    let stand = Stand::builder()
        .extra("[log]\nlevel = \"debug\"\nformat = \"json\"\n")
        .start()
        .await?;
    let path = format!("/v1/devices/{}", COMPLIANT.guid);
    stand
        .tenant
        .set_fault(Step::IntuneToken, Fault::Unauthorized);
    stand.client.get(&path).await?;
    let failed = lines(&stand, "no token");
    let failed = failed.first().context("a line about the token")?;
    assert_eq!(failed["code"], "client-secret-wrong");
    assert_eq!(failed["entra"], "AADSTS7000215");
    for field in ["client_request_id", "correlation_id", "trace_id"] {
        assert!(failed[field].is_string(), "no {field} in {failed}");
    }
    // The provider was told our identifier, and answers with it.
    assert_eq!(failed["client_request_id"], failed["correlation_id"]);

    let answered = lines(&stand, "request answered");
    let answered = answered.first().context("a line about an answer")?;
    for field in ["client_request_id", "request_id"] {
        assert!(answered[field].is_string(), "no {field} in {answered}");
    }

    stand.tenant.clear_faults();
    stand.tenant.stop().await?;
    stand.client.get("/v1/devices/serial:X").await?;
    let failed = lines(&stand, "request failed");
    assert!(
        failed.iter().all(|line| line["code"].is_string()),
        "{failed:?}"
    );
    stand.tenant.resume().await?;
    stand.gateway.stop().await
}
