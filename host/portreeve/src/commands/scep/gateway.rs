//! The gateway that is asked.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::super::lookup::Asked;
use super::request::Request;
use crate::cli::ScepGateway;
use crate::config::{Environment, Problem, Problems};

const URL_VARIABLE: &str = "PORTREEVE_URL";
const CA_VARIABLE: &str = "PORTREEVE_CA";
const TOKEN_FILE_VARIABLE: &str = "PORTREEVE_TOKEN_FILE";

/// What a gateway says about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A certificate may be issued, or a notification is taken.
    Yes,
    /// The management system refused, with its code.
    Refused(String),
    /// The request is for another management system.
    Elsewhere(String),
    /// Anything else.
    Failed(String),
}

/// A gateway, and which of its connectors is meant.
pub(super) struct Gateway {
    asked: Asked,
    connector: Option<String>,
}

impl Gateway {
    pub(super) fn new(
        arguments: &ScepGateway,
        environment: &dyn Environment,
    ) -> anyhow::Result<Self> {
        let mut remote = arguments.remote();
        let path = |variable| environment.get(variable).map(PathBuf::from);
        remote.ca = remote.ca.or_else(|| path(CA_VARIABLE));
        remote.token_file = remote.token_file.or_else(|| path(TOKEN_FILE_VARIABLE));
        let url = match &remote.url {
            Some(url) => url.clone(),
            None => named(environment)?,
        };
        let timeout = Duration::from_secs(arguments.timeout);
        Ok(Self {
            asked: Asked::new(&url, &remote, timeout, environment)?,
            connector: arguments.connector.clone(),
        })
    }

    /// Whether a certificate may be issued.
    pub(super) async fn validate(&self, request: &Request) -> Said {
        let said = self.ask("/v1/scep/validate", request, json!({})).await;
        match said {
            // An approval says so in words, too.
            Ok((StatusCode::OK, body)) if body.get("approved") == Some(&Value::Bool(true)) => {
                Said::Yes
            }
            Ok((StatusCode::OK, _)) => Said::Failed("the gateway approved nothing".to_owned()),
            other => read(other),
        }
    }

    /// Tells what became of a request; `more` is what the path wants beside it.
    pub(super) async fn notify(&self, path: &str, request: &Request, more: Value) -> Said {
        match self.ask(path, request, more).await {
            Ok((StatusCode::OK, _)) => Said::Yes,
            other => read(other),
        }
    }

    async fn ask(
        &self,
        path: &str,
        request: &Request,
        more: Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut body = json!({
            "transaction_id": request.transaction_id(),
            "csr": request.base64(),
        });
        if let (Some(members), Value::Object(more)) = (body.as_object_mut(), more) {
            members.extend(more);
            if let Some(connector) = &self.connector {
                members.insert("connector".to_owned(), connector.as_str().into());
            }
        }
        self.asked.post(path, &body).await
    }
}

fn read(answered: anyhow::Result<(StatusCode, Value)>) -> Said {
    let (status, body) = match answered {
        Ok(answered) => answered,
        Err(error) => return Said::Failed(describe(&error)),
    };
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let detail = match text("detail") {
        Some(detail) => detail.to_owned(),
        None => format!("the gateway answered {status}"),
    };
    match text("type") {
        Some("urn:portreeve:problem:refused") => Said::Refused(detail),
        Some("urn:portreeve:problem:elsewhere") => Said::Elsewhere(detail),
        _ => Said::Failed(detail),
    }
}

fn describe(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Problems>() {
        Some(Problems(problems)) => {
            let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
            texts.join("; ")
        }
        None => format!("{error:#}"),
    }
}

fn named(environment: &dyn Environment) -> anyhow::Result<Url> {
    let Some(text) = environment.text(URL_VARIABLE) else {
        let problem = Problem::nowhere("no gateway is named");
        let hint = format!("give `--url https://HOST:PORT` or set `{URL_VARIABLE}`");
        return Err(Problems::from(problem.hint(hint)).into());
    };
    text.parse().map_err(|error| {
        let message = format!("`{URL_VARIABLE}`: `{text}` is no address: {error}");
        Problems::from(Problem::nowhere(message).hint("write `https://HOST:PORT`")).into()
    })
}
