//! The list of devices that are not compliant.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use portreeve_harness::Stand;
use portreeve_tenant::device::generated_mac;
use portreeve_tenant::well_known::{COMPLIANT, IN_GRACE, JAILBROKEN, NON_COMPLIANT};
use reqwest::{Certificate, Response};
use serde_json::Value;

use crate::product::{CLIENT_ID, Product, SECRET};

/// A product that polls.
struct Poller {
    http: reqwest::Client,
    origin: String,
    token: String,
}

impl Poller {
    async fn new(stand: &Stand) -> anyhow::Result<Self> {
        let ca = Certificate::from_pem(stand.authority.pem().as_bytes())?;
        let http = reqwest::Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()?;
        let origin = stand.gateway.origin().to_owned();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT_ID),
            ("client_secret", SECRET),
            ("resource", "https://api.manage.microsoft.com/"),
        ];
        let url = format!("{origin}/intune/t1/oauth2/token");
        let granted: Value = http.post(url).form(&form).send().await?.json().await?;
        let token = granted.get("access_token").and_then(Value::as_str);
        let token = token.with_context(|| granted.to_string())?.to_owned();
        Ok(Self {
            http,
            origin,
            token,
        })
    }

    async fn list(&self, listed_by: &str) -> anyhow::Result<Response> {
        let url = format!(
            "{}/intune/ComplianceRetrievalService/cisco/devices/?paging=0&querycriteria=compliance\
             &value=false&deviceidentifier={listed_by}&filter=all",
            self.origin
        );
        Ok(self.http.get(url).bearer_auth(&self.token).send().await?)
    }
}

/// The texts of all elements with this name.
fn texts<'a>(xml: &'a str, name: &str) -> BTreeSet<&'a str> {
    let start = format!("<device><{name}>");
    let parts = xml.split(&*start).skip(1);
    parts
        .filter_map(|part| Some(part.split_once('<')?.0))
        .collect()
}

#[tokio::test]
async fn the_list_is_what_single_questions_say() -> anyhow::Result<()> {
    let product = Product::new()?;
    let builder = Stand::builder().devices(1_000).inventory("").store();
    let stand = product.stand_of(builder).await?;
    let sync = ["connector", "sync", "contoso", "--full", "--json"];
    let output = stand.program(&sync).await?;
    ensure!(output.code == Some(0), "{output:?}");
    let poller = Poller::new(&stand).await?;
    let response = poller.list("macaddress").await?;
    let status = response.status();
    let xml = response.text().await?;
    ensure!(
        status == 200 && xml.ends_with("</deviceList></ise_api>"),
        "{xml}"
    );
    ensure!(!xml.contains("<status>true</status>"), "{xml}");
    let listed = texts(&xml, "macaddress");
    for (known, expected) in [
        (COMPLIANT, false),
        (IN_GRACE, false),
        (NON_COMPLIANT, true),
        (JAILBROKEN, true),
    ] {
        let mac = known.mac.to_string();
        ensure!(
            listed.contains(&*mac) == expected,
            "{}: {listed:?}",
            known.name
        );
    }
    for index in 0..40 {
        let mac = generated_mac(index);
        let told = stand.client.ask(mac.separated(':')).await?;
        let expected = told.verdict != "permit";
        ensure!(
            listed.contains(&*mac.to_string()) == expected,
            "{mac}: {told:?}"
        );
    }
    let by_guid = poller.list("guid").await?.text().await?;
    let guids = texts(&by_guid, "guid");
    ensure!(
        guids.contains(&*NON_COMPLIANT.guid.to_string()),
        "{by_guid}"
    );
    ensure!(
        guids.len() > 50 && guids.len() <= listed.len(),
        "{} {}",
        guids.len(),
        listed.len()
    );
    stand.gateway.stop().await
}

#[tokio::test]
async fn there_is_no_list_without_a_whole_picture() -> anyhow::Result<()> {
    let product = Product::new()?;
    let stand = product.stand().await?;
    let poller = Poller::new(&stand).await?;
    let response = poller.list("guid").await?;
    ensure!(response.status() == 503 && response.headers().contains_key("retry-after"));
    let problem: Value = response.json().await?;
    let detail = problem
        .get("detail")
        .and_then(Value::as_str)
        .unwrap_or_default();
    ensure!(detail.contains("contoso"), "{problem:#}");
    stand.gateway.stop().await
}
