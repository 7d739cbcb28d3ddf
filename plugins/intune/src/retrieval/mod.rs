//! Asking the compliance service about devices.

use portreeve_plugin::connector::{Error, Outcome};
use portreeve_plugin::device::{Device, DeviceId};
use portreeve_plugin::http::Response;

use crate::answer::{self, Entry, ServerInfo};
use crate::device;
use crate::discovery::{self, Service};
use crate::errors::{self, Failure, Party};
use crate::identifier::{self, Asked, Mac};
use crate::inventory;
use crate::services::Services;
use crate::settings::{ServiceVersion, Settings};

/// Most identifiers that are asked about in one look-up.
const MAX_QUESTIONS: usize = 6;

/// Looks a device up by all its identifiers: GUIDs first, as they come from
/// certificates, then addresses.
pub(crate) fn find<S: Services>(
    services: &S,
    settings: &Settings,
    ids: &[DeviceId],
) -> Result<Outcome, Error> {
    let questions = questions(settings, ids);
    if questions.is_empty() {
        return Err(Error::Unsupported(match settings.version() {
            ServiceVersion::V2 => "Intune can be asked by MAC address only".to_owned(),
            ServiceVersion::V3 => "Intune can be asked by GUID and MAC address only".to_owned(),
        }));
    }
    let mut found: Vec<Device> = Vec::new();
    for asked in &questions {
        match ask(services, settings, asked).map_err(|failure| failure.error)? {
            Outcome::Found(device) => {
                // A certificate's GUID needs no second opinion.
                if matches!(asked, Asked::Guid(_)) {
                    return Ok(Outcome::Found(device));
                }
                found.push(device);
            }
            Outcome::Unknown => {}
            ambiguous @ Outcome::Ambiguous(_) => return Ok(ambiguous),
        }
    }
    Ok(agreed(found))
}

/// Reads a device again by the key that an earlier answer gave it.
pub(crate) fn read<S: Services>(
    services: &S,
    settings: &Settings,
    key: &str,
) -> Result<Option<Device>, Error> {
    let asked = Asked::from_key(key)
        .ok_or_else(|| Error::Unsupported(format!("`{key}` is no key of this connector")))?;
    match ask(services, settings, &asked).map_err(|failure| failure.error)? {
        Outcome::Found(device) => Ok(Some(device)),
        Outcome::Unknown => Ok(None),
        Outcome::Ambiguous(_) => Err(Error::BadResponse(format!(
            "several devices answer to the key `{key}`"
        ))),
    }
}

/// Asks for one identifier.
pub(crate) fn ask<S: Services>(
    services: &S,
    settings: &Settings,
    asked: &Asked,
) -> Result<Outcome, Failure> {
    let path = format!(
        "{}?paging=0&querycriteria={}&value={}&filter=all",
        settings.version().devices_path(),
        asked.criterion(),
        asked.value()
    );
    let response = get(services, settings, &path)?;
    let entries = answer::read(&response.body)
        .and_then(|entries| answer::about(asked, entries))
        .map_err(|problem| unreadable(&problem))?;
    match outcome(entries, asked)? {
        Outcome::Found(device) => {
            inventory::complete(services, settings, device).map(Outcome::Found)
        }
        other => Ok(other),
    }
}

/// Asks the service who it is.
pub(crate) fn server_info<S: Services>(
    services: &S,
    settings: &Settings,
) -> Result<ServerInfo, Failure> {
    let path = format!(
        "/ciscoise/mdminfo/?ise_api_version={}",
        settings.version().number()
    );
    let response = get(services, settings, &path)?;
    answer::read_server_info(&response.body).map_err(|problem| unreadable(&problem))
}

/// Gets something from the service. When it seems to have moved, its address is
/// discovered again and the request repeated, once.
pub(crate) fn get<S: Services>(
    services: &S,
    settings: &Settings,
    path: &str,
) -> Result<Response, Failure> {
    let service = discovery::service(services, settings)?;
    match get_from(services, &service, path) {
        Err(failure) if failure.moved && service.remembered => {
            portreeve_plugin::info!(
                "the compliance service may have moved, discovering it again",
                host = service.address.host
            );
            let service = discovery::discover(services, settings)?;
            get_from(services, &service, path)
        }
        other => other,
    }
}

fn get_from<S: Services>(services: &S, service: &Service, path: &str) -> Result<Response, Failure> {
    let response = services
        .get(&format!("{}{path}", service.address), "application/xml")
        .map_err(|error| errors::from_http(Party::Intune, error))?;
    if response.status == 200 {
        Ok(response)
    } else {
        Err(errors::from_status(
            Party::Intune,
            &response,
            services.now_ms(),
        ))
    }
}

fn questions(settings: &Settings, ids: &[DeviceId]) -> Vec<Asked> {
    let guids = ids.iter().filter_map(|id| match id {
        DeviceId::Guid(text) => identifier::guid(text).map(Asked::Guid),
        _ => None,
    });
    let macs = ids.iter().filter_map(|id| match id {
        DeviceId::Mac(text) => Mac::parse(text).map(Asked::Mac),
        _ => None,
    });
    let mut questions: Vec<Asked> = Vec::new();
    for asked in guids.chain(macs) {
        // The old service knows no GUIDs.
        let known = settings.version() == ServiceVersion::V3 || matches!(asked, Asked::Mac(_));
        if known && !questions.contains(&asked) && questions.len() < MAX_QUESTIONS {
            questions.push(asked);
        }
    }
    questions
}

/// What one answer says. Only a registered device is one: an unknown one is
/// listed too, as not registered.
fn outcome(entries: Vec<Entry>, asked: &Asked) -> Result<Outcome, Failure> {
    let mut devices: Vec<Device> = Vec::new();
    for entry in entries {
        if entry.registered != Some(true) {
            continue;
        }
        let nameless = matches!(asked, Asked::Mac(_)) && device::known_guid(&entry).is_none();
        if nameless && !devices.is_empty() {
            return Err(Failure::new(Error::BadResponse(
                "several devices answer to one address and are not told apart".to_owned(),
            )));
        }
        let device = device::from_entry(entry, asked);
        match devices.iter().find(|known| known.key == device.key) {
            None => devices.push(device),
            Some(known) if known.compliance == device.compliance => {}
            Some(_) => {
                return Err(Failure::new(Error::BadResponse(format!(
                    "it says two different things about `{}`",
                    device.key
                ))));
            }
        }
    }
    let mut devices = devices.into_iter();
    Ok(match (devices.next(), devices.next()) {
        (None, _) => Outcome::Unknown,
        (Some(device), None) => Outcome::Found(device),
        (Some(first), Some(second)) => Outcome::Ambiguous(
            [first, second]
                .into_iter()
                .chain(devices)
                .map(|device| device.key)
                .collect(),
        ),
    })
}

/// One device out of the answers for several addresses. They contradict each
/// other only where both name a GUID.
fn agreed(found: Vec<Device>) -> Outcome {
    let mut guids: Vec<String> = Vec::new();
    for device in &found {
        if !device.key.starts_with("mac:") && !guids.contains(&device.key) {
            guids.push(device.key.clone());
        }
    }
    if guids.len() > 1 {
        return Outcome::Ambiguous(guids);
    }
    // The one with a GUID says more.
    let best = found
        .iter()
        .position(|device| !device.key.starts_with("mac:"))
        .unwrap_or(0);
    found
        .into_iter()
        .nth(best)
        .map_or(Outcome::Unknown, Outcome::Found)
}

fn unreadable(problem: &answer::Problem) -> Failure {
    Failure::new(Error::BadResponse(format!(
        "the answer of {} cannot be used: {problem}",
        Party::Intune.name()
    )))
}

#[cfg(test)]
mod tests;
