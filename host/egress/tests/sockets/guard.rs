//! Where requests may go.

use portreeve_egress::{EgressError, EgressSettings};

use crate::{
    egress, get, send,
    server::{Server, text, with_header},
    settings,
};

#[tokio::test]
async fn a_granted_host_answers() {
    let server = Server::start(|_| text(200, "hello")).await;
    let egress = egress(settings(&server));
    let answer = get(&egress, &server.url("/a/../b?c=d#e")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.body(), "hello");
    let received = &server.received()[0];
    assert_eq!(received.uri.path_and_query().unwrap(), "/b?c=d");
    assert_eq!(received.version, http::Version::HTTP_2);
}

#[tokio::test]
async fn connections_are_kept() {
    let server = Server::start(|_| text(200, "hello")).await;
    let egress = egress(settings(&server));
    for _ in 0..3 {
        get(&egress.clone(), &server.url("/")).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_is_not_granted_is_not_asked() {
    let server = Server::start(|_| text(200, "hello")).await;
    let egress = egress(settings(&server));
    let port = server.origin().rsplit_once(':').unwrap().1.to_owned();
    for url in [
        server.literal("/"),
        format!("http://localhost:{port}/"),
        format!("https://localhost.example:{port}/"),
        "https://localhost/".to_owned(),
    ] {
        let error = get(&egress, &url).await.unwrap_err();
        assert!(
            matches!(error, EgressError::Denied { .. }),
            "{url}: {error}"
        );
    }
    let error = get(
        &egress,
        &format!("https://localhost:{port}@h.example/?secret"),
    )
    .await;
    assert!(matches!(error, Err(EgressError::InvalidRequest(_))));
    assert_eq!(server.connections(), 0);

    let error = get(&egress, "https://other.example/path?token=x")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`https://other.example` is not granted; if connector `test` needs it, add \
         `https://other.example` to its granted hosts"
    );
}

#[tokio::test]
async fn a_granted_name_does_not_open_a_private_address() {
    let server = Server::start(|_| text(200, "hello")).await;
    let egress = egress(EgressSettings {
        private_networks: Vec::new(),
        ..settings(&server)
    });
    let error = get(&egress, &server.url("/path?query")).await.unwrap_err();
    let EgressError::AddressRefused { host, address } = &error else {
        panic!("{error}")
    };
    assert_eq!(host, "localhost");
    assert!(address.is_loopback());
    assert!(!error.to_string().contains("query"));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_granted_literal_does_not_open_a_private_address() {
    let server = Server::start(|_| text(200, "hello")).await;
    let granted = EgressSettings {
        allow: vec![server.literal("/").parse().unwrap()],
        ..settings(&server)
    };
    let refusing = egress(EgressSettings {
        private_networks: Vec::new(),
        ..granted.clone()
    });
    let error = get(&refusing, &server.literal("/")).await.unwrap_err();
    assert!(
        matches!(error, EgressError::AddressRefused { .. }),
        "{error}"
    );
    assert_eq!(server.connections(), 0);
    assert_eq!(
        get(&egress(granted), &server.literal("/"))
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn redirects_are_answers() {
    let target = Server::start(|_| text(200, "hello")).await;
    let location = target.url("/");
    let server = Server::start(move |_| with_header(text(302, ""), "location", &location)).await;
    let both = EgressSettings {
        allow: vec![
            server.origin().parse().unwrap(),
            target.origin().parse().unwrap(),
        ],
        roots: vec![server.root(), target.root()],
        ..settings(&server)
    };
    let answer = get(&egress(both), &server.url("/")).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], target.url("/"));
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn connection_headers_of_a_guest_do_not_leave() {
    let server = Server::start_plain(|_| text(200, "hello")).await;
    let egress = egress(settings(&server));
    let forged = [
        ("Host", "evil.example"),
        ("Host", "worse.example"),
        ("Content-Length", "1000"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "upgrade"),
        ("Upgrade", "h2c"),
        ("Proxy-Authorization", "Basic eA=="),
        ("Accept-Encoding", "gzip"),
        ("X-Own", "kept"),
        ("Authorization", "Bearer own"),
        ("User-Agent", "guest/1"),
    ];
    send(&egress, &server.url("/"), &forged).await.unwrap();
    let received = &server.received()[0];
    assert_eq!(received.headers.get_all("host").iter().count(), 1);
    assert_eq!(
        format!("http://{}", received.header("host").unwrap()),
        server.origin()
    );
    for name in [
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "proxy-authorization",
    ] {
        assert_eq!(received.header(name), None, "{name}");
    }
    assert_eq!(received.header("accept-encoding"), Some("identity"));
    assert_eq!(received.header("x-own"), Some("kept"));
    assert_eq!(received.header("authorization"), Some("Bearer own"));
    assert_eq!(received.header("user-agent"), Some("guest/1"));
}

#[tokio::test]
async fn a_body_arrives_whole() {
    let server = Server::start(|request| text(200, format!("got {}", request.body))).await;
    let egress = egress(settings(&server));
    let headers = [("content-type", b"text/plain".as_slice())];
    let request =
        portreeve_egress::request("PUT", &server.url("/"), headers, "a body".into()).unwrap();
    let answer = egress
        .send(request, tokio::time::Instant::now() + crate::PATIENCE)
        .await
        .unwrap();
    assert_eq!(answer.body(), "got a body");
    assert_eq!(server.received()[0].method, "PUT");
}
