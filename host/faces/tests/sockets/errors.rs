//! Whatever is malformed is told so that it can be put right.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::schema::assert_is;
use crate::stand::*;

#[tokio::test]
async fn problems_name_what_was_wrong() {
    let stand = Stand::new().await;
    let post = |path, body| stand.post(path, SCRIPT, body);
    let no_type = stand
        .request(Method::POST, "/v1/decisions", SCRIPT)
        .body("{}");
    for (request, status, kind, detail) in [
        (
            stand.get("/v1/devices/00:50:56:00:00", SCRIPT),
            400,
            "malformed-request",
            "the identifier in the path: `00:50:56:00:00` is no MAC address: expected 12 hexadecimal digits, found 10",
        ),
        (
            stand.get("/v1/devices/%ff", SCRIPT),
            400,
            "malformed-request",
            "the path is no UTF-8 after percent-decoding",
        ),
        (
            stand.get("/v1/devices/serial:x?verbose=1", SCRIPT),
            400,
            "malformed-request",
            "a query is not taken here; nothing was expected after the path",
        ),
        (
            post(
                "/v1/decisions",
                "{\"identifiers\": [\"serial:x\"],\n \"conection\": {}}",
            ),
            400,
            "malformed-request",
            "the body: unknown field `conection`, expected `identifiers` or `connection` at line 2 column 12",
        ),
        (
            post("/v1/decisions/batch", "[]"),
            400,
            "malformed-request",
            "the body: invalid type: sequence, expected an object at line 1 column 0",
        ),
        (
            no_type,
            415,
            "unsupported-media-type",
            "expected `Content-Type: application/json`, found none",
        ),
        (
            stand.get("/v1/decisions", SCRIPT),
            405,
            "method-not-allowed",
            "`GET` is not taken here; `Allow` says what is",
        ),
        (
            stand.get("/v1/device/x", SCRIPT),
            404,
            "no-such-path",
            "there is nothing at `/v1/device/x`; `/openapi.json` says what there is",
        ),
        (
            stand
                .get("/v1/devices/serial:x", SCRIPT)
                .header("x-filler", "x".repeat(17_000)),
            431,
            "header-too-large",
            "expected at most 16384 bytes of header fields, found 17",
        ),
        (
            stand.post(
                "/radius/authorize",
                RADIUS,
                "{\"Calling-Station-Id\": [\"nonsense\"]}",
            ),
            400,
            "malformed-request",
            "`Calling-Station-Id`: `nonsense` is no MAC address: unexpected character at position 0",
        ),
        (
            stand.get("/radius/authorize", RADIUS),
            405,
            "method-not-allowed",
            "`GET` is not taken here; `Allow` says what is",
        ),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{detail}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert_eq!(response.headers()["cache-control"], "no-store");
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let problem: Value = response.json().await.unwrap();
        assert_is("Problem", &problem);
        assert_eq!(problem["type"], format!("urn:portreeve:problem:{kind}"));
        assert_eq!(problem["instance"], format!("urn:portreeve:request:{id}"));
        let found = problem["detail"].as_str().unwrap();
        assert!(found.starts_with(detail), "{found}\n{detail}");
    }
}

#[tokio::test]
async fn a_sane_request_id_is_taken_over() {
    let stand = Stand::new().await;
    let request = stand
        .get("/v1/devices/x", SCRIPT)
        .header("x-request-id", "a8cc573acdf3d522");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "a8cc573acdf3d522");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(
        problem["instance"],
        "urn:portreeve:request:a8cc573acdf3d522"
    );
    let request = stand
        .get("/v1/devices/x", SCRIPT)
        .header("x-request-id", "a b\"c");
    assert_ne!(
        request.send().await.unwrap().headers()["x-request-id"],
        "a b\"c"
    );
}

#[tokio::test]
async fn garbage_is_refused_and_hurts_nobody() {
    let stand = Stand::new().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(stand.plain).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Cut or refused; what must not be is an answer of a face.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    let body = json!({"Calling-Station-Id": COMPLIANT}).to_string();
    let response = stand
        .post("/radius/authorize", RADIUS, &body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}
