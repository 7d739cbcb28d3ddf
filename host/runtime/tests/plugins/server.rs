//! A server on loopback that behaves as badly as its paths say.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// Answers by path: `/ok`, `/echo` (the head of the request), `/hang`, `/drip`,
/// `/large` (1 MiB), `/redirect` (to where it was told).
pub(crate) struct Server {
    port: u16,
    seen: Arc<Seen>,
    _accepting: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    connections: watch::Sender<usize>,
    requested: watch::Sender<usize>,
    /// Connections that the client closed before there was a whole answer.
    given_up: watch::Sender<usize>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::redirecting_to(String::new()).await
    }

    pub(crate) async fn redirecting_to(location: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Seen>::default();
        let accepting = accept(listener, Arc::clone(&seen), location);
        let accepting = tokio::runtime::Handle::current().spawn(accepting);
        Self {
            port,
            seen,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// Heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.seen.connections.borrow()
    }

    /// Waits until somebody has asked for something.
    pub(crate) async fn requested(&self) {
        let mut requested = self.seen.requested.subscribe();
        requested.wait_for(|count| *count > 0).await.unwrap();
    }

    /// Waits until a client has closed a connection without a whole answer.
    pub(crate) async fn given_up(&self) {
        let mut given_up = self.seen.given_up.subscribe();
        given_up.wait_for(|count| *count > 0).await.unwrap();
    }
}

async fn accept(listener: TcpListener, seen: Arc<Seen>, location: String) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        seen.connections.send_modify(|count| *count += 1);
        let (seen, location) = (Arc::clone(&seen), location.clone());
        connections.spawn(async move { serve(stream, &seen, &location).await });
    }
}

async fn serve(mut stream: TcpStream, seen: &Seen, location: &str) -> Option<()> {
    loop {
        let head = read_head(&mut stream).await?;
        seen.requests.lock().push(head.clone());
        seen.requested.send_modify(|count| *count += 1);
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path {
            "/ok" => answer(&mut stream, "200 OK", "x-own: yes\r\n", b"hello").await?,
            "/echo" => answer(&mut stream, "200 OK", "", head.as_bytes()).await?,
            "/large" => answer(&mut stream, "200 OK", "", &vec![b'x'; 1 << 20]).await?,
            "/redirect" => {
                let header = format!("location: {location}\r\n");
                answer(&mut stream, "302 Found", &header, b"").await?;
            }
            "/hang" => return until_given_up(&mut stream, seen).await,
            "/drip" => return drip(&mut stream, seen).await,
            _ => answer(&mut stream, "404 Not Found", "", b"").await?,
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

async fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> Option<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body).await.ok()
}

async fn until_given_up(stream: &mut TcpStream, seen: &Seen) -> Option<()> {
    let mut rest = [0; 64];
    while !matches!(stream.read(&mut rest).await, Ok(0) | Err(_)) {}
    seen.given_up.send_modify(|count| *count += 1);
    None
}

/// A byte now and then: always alive, never done.
async fn drip(stream: &mut TcpStream, seen: &Seen) -> Option<()> {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head).await.ok()?;
    let mut drops = tokio::time::interval(std::time::Duration::from_millis(10));
    loop {
        drops.tick().await;
        if stream.write_all(b"x").await.is_err() {
            seen.given_up.send_modify(|count| *count += 1);
            return None;
        }
    }
}
