//! Requests through the narrow way out, `portreeve:host/http`.
//!
//! Only hosts that the operator granted are reached, credentials are added by
//! the host, and redirects are answers like any other.

use crate::bindings::connector::portreeve::host::http as binding;

pub use binding::{Error, Header, Response};

/// A request that is being put together.
#[derive(Clone, Debug)]
pub struct Request(binding::Request);

impl Request {
    /// A request with any method.
    pub fn new(method: &str, url: &str) -> Self {
        Self(binding::Request {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: None,
        })
    }

    /// A `GET` request.
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// A `POST` request with a body.
    pub fn post(url: &str, body: Vec<u8>) -> Self {
        let mut request = Self::new("POST", url);
        request.0.body = body;
        request
    }

    /// Adds a header. The host drops those that it sets by itself.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0.headers.push(Header {
            name: name.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    /// Shortens the deadline for this request, in milliseconds.
    #[must_use]
    pub fn timeout_ms(mut self, timeout: u64) -> Self {
        self.0.timeout_ms = Some(timeout);
        self
    }

    /// Sends the request and waits for the whole answer.
    pub fn send(self) -> Result<Response, Error> {
        binding::send(&self.0)
    }
}

impl Response {
    /// First header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.as_str())
    }
}
