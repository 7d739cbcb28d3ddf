//! What `PacketFence` does to find out whether a device may connect: its
//! provisioners `kandji`, `jamf`, `jamfCloud` and `generic_http`, with what each
//! makes of an answer (`lib/pf/provisioner/*.pm`).

use std::time::Duration;

use anyhow::Context as _;
use portreeve_harness::Stand;
use reqwest::{Certificate, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// What a provisioner says of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authorized {
    Yes,
    No,
    /// No word about the device: nothing is enforced.
    CommunicationFailed,
}

/// A `PacketFence` whose forms name the gateway.
#[derive(Debug)]
pub(crate) struct PacketFence {
    http: reqwest::Client,
    origin: String,
}

impl PacketFence {
    pub(crate) fn new(stand: &Stand) -> anyhow::Result<Self> {
        let ca = Certificate::from_pem(stand.authority.pem().as_bytes())?;
        let http = reqwest::Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .timeout(Duration::from_secs(30));
        Ok(Self {
            http: http.build().context("the HTTP client")?,
            origin: stand.gateway.origin().to_owned(),
        })
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.origin))
    }

    /// Everything but 200 is a failure of communication.
    pub(crate) async fn kandji(&self, token: &str, mac: &str) -> anyhow::Result<Authorized> {
        let request = self.get(&format!("/api/v1/devices/?mac_address={mac}"));
        let response = request.bearer_auth(token).send().await?;
        if response.status() != StatusCode::OK {
            return Ok(Authorized::CommunicationFailed);
        }
        let list: Vec<Value> = response.json().await?;
        let [device] = list.as_slice() else {
            return Ok(Authorized::No);
        };
        let is = |name: &str| device.get(name).is_some_and(|value| value == true);
        let active = is("agent_installed") && !is("is_missing") && !is("is_removed");
        Ok(of(active))
    }

    /// Computers first, then mobile devices; everything but success is "no".
    pub(crate) async fn jamf(&self, credential: Jamf<'_>, mac: &str) -> anyhow::Result<Authorized> {
        for (inventory, managed) in [
            ("computers", "/computer/general/remote_management/managed"),
            ("mobiledevices", "/mobile_device/general/managed"),
        ] {
            let mac = mac.replace(':', "%3A");
            let request = self.get(&format!("/JSSResource/{inventory}/macaddress/{mac}"));
            let request = request.header("accept", "application/json");
            let request = match credential {
                Jamf::Basic(user, password) => request.basic_auth(user, Some(password)),
                Jamf::Token(token) => request.bearer_auth(token),
            };
            let response = request.send().await?;
            if response.status().is_success() {
                let document: Value = response.json().await?;
                let managed = document
                    .pointer(managed)
                    .context("the member it looks at")?;
                return Ok(of(managed == true));
            }
        }
        Ok(Authorized::No)
    }

    /// What `jamfCloud` gets first, and how many seconds it keeps it.
    pub(crate) async fn jamf_token(
        &self,
        user: &str,
        password: &str,
    ) -> anyhow::Result<(String, u64)> {
        let url = format!("{}/api/v1/auth/token", self.origin);
        let request = self.http.post(url).basic_auth(user, Some(password));
        let granted: Value = request.send().await?.error_for_status()?.json().await?;
        let token = granted
            .get("token")
            .and_then(Value::as_str)
            .context("a token")?;
        let seconds = granted
            .get("expires_in")
            .and_then(Value::as_u64)
            .context("its time")?;
        Ok((token.to_owned(), seconds))
    }

    /// Set up as `docs/packetfence.md` says: everything but success is a failure
    /// of communication.
    pub(crate) async fn generic_http(&self, key: &str, mac: &str) -> anyhow::Result<Authorized> {
        let url = format!("{}/v1/decisions", self.origin);
        let body = json!({ "identifiers": [mac] });
        let response = self
            .http
            .post(url)
            .bearer_auth(key)
            .json(&body)
            .send()
            .await?;
        if !response.status().is_success() {
            return Ok(Authorized::CommunicationFailed);
        }
        let document: Value = response.json().await?;
        Ok(of(document
            .get("verdict")
            .is_some_and(|verdict| verdict == "permit")))
    }
}

/// How Jamf is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Jamf<'a> {
    Basic(&'a str, &'a str),
    Token(&'a str),
}

const fn of(yes: bool) -> Authorized {
    if yes { Authorized::Yes } else { Authorized::No }
}
