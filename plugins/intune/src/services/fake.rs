//! A host for tests: answers in a fixed order, and what was asked.

#![expect(
    clippy::unnecessary_wraps,
    reason = "answers are results, whatever is in them"
)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use portreeve_plugin::connector::credentials::{Info, Status};
use portreeve_plugin::http::{Error, Header, Response};

use super::Services;

/// 2026-08-21T00:00:00Z.
pub(crate) const NOW: u64 = 1_787_270_400_000;

/// Headers and body of one request.
pub(crate) type Posted = (Vec<(String, String)>, serde_json::Value);

#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) answers: RefCell<VecDeque<Result<Response, Error>>>,
    pub(crate) asked: RefCell<Vec<String>>,
    /// Headers and body of what was posted.
    pub(crate) posted: RefCell<Vec<Posted>>,
    /// Values under their keys, and how long they are kept.
    pub(crate) kept: RefCell<BTreeMap<String, (Vec<u8>, u64)>>,
    /// What the clock is ahead of [`NOW`], in milliseconds.
    pub(crate) ahead: Cell<u64>,
    pub(crate) credentials: RefCell<Vec<(String, Info)>>,
}

impl Fake {
    pub(crate) fn new(answers: impl IntoIterator<Item = Result<Response, Error>>) -> Self {
        Self {
            answers: RefCell::new(answers.into_iter().collect()),
            ..Self::default()
        }
    }

    /// What was asked since the last call, all answers being used up.
    pub(crate) fn asked(&self) -> Vec<String> {
        let left = self.answers.borrow().len();
        assert_eq!(
            left,
            0,
            "answers that nobody asked for; asked: {:?}",
            self.asked.borrow()
        );
        self.asked.take()
    }
}

impl Services for Fake {
    fn get(&self, url: &str, _accept: &str) -> Result<Response, Error> {
        self.asked.borrow_mut().push(url.to_owned());
        self.answers
            .borrow_mut()
            .pop_front()
            .unwrap_or_else(|| panic!("nobody expected `{url}`"))
    }

    fn post(&self, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Response, Error> {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let body = serde_json::from_slice(&body).unwrap();
        self.posted.borrow_mut().push((headers.collect(), body));
        self.get(&format!("POST {url}"), "application/json")
    }

    fn now_ms(&self) -> u64 {
        NOW + self.ahead.get()
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        Some(self.kept.borrow().get(key)?.0.clone())
    }

    fn remember(&self, key: &str, value: &[u8], ttl_ms: u64) -> bool {
        // As much as the host allows by default.
        let fits = value.len() <= 64 << 10;
        if fits {
            let entry = (value.to_vec(), ttl_ms);
            self.kept.borrow_mut().insert(key.to_owned(), entry);
        }
        fits
    }

    fn forget(&self, key: &str) {
        self.kept.borrow_mut().remove(key);
    }

    fn renew_credential(&self, slot: &str) -> Info {
        self.credentials
            .borrow()
            .iter()
            .find(|(name, _)| name == slot)
            .map_or_else(
                || Info {
                    status: Status::Missing,
                    scopes: Vec::new(),
                    detail: None,
                    permissions: Vec::new(),
                },
                |(_, info)| info.clone(),
            )
    }
}

pub(crate) fn status(status: u16) -> Result<Response, Error> {
    Ok(Response {
        status,
        headers: Vec::new(),
        body: Vec::new(),
    })
}

pub(crate) fn ok(body: &str) -> Result<Response, Error> {
    Ok(Response {
        status: 200,
        headers: vec![Header {
            name: "content-type".to_owned(),
            value: "text/plain".to_owned(),
        }],
        body: body.as_bytes().to_vec(),
    })
}

/// A list of services with the wanted one at a scale unit.
pub(crate) fn endpoints(unit: &str) -> Result<Response, Error> {
    ok(&serde_json::json!({ "value": [
        { "providerName": "ASUName", "uri": "AMSUD0101" },
        { "providerName": "ComplianceRetrievalService", "uri": service(unit) },
        { "providerName": "NACAPIService",
          "uri": format!("https://fef.{unit}.manage.microsoft.com/StatelessNACService") },
    ] })
    .to_string())
}

/// Address of the wanted service at a scale unit.
pub(crate) fn service(unit: &str) -> String {
    format!(
        "https://fef.{unit}.manage.microsoft.com/TrafficGateway/TrafficRoutingService/\
         ResourceAccess/ComplianceRetrievalService"
    )
}

/// An answer about devices; what is within `<device>` for each.
pub(crate) fn devices(devices: &[&str]) -> Result<Response, Error> {
    let devices: Vec<String> = devices
        .iter()
        .map(|device| format!("<device>{device}</device>"))
        .collect();
    let devices = devices.concat();
    ok(&format!(
        "<ise_api><name>attributes</name><deviceList>{devices}</deviceList></ise_api>"
    ))
}
