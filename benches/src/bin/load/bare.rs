//! A bare hyper server that answers everything with the same bytes.

use std::convert::Infallible;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use portreeve_harness::Reply;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// The server as a process of its own, as the gateway is one.
pub(crate) struct Bare {
    pub(crate) origin: String,
    _process: Child,
}

impl Bare {
    /// Starts it with the body of `reply`.
    pub(crate) async fn start(directory: &Path, reply: &Reply) -> anyhow::Result<Self> {
        let file = directory.join("constant.json");
        std::fs::write(&file, reply.body.to_string())?;
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--bare")
            .arg(&file)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().context("its output")?;
        let Some(origin) = BufReader::new(stdout).lines().next_line().await? else {
            bail!("the bare server did not start");
        };
        Ok(Self {
            origin,
            _process: process,
        })
    }
}

/// Serves until it is killed.
pub(crate) async fn serve(body: &Path) -> anyhow::Result<()> {
    let body = Bytes::from(std::fs::read(body)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        connections.spawn(async move {
            let service = service_fn(move |_| {
                let response = Response::builder()
                    .header("content-type", "application/json")
                    .body(Full::new(body.clone()));
                async move { Ok::<_, Infallible>(response.unwrap_or_default()) }
            });
            auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await
        });
        // Those that ended are done with.
        while connections.try_join_next().is_some() {}
    }
}
