//! The answer that the servers beside the gateway repeat.

use std::path::Path;

use anyhow::{Context as _, ensure};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use serde::{Deserialize, Serialize};

use crate::generator::Received;

/// Body and headers of a real hit, so that all servers send the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Constant {
    pub(crate) body: String,
    /// Without those that every server makes itself.
    pub(crate) headers: Vec<(String, String)>,
}

impl Constant {
    pub(crate) fn of(received: &Received) -> anyhow::Result<Self> {
        let own = [CONNECTION, CONTENT_LENGTH, DATE];
        let headers = received
            .headers
            .iter()
            .filter(|(name, _)| !own.contains(name));
        let headers = headers.map(|(name, value)| {
            let value = value.to_str().context("a header that is no text")?;
            Ok((name.to_string(), value.to_owned()))
        });
        Ok(Self {
            body: String::from_utf8(received.body.to_vec()).context("a body that is no text")?,
            headers: headers.collect::<anyhow::Result<_>>()?,
        })
    }

    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(file, serde_json::to_vec(self)?)?)
    }

    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(file)?)?)
    }

    /// Whether another server's answer is the same.
    pub(crate) fn expect_same(&self, server: &str, received: &Received) -> anyhow::Result<()> {
        ensure!(
            received.status == 200 && received.body == self.body.as_bytes(),
            "`{server}` answers something else: {} {:?}",
            received.status,
            received.body
        );
        for (name, value) in &self.headers {
            let found = received.headers.get(name).map(http::HeaderValue::as_bytes);
            ensure!(
                found == Some(value.as_bytes()),
                "`{server}` answers another `{name}`: {found:?}"
            );
        }
        Ok(())
    }
}
