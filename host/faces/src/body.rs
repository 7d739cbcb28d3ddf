//! Bodies, bounded in size and time.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request, Response};

use http_body_util::{BodyExt as _, Either, Full, LengthLimitError, Limited};
use hyper::body::Body as HttpBody;

use crate::problem::{Problem, ProblemKind};

/// Bytes of a body that holds one question.
pub(crate) const LARGEST_QUESTION: usize = 64 << 10;

/// What every response has as its body: bytes that are there already, or what
/// axum makes.
pub(crate) type Body = Either<Full<Bytes>, axum::body::Body>;

/// A response of a face.
pub(crate) type Reply = Response<Body>;

/// Reads a JSON body of at most `largest` bytes within `timeout`.
pub(crate) async fn read_json<B>(
    request: Request<B>,
    largest: usize,
    timeout: Duration,
) -> Result<Bytes, Problem>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    expect_json(request.headers())?;
    read(request, largest, timeout).await
}

/// Reads a body of at most `largest` bytes within `timeout`, whatever it is.
///
/// A body that announces more is refused before any of it is read.
pub(crate) async fn read<B>(
    request: Request<B>,
    largest: usize,
    timeout: Duration,
) -> Result<Bytes, Problem>
where
    B: HttpBody,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = request.into_body();
    let announced = body.size_hint().lower();
    if announced > largest as u64 {
        return Err(too_large(largest, Some(announced)));
    }
    let body = std::pin::pin!(Limited::new(body, largest).collect());
    match tokio::time::timeout(timeout, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(largest, None)),
        Ok(Err(_)) => Err(Problem::malformed("the body ends before its announced end")),
        Err(_) => Err(Problem::new(
            ProblemKind::BodyTimeout,
            format!("expected the whole body within {} s", timeout.as_secs()),
        )),
    }
}

fn too_large(largest: usize, announced: Option<u64>) -> Problem {
    let found = announced.map_or_else(String::new, |bytes| {
        format!(", `Content-Length` says {bytes}")
    });
    Problem::new(
        ProblemKind::BodyTooLarge,
        format!("expected at most {largest} bytes{found}"),
    )
}

fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let written = headers
        .get(CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    let kind = written
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    if !kind.trim_ascii().eq_ignore_ascii_case(b"application/json") {
        let found = match written {
            b"" => "none".to_owned(),
            _ => format!(
                "`{}`",
                String::from_utf8_lossy(written.get(..80).unwrap_or(written))
            ),
        };
        let detail = format!("expected `Content-Type: application/json`, found {found}");
        return Err(Problem::new(ProblemKind::MediaType, detail));
    }
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let detail = "`Content-Encoding` is not taken here; send the body as it is";
            Err(Problem::new(ProblemKind::MediaType, detail))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    const JSON: (&str, &str) = ("content-type", "application/json");

    fn read(headers: &[(&str, &str)], body: impl Into<axum::body::Body>) -> Result<Bytes, Problem> {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        read_json(request, 10, Duration::MAX)
            .now_or_never()
            .unwrap()
    }

    #[track_caller]
    fn check(
        headers: &[(&str, &str)],
        body: &'static str,
        expected: Result<&str, (ProblemKind, &str)>,
    ) {
        let result = read(headers, body);
        match (&result, expected) {
            (Ok(bytes), Ok(expected)) => assert_eq!(bytes, expected.as_bytes()),
            (Err(problem), Err((kind, detail))) => {
                assert_eq!((problem.kind(), problem.detail()), (kind, detail));
            }
            _ => panic!("{result:?}"),
        }
    }

    #[tokio::test]
    async fn media_types() {
        check(&[JSON], "{}", Ok("{}"));
        check(
            &[("content-type", "Application/JSON ; charset=utf-8")],
            "{}",
            Ok("{}"),
        );
        check(
            &[("content-type", "text/plain")],
            "{}",
            Err((
                ProblemKind::MediaType,
                "expected `Content-Type: application/json`, found `text/plain`",
            )),
        );
        check(
            &[],
            "{}",
            Err((
                ProblemKind::MediaType,
                "expected `Content-Type: application/json`, found none",
            )),
        );
        check(
            &[JSON, ("content-encoding", "gzip")],
            "{}",
            Err((
                ProblemKind::MediaType,
                "`Content-Encoding` is not taken here; send the body as it is",
            )),
        );
    }

    #[tokio::test]
    async fn sizes() {
        check(&[JSON], "0123456789", Ok("0123456789"));
        check(
            &[JSON],
            "0123456789a",
            Err((
                ProblemKind::BodyTooLarge,
                "expected at most 10 bytes, `Content-Length` says 11",
            )),
        );
        let chunks = ["012345", "6789a"].map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)));
        let body = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
        let problem = read(&[JSON], body).unwrap_err();
        assert_eq!(problem.detail(), "expected at most 10 bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_is_given_up() {
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let body = axum::body::Body::from_stream(never);
        let request = Request::builder()
            .header(JSON.0, JSON.1)
            .body(body)
            .unwrap();
        let problem = read_json(request, 10, Duration::from_secs(3))
            .await
            .unwrap_err();
        assert_eq!(problem.kind(), ProblemKind::BodyTimeout);
    }
}
