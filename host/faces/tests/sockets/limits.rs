//! Clients that want too much or take too long.

use std::time::{Duration, Instant};

use portreeve_faces::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stand::*;

fn short() -> Limits {
    Limits {
        header_timeout: Duration::from_millis(200),
        body_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_secs(2),
        ..Limits::default()
    }
}

async fn connect(stand: &Stand, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(stand.plain).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Everything until the server closes.
async fn rest_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is a way to close, too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(more: &str) -> String {
    format!(
        "POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: {SCRIPT}\r\n\
         Content-Type: application/json\r\nConnection: close\r\n{more}"
    )
}

#[tokio::test]
async fn an_oversized_body_is_refused_before_it_is_read() {
    let stand = Stand::new().await;
    // Not one byte of the body is sent, and none is asked for.
    let request = post("Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n");
    let answer = rest_of(connect(&stand, &request).await).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("expected at most 65536 bytes, `Content-Length` says 100000000"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_chunked_body_is_cut_at_the_limit() {
    let stand = Stand::new().await;
    let chunk = format!("{:x}\r\n{}\r\n", 40_000, " ".repeat(40_000));
    let request = post(&format!("Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"));
    let answer = rest_of(connect(&stand, &request).await).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn nobody_gets_a_body_read_without_a_credential() {
    let stand = Stand::new().await;
    let request = "POST /v1/decisions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                   Content-Length: 10\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    let answer = rest_of(connect(&stand, request).await).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn a_dripping_header_is_cut() {
    let stand = Stand::with(short()).await;
    let started = Instant::now();
    let answer = rest_of(connect(&stand, "GET /healthz HTTP/1.1\r\nHo").await).await;
    assert_eq!(answer, "");
    // By the header's time, not by that of an idle connection.
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    let metrics = stand.metrics().await;
    assert!(
        metrics.contains("portreeve_face_connections_total{outcome=\"cut\"} 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_dripping_second_header_is_cut_too() {
    let stand = Stand::with(short()).await;
    let started = Instant::now();
    let mut stream = connect(&stand, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream.write_all(b"GET /healthz HT").await.unwrap();
    let rest = rest_of(stream).await;
    assert_eq!(rest.matches("HTTP/1.1").count(), 0, "{rest}");
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_dripping_body_is_given_up() {
    let stand = Stand::with(short()).await;
    let answer = rest_of(connect(&stand, &post("Content-Length: 10\r\n\r\n{")).await).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.contains("urn:portreeve:problem:body-timeout"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_kept_connection_outlives_the_headers_time_and_not_its_own() {
    let stand = Stand::with(short()).await;
    let started = Instant::now();
    let answer = rest_of(connect(&stand, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(
        started.elapsed() >= Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_silent_connection_is_cut() {
    let limits = Limits {
        idle_timeout: Duration::from_millis(200),
        ..short()
    };
    let stand = Stand::with(limits).await;
    assert_eq!(rest_of(connect(&stand, "").await).await, "");
    // Over TLS it does not even get through the handshake.
    let mut silent = TcpStream::connect(stand.tls).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let limits = Limits {
        idle_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let stand = Stand::with(limits).await;
    // Answers of far more bytes than sockets hold.
    let question = format!("{{\"identifiers\":[\"{COMPLIANT}\"]}}");
    let body = format!("{{\"questions\":[{}]}}", vec![question; 50_000].join(","));
    let request = post(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let request = request.replace("/v1/decisions", "/v1/decisions/batch");
    let stream = connect(&stand, &request).await;
    let cut = async {
        loop {
            let metrics = stand.metrics().await;
            if metrics.contains("portreeve_face_connections_total{outcome=\"cut\"} 1\n") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), cut)
        .await
        .unwrap();
    drop(stream);
}

#[tokio::test]
async fn pings_keep_no_http2_connection() {
    let limits = Limits {
        idle_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let stand = Stand::with(limits).await;
    let builder = stand.authority.builder(None);
    let pinging = builder
        .http2_keep_alive_interval(Duration::from_millis(50))
        .http2_keep_alive_while_idle(true)
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/healthz", stand.tls.port());
    let response = pinging.get(&url).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let cut = async {
        loop {
            let metrics = stand.metrics().await;
            if metrics.contains("portreeve_face_connections_total{outcome=\"cut\"} 1\n") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), cut)
        .await
        .unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let stand = Stand::with(limits).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&stand, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        stream.read_exact(&mut [0; 15]).await.unwrap();
        kept.push(stream);
    }
    assert_eq!(rest_of(connect(&stand, "").await).await, "");
    // The place is free again as soon as one leaves.
    drop(kept);
    loop {
        let request = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        if rest_of(connect(&stand, request).await)
            .await
            .starts_with("HTTP/1.1 200")
        {
            break;
        }
    }
}

#[tokio::test]
async fn a_huge_header_section_ends_the_connection() {
    let stand = Stand::new().await;
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Filler: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let answer = rest_of(connect(&stand, &request).await).await;
    assert!(
        answer.starts_with("HTTP/1.1 431") || answer.is_empty(),
        "{answer}"
    );
}
