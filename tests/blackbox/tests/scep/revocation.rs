//! Certificates that the tenant wants revoked.

use anyhow::ensure;
use portreeve_tenant::{Fault, Revocation, RevocationResult, Step};
use serde_json::json;

#[tokio::test]
async fn revocations_are_downloaded_and_their_results_uploaded() -> anyhow::Result<()> {
    let stand = crate::stand().await?;
    let client = crate::client(&stand)?;
    for number in 0..3 {
        stand.tenant.revoke_certificate(Revocation {
            request_context: format!("context {number}"),
            serial_number: format!("0{number}"),
            issuer_name: "CN=CA".to_owned(),
            ca_configuration: "default".to_owned(),
        });
    }
    let question = json!({ "transaction_id": "tx", "limit": 2 });
    let told = client.post("/v1/scep/revocations", &question).await?;
    ensure!(told.status == 200, "{told:?}");
    let revocations = told.body["revocations"].as_array();
    ensure!(revocations.is_some_and(|it| it.len() == 2), "{told:?}");
    ensure!(
        told.body["revocations"][1]
            == json!({
                "context": "context 1",
                "serial": "01",
                "issuer": "CN=CA",
                "ca_configuration": "default",
            })
    );
    let results = json!({ "transaction_id": "tx", "results": [
        { "context": "context 0", "succeeded": true },
        { "context": "context 1", "succeeded": false, "code": 4004, "message": "not ours" },
    ] });
    let path = "/v1/scep/revocations/results";
    stand
        .tenant
        .plan_fault(Step::RevocationUpload, Fault::InternalError, 1);
    ensure!(client.post(path, &results).await?.status == 503);
    let taken = client.post(path, &results).await?;
    ensure!(taken.status == 200, "{taken:?}");
    let kept = stand.tenant.revocation_results();
    let codes: Vec<_> = kept.iter().map(RevocationResult::error_number).collect();
    ensure!(codes == [Some(0), Some(4004)], "{kept:?}");
    ensure!(stand.tenant.pending_revocations().len() == 1);
    // What Intune has no word for is a bad argument, and nothing is sent.
    let unknown = json!({ "transaction_id": "tx", "results": [
        { "context": "context 2", "succeeded": false, "code": 7 },
    ] });
    ensure!(client.post(path, &unknown).await?.status == 400);
    stand.stop().await?.tenant.shutdown().await;
    Ok(())
}
