//! One connection of a client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(10);

/// The version of HTTP that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// Where requests go, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Without it, plain TCP.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) version: Version,
    /// Bearer key.
    pub(crate) key: String,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An open connection. Dropping it, and its streams, closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    requests: Requests,
    target: Target,
    /// Moves the bytes.
    driver: Arc<JoinSet<()>>,
}

#[derive(Debug)]
enum Requests {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Target {
    /// Opens a connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let connecting = async {
            let stream = self.tcp().await?;
            match &self.tls {
                None => self.speak(stream).await,
                Some(_) => self.speak(self.shake_hands(stream).await?).await,
            }
        };
        tokio::time::timeout(PATIENCE, connecting)
            .await
            .context("no connection in time")?
    }

    /// Opens the TCP connection alone.
    pub(crate) async fn tcp(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.with_context(|| format!("cannot connect to `{}`", self.address))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Makes it a TLS connection.
    pub(crate) async fn shake_hands(
        &self,
        stream: TcpStream,
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let config = self.tls.clone().context("no TLS at this target")?;
        let mut config = ClientConfig::clone(&config);
        config.alpn_protocols = match self.version {
            Version::Http1 => vec![b"http/1.1".to_vec()],
            Version::Http2 => vec![b"h2".to_vec()],
        };
        let name = ServerName::from(self.address.ip());
        let connector = TlsConnector::from(Arc::new(config));
        connector
            .connect(name, stream)
            .await
            .context("the TLS handshake")
    }

    async fn speak<S>(&self, stream: S) -> anyhow::Result<Connection>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        let mut driver = JoinSet::new();
        let requests = match self.version {
            Version::Http1 => {
                let (requests, connection) = http1::handshake(stream).await?;
                // How it ended is what its requests say.
                driver.spawn(async move { drop(connection.await) });
                Requests::Http1(requests)
            }
            Version::Http2 => {
                let (requests, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
                driver.spawn(async move { drop(connection.await) });
                Requests::Http2(requests)
            }
        };
        Ok(Connection {
            requests,
            target: self.clone(),
            driver: Arc::new(driver),
        })
    }
}

impl Connection {
    /// Another stream of the same connection; with HTTP/1.1 there is but one.
    pub(crate) fn stream(&self) -> Option<Self> {
        match &self.requests {
            Requests::Http1(_) => None,
            Requests::Http2(requests) => Some(Self {
                requests: Requests::Http2(requests.clone()),
                target: self.target.clone(),
                driver: Arc::clone(&self.driver),
            }),
        }
    }

    /// A new connection to the same target.
    pub(crate) async fn reopen(&self) -> anyhow::Result<Self> {
        self.target.connect().await
    }

    /// Asks, and reads the answer to its end.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Received> {
        let request = self.request(path).body(Full::default())?;
        let (head, body) = self.send(request).await?.into_parts();
        Ok(Received {
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }

    /// Posts JSON, and counts the lines of the answer without keeping them.
    pub(crate) async fn post_for_lines(
        &mut self,
        path: &str,
        json: Bytes,
    ) -> anyhow::Result<(StatusCode, usize)> {
        let request = self.request(path).method(Method::POST);
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/x-ndjson");
        let (head, mut body) = self.send(request.body(json.into())?).await?.into_parts();
        let mut lines = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            let bytes = frame.data_ref().map(Bytes::as_ref).unwrap_or_default();
            lines += memchr::memchr_iter(b'\n', bytes).count();
        }
        Ok((head.status, lines))
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        Ok(match &mut self.requests {
            Requests::Http1(requests) => {
                requests.ready().await?;
                requests.send_request(request).await?
            }
            Requests::Http2(requests) => {
                requests.ready().await?;
                requests.send_request(request).await?
            }
        })
    }

    fn request(&self, path: &str) -> http::request::Builder {
        let Target {
            address,
            tls,
            version,
            key,
        } = &self.target;
        let request = Request::get(match version {
            Version::Http1 => path.to_owned(),
            Version::Http2 => {
                let scheme = if tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{address}{path}")
            }
        });
        let request = match version {
            Version::Http1 => request.header(http::header::HOST, address.to_string()),
            Version::Http2 => request,
        };
        request.header(AUTHORIZATION, format!("Bearer {key}"))
    }
}

/// TLS 1.3 as a client that trusts `roots` alone and resumes sessions.
pub(crate) fn client_config(roots: &str) -> anyhow::Result<Arc<ClientConfig>> {
    let mut trusted = rustls::RootCertStore::empty();
    let certificates = portreeve_harness::certificates_of(roots)?;
    ensure!(!certificates.is_empty(), "no certificate to trust");
    for certificate in certificates {
        trusted.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
