//! Through an HTTP proxy: what it is asked, and whose failure it was.

use std::{net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use portreeve_egress::{
    CredentialKind, EgressError, EgressSettings, ProxySettings, Secret, TokenErrorKind,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    credential, egress, get,
    server::{Server, text},
    settings,
};

/// `user:open sesame`
const AUTHORIZATION: &str = "Proxy-Authorization: Basic dXNlcjpvcGVuIHNlc2FtZQ==";

/// Opens tunnels with CONNECT, by what a test says. Runs until dropped.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

/// What it does with those who ask.
#[derive(Clone, Copy)]
enum Manner {
    Open,
    WithPassword,
    Answer(&'static str),
}

impl Proxy {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(tunnel(stream, manner, Arc::clone(&seen)));
            }
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }

    fn settings(&self, password: Option<&str>) -> ProxySettings {
        self.except(password, &[])
    }

    fn except(&self, password: Option<&str>, except: &[&str]) -> ProxySettings {
        let password = password.map(Secret::new);
        let user = password.as_ref().map(|password| ("user", password));
        let except = except.iter().map(|text| text.parse().unwrap());
        // By name, which leads to an address that is not granted to anybody.
        let url = format!("http://localhost:{}", self.address.port());
        ProxySettings::new(&url, user, except.collect()).unwrap()
    }

    /// First lines of what it was asked.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

async fn tunnel(mut stream: TcpStream, manner: Manner, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let first = head.lines().next().unwrap().to_owned();
    let target = first.split(' ').nth(1).unwrap().to_owned();
    asked.lock().push(first);
    let authorized = head
        .lines()
        .any(|line| line.eq_ignore_ascii_case(AUTHORIZATION));
    let answer = match manner {
        Manner::Answer(answer) => answer,
        Manner::WithPassword if !authorized => {
            "HTTP/1.1 407 Proxy Authentication Required\r\n\
             Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
        }
        Manner::Open | Manner::WithPassword => {
            let mut server = TcpStream::connect(target).await.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            // Either side may end it.
            let _ = copy_bidirectional(&mut stream, &mut server).await;
            return;
        }
    };
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn through(server: &Server, proxy: ProxySettings) -> EgressSettings {
    EgressSettings {
        proxy: Some(proxy),
        ..settings(server)
    }
}

/// The reason of a proxy's failure.
fn reason(error: EgressError) -> String {
    match error {
        EgressError::Proxy { proxy, reason, .. } => {
            assert!(proxy.starts_with("localhost:"), "{proxy}");
            reason
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn requests_go_through_the_tunnel() {
    let server = Server::start(|_| text(200, "hello")).await;
    for (manner, password) in [
        (Manner::Open, None),
        (Manner::Open, Some("not asked for")),
        (Manner::WithPassword, Some("open sesame")),
    ] {
        let proxy = Proxy::start(manner).await;
        // Nothing private is granted: the proxy resolves, and its own name needs no grant.
        let egress = egress(EgressSettings {
            private_networks: Vec::new(),
            ..through(&server, proxy.settings(password))
        });
        let answer = get(&egress, &server.url("/a")).await.unwrap();
        assert_eq!(answer.body(), "hello");
        let target = server.origin().replace("https://", "");
        assert_eq!(proxy.asked(), [format!("CONNECT {target} HTTP/1.1")]);
    }
    for received in server.received() {
        assert_eq!(received.header("proxy-authorization"), None);
    }
}

#[tokio::test]
async fn what_is_not_granted_does_not_reach_the_proxy() {
    let server = Server::start(|_| text(200, "hello")).await;
    let proxy = Proxy::start(Manner::Open).await;
    let egress = egress(EgressSettings {
        allow: vec![
            server.literal("").parse().unwrap(),
            server.origin().parse().unwrap(),
        ],
        private_networks: Vec::new(),
        ..through(&server, proxy.settings(None))
    });
    let error = get(&egress, "https://other.example/").await.unwrap_err();
    assert!(matches!(error, EgressError::Denied { .. }), "{error}");
    let error = get(&egress, &server.literal("/")).await.unwrap_err();
    assert!(
        matches!(error, EgressError::AddressRefused { .. }),
        "{error}"
    );
    assert_eq!(proxy.asked(), [""; 0]);
}

#[tokio::test]
async fn exceptions_go_straight() {
    let server = Server::start(|_| text(200, "hello")).await;
    let proxy = Proxy::start(Manner::Answer("HTTP/1.1 502 Bad Gateway\r\n\r\n")).await;
    let settings = through(&server, proxy.except(None, &["localhost"]));
    get(&egress(settings), &server.url("/")).await.unwrap();
    assert_eq!(proxy.asked(), [""; 0]);
}

#[tokio::test]
async fn the_proxy_s_failures_are_told_from_the_server_s() {
    let server = Server::start(|_| text(407, "from the server")).await;
    let proxy = Proxy::start(Manner::WithPassword).await;
    for password in [None, Some("wrong")] {
        let egress = egress(through(&server, proxy.settings(password)));
        let error = get(&egress, &server.url("/")).await.unwrap_err();
        assert!(!error.to_string().contains("wrong"));
        assert!(reason(error).contains("(407)"));
    }
    for (answer, expected) in [
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            "it refused to open a tunnel",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "it refused to open a tunnel",
        ),
        ("", "it is no HTTP proxy, or it broke off"),
    ] {
        let proxy = Proxy::start(Manner::Answer(answer)).await;
        let egress = egress(through(&server, proxy.settings(None)));
        let reason = reason(get(&egress, &server.url("/")).await.unwrap_err());
        assert!(reason.starts_with(expected), "{reason}");
    }
    // Nobody listens there any more.
    let gone = Proxy::start(Manner::Open).await.settings(None);
    let egress_to_nobody = egress(through(&server, gone));
    let reason = reason(get(&egress_to_nobody, &server.url("/")).await.unwrap_err());
    assert!(reason.starts_with("it cannot be reached: "), "{reason}");
    // The server's own 407, and its own certificate.
    let proxy = Proxy::start(Manner::Open).await;
    let open = through(&server, proxy.settings(None));
    let answer = get(&egress(open.clone()), &server.url("/")).await.unwrap();
    assert_eq!(answer.status(), 407);
    let distrusting = egress(EgressSettings {
        roots: Vec::new(),
        ..open
    });
    let error = get(&distrusting, &server.url("/")).await.unwrap_err();
    assert!(matches!(error, EgressError::Tls(_)), "{error}");
}

#[tokio::test]
async fn in_clear_the_proxy_is_asked_for_the_whole_url() {
    let server = Server::start_plain(|_| text(200, "hello")).await;
    let plain = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let proxy = Proxy::start(Manner::Answer(plain)).await;
    let egress = egress(through(&server, proxy.settings(None)));
    let error = get(&egress, &server.url("/a")).await.unwrap_err();
    assert!(reason(error).contains("(407)"));
    assert_eq!(
        proxy.asked(),
        [format!("GET {} HTTP/1.1", server.url("/a"))]
    );
}

#[tokio::test]
async fn tokens_are_fetched_through_it() {
    let server = Server::start(|request| match request.uri.path() {
        "/token" => text(
            200,
            r#"{"token_type":"Bearer","expires_in":3600,"access_token":"first"}"#,
        ),
        _ => text(200, "hello"),
    })
    .await;
    let kind = || CredentialKind::Oauth2ClientSecret {
        token_url: server.url("/token"),
        client_id: "client".to_owned(),
        secret: Secret::new("a client secret"),
        scope: String::new(),
    };
    let with = |proxy| EgressSettings {
        credentials: vec![credential("api", &server.url("/"), kind())],
        private_networks: Vec::new(),
        ..through(&server, proxy)
    };
    let proxy = Proxy::start(Manner::WithPassword).await;
    let good = egress(with(proxy.settings(Some("open sesame"))));
    get(&good, &server.url("/a")).await.unwrap();
    assert_eq!(server.received().len(), 2);
    let refused = egress(with(proxy.settings(None)));
    let error = get(&refused, &server.url("/a")).await.unwrap_err();
    let EgressError::Credential(portreeve_egress::CredentialError::Unavailable { error, .. }) =
        error
    else {
        panic!("{error}")
    };
    assert_eq!(error.kind, TokenErrorKind::Unavailable);
    assert!(error.advice.starts_with("the proxy on the way"), "{error}");
    assert_eq!(server.received().len(), 2);
}
