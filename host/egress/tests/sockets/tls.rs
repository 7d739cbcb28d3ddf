//! Certificates that are not accepted, and what an administrator is told.

use portreeve_egress::{EgressError, EgressSettings, TlsFailure};
use sha2::{Digest, Sha256};

use crate::{
    egress, get,
    server::{Identity, Server, text},
    settings,
};

async fn failure(server: &Server, settings: EgressSettings) -> TlsFailure {
    let error = get(&egress(settings), &server.url("/?secret"))
        .await
        .unwrap_err();
    assert!(
        server.received().is_empty(),
        "nothing is sent without trust"
    );
    let EgressError::Tls(failure) = error else {
        panic!("{error}")
    };
    assert!(!failure.to_string().contains("secret"));
    *failure
}

#[tokio::test]
async fn an_unknown_root_is_named() {
    let server = Server::start(|_| text(200, "hello")).await;
    let failure = failure(
        &server,
        EgressSettings {
            roots: Vec::new(),
            ..settings(&server)
        },
    )
    .await;
    assert_eq!(failure.host, "localhost");
    assert_eq!(
        failure.reason,
        "its chain does not end at a trusted root certificate"
    );
    assert_eq!(
        failure.missing_issuer.as_deref(),
        Some("CN=throw-away root")
    );
    let presented = &failure.presented[0];
    assert_eq!(presented.subject, "CN=throw-away server");
    assert_eq!(presented.issuer, "CN=throw-away root");
    assert_eq!(presented.sha256.len(), 64);
    assert!(presented.not_before.unwrap() < presented.not_after.unwrap());
    assert_ne!(
        presented.sha256,
        hex::encode_upper(Sha256::digest(server.root()))
    );
    let text = failure.to_string();
    assert!(
        text.starts_with(
            "certificate of `localhost` not accepted: its chain does not end at a trusted root \
             certificate; missing among the trusted roots: `CN=throw-away root`; presented: [1] \
             subject `CN=throw-away server`, issuer `CN=throw-away root`, SHA-256 "
        ),
        "{text}"
    );
}

#[tokio::test]
async fn another_name_is_told() {
    let names = vec!["other.example".to_owned()];
    let server = Server::start_as(Identity {
        names,
        expired: false,
    })
    .await;
    let failure = failure(&server, settings(&server)).await;
    assert_eq!(failure.reason, "the certificate is for another name");
    assert_eq!(failure.missing_issuer, None);
    assert_eq!(failure.presented.len(), 1);
}

#[tokio::test]
async fn an_expired_certificate_is_told() {
    let server = Server::start_as(Identity {
        expired: true,
        ..Identity::default()
    })
    .await;
    let failure = failure(&server, settings(&server)).await;
    assert_eq!(
        failure.reason,
        "a certificate of the chain has expired (or the clock here is wrong)"
    );
    assert_eq!(failure.presented[0].not_after.unwrap().year(), 2021);
}

#[tokio::test]
async fn a_server_without_tls_is_told() {
    let server = Server::start_plain(|_| text(200, "hello")).await;
    let url = server.url("/").replace("http://", "https://");
    let allow = vec![url.parse().unwrap()];
    let egress = egress(EgressSettings {
        allow,
        ..settings(&server)
    });
    let error = get(&egress, &url).await.unwrap_err();
    let EgressError::Tls(failure) = &error else {
        panic!("{error}")
    };
    assert!(failure.presented.is_empty());
    assert!(
        error.to_string().starts_with("no TLS with `localhost`: "),
        "{error}"
    );
}
