//! Asking in any protocol, and what all of them can say.

use std::time::Duration;

use anyhow::Context as _;
use portreeve_harness::{Stand, member};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

/// What a NAC product is told of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Full access.
    Permit,
    /// The device is known, or could be any of several, and has no full access.
    NotPermit,
    /// No source knows the device.
    Unknown,
    /// Nobody could be asked.
    CannotTell,
}

/// A device as faces are asked about it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// In lower case with colons.
    pub(crate) mac: String,
    /// That of its certificate, if it has one.
    pub(crate) guid: Option<String>,
}

impl Named {
    /// Its address as ISE writes it.
    pub(crate) fn digits(&self) -> String {
        self.mac.replace(':', "").to_uppercase()
    }
}

/// Asks one gateway as a NAC product would.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    http: Client,
    origin: String,
    /// Name and password of a pxGrid node.
    pub(crate) node: (String, String),
}

impl Asker {
    /// The node is a new one, which the operator adds.
    pub(crate) async fn new(stand: &Stand) -> anyhow::Result<Self> {
        const NODE: &str = "table";

        let added = stand
            .program(&["pxgrid", "add", NODE, "--may", "mdm", "--json"])
            .await?;
        let added = added.json().with_context(|| format!("{added:?}"))?;
        let password = member(&added, "password").as_str();
        let password = password.with_context(|| added.to_string())?;
        let ca = reqwest::Certificate::from_pem(stand.authority.pem().as_bytes())?;
        let http = Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            http,
            origin: stand.gateway.origin().to_owned(),
            node: (NODE.to_owned(), password.to_owned()),
        })
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.origin))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http
            .request(Method::POST, format!("{}{path}", self.origin))
    }
}

/// Status and JSON.
pub(crate) async fn json(request: RequestBuilder) -> anyhow::Result<(u16, Value)> {
    let (status, text) = text(request).await?;
    let body = serde_json::from_str(&text);
    Ok((status, body.with_context(|| format!("{status}: {text}"))?))
}

/// Status and text.
pub(crate) async fn text(request: RequestBuilder) -> anyhow::Result<(u16, String)> {
    let response: Response = request.send().await?;
    let status = response.status().as_u16();
    Ok((status, response.text().await?))
}
