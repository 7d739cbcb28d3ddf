//! Talking to the gateway that runs on this machine with the same
//! configuration, through the socket beside its store.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::config::{Config, Problem, Problems};

/// The most that an answer can be, in bytes.
const LARGEST_ANSWER: usize = 16 << 20;

/// Its name beside the store.
const SOCKET: &str = "control.sock";

/// Where the socket of a gateway with this configuration is.
pub(crate) fn socket(config: &Config) -> Option<PathBuf> {
    let store = config.store.as_ref()?;
    Some(store.directory.0.join(SOCKET))
}

/// The gateway that runs.
#[derive(Debug)]
pub(super) struct Control {
    client: Client,
}

impl Control {
    /// `None` when none runs.
    pub(super) async fn connect(config: &Config) -> anyhow::Result<Option<Self>> {
        let store = config.store.as_ref();
        Self::beside(store.map(|store| &*store.directory.0)).await
    }

    /// The one with this store.
    pub(super) async fn beside(store: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let Some(path) = store.map(|store| store.join(SOCKET)) else {
            return Ok(None);
        };
        if tokio::net::UnixStream::connect(&path).await.is_err() {
            return Ok(None);
        }
        // Fails only when there is one already, which then serves as well.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .unix_socket(path)
            .build()
            .context("cannot prepare the HTTP client")?;
        Ok(Some(Self { client }))
    }

    /// Asks, and waits at most `timeout` for the whole answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> anyhow::Result<Value> {
        let url = format!("http://localhost{path}");
        let mut request = self.client.request(method, url).timeout(timeout);
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request
            .send()
            .await
            .context("the gateway does not answer")?;
        let status = response.status();
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.context("the gateway went away")? {
            content.extend_from_slice(&chunk);
            anyhow::ensure!(content.len() <= LARGEST_ANSWER, "the answer is too large");
        }
        let document: Value = serde_json::from_slice(&content).unwrap_or_default();
        if status == StatusCode::OK {
            return Ok(document);
        }
        Err(refused(&document, status))
    }

    /// Copies an answer of any size as it comes. Waits at most `patience` for
    /// its beginning, and for each piece of it.
    pub(super) async fn copy(
        &self,
        path: &str,
        to: &mut impl Write,
        patience: Duration,
    ) -> anyhow::Result<()> {
        const LATE: &str = "the gateway does not go on";
        let request = self.client.get(format!("http://localhost{path}"));
        let begun = tokio::time::timeout(patience, request.send()).await;
        let mut response = begun
            .context(LATE)?
            .context("the gateway does not answer")?;
        let status = response.status();
        if status != StatusCode::OK {
            let body = tokio::time::timeout(patience, response.bytes()).await;
            let body = body.context(LATE)?.unwrap_or_default();
            let document = serde_json::from_slice(&body).unwrap_or_default();
            return Err(refused(&document, status));
        }
        loop {
            let piece = tokio::time::timeout(patience, response.chunk()).await;
            let piece = piece.context(LATE)?.context("the gateway went away")?;
            match piece {
                Some(piece) => to.write_all(&piece).context("it cannot be written")?,
                None => return Ok(()),
            }
        }
    }
}

/// What the gateway said against a request.
fn refused(document: &Value, status: StatusCode) -> anyhow::Error {
    let detail = document.get("detail").and_then(Value::as_str);
    let message = match detail {
        Some(detail) => detail.to_owned(),
        None => format!("the gateway answered {status}"),
    };
    Problems::from(Problem::nowhere(message)).into()
}

impl Control {
    /// Reads what is no JSON, e.g. metrics.
    pub(super) async fn text(&self, path: &str, timeout: Duration) -> anyhow::Result<String> {
        let url = format!("http://localhost{path}");
        let request = self.client.get(url).timeout(timeout);
        let mut response = request
            .send()
            .await
            .context("the gateway does not answer")?
            .error_for_status()?;
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.context("the gateway went away")? {
            content.extend_from_slice(&chunk);
            anyhow::ensure!(content.len() <= LARGEST_ANSWER, "the answer is too large");
        }
        Ok(String::from_utf8_lossy(&content).into_owned())
    }
}
