//! Fixed credentials: where they go, and that they do not come back.

use portreeve_egress::{
    CredentialKind, CredentialStatus, EgressSettings, HmacAlgorithm, Secret, SignError,
};

use crate::{
    credential, egress, get, send,
    server::{Server, text, with_header},
    settings,
};

fn bearer(token: &str) -> CredentialKind {
    CredentialKind::Bearer {
        token: Secret::new(token),
    }
}

#[tokio::test]
async fn each_kind_has_its_header() {
    let server = Server::start(|_| text(200, "hello")).await;
    let basic = CredentialKind::Basic {
        user: "u".to_owned(),
        password: Secret::new("pass word"),
    };
    let header = CredentialKind::Header {
        name: "AW-Tenant-Code".to_owned(),
        value: Secret::new("tenant code"),
    };
    let egress = egress(EgressSettings {
        credentials: vec![
            credential("bearer", &server.url("/bearer"), bearer("t0ken")),
            credential("basic", &server.url("/basic"), basic),
            credential("header", &server.url("/header"), header),
        ],
        ..settings(&server)
    });
    let own = [("authorization", "Bearer own"), ("aw-tenant-code", "own")];
    for path in [
        "/bearer/x",
        "/basic",
        "/header",
        "/bearers",
        "/bearer/../x",
        "/bearer/..%2fx",
    ] {
        send(&egress, &server.url(path), &own).await.unwrap();
    }
    let sent: Vec<_> = server
        .received()
        .iter()
        .map(|request| {
            let header = |name| request.header(name).unwrap_or_default().to_owned();
            (header("authorization"), header("aw-tenant-code"))
        })
        .collect();
    let expected = [
        ("Bearer t0ken", "own"),
        ("Basic dTpwYXNzIHdvcmQ=", "own"),
        ("Bearer own", "tenant code"),
        ("Bearer own", "own"),
        ("Bearer own", "own"),
        ("Bearer own", "own"),
    ];
    let expected = expected.map(|(one, two)| (one.to_owned(), two.to_owned()));
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_redirect_takes_no_credential_along() {
    let thief = Server::start(|_| text(200, "thanks")).await;
    let location = thief.url("/");
    let server = Server::start(move |_| with_header(text(307, ""), "location", &location)).await;
    let egress = egress(EgressSettings {
        allow: vec![
            server.origin().parse().unwrap(),
            thief.origin().parse().unwrap(),
        ],
        roots: vec![server.root(), thief.root()],
        credentials: vec![credential("bearer", &server.url("/"), bearer("t0ken"))],
        ..settings(&server)
    });
    assert_eq!(get(&egress, &server.url("/")).await.unwrap().status(), 307);
    assert_eq!(
        server.received()[0].header("authorization"),
        Some("Bearer t0ken")
    );
    // A guest that follows by itself goes without.
    get(&egress, &thief.url("/")).await.unwrap();
    assert_eq!(thief.received()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_secret_that_is_echoed_is_cut_out() {
    let server = Server::start(|request| {
        let sent = request.header("authorization").unwrap().to_owned();
        with_header(
            text(200, format!("you sent {sent}, thanks")),
            "x-echo",
            &sent,
        )
    })
    .await;
    let egress = egress(EgressSettings {
        credentials: vec![credential(
            "bearer",
            &server.url("/"),
            bearer("t0ken-with-length"),
        )],
        ..settings(&server)
    });
    let answer = get(&egress, &server.url("/")).await.unwrap();
    assert_eq!(answer.body(), "you sent Bearer [redacted], thanks");
    assert_eq!(answer.headers()["x-echo"], "Bearer [redacted]");
    assert_eq!(
        answer.headers()["content-length"],
        answer.body().len().to_string()
    );
    assert_eq!(egress.redact("log t0ken-with-length"), "log [redacted]");
    assert!(!format!("{egress:?} {:?}", settings(&server)).contains("t0ken"));
}

#[tokio::test]
async fn an_echoed_password_is_cut_out_in_both_forms() {
    let server = Server::start(|request| {
        text(
            200,
            format!("{} hunter2", request.header("authorization").unwrap()),
        )
    })
    .await;
    let basic = CredentialKind::Basic {
        user: "u".to_owned(),
        password: Secret::new("hunter2"),
    };
    let egress = egress(EgressSettings {
        credentials: vec![credential("basic", &server.url("/"), basic)],
        ..settings(&server)
    });
    let answer = get(&egress, &server.url("/")).await.unwrap();
    assert_eq!(answer.body(), "Basic [redacted] [redacted]");
}

#[tokio::test]
async fn status_and_signing() {
    let server = Server::start(|_| text(200, "")).await;
    let hmac = CredentialKind::Hmac {
        secret: Secret::new("webhook key"),
    };
    let egress = egress(EgressSettings {
        credentials: vec![
            credential("bearer", &server.url("/v1/"), bearer("t0ken")),
            credential("hmac", &server.url("/"), hmac),
        ],
        ..settings(&server)
    });
    let info = egress.credential_status("bearer");
    assert_eq!(info.status, CredentialStatus::Ready);
    assert_eq!(info.scopes, [server.url("/v1")]);
    assert_eq!(
        egress.credential_status("other").status,
        CredentialStatus::Missing
    );

    let tag = egress
        .sign("hmac", HmacAlgorithm::Sha256, b"message")
        .unwrap();
    assert!(
        egress
            .verify("hmac", HmacAlgorithm::Sha256, b"message", &tag)
            .unwrap()
    );
    assert!(
        !egress
            .verify("hmac", HmacAlgorithm::Sha1, b"message", &tag)
            .unwrap()
    );
    let error = egress
        .sign("bearer", HmacAlgorithm::Sha256, b"message")
        .unwrap_err();
    assert_eq!(error, SignError::NoSuchCredential("bearer".to_owned()));
    // A signing key is never sent.
    get(&egress, &server.url("/elsewhere")).await.unwrap();
    assert_eq!(server.received()[0].header("authorization"), None);
}
