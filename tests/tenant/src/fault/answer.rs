//! Answers that are wrong on purpose.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

use super::Fault;

/// A body that may stop in its middle.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How long an answer that never comes is waited for before the connection is closed.
pub(crate) const HANG_LIMIT: Duration = Duration::from_mins(10);

const ENDLESS_CHUNK: usize = 16 * 1024;

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on purpose")]
pub(crate) struct Dropped;

/// The answer as it is.
pub(crate) fn whole(answer: Response<Bytes>) -> Response<Body> {
    answer.map(|bytes| boxed(Full::new(bytes)))
}

fn boxed(body: Full<Bytes>) -> Body {
    body.map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

fn streamed(
    parts: http::response::Parts,
    chunks: impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response<Body> {
    let frames = chunks.map(|chunk| chunk.map(Frame::data));
    Response::from_parts(parts, StreamBody::new(frames).boxed_unsync())
}

/// Spoils a right answer; faults that have nothing to do with the body leave it as it is.
pub(crate) fn spoil(answer: Response<Bytes>, fault: &Fault) -> Response<Body> {
    let (mut parts, bytes) = answer.into_parts();
    let half = bytes.slice(..bytes.len() / 2);
    match fault {
        Fault::Malformed => Response::from_parts(parts, boxed(Full::new(half))),
        Fault::WrongContentType => {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            parts.headers.insert(header::CONTENT_TYPE, html);
            Response::from_parts(parts, boxed(Full::new(bytes)))
        }
        Fault::Truncated => {
            parts
                .headers
                .insert(header::CONTENT_LENGTH, bytes.len().into());
            let cut = async {
                // Lets the server send what it has before it learns of the end.
                tokio::task::yield_now().await;
                Err(io::Error::from(io::ErrorKind::ConnectionAborted))
            };
            streamed(
                parts,
                stream::once(async { Ok(half) }).chain(stream::once(cut)),
            )
        }
        Fault::Drip { interval_ms } => {
            let interval = Duration::from_millis(*interval_ms);
            let drops =
                stream::iter(bytes)
                    .chain(stream::repeat(b' '))
                    .then(move |byte| async move {
                        tokio::time::sleep(interval).await;
                        Ok(Bytes::copy_from_slice(&[byte]))
                    });
            streamed(parts, drops)
        }
        Fault::Endless => {
            let spaces = Bytes::from(vec![b' '; ENDLESS_CHUNK]);
            let chunks = stream::once(async { Ok(bytes) })
                .chain(stream::repeat_with(move || Ok(spaces.clone())));
            streamed(parts, chunks)
        }
        Fault::Redirect { location } => {
            let mut answer = Response::new(boxed(Full::default()));
            *answer.status_mut() = StatusCode::FOUND;
            if let Ok(location) = HeaderValue::from_str(location) {
                answer.headers_mut().insert(header::LOCATION, location);
            }
            answer
        }
        _ => Response::from_parts(parts, boxed(Full::new(bytes))),
    }
}
