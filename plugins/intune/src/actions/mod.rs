//! Acting on devices through Graph's `managedDevices`.
//!
//! Graph takes an action on with 204 and hands it to the device later; what
//! became of it is in `deviceActionResults`. A permission that the token at
//! hand does not name is said before anything is sent.

mod kind;
mod ledger;
mod permission;
mod progress;
mod ticket;

use std::time::UNIX_EPOCH;

use portreeve_plugin::connector::Error;
use portreeve_plugin::connector::actions::{Action, State, Ticket};
use portreeve_plugin::connector::credentials::Info;
use portreeve_plugin::http::{Error as HttpError, Response};

use crate::discovery;
use crate::errors::{self, Failure, Party};
use crate::identifier;
use crate::services::Services;
use crate::settings::Settings;
use kind::Kind;
use ledger::{Entry, Known};
use ticket::Started;

/// What acting borrows from the host beside [`Services`].
pub(crate) trait Acting: Services {
    /// What is kept under a key, and the version of that; 0 for nothing.
    fn versioned(&self, key: &str) -> Result<(Vec<u8>, u64), String>;

    /// Keeps a value over that version, and says whether it still was the one.
    fn replace(&self, key: &str, value: &[u8], version: u64, ttl_ms: u64) -> Result<bool, String>;

    /// What is known of a credential.
    fn credential(&self, slot: &str) -> Info;
}

/// What can be done to a device, and what is in the way.
pub(crate) fn supported<S: Acting>(services: &S, device: &str) -> Vec<String> {
    let present = permission::newest(services);
    let named = kind::ALL.iter().map(|kind| {
        let name = kind.name;
        match unknown(device).or_else(|| permission::obstacle(kind, &present)) {
            Some(obstacle) => format!("{name}: {obstacle}"),
            None => name.to_owned(),
        }
    });
    named.collect()
}

/// Starts an action, unless the same key has.
pub(crate) fn start<S: Acting>(
    services: &S,
    settings: &Settings,
    device: &str,
    action: Action,
    key: &str,
) -> Result<Ticket, Error> {
    if let Some(reason) = unknown(device) {
        return Err(Error::Unsupported(reason));
    }
    let (name, arguments) = words(action);
    let Some(kind) = kind::named(&name) else {
        let name = errors::shortened(&name);
        return Err(Error::Unsupported(format!("Intune has no action `{name}`")));
    };
    let body = match kind.body(&arguments) {
        Ok(body) => body,
        Err(problem) => return Ok(refused(problem)),
    };
    permission::expect(services, kind)?;
    let graph = discovery::graph(settings).map_err(|failure| failure.error)?;
    let url = format!(
        "{graph}/{}/deviceManagement/managedDevices/{device}/{}",
        kind.version, kind.segment
    );
    let entry = Entry::new(device, key);
    match entry.begin(services)? {
        Known::Sent(at) => return Ok(pending(kind, at, true)),
        Known::Begun(at) if !kind.is_repeatable => return Ok(pending(kind, at, false)),
        Known::New | Known::Begun(_) => {}
    }
    match services.post(&url, &[], body.unwrap_or_default().into_bytes()) {
        Ok(response) if matches!(response.status, 200 | 202 | 204) => {
            let at = time(services, &response);
            entry.sent(services, at)?;
            Ok(pending(kind, at, true))
        }
        Ok(response) => {
            let failure = errors::from_status(Party::Devices, &response, services.now_ms());
            // After other failures of a server it may have been taken on.
            let is_unclear = matches!(response.status, 500..=599) && response.status != 503;
            if !is_unclear {
                entry.strike(services)?;
            }
            said_no(&response, failure)
        }
        Err(error) => {
            if is_surely_unsent(&error) {
                entry.strike(services)?;
            }
            Err(errors::from_http(Party::Devices, error).error)
        }
    }
}

/// Asks how an action goes on.
pub(crate) fn status<S: Acting>(
    services: &S,
    settings: &Settings,
    device: &str,
    key: &str,
) -> Result<Ticket, Error> {
    let Some(started) = Started::parse(key) else {
        return Err(Error::Unsupported(
            "this is no ticket of Intune's".to_owned(),
        ));
    };
    if let Some(reason) = unknown(device) {
        return Err(Error::Unsupported(reason));
    }
    let graph = discovery::graph(settings).map_err(|failure| failure.error)?;
    let url = format!(
        "{graph}/v1.0/deviceManagement/managedDevices/{device}?$select=id,deviceActionResults"
    );
    let response = services
        .get(&url, "application/json")
        .map_err(|error| errors::from_http(Party::Devices, error).error)?;
    match response.status {
        200 => progress::read(&response.body, started, time(services, &response)).map_err(|why| {
            Error::BadResponse(format!(
                "what Graph says about a device cannot be read: {why}"
            ))
        }),
        404 => Ok(gone(started)),
        _ => Err(errors::from_status(Party::Devices, &response, services.now_ms()).error),
    }
}

/// The name of an action and its arguments.
fn words(action: Action) -> (String, String) {
    let plain = |name: &str| (name.to_owned(), "{}".to_owned());
    match action {
        Action::Sync => plain("sync"),
        Action::Lock => plain("lock"),
        Action::Retire => plain("retire"),
        Action::Wipe => plain("wipe"),
        // Intune wants a title.
        Action::Notify(body) => {
            let arguments = serde_json::json!({ "title": "Message", "body": body });
            ("notify".to_owned(), arguments.to_string())
        }
        Action::Other(named) => (named.name, named.arguments),
    }
}

/// Why nothing can be done to a device, if Graph does not know it by this key.
fn unknown(device: &str) -> Option<String> {
    let known = identifier::guid(device).as_deref() == Some(device);
    (!known).then(|| {
        "Intune told this device by its MAC address only, and acts on devices by their id; \
         ask by GUID, or read the inventory"
            .to_owned()
    })
}

fn pending(kind: &'static Kind, at: u64, sure: bool) -> Ticket {
    let started = Started { kind, at, sure };
    let detail = "whether it was handed over before an interruption is not known";
    Ticket {
        key: (!kind.results.is_empty()).then(|| started.key()),
        state: State::Pending,
        detail: (!sure).then(|| detail.to_owned()),
    }
}

fn refused(detail: String) -> Ticket {
    Ticket {
        key: None,
        state: State::Refused,
        detail: Some(detail),
    }
}

/// The device is not in Intune any more.
fn gone(started: Started) -> Ticket {
    let (state, detail) = if started.kind.removes {
        (State::Done, "the device has left Intune")
    } else {
        (
            State::Failed,
            "the device has left Intune before it was done",
        )
    };
    Ticket {
        key: Some(started.key()),
        state,
        detail: Some(detail.to_owned()),
    }
}

/// What an answer means that is not the wanted one.
fn said_no(response: &Response, failure: Failure) -> Result<Ticket, Error> {
    match (response.status, failure.error) {
        (404, _) => Ok(refused(
            "Intune does not know this device any more".to_owned(),
        )),
        // The action does not fit the platform, or one is under way.
        (400 | 405 | 409 | 412, Error::BadResponse(text)) => Ok(refused(text)),
        (_, error) => Err(error),
    }
}

/// Whether a request that got no answer was not even sent.
fn is_surely_unsent(error: &HttpError) -> bool {
    matches!(
        error,
        HttpError::Denied(_)
            | HttpError::NameResolution(_)
            | HttpError::Tls(_)
            | HttpError::Busy
            | HttpError::CredentialRefused(_)
            | HttpError::CredentialUnavailable(_)
            | HttpError::InvalidRequest(_)
    )
}

/// The time by the clock that also stamps the results, if it is told.
fn time<S: Services>(services: &S, response: &Response) -> u64 {
    let date = response.header("date");
    date.and_then(|date| httpdate::parse_http_date(date).ok())
        .and_then(|date| date.duration_since(UNIX_EPOCH).ok())
        .and_then(|date| u64::try_from(date.as_millis()).ok())
        .unwrap_or_else(|| services.now_ms())
}

#[cfg(test)]
mod tests;
