//! An HTTPS server that records what it receives and answers as a test says.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture, stream};
use http::{HeaderMap, Method, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;
type Handler = Arc<dyn Fn(Received) -> BoxFuture<'static, Answer> + Send + Sync>;

/// One request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Runs until dropped.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    root: CertificateDer<'static>,
    received: Arc<Mutex<Vec<Received>>>,
    count: watch::Receiver<usize>,
    connections: watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

/// What the server's certificate is like.
pub(crate) struct Identity {
    pub(crate) names: Vec<String>,
    pub(crate) expired: bool,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            expired: false,
        }
    }
}

impl Server {
    /// Answers every request with what `handler` says.
    pub(crate) async fn start(
        handler: impl Fn(Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let handler = move |request| std::future::ready(handler(request)).boxed();
        Self::serve(Some(Identity::default()), Arc::new(handler)).await
    }

    /// Answers after a while, or never.
    pub(crate) async fn start_slow(
        handler: impl Fn(Received) -> BoxFuture<'static, Answer> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(Identity::default()), Arc::new(handler)).await
    }

    pub(crate) async fn start_as(identity: Identity) -> Self {
        let handler = |_| std::future::ready(text(200, "hello")).boxed();
        Self::serve(Some(identity), Arc::new(handler)).await
    }

    pub(crate) async fn start_plain(
        handler: impl Fn(Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let handler = move |request| std::future::ready(handler(request)).boxed();
        Self::serve(None, Arc::new(handler)).await
    }

    async fn serve(identity: Option<Identity>, handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if identity.is_some() { "https" } else { "http" };
        let (root, tls) = server_config(&identity.unwrap_or_default());
        let acceptor = (scheme == "https").then(|| TlsAcceptor::from(Arc::new(tls)));
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (counter, count) = watch::channel(0);
        let (opened, connections) = watch::channel(0);
        let recorder = Recorder {
            received: Arc::clone(&received),
            counter,
            handler,
        };
        let recorder = Arc::new(recorder);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                opened.send_modify(|count| *count += 1);
                let (acceptor, recorder) = (acceptor.clone(), Arc::clone(&recorder));
                open.spawn(async move {
                    match acceptor {
                        None => converse(stream, recorder).await,
                        Some(acceptor) => {
                            // A client that does not trust the certificate ends the handshake.
                            if let Ok(stream) = acceptor.accept(stream).await {
                                converse(stream, recorder).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            scheme,
            root,
            received,
            count,
            connections,
            _tasks: tasks,
        }
    }

    /// `https://localhost:PORT`, without a slash at the end.
    pub(crate) fn origin(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// As an address literal.
    pub(crate) fn literal(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.borrow()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn wait_for(&self, requests: usize) {
        let mut count = self.count.clone();
        count.wait_for(|count| *count >= requests).await.unwrap();
    }
}

struct Recorder {
    received: Arc<Mutex<Vec<Received>>>,
    counter: watch::Sender<usize>,
    handler: Handler,
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    recorder: Arc<Recorder>,
) {
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let recorder = Arc::clone(&recorder);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let received = Received {
                method: parts.method,
                uri: parts.uri,
                version: parts.version,
                headers: parts.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            };
            recorder.received.lock().push(received.clone());
            recorder.counter.send_modify(|count| *count += 1);
            Ok::<_, hyper::Error>((recorder.handler)(received).await)
        }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // Clients that go away are part of the tests.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

fn server_config(identity: &Identity) -> (CertificateDer<'static>, ServerConfig) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "throw-away root");
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap().der().clone();
    let authority = Issuer::new(authority, authority_key);
    let mut leaf = CertificateParams::new(identity.names.clone()).unwrap();
    leaf.distinguished_name
        .push(DnType::CommonName, "throw-away server");
    if identity.expired {
        leaf.not_before = rcgen::date_time_ymd(2020, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = leaf.signed_by(&key, &authority).unwrap();
    let provider = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider();
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (root, config)
}

pub(crate) fn text(status: u16, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}

pub(crate) fn with_header(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    answer.headers_mut().insert(name, value.parse().unwrap());
    answer
}

/// A body of `chunk` again and again, without end, a pause between two.
pub(crate) fn endless(chunk: &'static [u8], pause: Duration) -> Answer {
    let frames = stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok(Frame::data(Bytes::from_static(chunk))), ()))
    });
    Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)))
}
