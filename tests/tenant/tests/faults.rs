//! Every fault as a client sees it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails loudly, its helpers included"
)]

mod support;

use std::time::{Duration, Instant};

use portreeve_tenant::{Fault, Resource, RetryAfter, Step, Tenant, well_known};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use support::{ask_token, client, token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Case {
    tenant: Tenant,
    client: Client,
    bearer: String,
}

impl Case {
    async fn new() -> Self {
        let tenant = Tenant::builder().start().await.unwrap();
        let client = client(&tenant);
        let bearer = token(&client, &tenant, Resource::Intune).await;
        Self {
            tenant,
            client,
            bearer,
        }
    }

    async fn lookup(&self) -> reqwest::Result<reqwest::Response> {
        let url = format!(
            "{}/cisco/devices/?paging=0&querycriteria=guid&value={}&filter=all",
            self.tenant.compliance_url(),
            well_known::COMPLIANT.guid
        );
        self.client.get(url).bearer_auth(&self.bearer).send().await
    }

    async fn token(&self) -> reqwest::Result<reqwest::Response> {
        ask_token(&self.client, &self.tenant, Resource::Intune).await
    }

    fn fault(&self, step: Step, fault: Fault) {
        self.tenant.plan_fault(step, fault, 1);
    }
}

#[tokio::test]
async fn nothing_is_answered() {
    let case = Case::new().await;
    for step in [Step::Token, Step::IntuneToken] {
        case.fault(step, Fault::Timeout);
        assert!(case.token().await.unwrap_err().is_timeout());
    }
    case.fault(Step::Compliance, Fault::Timeout);
    assert!(case.lookup().await.unwrap_err().is_timeout());
    for step in [Step::Token, Step::Compliance] {
        case.fault(step, Fault::Dropped);
    }
    let error = case.token().await.unwrap_err();
    assert!(error.is_request() && !error.is_timeout(), "{error:?}");
    assert!(case.lookup().await.is_err());
    assert_eq!(case.lookup().await.unwrap().status(), StatusCode::OK);
    // Hanging requests do not hold the end up.
    case.tenant.shutdown().await;
}

#[tokio::test]
async fn a_fault_of_one_token_spares_the_other() {
    let case = Case::new().await;
    case.tenant
        .set_fault(Step::GraphToken, Fault::InternalError);
    let graph = ask_token(&case.client, &case.tenant, Resource::Graph)
        .await
        .unwrap();
    assert_eq!(graph.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(case.token().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn throttled_in_three_forms() {
    let case = Case::new().await;
    let fault = |retry_after| Fault::TooManyRequests { retry_after };
    case.fault(Step::Compliance, fault(RetryAfter::Seconds(2.5)));
    case.fault(Step::Compliance, fault(RetryAfter::Date(120)));
    case.fault(Step::Compliance, fault(RetryAfter::Absent));
    case.fault(
        Step::Compliance,
        Fault::Unavailable {
            retry_after: RetryAfter::Seconds(7.0),
        },
    );
    let mut seen = Vec::new();
    for _ in 0..4 {
        let answer = case.lookup().await.unwrap();
        let header = answer.headers().get("retry-after");
        seen.push((
            answer.status().as_u16(),
            header.map(|value| value.to_str().unwrap().to_owned()),
        ));
    }
    assert_eq!(seen[0], (429, Some("2.5".to_owned())));
    let date = httpdate::parse_http_date(seen[1].1.as_ref().unwrap()).unwrap();
    let ahead = date.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(ahead > Duration::from_secs(100) && ahead <= Duration::from_mins(2));
    assert_eq!(seen[2], (429, None));
    assert_eq!(seen[3], (503, Some("7".to_owned())));

    case.fault(Step::Token, fault(RetryAfter::Absent));
    let answer = case.token().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn refusals_in_the_words_of_each_step() {
    let case = Case::new().await;
    let code = async |fault| {
        case.fault(Step::Token, fault);
        let answer = case.token().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["error_codes"][0].as_u64().unwrap())
    };
    assert_eq!(code(Fault::Unauthorized).await, (401, 7_000_215));
    assert_eq!(code(Fault::ExpiredSecret).await, (401, 7_000_222));
    assert_eq!(code(Fault::InternalError).await, (500, 90_033));

    case.fault(Step::Compliance, Fault::Unauthorized);
    assert_eq!(
        case.lookup().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    case.fault(Step::Compliance, Fault::MissingPermission);
    let answer = case.lookup().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("get_device_compliance")
    );

    // The token is issued, and it is the service that refuses it.
    case.fault(Step::Token, Fault::MissingPermission);
    let bare = token(&case.client, &case.tenant, Resource::Intune).await;
    let bare = Case {
        bearer: bare,
        ..case
    };
    assert_eq!(bare.lookup().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn bodies_are_spoilt() {
    let case = Case::new().await;
    let right = case.lookup().await.unwrap().text().await.unwrap();

    case.fault(Step::Compliance, Fault::Malformed);
    let half = case.lookup().await.unwrap().text().await.unwrap();
    assert_eq!(half, right[..right.len() / 2]);

    case.fault(Step::Compliance, Fault::WrongContentType);
    let answer = case.lookup().await.unwrap();
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    assert_eq!(answer.text().await.unwrap(), right);

    case.fault(Step::Compliance, Fault::Truncated);
    let answer = case.lookup().await.unwrap();
    assert_eq!(answer.content_length(), Some(right.len() as u64));
    assert!(answer.text().await.is_err());

    case.fault(
        Step::Compliance,
        Fault::Redirect {
            location: "https://example.com/".to_owned(),
        },
    );
    let answer = case.lookup().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()["location"], "https://example.com/");

    case.fault(Step::Compliance, Fault::EchoCredential);
    let echo = case.lookup().await.unwrap().text().await.unwrap();
    assert!(echo.contains(&case.bearer));

    case.fault(Step::Token, Fault::Malformed);
    assert!(case.token().await.unwrap().json::<Value>().await.is_err());
}

#[tokio::test]
async fn bodies_without_end() {
    let case = Case::new().await;
    case.fault(Step::Compliance, Fault::Drip { interval_ms: 5 });
    let mut answer = case.lookup().await.unwrap();
    let started = Instant::now();
    for expected in b"<ise_api" {
        assert_eq!(answer.chunk().await.unwrap().unwrap().as_ref(), [*expected]);
    }
    assert!(started.elapsed() >= Duration::from_millis(5 * 6));
    drop(answer);

    case.fault(Step::Compliance, Fault::Endless);
    let mut answer = case.lookup().await.unwrap();
    let mut received = 0;
    while received < 1_000_000 {
        received += answer.chunk().await.unwrap().unwrap().len();
    }
}

#[tokio::test]
async fn a_plain_connection_is_not_answered() {
    let tenant = Tenant::builder().start().await.unwrap();
    let address = tenant.origin().strip_prefix("https://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // The server may send a TLS alert or reset the connection; it never sends HTTP.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
}
