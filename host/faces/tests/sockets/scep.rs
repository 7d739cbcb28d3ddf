//! SCEP servers ask, and a management system says what their transaction ids
//! want it to say.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use portreeve_domain::scep::{
    Approval, CertificateRequest, Declined, Issued, NotIssued, Refusal, Revocation,
    RevocationResult,
};
use portreeve_gateway::{ScepError, SourceError, SourceErrorKind, Vouching};
use serde_json::{Value, json};

use crate::schema::assert_is;
use crate::stand::*;

const SCEP: &str = "Bearer scep-key";
/// Any `SEQUENCE` will do here.
const CSR: &str = "MIIBAgM=";

fn answer(transaction: &str) -> Result<(), ScepError> {
    let failed = |kind, retry_after| {
        Err(ScepError::Failed(SourceError {
            kind,
            message: "because".to_owned(),
            retry_after,
        }))
    };
    match transaction {
        "refuse" => Err(ScepError::Declined(Declined::Refused(Refusal {
            code: "ChallengeExpired".to_owned(),
            message: "late".to_owned(),
        }))),
        "elsewhere" => Err(Declined::Elsewhere("no challenge".to_owned()).into()),
        "argument" => Err(Declined::Argument("`csr`: is none".to_owned()).into()),
        "down" => failed(SourceErrorKind::Unavailable, None),
        "limited" => failed(SourceErrorKind::RateLimited, Some(Duration::from_secs(7))),
        "late" => failed(SourceErrorKind::Timeout, None),
        "nonsense" => failed(SourceErrorKind::BadResponse, None),
        "credential" => failed(SourceErrorKind::Misconfigured, None),
        "broken" => failed(SourceErrorKind::PluginFault, None),
        _ => Ok(()),
    }
}

impl Vouching for Mdm {
    fn validate<'a>(
        &'a self,
        request: &'a CertificateRequest,
        _: Instant,
    ) -> BoxFuture<'a, Result<Approval, ScepError>> {
        let approval = Approval {
            ids: vec!["serial:S-1".parse().unwrap()],
            user: Some("ann".to_owned()),
        };
        std::future::ready(answer(request.transaction_id()).map(|()| approval)).boxed()
    }

    fn notify_issued<'a>(
        &'a self,
        request: &'a CertificateRequest,
        _: &'a Issued,
        _: Instant,
    ) -> BoxFuture<'a, Result<(), ScepError>> {
        std::future::ready(answer(request.transaction_id())).boxed()
    }

    fn notify_not_issued<'a>(
        &'a self,
        request: &'a CertificateRequest,
        _: &'a NotIssued,
        _: Instant,
    ) -> BoxFuture<'a, Result<(), ScepError>> {
        std::future::ready(answer(request.transaction_id())).boxed()
    }

    fn revocations<'a>(
        &'a self,
        limit: u32,
        issuer: Option<&'a str>,
        _: Instant,
    ) -> BoxFuture<'a, Result<Vec<Revocation>, ScepError>> {
        let revocation = Revocation {
            context: format!("context of {limit}"),
            serial: "01AF".to_owned(),
            issuer: issuer.map(str::to_owned),
            ca_configuration: None,
        };
        std::future::ready(Ok(vec![revocation])).boxed()
    }

    fn report_revocations<'a>(
        &'a self,
        results: &'a [RevocationResult],
        _: Instant,
    ) -> BoxFuture<'a, Result<(), ScepError>> {
        std::future::ready(answer(results[0].context())).boxed()
    }
}

/// Every operation about one transaction.
fn bodies(transaction: &str) -> [(&'static str, Value); 3] {
    let request = json!({ "transaction_id": transaction, "csr": CSR });
    let with = |more: Value| {
        let mut body = request.clone();
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        body
    };
    [
        ("/v1/scep/validate", request.clone()),
        (
            "/v1/scep/notify-success",
            with(json!({
                "thumbprint": "ab".repeat(20),
                "serial": "01:af",
                "expires_at": "2027-01-01T00:00:00Z",
                "issuer": "CN=CA",
            })),
        ),
        (
            "/v1/scep/notify-failure",
            with(json!({ "code": -5, "message": "boom" })),
        ),
    ]
}

#[tokio::test]
async fn an_approval_is_200_and_nothing_else_is() {
    let stand = Stand::new().await;
    for (transaction, status, kind, code) in [
        ("argument", 400, "malformed-request", None),
        ("refuse", 403, "refused", Some("ChallengeExpired")),
        ("elsewhere", 422, "elsewhere", None),
        ("down", 503, "source-unavailable", None),
        ("limited", 503, "source-unavailable", None),
        ("late", 503, "source-unavailable", None),
        ("nonsense", 502, "source-failed", None),
        ("credential", 502, "source-failed", None),
        ("broken", 502, "source-failed", None),
    ] {
        for (path, body) in bodies(transaction) {
            let request = stand.post(path, SCEP, &body.to_string());
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status, "{path} {transaction}");
            let waits = response.headers().get("retry-after").is_some();
            assert_eq!(waits, transaction == "limited", "{path} {transaction}");
            let problem: Value = response.json().await.unwrap();
            assert_is("ScepProblem", &problem);
            assert_eq!(problem["approved"], false);
            assert_eq!(problem["type"], format!("urn:portreeve:problem:{kind}"));
            assert_eq!(problem.get("code").and_then(Value::as_str), code);
        }
    }
    for ((path, body), schema) in
        bodies("tx-1")
            .into_iter()
            .zip(["ScepApproval", "ScepNotified", "ScepNotified"])
    {
        let request = stand.post(path, SCEP, &body.to_string());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let told: Value = response.json().await.unwrap();
        assert_is(schema, &told);
        assert_eq!(told["connector"], "contoso");
    }
}

#[tokio::test]
async fn whoever_may_not_ask_is_not_approved_either() {
    let stand = Stand::new().await;
    let body = bodies("tx-1")[0].1.to_string();
    for (credential, status) in [(SCRIPT, 403), (ADMIN, 403), ("", 401)] {
        let response = stand.post("/v1/scep/validate", credential, &body);
        let response = response.send().await.unwrap();
        assert_eq!(response.status(), status);
        let problem: Value = response.json().await.unwrap();
        assert_is("ScepProblem", &problem);
    }
    let devices = stand.get(&format!("/v1/devices/{COMPLIANT}"), SCEP);
    assert_eq!(devices.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let stand = Stand::new().await;
    for (path, body, expected) in [
        ("validate", "{", "cannot be read"),
        ("validate", "{}", "missing field `transaction_id`"),
        (
            "validate",
            r#"{"transaction_id":"t","csr":"AAAA"}"#,
            "`csr`: expected a certificate request",
        ),
        (
            "validate",
            r#"{"connector":"fabrikam","transaction_id":"t","csr":"MIIBAgM="}"#,
            "`connector`: there is no connector `fabrikam`",
        ),
        (
            "revocations",
            r#"{"transaction_id":"t","limit":501}"#,
            "`limit`: expected 1 to 500",
        ),
        (
            "revocations/results",
            r#"{"transaction_id":"t","results":[]}"#,
            "`results`: expected 1 to 500",
        ),
    ] {
        let request = stand.post(&format!("/v1/scep/{path}"), SCEP, body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
        let problem: Value = response.json().await.unwrap();
        assert_is("ScepProblem", &problem);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(expected), "{detail}");
    }
}

#[tokio::test]
async fn revocations_are_told_and_their_results_taken() {
    let stand = Stand::new().await;
    let body = json!({ "transaction_id": "t", "limit": 7, "issuer": "CN=CA" });
    let request = stand.post("/v1/scep/revocations", SCEP, &body.to_string());
    let told: Value = request.send().await.unwrap().json().await.unwrap();
    assert_is("ScepRevocations", &told);
    assert_eq!(told["revocations"][0]["context"], "context of 7");
    for (context, status) in [("rc", 200), ("down", 503)] {
        let result = json!({ "context": context, "succeeded": true });
        let body = json!({ "transaction_id": "t", "results": [result] });
        let request = stand.post("/v1/scep/revocations/results", SCEP, &body.to_string());
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}
