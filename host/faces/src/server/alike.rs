//! Requests of one connection that differ in the device they ask about, and in
//! nothing else.
//!
//! A NAC product asks the same way again and again. hyper reads the first such
//! request. Another one whose bytes are the same but for the identifier would
//! be read the same way, so it is answered from what hyper made of the first:
//! by the same code, with the same header fields, and without reading them.
//!
//! That needs to be sure where a request begins and ends. From the first byte
//! of the connection on, everything that came must have been one whole request
//! of this kind after the other, each read at once and answered before the
//! next. Whatever else comes ends this for the connection, and hyper has it.

use std::fmt;

use http::{HeaderMap, HeaderValue, Request, Version};
use hyper::body::Body;
use memchr::{memchr, memchr_iter, memmem};
use zeroize::Zeroizing;

use crate::clients::is_same;
use crate::hit::{DEVICES, plain_identifier};

/// What comes before the identifier.
const METHOD: &[u8] = b"GET ";
/// And after it.
const VERSION: &[u8] = b" HTTP/1.1\r\n";
/// Requests longer than this are not kept.
const LONGEST: usize = 2048;
/// Nor are identifiers looked for that are longer than a GUID.
const LONGEST_NAME: usize = 36;
/// The end of a request without a body.
const END: &[u8] = b"\r\n\r\n";
/// How often another request may take the place of the one that is kept:
/// whoever changes the way to ask with each does not make us keep each.
const CHANGES: u8 = 8;

/// What is known of a connection's requests.
#[derive(Debug, Default)]
pub(super) struct Alike {
    state: State,
    /// The request to compare with, once hyper has read it.
    known: Option<Known>,
    changes: u8,
    /// Whether hyper has bytes that were asked about in vain.
    in_vain: bool,
}

/// Where the connection is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between two requests, and nothing of the next one is there.
    #[default]
    Between,
    /// hyper has the bytes of one request.
    Given(Head),
    /// It has begun to answer.
    Begun,
    /// The answer is with the stream, perhaps not all of it.
    Written,
    /// Nobody knows.
    Lost,
}

/// A request's bytes.
#[derive(Clone, PartialEq, Eq)]
struct Head {
    bytes: Zeroizing<Vec<u8>>,
    /// Where the identifier ends.
    name_end: usize,
}

struct Known {
    /// From the end of the identifier on.
    rest: Zeroizing<Box<[u8]>>,
    headers: HeaderMap,
}

/// What a request that is like the one before asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    /// The identifier as it is written.
    pub(super) name: &'a [u8],
    /// As hyper read them.
    pub(super) headers: &'a HeaderMap,
}

impl Alike {
    /// Bytes came. What they ask if they are one request like the one before;
    /// if that is answered, hyper must not see them.
    pub(super) fn asks<'a>(&'a self, bytes: &'a [u8]) -> Option<Asking<'a>> {
        let known = self
            .known
            .as_ref()
            .filter(|_| self.state == State::Between)?;
        let (name, rest) = split(bytes)?;
        is_same(&known.rest, rest).then_some(Asking {
            name,
            headers: &known.headers,
        })
    }

    /// Bytes came, and hyper gets them.
    pub(super) fn give(&mut self, bytes: &[u8]) {
        let is_between = self.state == State::Between;
        let head = Head::read(bytes).filter(|_| is_between);
        self.state = head.map_or(State::Lost, State::Given);
        if self.state == State::Lost {
            self.known = None;
        }
    }

    /// What [`Self::asks`] gave could not be answered at once; need not be
    /// tried again.
    pub(super) fn give_in_vain(&mut self, bytes: &[u8]) {
        self.give(bytes);
        self.in_vain = true;
    }

    /// hyper has read a request. Says whether it was asked about in vain.
    pub(super) fn begin<B: Body>(&mut self, request: &Request<B>) -> bool {
        let in_vain = std::mem::take(&mut self.in_vain);
        let state = std::mem::replace(&mut self.state, State::Lost);
        let State::Given(head) = state else {
            self.known = None;
            return false;
        };
        let is_whole = request.version() == Version::HTTP_11
            && request.body().is_end_stream()
            && head.name().is_some_and(|name| {
                let path = request.uri().path().as_bytes();
                path.strip_prefix(DEVICES.as_bytes()) == Some(name)
            });
        if !is_whole {
            self.known = None;
            return false;
        }
        self.state = State::Begun;
        let is_known = |known: &Known| is_same(&known.rest, head.rest());
        if !self.known.as_ref().is_some_and(is_known) && self.changes < CHANGES {
            self.changes += 1;
            self.known = Some(Known::new(head.rest(), request.headers()));
        }
        in_vain
    }

    /// hyper has written some of an answer.
    pub(super) fn note_write(&mut self) {
        if self.state == State::Begun {
            self.state = State::Written;
        }
    }

    /// hyper has nothing more to write. Answers of these requests are written
    /// as a whole before that.
    pub(super) fn note_flush(&mut self) {
        if self.state == State::Written {
            self.state = State::Between;
        }
    }
}

impl Head {
    /// Bytes that are one request for a device and nothing else.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (name, rest) = split(bytes)?;
        plain_identifier(name)?;
        let is_one = bytes.len() <= LONGEST
            && rest.starts_with(VERSION)
            && rest.ends_with(END)
            && memmem::find(rest, END) == Some(rest.len() - END.len())
            // Some take a line feed alone for the end of a line.
            && memchr_iter(b'\n', rest).all(|at| at > 0 && rest.get(at - 1) == Some(&b'\r'));
        is_one.then(|| Self {
            name_end: bytes.len() - rest.len(),
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    fn name(&self) -> Option<&[u8]> {
        self.bytes.get(METHOD.len() + DEVICES.len()..self.name_end)
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.name_end..).unwrap_or_default()
    }
}

impl Known {
    fn new(rest: &[u8], headers: &HeaderMap) -> Self {
        // Those of hyper keep all that it has read in memory.
        let copy = |value: &HeaderValue| {
            let mut copy = HeaderValue::from_bytes(value.as_bytes()).ok()?;
            copy.set_sensitive(true);
            Some(copy)
        };
        let headers = headers.iter();
        let headers = headers.filter_map(|(name, value)| Some((name.clone(), copy(value)?)));
        Self {
            rest: Zeroizing::new(rest.into()),
            headers: headers.collect(),
        }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// The identifier, and what follows.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let bytes = bytes
        .strip_prefix(METHOD)?
        .strip_prefix(DEVICES.as_bytes())?;
    let longest = bytes.get(..=LONGEST_NAME).unwrap_or(bytes);
    bytes.split_at_checked(memchr(b' ', longest)?)
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;

    const MAC: &str = "00-50-56-a4-89-5a";
    const OTHER: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";
    const REST: &str = "Host: x\r\nAuthorization: Bearer key\r\n\r\n";

    fn bytes(name: &str, rest: &str) -> Vec<u8> {
        format!("GET /v1/devices/{name} HTTP/1.1\r\n{rest}").into_bytes()
    }

    fn request(name: &str) -> http::request::Builder {
        Request::get(format!("/v1/devices/{name}")).header("authorization", "Bearer key")
    }

    /// A connection on which one request was read and answered by hyper.
    fn after_one() -> Alike {
        let mut alike = Alike::default();
        alike.give(&bytes(MAC, REST));
        alike.begin(&request(MAC).body(Empty::<&[u8]>::new()).unwrap());
        alike.note_write();
        alike.note_flush();
        alike
    }

    #[track_caller]
    fn check(bytes: &[u8], name: Option<&str>) {
        let alike = after_one();
        let asked = alike.asks(bytes);
        assert_eq!(asked.map(|asked| asked.name), name.map(str::as_bytes));
        if let Some(asked) = asked {
            assert_eq!(asked.headers["authorization"], "Bearer key");
        }
    }

    #[test]
    fn only_the_identifier_may_differ() {
        check(&bytes(MAC, REST), Some(MAC));
        check(&bytes(OTHER, REST), Some(OTHER));
        for rest in [
            "Host: x\r\nAuthorization: Bearer kez\r\n\r\n",
            "Host: x\r\nAuthorization: Bearer key \r\n\r\n",
            "Host: x\r\nAuthorization: Bearer key\r\n",
            "Host: x\r\nAuthorization: Bearer key\r\nExpect: x\r\n\r\n",
            "\r\n",
            "",
        ] {
            check(&bytes(MAC, rest), None);
        }
        let one = bytes(MAC, REST);
        check(&[&one[..], b"G"].concat(), None);
        check(&[&one[..], &one[..]].concat(), None);
        check(&one[1..], None);
        check(&one[..one.len() - 1], None);
        check(&[b"\r\n", &one[..]].concat(), None);
        check(&bytes(&"0".repeat(37), REST), None);
        check(&bytes("", REST), Some(""));
        check(b"", None);
        // Whether it is an identifier is for who reads it.
        check(&bytes("../admin", REST), Some("../admin"));
    }

    #[test]
    fn the_next_request_is_hypers_until_the_answer_is_written() {
        let next = bytes(OTHER, REST);
        let mut alike = Alike::default();
        let body = Empty::<&[u8]>::new();
        assert!(alike.asks(&next).is_none());
        alike.give(&bytes(MAC, REST));
        assert!(alike.asks(&next).is_none());
        // What hyper says before it has read it means nothing.
        alike.note_write();
        alike.note_flush();
        assert!(alike.asks(&next).is_none());
        alike.begin(&request(MAC).body(body).unwrap());
        alike.note_flush();
        assert!(alike.asks(&next).is_none());
        alike.note_write();
        assert!(alike.asks(&next).is_none());
        alike.note_flush();
        assert!(alike.asks(&next).is_some());
    }

    /// The connection with these bytes and this request after the first.
    #[track_caller]
    fn check_lost<B: Body>(given: &[u8], request: &Request<B>) {
        let mut alike = after_one();
        alike.give(given);
        alike.begin(request);
        for _ in 0..2 {
            alike.note_write();
            alike.note_flush();
            assert!(alike.asks(&bytes(MAC, REST)).is_none());
            alike.give(&bytes(MAC, REST));
            alike.begin(&self::request(MAC).body(Empty::<&[u8]>::new()).unwrap());
        }
    }

    #[test]
    fn whatever_else_comes_is_hypers_for_ever() {
        let empty = Empty::<&[u8]>::new();
        let usual = request(MAC).body(empty).unwrap();
        let one = bytes(MAC, REST);
        for other in [
            &one[..20],
            &[&one[..], b"G"].concat(),
            &[&one[..], &one[..]].concat(),
            &bytes(MAC, "Host: x\n\nGET /v1/devices/x HTTP/1.1\r\n\r\n"),
            &bytes(MAC, "Host: x\r\nA: b\n\r\nGET / HTTP/1.1\r\n\r\n"),
            &bytes(MAC, "A: b\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
            &bytes("serial:x", REST),
            &bytes(MAC, &format!("A: {}\r\n\r\n", "x".repeat(LONGEST))),
            b"POST /v1/decisions HTTP/1.1\r\n\r\n",
            b"GET /v1/devices/00-50-56-a4-89-5a HTTP/1.0\r\n\r\n",
            b"\r\n",
        ] {
            check_lost(other, &usual);
        }
        // A body is announced, or it is another request.
        check_lost(&one, &request(MAC).body(Full::new(&b"x"[..])).unwrap());
        check_lost(&one, &request(OTHER).body(empty).unwrap());
        let old = request(MAC).version(Version::HTTP_10).body(empty).unwrap();
        check_lost(&one, &old);
        // Bytes while it is answered.
        let mut alike = after_one();
        alike.give(&one);
        alike.begin(&usual);
        alike.give(&one);
        alike.note_write();
        alike.note_flush();
        assert!(alike.asks(&one).is_none());
    }

    #[test]
    fn another_way_to_ask_takes_its_place_a_few_times() {
        let mut alike = after_one();
        let body = Empty::<&[u8]>::new();
        for number in 1..20 {
            let other = bytes(OTHER, &format!("Host: {number}\r\n\r\n"));
            for _ in 0..2 {
                alike.give(&other);
                alike.begin(&request(OTHER).body(body).unwrap());
                alike.note_write();
                alike.note_flush();
            }
            let is_known = alike.asks(&other).is_some();
            assert_eq!(is_known, number < CHANGES, "{number}");
        }
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let shown = format!("{:?}", after_one());
        assert!(!shown.contains("key"), "{shown}");
        let mut alike = after_one();
        alike.give(&bytes(MAC, REST));
        assert!(!format!("{alike:?}").contains("98, 101, 97"), "no bytes");
    }
}
