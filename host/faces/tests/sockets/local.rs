//! The socket in the file system.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use portreeve_faces::{BindError, FaceSettings, IseSettings, Limits, ListenerSettings};
use reqwest::Client;

use crate::stand::*;

fn local(path: &Path) -> FaceSettings {
    FaceSettings {
        listeners: vec![ListenerSettings::Local {
            path: path.to_owned(),
        }],
        clients: Vec::new(),
        limits: Limits::default(),
        inventory: None,
        ise: IseSettings::default(),
        pxgrid: None,
    }
}

fn through(path: &Path) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .unix_socket(path.to_owned())
        .build()
        .unwrap()
}

#[tokio::test]
async fn it_is_its_users_own_and_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let server = bind(local(&path)).await.unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert!(server.local_addresses().is_empty());
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn what_a_crash_left_is_replaced_and_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    // Nobody removes it when the process is killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let stand = Stand::kept_in(folder.path()).await;
    let client = through(&path);
    let connectors = "http://localhost/v1/admin/connectors";
    let response = client.get(connectors).send().await.unwrap();
    assert_eq!(response.status(), 200);

    match bind(local(&path)).await {
        Err(BindError::Local {
            path: refused,
            source,
        }) => {
            assert_eq!(refused, path);
            assert_eq!(source.kind(), ErrorKind::AddrInUse);
        }
        other => panic!("{other:?}"),
    }
    // The one that was there still serves, and takes its socket along.
    let response = client.get(connectors).send().await.unwrap();
    assert_eq!(response.status(), 200);
    stand.stopped().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_place_that_cannot_be_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path().join("missing/control.sock"),
        // Longer than the system takes.
        folder.path().join("x".repeat(200)),
    ] {
        let refused = bind(local(&path)).await;
        assert!(
            matches!(refused, Err(BindError::Local { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn whoever_opens_it_is_an_operator_and_no_asker() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    let client = through(&folder.path().join("control.sock"));
    for (path, credential, status) in [
        ("/v1/admin/connectors", None, 200),
        ("/metrics", None, 200),
        ("/healthz", None, 200),
        // Decisions are for clients that are configured.
        ("/v1/devices/00:50:56:00:00:01", None, 403),
        // A header counts more than the socket.
        ("/v1/devices/00:50:56:00:00:01", Some(SCRIPT), 200),
        ("/v1/admin/connectors", Some(SCRIPT), 403),
        ("/v1/admin/connectors", Some("Bearer wrong"), 401),
    ] {
        let mut request = client.get(format!("http://localhost{path}"));
        if let Some(credential) = credential {
            request = request.header("authorization", credential);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{path} {credential:?}");
    }
    stand.stopped().await;
}
