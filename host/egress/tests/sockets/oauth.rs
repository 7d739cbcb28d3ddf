//! Tokens: fetched once, renewed when refused, and never shown.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use portreeve_egress::{
    AssertionAlgorithm, ClientCertificate, CredentialError, CredentialKind, CredentialStatus,
    Egress, EgressError, EgressSettings, Secret, TokenErrorKind,
};
use tokio::time::Instant;

use crate::{
    PATIENCE, credential, egress, get, send,
    server::{Answer, Received, Server, text, with_header},
    settings,
};

const V1: &str = "/tenant/oauth2/token";
const V2: &str = "/tenant/oauth2/v2.0/token";

/// Hands out `token-1`, `token-2` and so on.
async fn login() -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |_| {
        token(&format!(
            "token-{}",
            count.fetch_add(1, Ordering::SeqCst) + 1
        ))
    })
    .await
}

fn token(value: &str) -> Answer {
    text(
        200,
        format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{value}"}}"#),
    )
}

/// Accepts the tokens that `accepted` accepts.
async fn resource(accepted: impl Fn(&str) -> bool + Send + Sync + 'static) -> Server {
    Server::start(move |request| match request.header("authorization") {
        Some(sent) if accepted(sent) => text(200, format!("welcome {sent}")),
        _ => text(401, "who are you"),
    })
    .await
}

fn with_secret(login: &Server, path: &str) -> CredentialKind {
    CredentialKind::Oauth2ClientSecret {
        token_url: login.url(path),
        client_id: "client".to_owned(),
        secret: Secret::new("s3cret/+&"),
        scope: "https://api.manage.microsoft.com//.default".to_owned(),
    }
}

/// May reach the resource, with a token from the login host.
fn client(resource: &Server, login: &Server, kind: CredentialKind) -> Egress {
    egress(EgressSettings {
        roots: vec![resource.root(), login.root()],
        credentials: vec![credential("intune", &resource.url("/"), kind)],
        ..settings(resource)
    })
}

fn form(request: &Received) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request.body.as_bytes())
        .into_owned()
        .collect()
}

#[tokio::test]
async fn one_token_serves_a_hundred() {
    let (login, resource) = (
        login().await,
        resource(|sent| sent == "Bearer token-1").await,
    );
    let egress = egress(EgressSettings {
        max_concurrent: 100,
        roots: vec![resource.root(), login.root()],
        credentials: vec![credential(
            "intune",
            &resource.url("/"),
            with_secret(&login, V2),
        )],
        ..settings(&resource)
    });
    let url = resource.url("/");
    let answers = join_all((0..100).map(|_| get(&egress, &url))).await;
    for answer in answers {
        assert_eq!(answer.unwrap().body(), "welcome Bearer [redacted]");
    }
    assert_eq!(login.received().len(), 1);
    let request = &login.received()[0];
    assert_eq!(request.method, "POST");
    assert_eq!(request.uri.path(), V2);
    assert_eq!(
        request.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", "client"),
        ("client_secret", "s3cret/+&"),
        ("scope", "https://api.manage.microsoft.com//.default"),
    ];
    assert_eq!(
        form(request),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[tokio::test]
async fn version_one_names_a_resource() {
    let (login, resource) = (login().await, resource(|_| true).await);
    let egress = client(&resource, &login, with_secret(&login, V1));
    get(&egress, &resource.url("/")).await.unwrap();
    let form = form(&login.received()[0]);
    let last = form.last().unwrap();
    assert_eq!(
        (last.0.as_str(), last.1.as_str()),
        ("resource", "https://api.manage.microsoft.com/")
    );
    assert!(!form.iter().any(|(name, _)| name == "scope"));
}

#[tokio::test]
async fn a_certificate_signs_instead_of_a_secret() {
    let (login, resource) = (login().await, resource(|_| true).await);
    let certificate = ClientCertificate::from_pfx(
        include_bytes!("../certificates/modern.pfx"),
        Some(&Secret::new("secret")),
    )
    .unwrap();
    let kind = CredentialKind::Oauth2ClientCertificate {
        token_url: login.url(V2),
        client_id: "client".to_owned(),
        certificate: certificate.clone(),
        scope: "https://graph.microsoft.com/.default".to_owned(),
        algorithm: AssertionAlgorithm::Ps256,
    };
    let egress = client(&resource, &login, kind);
    get(&egress, &resource.url("/")).await.unwrap();
    let form = form(&login.received()[0]);
    let field = |wanted: &str| {
        form.iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
            .unwrap()
    };
    assert_eq!(
        field("client_assertion_type"),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(field("client_assertion").split('.').count(), 3);
    assert!(!form.iter().any(|(name, _)| name == "client_secret"));
    let detail = egress.credential_status("intune").detail.unwrap();
    assert!(detail.contains(&certificate.sha1_thumbprint()), "{detail}");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let (login, resource) = (
        login().await,
        resource(|sent| sent != "Bearer token-1").await,
    );
    let egress = client(&resource, &login, with_secret(&login, V2));
    // The very first token is fresh: another one would not be better.
    assert_eq!(
        get(&egress, &resource.url("/")).await.unwrap().status(),
        401
    );
    assert_eq!(login.received().len(), 1);
    // From the cache it may just be outdated.
    assert_eq!(
        get(&egress, &resource.url("/")).await.unwrap().status(),
        200
    );
    assert_eq!(login.received().len(), 2);
    let sent: Vec<_> = resource
        .received()
        .iter()
        .map(|request| request.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(sent, ["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
}

#[tokio::test]
async fn a_missing_permission_does_not_become_a_request_loop() {
    let (login, resource) = (login().await, resource(|_| false).await);
    let egress = client(&resource, &login, with_secret(&login, V2));
    for _ in 0..10 {
        assert_eq!(
            get(&egress, &resource.url("/")).await.unwrap().status(),
            401
        );
    }
    assert_eq!(login.received().len(), 2);
    assert_eq!(resource.received().len(), 11);
}

#[tokio::test]
async fn a_refusal_comes_with_advice_and_is_remembered() {
    let login = Server::start(|_| {
        text(
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret s3cret/+& provided.","error_codes":[7000215],"correlation_id":"c-1"}"#,
        )
    })
    .await;
    let resource = resource(|_| true).await;
    let egress = client(&resource, &login, with_secret(&login, V2));
    for _ in 0..5 {
        let error = get(&egress, &resource.url("/")).await.unwrap_err();
        let EgressError::Credential(CredentialError::Refused { slot, error }) = &error else {
            panic!("{error}")
        };
        assert_eq!(slot, "intune");
        assert_eq!(error.code.as_deref(), Some("AADSTS7000215"));
        assert_eq!(error.correlation_id.as_deref(), Some("c-1"));
        assert!(
            error
                .advice
                .contains("the secret's ID was entered instead of its value")
        );
        assert!(!format!("{error:?} {error}").contains("s3cret"));
    }
    assert_eq!(login.received().len(), 1);
    assert_eq!(
        resource.connections(),
        0,
        "nothing is sent without the credential"
    );
    let info = egress.credential_status("intune");
    assert_eq!(info.status, CredentialStatus::Failing);
    assert!(info.detail.unwrap().contains("AADSTS7000215"));
}

#[tokio::test]
async fn a_busy_provider_is_left_alone_as_long_as_it_asks() {
    let login = Server::start(|_| with_header(text(429, ""), "retry-after", "120")).await;
    let resource = resource(|_| true).await;
    let egress = client(&resource, &login, with_secret(&login, V2));
    get(&egress, &resource.url("/")).await.unwrap_err();
    let error = get(&egress, &resource.url("/")).await.unwrap_err();
    let EgressError::Credential(error @ CredentialError::Unavailable { .. }) = error else {
        panic!("{error}")
    };
    assert!(error.retry_after().unwrap().as_secs() > 100);
    assert_eq!(login.received().len(), 1);
}

#[tokio::test]
async fn the_token_host_belongs_to_the_host() {
    let (login, resource) = (login().await, resource(|_| true).await);
    let egress = client(&resource, &login, with_secret(&login, V2));
    let error = get(&egress, &login.url(V2)).await.unwrap_err();
    assert!(matches!(error, EgressError::Denied { .. }));
    assert_eq!(login.connections(), 0);
}

#[tokio::test]
async fn the_token_host_stands_behind_the_address_guard() {
    let (login, resource) = (login().await, resource(|_| true).await);
    let public: portreeve_egress::UrlScope = "https://public.example/".parse().unwrap();
    let egress = egress(EgressSettings {
        private_networks: Vec::new(),
        roots: vec![login.root()],
        credentials: vec![credential(
            "intune",
            &public.to_string(),
            with_secret(&login, V2),
        )],
        ..settings(&resource)
    });
    let info = egress.renew("intune", Instant::now() + PATIENCE).await;
    assert_eq!(info.status, CredentialStatus::Failing);
    assert!(info.detail.unwrap().contains("leads to a private address"));
    assert_eq!(login.connections(), 0);
}

#[tokio::test]
async fn a_token_request_is_not_redirected() {
    let thief = login().await;
    let location = thief.url(V2);
    let login = Server::start(move |_| with_header(text(307, ""), "location", &location)).await;
    let resource = resource(|_| true).await;
    let egress = egress(EgressSettings {
        roots: vec![resource.root(), login.root(), thief.root()],
        credentials: vec![credential(
            "intune",
            &resource.url("/"),
            with_secret(&login, V2),
        )],
        ..settings(&resource)
    });
    let error = get(&egress, &resource.url("/")).await.unwrap_err();
    assert!(error.to_string().contains("check the token URL"), "{error}");
    assert_eq!(thief.connections(), 0);
}

#[tokio::test]
async fn a_token_host_without_trust_is_told_apart() {
    let (login, resource) = (login().await, resource(|_| true).await);
    let egress = egress(EgressSettings {
        roots: vec![resource.root()],
        credentials: vec![credential(
            "intune",
            &resource.url("/"),
            with_secret(&login, V2),
        )],
        ..settings(&resource)
    });
    let error = get(&egress, &resource.url("/")).await.unwrap_err();
    let EgressError::Credential(CredentialError::Unavailable { error, .. }) = &error else {
        panic!("{error}")
    };
    assert_eq!(error.kind, TokenErrorKind::Unavailable);
    let Some(EgressError::Tls(failure)) = error.transport.as_deref() else {
        panic!("{error}")
    };
    assert_eq!(failure.presented[0].subject, "CN=throw-away server");
}

#[tokio::test]
async fn answers_that_are_no_token() {
    let resource = resource(|_| true).await;
    for (status, body, expected) in [
        (200, "<html>", "has no `access_token`"),
        (
            200,
            r#"{"token_type":"mac","access_token":"x"}"#,
            "not a bearer token",
        ),
        (404, "<html>", "is not that of a token endpoint"),
        (503, "<html>", "answered 503"),
        (
            400,
            r#"{"error":"unknown_word"}"#,
            "did not accept the request",
        ),
    ] {
        let login = Server::start(move |_| text(status, body)).await;
        let egress = client(&resource, &login, with_secret(&login, V2));
        let error = get(&egress, &resource.url("/"))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(resource.connections(), 0);
}

#[tokio::test]
async fn a_guests_own_authorization_is_dropped() {
    let (login, resource) = (login().await, resource(|_| true).await);
    let egress = client(&resource, &login, with_secret(&login, V2));
    let own = [
        ("authorization", "Bearer own"),
        ("Authorization", "Basic own"),
    ];
    send(&egress, &resource.url("/"), &own).await.unwrap();
    let received = &resource.received()[0];
    let sent: Vec<_> = received.headers.get_all("authorization").iter().collect();
    assert_eq!(sent, ["Bearer token-1"]);
}

#[tokio::test]
async fn renewal_reports_roles() {
    // {"roles":["get_device_compliance"]}
    let login = Server::start(|_| {
        token("eyJhbGciOiJub25lIn0.eyJyb2xlcyI6WyJnZXRfZGV2aWNlX2NvbXBsaWFuY2UiXX0.x")
    })
    .await;
    let resource = resource(|_| true).await;
    let egress = client(&resource, &login, with_secret(&login, V2));
    assert_eq!(
        egress.credential_status("intune").status,
        CredentialStatus::Idle
    );
    let info = egress.renew("intune", Instant::now() + PATIENCE).await;
    assert_eq!(info.status, CredentialStatus::Ready);
    assert_eq!(info.roles, ["get_device_compliance"]);
    assert!(
        info.detail
            .unwrap()
            .starts_with("token at hand for another ")
    );
    assert_eq!(info.scopes, [resource.url("/")]);
    let missing = egress.renew("other", Instant::now() + PATIENCE).await;
    assert_eq!(missing.status, CredentialStatus::Missing);
}

#[tokio::test]
async fn a_deadline_covers_the_token_too() {
    let login = Server::start_slow(|_| Box::pin(std::future::pending())).await;
    let resource = resource(|_| true).await;
    let egress = Arc::new(client(&resource, &login, with_secret(&login, V2)));
    let request =
        portreeve_egress::request("GET", &resource.url("/"), [], bytes::Bytes::new()).unwrap();
    let deadline = Instant::now() + std::time::Duration::from_millis(300);
    assert_eq!(
        egress.send(request, deadline).await.unwrap_err(),
        EgressError::Timeout
    );
    assert_eq!(resource.connections(), 0);
}
