//! A client for the tenant that trusts its authority.

use std::time::Duration;

use portreeve_tenant::{Resource, Tenant};
use reqwest::{Certificate, Client, Response, redirect};
use serde_json::Value;

/// A client with a deadline of two seconds that follows no redirects.
pub(crate) fn client(tenant: &Tenant) -> Client {
    // Another test of this process may have done it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .tls_certs_only([Certificate::from_pem(tenant.ca_pem().as_bytes()).unwrap()])
        .timeout(Duration::from_secs(2))
        .redirect(redirect::Policy::none())
        .build()
        .unwrap()
}

/// Asks for a token with the secret.
pub(crate) async fn ask_token(
    client: &Client,
    tenant: &Tenant,
    resource: Resource,
) -> reqwest::Result<Response> {
    client
        .post(tenant.token_url_v2())
        .form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &tenant.client_id().to_string()),
            ("client_secret", tenant.client_secret()),
            ("scope", resource.scope()),
        ])
        .send()
        .await
}

/// The token itself.
pub(crate) async fn token(client: &Client, tenant: &Tenant, resource: Resource) -> String {
    let answer = ask_token(client, tenant, resource).await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}
