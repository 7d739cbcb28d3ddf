//! Asking a gateway that runs, over its REST face.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use portreeve_domain::Identifier;
use portreeve_egress::Secret;
use reqwest::{Certificate, Client, Identity, StatusCode, redirect};
use serde_json::{Value, json};
use url::Url;

use crate::cli::Remote;
use crate::config::{Environment, Problem, Problems, read_secret};

const PASSWORD_VARIABLE: &str = "PORTREEVE_PASSWORD";
const TOKEN_VARIABLE: &str = "PORTREEVE_TOKEN";

const DECISIONS: &str = "/v1/decisions";

/// The most that an answer about one endpoint can be, in bytes.
const LARGEST_ANSWER: usize = 4 << 20;

/// A gateway and how to prove to it who asks.
pub(in super::super) struct Asked {
    client: Client,
    url: Url,
    credential: Credential,
}

enum Credential {
    None,
    Basic(String, Secret),
    Bearer(Secret),
}

impl Asked {
    pub(in super::super) fn new(
        url: &Url,
        remote: &Remote,
        timeout: Duration,
        environment: &dyn Environment,
    ) -> anyhow::Result<Self> {
        let loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            let message = format!("`{url}` is no address to send a question to");
            let problem = Problem::nowhere(message);
            return Err(Problems::from(
                problem.hint("write `https://HOST:PORT`; `http://` is for the loopback only"),
            )
            .into());
        }
        let credential = credential(remote, environment)?;
        Ok(Self {
            client: client(remote, timeout)?,
            url: url.clone(),
            credential,
        })
    }

    /// The answer as the gateway gave it.
    pub(super) async fn ask(&self, identifiers: &[Identifier]) -> anyhow::Result<Value> {
        let identifiers: Vec<String> = identifiers.iter().map(ToString::to_string).collect();
        let body = json!({ "identifiers": identifiers });
        let (status, document) = self.post(DECISIONS, &body).await?;
        // "Cannot tell" is a problem with an answer in it.
        if document.get("verdict").is_some() {
            return Ok(document);
        }
        let detail = document.get("detail").and_then(Value::as_str);
        let url = self.url.join(DECISIONS)?;
        let message = match detail {
            Some(detail) => format!("`{url}` answered {status}: {detail}"),
            None => format!("`{url}` answered {status}, which no gateway does"),
        };
        let problem = Problem::nowhere(message);
        Err(Problems::from(match status.as_u16() {
            401 => problem.hint("give `--user`, `--token-file` or `--identity` of a client"),
            403 => problem.hint("the client needs `rest` among its `faces`"),
            _ => problem.hint("is this the address of a gateway?"),
        })
        .into())
    }

    /// Sends JSON; gives the status, and the body if it is JSON.
    pub(in super::super) async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let url = self.url.join(path)?;
        let request = self.client.post(url.clone());
        let request = match &self.credential {
            Credential::None => request,
            Credential::Basic(user, password) => request.basic_auth(user, Some(password.expose())),
            Credential::Bearer(token) => request.bearer_auth(token.expose()),
        };
        let request = request
            .header("content-type", "application/json")
            .body(serde_json::to_vec(body)?);
        let mut response = request
            .send()
            .await
            .map_err(|error| unreachable(&url, &error))?;
        let status = response.status();
        let mut content = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| unreachable(&url, &error))?
        {
            content.extend_from_slice(&chunk);
            anyhow::ensure!(
                content.len() <= LARGEST_ANSWER,
                "the answer of `{url}` is too large"
            );
        }
        Ok((status, serde_json::from_slice(&content).unwrap_or_default()))
    }
}

fn unreachable(url: &Url, error: &reqwest::Error) -> Problems {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let message = format!("no answer from `{url}`: {cause}");
    let problem = Problem::nowhere(message);
    Problems::from(if error.is_timeout() {
        problem.hint("give it more time with `--timeout SECONDS`")
    } else {
        problem.hint("does it run, and does `--ca` name who signed its certificate?")
    })
}

fn client(remote: &Remote, timeout: Duration) -> anyhow::Result<Client> {
    // Fails only when there is one already, which then serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut builder = Client::builder()
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("portreeve/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &remote.ca {
        let certificates = Certificate::from_pem_bundle(&read(path)?)
            .with_context(|| format!("`{}` holds no certificate", path.display()))?;
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(path) = &remote.identity {
        let identity = Identity::from_pem(&read(path)?)
            .with_context(|| format!("`{}` holds no certificate with key", path.display()))?;
        builder = builder.identity(identity);
    }
    builder.build().context("cannot prepare the HTTP client")
}

fn credential(remote: &Remote, environment: &dyn Environment) -> anyhow::Result<Credential> {
    let secret = |path: Option<&Path>, variable: &str| match path {
        Some(path) => read_secret(path).map(Some),
        None => Ok(environment.text(variable).map(Secret::new)),
    };
    if let Some(user) = &remote.user {
        let password = secret(remote.password_file.as_deref(), PASSWORD_VARIABLE)?;
        let password = password.ok_or_else(|| {
            Problems::from(
                Problem::nowhere(format!("no password for user `{user}`")).hint(format!(
                    "give `--password-file PATH` or set `{PASSWORD_VARIABLE}`"
                )),
            )
        })?;
        return Ok(Credential::Basic(user.clone(), password));
    }
    let token = secret(remote.token_file.as_deref(), TOKEN_VARIABLE)?;
    Ok(token.map_or(Credential::None, Credential::Bearer))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}
