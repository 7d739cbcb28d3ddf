//! A client that asks over TLS.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Asks one gateway, trusting its throw-away authority only.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    origin: String,
    key: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Header fields.
    pub headers: reqwest::header::HeaderMap,
    /// Body as JSON, or as a JSON string if it is none.
    pub body: Value,
    /// From the request to the end of the body, as the client saw it.
    pub took: Duration,
}

impl Reply {
    /// A member of the body, `null` if there is none.
    pub fn field(&self, name: &str) -> &Value {
        member(&self.body, name)
    }
}

/// A member of a JSON object, `null` if there is none.
pub fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// What matters most of an answer about one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// HTTP status.
    pub status: u16,
    /// `permit`, `deny`, …
    pub verdict: String,
    /// `fetched`, `evaluated` or `cached`.
    pub origin: String,
    /// Whether the facts are older than the operator likes.
    pub stale: bool,
}

impl Told {
    /// Status and verdict.
    pub fn short(&self) -> (u16, &str) {
        (self.status, &self.verdict)
    }

    /// Whether no source was asked.
    pub fn is_from_memory(&self) -> bool {
        matches!(&*self.origin, "evaluated" | "cached")
    }
}

impl Client {
    /// Asks about one endpoint.
    pub async fn ask(&self, identifier: impl ToString) -> anyhow::Result<Told> {
        let path = format!("/v1/devices/{}", identifier.to_string());
        let reply = self.get(&path).await?;
        let text = |name| reply.field(name).as_str().unwrap_or("-").to_owned();
        Ok(Told {
            status: reply.status.as_u16(),
            verdict: text("verdict"),
            origin: text("origin"),
            stale: reply.field("stale").as_bool().unwrap_or(false),
        })
    }

    /// The value of one metric, by its name and labels as they are printed.
    /// `None` when there is none.
    pub async fn metric(&self, name: &str) -> anyhow::Result<Option<f64>> {
        let reply = self.get("/metrics").await?;
        let text = reply.body.as_str().context("metrics are text")?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(str::parse).transpose().context("a metric's value")
    }

    /// Trusts `ca_pem`, authenticates with a bearer key if one is given and
    /// with a certificate if `identity` (certificate and key, PEM) is given.
    pub fn new(
        origin: &str,
        ca_pem: &str,
        key: Option<&str>,
        identity: Option<&[u8]>,
    ) -> anyhow::Result<Self> {
        // Another part of the program may have chosen already; then it is the
        // same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let ca = reqwest::Certificate::from_pem(ca_pem.as_bytes())?;
        let mut builder = reqwest::Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .timeout(Duration::from_secs(30));
        if let Some(identity) = identity {
            builder = builder.identity(reqwest::Identity::from_pem(identity)?);
        }
        Ok(Self {
            http: builder.build().context("the HTTP client")?,
            origin: origin.to_owned(),
            key: key.map(str::to_owned),
        })
    }

    /// `GET` of a path.
    pub async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.send(Method::GET, path, None).await
    }

    /// `POST` of a JSON document.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Reply> {
        let mut request = self.http.request(method, format!("{}{path}", self.origin));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let started = Instant::now();
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let took = started.elapsed();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Reply {
            status,
            headers,
            body,
            took,
        })
    }
}
