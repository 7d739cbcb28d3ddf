//! A client of publish-subscribe: WebSocket from a library, STOMP by hand.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Message;

use crate::stand::*;

const PATH: &str = "/pxgrid/ise/pubsub";

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) fn basic(node: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{node}:{password}")))
}

/// An approved node.
pub(crate) struct Node {
    /// For the control API.
    pub(crate) credential: String,
    /// For the gateway's services.
    pub(crate) peer: String,
}

impl Node {
    pub(crate) async fn new(stand: &Stand, name: &str, may: &[&str]) -> Self {
        let request = json!({ "name": name, "may": may });
        let added = stand.post("/v1/admin/pxgrid/nodes", ADMIN, &request.to_string());
        let added: Value = added.send().await.unwrap().json().await.unwrap();
        let credential = basic(name, added["password"].as_str().unwrap());
        let node = Self {
            credential,
            peer: String::new(),
        };
        let peer = json!({ "peerNodeName": "portreeve" });
        let secret = node.control(stand, "AccessSecret", &peer).await;
        let peer = basic(name, secret["secret"].as_str().unwrap());
        Self { peer, ..node }
    }

    pub(crate) async fn control(&self, stand: &Stand, method: &str, body: &Value) -> Value {
        let path = format!("/pxgrid/control/{method}");
        let request = stand.post(&path, &self.credential, &body.to_string());
        let response = request.send().await.unwrap().error_for_status().unwrap();
        response.json().await.unwrap()
    }

    /// Offers a service with one topic, and gives the topic.
    pub(crate) async fn offers(&self, stand: &Stand, service: &str) -> String {
        let topic = format!("/topic/{service}");
        let register = json!({ "name": service, "properties": { "customTopic": topic } });
        self.control(stand, "ServiceRegister", &register).await;
        topic
    }

    /// A connection without TLS that has said CONNECT.
    pub(crate) async fn connected(&self, stand: &Stand) -> Subscriber {
        let stream = TcpStream::connect(stand.plain).await.unwrap();
        let mut subscriber = Subscriber::open(stream, "ws", &self.peer).await.unwrap();
        subscriber.connect().await;
        subscriber
    }

    /// The same with TLS.
    pub(crate) async fn connected_with_tls(&self, stand: &Stand) -> Subscriber {
        let stream = tls(stand).await;
        let mut subscriber = Subscriber::open(stream, "wss", &self.peer).await.unwrap();
        subscriber.connect().await;
        subscriber
    }
}

async fn tls(stand: &Stand) -> impl Stream + 'static {
    let mut roots = rustls::RootCertStore::empty();
    let root = stand.authority.certificate.der().clone();
    roots.add(root).unwrap();
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(stand.tls).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

pub(crate) struct Subscriber(WebSocketStream<Box<dyn Stream>>);

impl Subscriber {
    /// The WebSocket, or what was answered instead.
    pub(crate) async fn open(
        stream: impl Stream + 'static,
        scheme: &str,
        authorization: &str,
    ) -> Result<Self, Box<Error>> {
        let url = format!("{scheme}://localhost{PATH}");
        let mut request = url.into_client_request().unwrap();
        if !authorization.is_empty() {
            let value = authorization.parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        let stream: Box<dyn Stream> = Box::new(stream);
        let opened = tokio_tungstenite::client_async(request, stream).await;
        opened.map(|(socket, _)| Self(socket)).map_err(Box::new)
    }

    pub(crate) async fn connect(&mut self) {
        self.send("CONNECT\naccept-version:1.2\nhost:portreeve\n\n\0")
            .await;
        assert_eq!(self.heard().await, "CONNECTED\nversion:1.2\n\n\0");
    }

    /// Subscribes, and returns when that is in force.
    pub(crate) async fn subscribe(&mut self, topic: &str, id: &str) {
        let frame = format!("SUBSCRIBE\ndestination:{topic}\nid:{id}\nreceipt:{id}\n\n\0");
        self.send(&frame).await;
        assert_eq!(
            self.heard().await,
            format!("RECEIPT\nreceipt-id:{id}\n\n\0")
        );
    }

    /// Publishes one JSON text.
    pub(crate) async fn publish(&mut self, topic: &str, body: &str) {
        self.send(&format!("SEND\ndestination:{topic}\n\n{body}\0"))
            .await;
    }

    pub(crate) async fn send(&mut self, frame: &str) {
        let frame = Bytes::copy_from_slice(frame.as_bytes());
        self.0.send(Message::Binary(frame)).await.unwrap();
    }

    /// The next frame, or how the connection ends.
    pub(crate) async fn heard(&mut self) -> String {
        loop {
            return match self.0.next().await {
                Some(Ok(Message::Binary(frame))) => String::from_utf8(frame.to_vec()).unwrap(),
                Some(Ok(Message::Ping(_))) => continue,
                Some(Ok(Message::Close(Some(frame)))) => format!("close {}", frame.code),
                other => format!("{other:?}"),
            };
        }
    }

    /// The body of the next frame.
    pub(crate) async fn message(&mut self) -> String {
        let frame = self.heard().await;
        assert!(frame.starts_with("MESSAGE\n"), "{frame}");
        let (_, body) = frame.split_once("\n\n").unwrap();
        body.strip_suffix('\0').unwrap().to_owned()
    }
}
