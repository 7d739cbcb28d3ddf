//! Answers that were rendered before: filled in and sent, nothing else.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use portreeve_domain::{Asked, Guid, Identifier, MacAddress};
use portreeve_gateway::{Form, Hit, Moving};

use crate::body::Reply;
use crate::clients::{Face, Peer};
use crate::dispatch::{Dispatcher, finish, is_small, server_timing};
use crate::journal::{self, Noted};
use crate::metrics::{Area, Outcome};
use crate::request_id::RequestId;
use crate::text::{Rfc3339, http_date};

/// How the REST face writes an answer.
pub(crate) const REST: Form = Form::new(0);
/// How the RADIUS face does.
pub(crate) const RADIUS: Form = Form::new(1);

/// A quoted point in time, the longest thing that belongs into a hole.
const MOMENT: usize = 26;
/// Header fields of a response, those that are added later included.
const HEADERS: usize = 4;
/// Bytes before the body, more or less.
const HEAD: usize = 256;

pub(crate) const DEVICES: &str = "/v1/devices/";

impl Dispatcher {
    /// Answers `GET /v1/devices/{identifier}` at once if that is possible.
    ///
    /// `None` says nothing about the request: the long way finds out what to
    /// do with it, and counts it.
    pub(crate) fn hit<B>(&self, peer: &Peer, request: &Request<B>) -> Option<Reply> {
        let started = Instant::now();
        if request.method() != Method::GET || request.uri().query().is_some() {
            return None;
        }
        let name = request.uri().path().strip_prefix(DEVICES)?;
        let headers = request.headers();
        let render = |hit: &Hit, elapsed, id| {
            let mut reply = reply(hit);
            finish(&mut reply, elapsed, id);
            reply
        };
        self.hit_of(started, peer, name.as_bytes(), headers, render)
    }

    /// The same as bytes of HTTP/1.1, for a request with this name in its path
    /// and these header fields.
    pub(crate) fn write_hit(
        &self,
        peer: &Peer,
        name: &[u8],
        headers: &HeaderMap,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let write = |hit: &Hit, elapsed, id: RequestId| write(hit, elapsed, &id, out);
        self.hit_of(Instant::now(), peer, name, headers, write)
    }

    fn hit_of<T>(
        &self,
        started: Instant,
        peer: &Peer,
        name: &[u8],
        headers: &HeaderMap,
        render: impl FnOnce(&Hit, Duration, RequestId) -> T,
    ) -> Option<T> {
        let identifier = plain_identifier(name)?;
        if !is_small(headers) {
            return None;
        }
        let roster = self.faces.clients.now();
        let certified = peer.client(&roster);
        let client = roster
            .authenticate(headers, certified.client(), peer)
            .ok()
            .filter(|client| client.may_use(Face::Rest))?;
        let asked = Asked {
            identifiers: std::slice::from_ref(&identifier),
            connection: &client.connection,
        };
        let hit = self.faces.gateway.hit(asked, REST)?;
        client.admit(started).ok()?;
        let id = self.ids.of(headers);
        let elapsed = started.elapsed();
        let area = Area::Face(Face::Rest);
        let outcome = Outcome::of_verdict(hit.verdict());
        self.faces.metrics.observe(area, outcome, elapsed);
        if let Some(noted) = Noted::of_hit(&hit, asked.identifiers) {
            self.faces.record(noted, client, Face::Rest, &id, elapsed);
        }
        Some(render(&hit, elapsed, id))
    }
}

/// The identifiers that need no memory of their own, where nothing is escaped.
/// Everything else has to be read more thoroughly.
pub(crate) fn plain_identifier(text: &[u8]) -> Option<Identifier> {
    match text.len() {
        36 => Guid::parse(text).ok().map(Identifier::Guid),
        12..=17 => MacAddress::parse(text).ok().map(Identifier::Mac),
        _ => None,
    }
}

/// A hit as a response, and what it comes to.
pub(crate) fn served(hit: &Hit, asked: &[Identifier]) -> (Reply, Outcome) {
    let mut reply = reply(hit);
    journal::attach(&mut reply, Noted::of_hit(hit, asked));
    (reply, Outcome::of_verdict(hit.verdict()))
}

/// A hit as a response.
fn reply(hit: &Hit) -> Reply {
    // Exactly as much, so that the bytes need no second piece of memory.
    let mut body = Vec::with_capacity(length(hit));
    fill(hit, &mut body);
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *response.status_mut() = StatusCode::from_u16(hit.status()).unwrap_or_default();
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Appends a hit as a whole response, with the fields that [`reply`] and hyper
/// give it.
fn write(hit: &Hit, elapsed: Duration, id: &RequestId, out: &mut Vec<u8>) {
    let status = StatusCode::from_u16(hit.status()).unwrap_or_default();
    let body = length(hit);
    out.reserve(HEAD + body);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(
        b"\r\ncontent-type: application/json\r\ncache-control: no-store\r\nserver-timing: ",
    );
    out.extend_from_slice(server_timing(elapsed).as_bytes());
    out.extend_from_slice(b"\r\nx-request-id: ");
    out.extend_from_slice(id.as_str().as_bytes());
    out.extend_from_slice(b"\r\ncontent-length: ");
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(&mut *out, &body);
    out.extend_from_slice(b"\r\ndate: ");
    out.extend_from_slice(&http_date(hit.at()));
    out.extend_from_slice(b"\r\n\r\n");
    fill(hit, out);
}

/// Bytes that a hit needs.
fn length(hit: &Hit) -> usize {
    let filled = hit.holes().iter().map(|hole| match hole.content {
        Moving::Time | Moving::FetchedAt(_) => MOMENT,
        Moving::Age(source) => digits(age(hit, source)),
    });
    hit.bytes().len() + filled.sum::<usize>()
}

/// Seconds since this source said what is used here.
fn age(hit: &Hit, source: u8) -> u64 {
    hit.at().since(hit.fetched_at(source)).as_secs()
}

/// How long a number is as text.
fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Appends a hit's text with its holes filled in.
pub(crate) fn fill(hit: &Hit, out: &mut Vec<u8>) {
    let mut from = 0;
    for hole in hit.holes() {
        let place = hole.place as usize;
        let before = hit.bytes().get(from..place);
        out.extend_from_slice(before.unwrap_or_default());
        from = place;
        match hole.content {
            Moving::Time => write_moment(hit.at(), out),
            Moving::FetchedAt(source) => write_moment(hit.fetched_at(source), out),
            Moving::Age(source) => {
                // Writing to memory does not fail.
                let _ = serde_json::to_writer(&mut *out, &age(hit, source));
            }
        }
    }
    out.extend_from_slice(hit.bytes().get(from..).unwrap_or_default());
}

fn write_moment(moment: portreeve_domain::Timestamp, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(&Rfc3339(moment).to_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_numbers() {
        for number in [0, 1, 9, 10, 99, 100, 86_400, u64::MAX] {
            assert_eq!(digits(number), number.to_string().len(), "{number}");
        }
    }

    #[test]
    fn only_what_needs_no_memory_is_read_at_once() {
        for (text, expected) in [
            ("00:50:56:a4:89:5a", true),
            ("0050.56a4.895a", true),
            ("005056A4895A", true),
            ("3eeb9e62-cec9-4dd8-9dd6-74903695a62b", true),
            ("00%3A50%3A56%3Aa4%3A89%3A5a", false),
            ("serial:C02XK0AAJGH5", false),
            ("host:00:50:56:a4", false),
            ("", false),
        ] {
            let read = plain_identifier(text.as_bytes());
            assert_eq!(read.is_some(), expected, "{text}");
            if let Some(read) = read {
                assert_eq!(text.parse(), Ok(read), "{text}");
            }
        }
    }
}
