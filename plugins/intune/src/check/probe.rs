//! Watching how the first request to a host fares.

use std::cell::RefCell;

use portreeve_plugin::connector::credentials::Info;
use portreeve_plugin::http::{Error, Response};

use crate::address::Address;
use crate::services::Services;

/// How far a request got.
#[derive(Debug)]
pub(super) enum Way {
    /// There was an answer, whatever it says.
    Answered,
    /// There was none.
    Refused(Error),
}

/// The services, with a note on the first request to one address.
pub(super) struct Probe<'a, S> {
    services: &'a S,
    address: String,
    pub(super) first: RefCell<Option<Way>>,
}

impl<'a, S: Services> Probe<'a, S> {
    pub(super) fn new(services: &'a S, address: &Address) -> Self {
        Self {
            services,
            address: address.to_string(),
            first: RefCell::new(None),
        }
    }

    fn note(&self, url: &str, result: &Result<Response, Error>) {
        let mut first = self.first.borrow_mut();
        if first.is_none() && url.starts_with(&self.address) {
            *first = Some(match result {
                Ok(_) => Way::Answered,
                Err(error) => Way::Refused(error.clone()),
            });
        }
    }
}

impl<S: Services> Services for Probe<'_, S> {
    fn get(&self, url: &str, accept: &str) -> Result<Response, Error> {
        let result = self.services.get(url, accept);
        self.note(url, &result);
        result
    }

    fn post(&self, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Response, Error> {
        let result = self.services.post(url, headers, body);
        self.note(url, &result);
        result
    }

    fn now_ms(&self) -> u64 {
        self.services.now_ms()
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        self.services.recall(key)
    }

    fn remember(&self, key: &str, value: &[u8], ttl_ms: u64) -> bool {
        self.services.remember(key, value, ttl_ms)
    }

    fn forget(&self, key: &str) {
        self.services.forget(key);
    }

    fn renew_credential(&self, slot: &str) -> Info {
        self.services.renew_credential(slot)
    }
}
