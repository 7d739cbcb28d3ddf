//! How it ends.

use std::time::Duration;

use portreeve_faces::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stand::*;

#[tokio::test]
async fn requests_on_the_way_are_answered() {
    let mut stand = Stand::new().await;
    let request =
        format!("GET /v1/devices/{HANGING} HTTP/1.1\r\nHost: x\r\nAuthorization: {SCRIPT}\r\n\r\n");
    let mut stream = TcpStream::connect(stand.plain).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    // It is on the way when the server counts it.
    while !stand
        .metrics()
        .await
        .contains("portreeve_face_requests_in_flight{face=\"rest\"} 1\n")
    {}
    stand.begin_to_stop();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.contains("urn:portreeve:problem:cannot-tell"),
        "{answer}"
    );
    let plain = stand.plain;
    stand.stopped().await;
    assert!(TcpStream::connect(plain).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let limits = Limits {
        shutdown_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let stand = Stand::with(limits).await;
    let mut stream = TcpStream::connect(stand.plain).await.unwrap();
    let request = format!(
        "POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: {SCRIPT}\r\n\
         Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{{"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    while !stand
        .metrics()
        .await
        .contains("portreeve_face_requests_in_flight{face=\"rest\"} 1\n")
    {}
    // The body would be waited for for ten seconds.
    tokio::time::timeout(Duration::from_secs(5), stand.stopped())
        .await
        .unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn an_idle_connection_delays_nothing() {
    let stand = Stand::new().await;
    let mut stream = TcpStream::connect(stand.plain).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    stream.read_exact(&mut [0; 15]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), stand.stopped())
        .await
        .unwrap();
}
