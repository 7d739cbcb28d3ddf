//! Reading the whole fleet from Graph's `managedDevices`.
//!
//! There is no delta function for devices (`mdm-protocols.md` 4.3). What is read
//! between two full reads are the devices that reported since: removals, and
//! changes of compliance without a report, are seen by the next full read.

mod cursor;
mod hardware;
mod listed;
mod page;
mod pause;
mod policy_states;
mod record;

use std::time::{Duration, UNIX_EPOCH};

use portreeve_plugin::connector::Error;
use portreeve_plugin::connector::inventory::{Page, SyncError};
use portreeve_plugin::device::{Attribute, ComplianceState, Device, Tristate, Value};
use portreeve_plugin::http::Response;

use crate::address::Address;
use crate::discovery;
use crate::errors::{self, Failure, Party};
use crate::services::Services;
use crate::settings::{Delta, Inventory, Settings};
use cursor::{Cursor, Link};
use listed::Listed;
use page::{ManagedDevice, SELECT, Scalar};

/// The devices of a tenant, below the address of Graph.
const LIST: &str = "/v1.0/deviceManagement/managedDevices";

/// Most devices on a page. Graph gives no more, whatever it is asked for.
const LARGEST_PAGE: u32 = 1000;

/// How much earlier than the last read began changes are asked for: a report
/// takes a while to show in the list.
const OVERLAP_MS: u64 = 15 * 60_000;

/// Reads the next page.
pub(crate) fn next_page<S: Services>(
    services: &S,
    settings: &Settings,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page, SyncError> {
    if settings.inventory == Inventory::Off {
        return Err(SyncError::Failed(Error::Unsupported(
            "the setting `inventory` is `off`; hint: set `inventory = \"graph\"`".to_owned(),
        )));
    }
    let cursor = match cursor {
        None => None,
        Some(text) => Some(Cursor::parse(text).ok_or(SyncError::CursorExpired)?),
    };
    if let Some(cursor @ Cursor::Settled { .. }) = &cursor
        && settings.delta == Delta::None
    {
        return Ok(page(Vec::new(), cursor, None));
    }
    let graph = discovery::graph(settings).map_err(|failure| SyncError::Failed(failure.error))?;
    let limit = if settings.compliance_details {
        policy_states::largest(limit)
    } else {
        limit
    };
    if cursor.is_none() {
        listed::refresh(services, settings);
    }
    let url = match &cursor {
        None => list(&graph, limit),
        Some(Cursor::Settled { since }) => changes(&graph, limit, *since),
        Some(Cursor::Full { link, .. } | Cursor::Changes { link, .. }) => link.url(&graph),
    };
    let response = get(services, &url, cursor.as_ref().is_some_and(continues))?;
    pause::over(services);
    let mut page = read(services, settings, &graph, cursor.as_ref(), &response)
        .map_err(|problem| SyncError::Failed(Error::BadResponse(problem)))?;
    policy_states::add(services, settings, &graph, &mut page.upserts).map_err(SyncError::Failed)?;
    Ok(page)
}

/// Adds to a device that the compliance service knows what Graph knows of it,
/// so that a look-up leaves the same record behind as an inventory.
pub(crate) fn complete<S: Services>(
    services: &S,
    settings: &Settings,
    found: Device,
) -> Result<Device, Failure> {
    // Only a GUID leads to a device of Graph's.
    if settings.inventory == Inventory::Off || found.key.starts_with("mac:") {
        return Ok(found);
    }
    let url = format!(
        "{}{LIST}/{}?$select={SELECT}",
        discovery::graph(settings)?,
        found.key
    );
    let response = services
        .get(&url, "application/json")
        .map_err(|error| errors::from_http(Party::Devices, error))?;
    match response.status {
        200 => {}
        403 | 404 => {
            portreeve_plugin::warn!(
                "Graph does not tell about this device",
                key = found.key,
                status = response.status
            );
            return Ok(found);
        }
        _ => {
            let now = services.now_ms();
            let failure = errors::from_status(Party::Devices, &response, now);
            // The compliance service is where it was.
            return Err(Failure::new(failure.error));
        }
    }
    let unreadable = |why: String| {
        Failure::new(Error::BadResponse(format!(
            "the answer of {} about a device cannot be used: {why}",
            Party::Devices.name()
        )))
    };
    let entry: ManagedDevice<'_> =
        serde_json::from_slice(&response.body).map_err(|error| unreadable(error.to_string()))?;
    let told = record::device(&entry).filter(|told| told.key == found.key);
    let told = told.ok_or_else(|| unreadable("it is about another device".to_owned()))?;
    let mut device = united(told, found, settings);
    let graph = discovery::graph(settings)?;
    policy_states::add(
        services,
        settings,
        &graph,
        std::slice::from_mut(&mut device),
    )
    .map_err(Failure::new)?;
    Ok(device)
}

/// Asks for one device, to see whether that is allowed.
pub(crate) fn probe<S: Services>(services: &S, settings: &Settings) -> Result<(), Failure> {
    let url = format!("{}{LIST}?$select=id&$top=1", discovery::graph(settings)?);
    let response = services
        .get(&url, "application/json")
        .map_err(|error| errors::from_http(Party::Devices, error))?;
    if response.status != 200 {
        let now = services.now_ms();
        return Err(errors::from_status(Party::Devices, &response, now));
    }
    serde_json::from_slice::<page::Page<'_>>(&response.body)
        .map(|_| ())
        .map_err(|error| Failure::new(Error::BadResponse(unreadable(&error))))
}

fn list(graph: &Address, limit: u32) -> String {
    // No wish, no bound but Graph's own.
    let top = if limit == 0 { LARGEST_PAGE } else { limit };
    let top = top.min(LARGEST_PAGE);
    format!("{graph}{LIST}?$select={SELECT}&$top={top}")
}

fn changes(graph: &Address, limit: u32, since: u64) -> String {
    let since = Duration::from_millis(since.saturating_sub(OVERLAP_MS));
    // `gt` is the comparison that Microsoft documents for this property.
    format!(
        "{}&$filter=lastSyncDateTime%20gt%20{}",
        list(graph, limit),
        // A cursor from a store that was tampered with must not end in a trap.
        humantime::format_rfc3339_seconds(
            UNIX_EPOCH + since.min(Duration::from_secs(253_402_300_799))
        )
    )
}

/// Whether a cursor goes on with a link that Graph gave.
fn continues(cursor: &Cursor) -> bool {
    matches!(cursor, Cursor::Full { .. } | Cursor::Changes { .. })
}

fn get<S: Services>(services: &S, url: &str, continued: bool) -> Result<Response, SyncError> {
    let failed = |failure: Failure| SyncError::Failed(failure.error);
    let response = services
        .get(url, "application/json")
        .map_err(|error| failed(errors::from_http(Party::Devices, error)))?;
    match response.status {
        200 => Ok(response),
        // Graph made this link itself: it holds no more.
        400 | 410 if continued => {
            portreeve_plugin::info!("the link to the next page has expired");
            Err(SyncError::CursorExpired)
        }
        _ => {
            let failure = errors::from_status(Party::Devices, &response, services.now_ms());
            Err(SyncError::Failed(match failure.error {
                Error::RateLimited(None) => Error::RateLimited(Some(pause::next(services))),
                error => error,
            }))
        }
    }
}

fn read<S: Services>(
    services: &S,
    settings: &Settings,
    graph: &Address,
    cursor: Option<&Cursor>,
    response: &Response,
) -> Result<Page, String> {
    let answer: page::Page<'_> =
        serde_json::from_slice(&response.body).map_err(|error| unreadable(&error))?;
    let next = match &answer.next {
        Scalar::Text(next) => {
            let link = Link::new(next, graph)
                .map_err(|problem| format!("the list of devices cannot be read: {problem}"))?;
            Some(link)
        }
        Scalar::Null => None,
        _ => return Err("the list of devices cannot be read: odd `@odata.nextLink`".to_owned()),
    };
    let total = total(&answer, cursor, next.is_some());
    let started = match cursor {
        Some(Cursor::Full { started, link } | Cursor::Changes { started, link }) => {
            if next.as_ref() == Some(link) {
                return Err("the list of devices leads from a page to itself".to_owned());
            }
            *started
        }
        None | Some(Cursor::Settled { .. }) => now(services, response),
    };
    let changes = matches!(
        cursor,
        Some(Cursor::Settled { .. } | Cursor::Changes { .. })
    );
    let cursor = match next {
        None => Cursor::Settled { since: started },
        Some(link) if changes => Cursor::Changes { started, link },
        Some(link) => Cursor::Full { started, link },
    };
    let listed = Listed::kept(services, settings);
    let upserts = records(&answer.value, &listed);
    if upserts.len() < answer.value.len() {
        portreeve_plugin::warn!(
            "devices without an id were left out",
            count = answer.value.len() - upserts.len()
        );
    }
    Ok(page(upserts, &cursor, total))
}

/// The records of a page.
fn records(entries: &[ManagedDevice<'_>], listed: &Listed) -> Vec<Device> {
    let mut records = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(mut device) = record::device(entry) else {
            continue;
        };
        if listed.holds(&device.key) {
            device.attributes.push(on_the_list());
        }
        records.push(device);
    }
    records
}

fn page(upserts: Vec<Device>, cursor: &Cursor, total: Option<u64>) -> Page {
    Page {
        upserts,
        removals: Vec::new(),
        cursor: cursor.to_string(),
        more: continues(cursor),
        total,
    }
}

/// How many devices there are, where the count is one: in a list of several
/// pages it may be that of the page.
fn total(answer: &page::Page<'_>, cursor: Option<&Cursor>, more: bool) -> Option<u64> {
    let count = answer.count.number()?;
    let on_page = u64::try_from(answer.value.len()).ok()?;
    let full = matches!(cursor, None | Some(Cursor::Full { .. }));
    let whole = cursor.is_none() && !more;
    (full && (whole || count > on_page)).then_some(count)
}

/// The time by the clock that also stamps the reports, if it is told.
fn now<S: Services>(services: &S, response: &Response) -> u64 {
    response
        .header("date")
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .and_then(|date| date.duration_since(UNIX_EPOCH).ok())
        .and_then(|date| u64::try_from(date.as_millis()).ok())
        .unwrap_or_else(|| services.now_ms())
}

/// Graph's record with what only the compliance service said.
fn united(mut told: Device, found: Device, settings: &Settings) -> Device {
    for id in found.ids {
        if !told.ids.contains(&id) {
            told.ids.push(id);
        }
    }
    for attribute in found.attributes {
        let known = |other: &Attribute| other.name == attribute.name;
        if !told.attributes.iter().any(known) {
            told.attributes.push(attribute);
        }
    }
    if told.compliance.state != ComplianceState::Compliant {
        told.compliance.failing = found.compliance.failing;
    }
    if settings.non_compliant_list && found.compliance.state == ComplianceState::NonCompliant {
        told.attributes.push(on_the_list());
    }
    if told.posture.screen_lock == Tristate::Unknown {
        told.posture.screen_lock = found.posture.screen_lock;
    }
    told
}

fn on_the_list() -> Attribute {
    Attribute {
        name: record::LISTED.to_owned(),
        value: Value::Boolean(true),
    }
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("the list of devices cannot be read: {error}")
}

#[cfg(test)]
mod tests;
