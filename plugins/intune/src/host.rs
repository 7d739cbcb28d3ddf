//! The real host behind the trait of `services`.

use std::cell::Cell;

use portreeve_plugin::clock;
use portreeve_plugin::connector::credentials::{self, Info};
use portreeve_plugin::connector::state;
use portreeve_plugin::http::{Error, Request, Response};
use portreeve_plugin::settings::document;

use crate::actions::Acting;
use crate::errors;
use crate::services::Services;
use crate::settings::Settings;

/// The host that runs this component.
pub(crate) struct Host;

impl Host {
    /// The settings of this instance.
    pub(crate) fn settings() -> Result<Settings, String> {
        Settings::parse(&document()).map_err(|problems| {
            let texts: Vec<String> = problems
                .into_iter()
                .map(|problem| format!("`{}`: {}", problem.pointer, problem.message))
                .collect();
            texts.join("; ")
        })
    }
}

impl Services for Host {
    fn get(&self, url: &str, accept: &str) -> Result<Response, Error> {
        send(Request::get(url).header("accept", accept))
    }

    fn post(&self, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Response, Error> {
        let request = Request::post(url, body)
            .header("accept", "application/json")
            .header("content-type", "application/json");
        send(headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        }))
    }
    fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    fn recall(&self, key: &str) -> Option<Vec<u8>> {
        match state::get(key) {
            Ok(entry) => entry.map(|entry| entry.value),
            Err(error) => {
                portreeve_plugin::warn!(
                    "what is kept cannot be read",
                    key = key,
                    error = format!("{error:?}")
                );
                None
            }
        }
    }

    fn remember(&self, key: &str, value: &[u8], ttl_ms: u64) -> bool {
        let result = state::set(key, value, None, Some(ttl_ms));
        if let Err(error) = &result {
            portreeve_plugin::warn!(
                "a value cannot be kept",
                key = key,
                error = format!("{error:?}")
            );
        }
        result.is_ok()
    }

    fn forget(&self, key: &str) {
        if let Err(error) = state::delete(key) {
            portreeve_plugin::warn!(
                "a value cannot be dropped",
                key = key,
                error = format!("{error:?}")
            );
        }
    }

    fn renew_credential(&self, slot: &str) -> Info {
        credentials::renew(slot)
    }
}

impl Acting for Host {
    fn versioned(&self, key: &str) -> Result<(Vec<u8>, u64), String> {
        match state::get(key) {
            Ok(Some(entry)) => Ok((entry.value, entry.version)),
            Ok(None) => Ok((Vec::new(), 0)),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    fn replace(&self, key: &str, value: &[u8], version: u64, ttl_ms: u64) -> Result<bool, String> {
        match state::set(key, value, Some(version), Some(ttl_ms)) {
            Ok(_) => Ok(true),
            Err(state::Error::Conflict) => Ok(false),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    fn credential(&self, slot: &str) -> Info {
        credentials::describe(slot)
    }
}

/// Sends a request under an id of its own.
fn send(request: Request) -> Result<Response, Error> {
    let id = request_id();
    let result = request.header("client-request-id", &id).send();
    // Microsoft's support asks for the id of a request that went wrong.
    match &result {
        Ok(response) if matches!(response.status, 200..=204) => {}
        Ok(response) => portreeve_plugin::warn!(
            "the answer is not the wanted one",
            code = format!("status-{}", response.status),
            client_request_id = id,
            request_id = response.header("request-id").unwrap_or_default()
        ),
        Err(error) => portreeve_plugin::warn!(
            "there is no answer",
            code = errors::word(error),
            error = format!("{error:?}"),
            client_request_id = id
        ),
    }
    result
}

/// An id of the shape of a GUID (RFC 9562 version 8). It has to be different
/// from others, not random: a connector has no source of randomness.
fn request_id() -> String {
    thread_local!(static COUNTER: Cell<u64> = const { Cell::new(0) });
    let count = COUNTER.get().wrapping_add(1);
    COUNTER.set(count);
    let time = clock::now_ns();
    format!(
        "{:08x}-{:04x}-8{:03x}-8{:03x}-{:012x}",
        time >> 32 & 0xffff_ffff,
        time >> 16 & 0xffff,
        time >> 4 & 0xfff,
        time & 0xf,
        count & 0xffff_ffff_ffff
    )
}
