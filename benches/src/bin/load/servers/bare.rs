//! A bare hyper server that answers everything with the same bytes.
//!
//! It is the gateway's own stack without the gateway: the same runtime, the
//! same way to accept, the same settings of hyper and rustls as in
//! `portreeve-faces`. Where those change, this has to change with them. What
//! the gateway does beside hyper is its own, for better or worse: it has
//! time-outs, gathers answers that leave together, and runs the requests of an
//! HTTP/2 connection in the connection's task.

use std::convert::Infallible;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Constant, Origins};

const FILE: &str = "constant.json";

/// The server as a process of its own, as the gateway is one.
pub(crate) struct Bare {
    pub(crate) origins: Origins,
    _process: Child,
}

impl Bare {
    /// Starts it with the certificate in `directory`.
    pub(crate) async fn start(directory: &Path, constant: &Constant) -> anyhow::Result<Self> {
        constant.write(&directory.join(FILE))?;
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--bare")
            .arg(directory)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().context("its output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut next = async || {
            let line = lines.next_line().await?;
            line.context("the bare server did not start")
        };
        Ok(Self {
            origins: Origins {
                plain: next().await?,
                tls: next().await?,
            },
            _process: process,
        })
    }
}

/// Serves until it is killed.
pub(crate) async fn serve(directory: &Path) -> anyhow::Result<()> {
    let constant = Arc::new(Answer::of(Constant::read(&directory.join(FILE))?)?);
    let plain = TcpListener::bind("127.0.0.1:0").await?;
    let tls = TcpListener::bind("127.0.0.1:0").await?;
    let acceptor = TlsAcceptor::from(Arc::new(server_config(directory)?));
    let mut out = std::io::stdout();
    writeln!(out, "http://{}", plain.local_addr()?)?;
    writeln!(out, "https://{}", tls.local_addr()?)?;
    let mut accepting = JoinSet::new();
    accepting.spawn(accept(plain, None, Arc::clone(&constant)));
    accepting.spawn(accept(tls, Some(acceptor), constant));
    while let Some(ended) = accepting.join_next().await {
        ended??;
    }
    Ok(())
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    answer: Arc<Answer>,
) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        connections.spawn(connection(stream, acceptor.clone(), Arc::clone(&answer)));
        // Those that ended are done with.
        while connections.try_join_next().is_some() {}
    }
}

/// How it ends is what the client sees.
async fn connection(stream: TcpStream, acceptor: Option<TlsAcceptor>, answer: Arc<Answer>) {
    let Some(acceptor) = acceptor else {
        return serve_http(stream, answer, false).await;
    };
    if let Ok(stream) = acceptor.accept(stream).await {
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        serve_http(stream, answer, is_h2).await;
    }
}

async fn serve_http<S>(stream: S, answer: Arc<Answer>, is_h2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    let service = service_fn(move |_| {
        let answer = Arc::clone(&answer);
        async move { Ok::<_, Infallible>(answer.response()) }
    });
    let _ = if is_h2 {
        http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(128)
            .serve_connection(stream, service)
            .await
    } else {
        http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(64 << 10)
            .serve_connection(stream, service)
            .await
    };
}

struct Answer {
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Answer {
    fn of(constant: Constant) -> anyhow::Result<Self> {
        let headers = constant.headers.into_iter();
        let headers = headers.map(|(name, value)| Ok((name.parse()?, value.parse()?)));
        Ok(Self {
            body: constant.body.into(),
            headers: headers.collect::<anyhow::Result<_>>()?,
        })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }
}

fn server_config(directory: &Path) -> anyhow::Result<ServerConfig> {
    let certificates = CertificateDer::pem_file_iter(directory.join("server.pem"))?;
    let key = PrivateKeyDer::from_pem_file(directory.join("server.key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(certificates.collect::<Result<_, _>>()?, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
