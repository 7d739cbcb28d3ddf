//! The compliance service's own list of devices that are not compliant,
//! `mdm-protocols.md` 3.3 and 3.4.
//!
//! It says how the service that NAC products are answered by counts a device,
//! which may differ from Graph's word. It is no inventory: a device that is not
//! on it is compliant, unmanaged or unknown.
//!
//! The service answers it for 60 minutes after the first call and refuses it for
//! the three hours after that. Inside of those nothing is sent.

use portreeve_plugin::connector::Error;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::identifier;
use crate::retrieval;
use crate::services::Services;
use crate::settings::Settings;

const MINUTE_MS: u64 = 60_000;
/// How long it is answered from the first call on.
const OPEN_MS: u64 = 60 * MINUTE_MS;
/// From the first call of one window to that of the next.
const PERIOD_MS: u64 = 240 * MINUTE_MS;

/// When the window began that is open now: milliseconds, little-endian.
const WINDOW: &str = "non-compliant/window";
/// How many parts the kept list has.
const PARTS: &str = "non-compliant/parts";
/// Devices in one part. The host keeps values up to 64 KiB.
const PART: usize = 4000;
/// Most parts, so 64,000 devices in a megabyte.
const MOST_PARTS: usize = 16;
/// How long a list is used: over one window that was missed.
const KEPT_MS: u64 = 2 * PERIOD_MS + OPEN_MS;

/// A GUID as a number.
type Guid = u128;

/// The devices on the list, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed(Vec<Guid>);

/// Why a list is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    #[error("it is no UTF-8 text")]
    Encoding,
    #[error("it has a document type, which is refused")]
    DocumentType,
    #[error("it is no XML: {0}")]
    Syntax(String),
    #[error("it is no answer about devices")]
    NoList,
    #[error("it has more than {} devices", PART * MOST_PARTS)]
    TooMany,
}

impl Listed {
    /// Whether a device is on it; by its GUID in lower case.
    pub(super) fn holds(&self, guid: &str) -> bool {
        number(guid).is_some_and(|guid| self.0.binary_search(&guid).is_ok())
    }

    /// The list that was kept, if it is not too old; empty otherwise.
    pub(super) fn kept<S: Services>(services: &S, settings: &Settings) -> Self {
        let mut guids = Vec::new();
        if settings.non_compliant_list
            && let Some([parts]) = services.recall(PARTS).as_deref()
        {
            for part in 0..*parts {
                let bytes = services.recall(&part_key(part)).unwrap_or_default();
                let (numbers, _) = bytes.as_chunks();
                guids.extend(numbers.iter().map(|number| Guid::from_le_bytes(*number)));
            }
        }
        Self(guids)
    }

    fn keep<S: Services>(&self, services: &S) -> bool {
        let parts = self.0.chunks(PART);
        let Ok(count) = u8::try_from(parts.len()) else {
            return false;
        };
        // Without its number of parts a list that is half written is none.
        services.forget(PARTS);
        let written = (0..).zip(parts).all(|(part, guids)| {
            let bytes: Vec<u8> = guids.iter().flat_map(|guid| guid.to_le_bytes()).collect();
            services.remember(&part_key(part), &bytes, KEPT_MS)
        });
        written && services.remember(PARTS, &[count], KEPT_MS)
    }
}

/// Reads the list anew if its window lets it. Nothing about it is a reason for
/// an inventory to fail: without a list there is only no word of it.
pub(super) fn refresh<S: Services>(services: &S, settings: &Settings) {
    if !settings.non_compliant_list {
        return;
    }
    let now = services.now_ms();
    if !enter(services, now) {
        portreeve_plugin::info!("the list of non-compliant devices is not due, its window is over");
        return;
    }
    let path = format!(
        "{}?paging=0&querycriteria=compliance&value=false&deviceidentifier=guid&filter=all",
        settings.version().devices_path()
    );
    let read = match retrieval::get(services, settings, &path) {
        Ok(response) => read(&response.body).map_err(|problem| problem.to_string()),
        Err(failure) => {
            if matches!(failure.error, Error::RateLimited(_)) {
                // Somebody else opened the window: a NAC product of this tenant.
                remember_window(services, now.saturating_sub(OPEN_MS));
            }
            Err(format!("{:?}", failure.error))
        }
    };
    match read {
        Ok(list) => {
            if !list.keep(services) {
                portreeve_plugin::warn!("the list of non-compliant devices cannot be kept");
            }
        }
        Err(error) => portreeve_plugin::warn!(
            "the inventory goes on without the list of non-compliant devices",
            error = error
        ),
    }
}

/// Whether the list may be asked for now. Opens a window where none is.
fn enter<S: Services>(services: &S, now: u64) -> bool {
    let opened = services
        .recall(WINDOW)
        .and_then(|bytes| <[u8; 8]>::try_from(bytes).ok())
        .map(u64::from_le_bytes);
    match opened {
        // A clock that was put back makes it as old as it is away.
        Some(opened) if now.abs_diff(opened) < OPEN_MS => true,
        Some(opened) if now.abs_diff(opened) < PERIOD_MS => false,
        // It counts from before the call: what cannot be kept is not asked for.
        _ => remember_window(services, now),
    }
}

fn remember_window<S: Services>(services: &S, opened: u64) -> bool {
    services.remember(WINDOW, &opened.to_le_bytes(), PERIOD_MS)
}

fn part_key(part: u8) -> String {
    format!("non-compliant/{part}")
}

fn number(guid: &str) -> Option<Guid> {
    let digits = guid.bytes().filter(|byte| *byte != b'-');
    digits.into_iter().try_fold(0, |number: Guid, digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(number << 4 | Guid::from(digit))
    })
}

/// Reads the answer piece by piece: a tree of it would take more memory than a
/// plugin has.
fn read(document: &[u8]) -> Result<Listed, Problem> {
    let text = std::str::from_utf8(document).map_err(|_| Problem::Encoding)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut list = Vec::new();
    let mut answer = false;
    let mut entry = Entry::default();
    let mut value = String::new();
    loop {
        let event = reader
            .read_event()
            .map_err(|error| Problem::Syntax(crate::errors::shortened(&error.to_string())))?;
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                value.clear();
                match tag.local_name().as_ref().to_ascii_lowercase().as_str() {
                    "device" => entry = Entry::default(),
                    "devicelist" => answer = true,
                    _ => {}
                }
            }
            Event::Text(content) => value.push_str(&content.xml10_content()),
            Event::End(tag) => match tag.local_name().as_ref().to_ascii_lowercase().as_str() {
                "guid" => entry.guid = identifier::guid(&value).and_then(|guid| number(&guid)),
                "register_status" => entry.registered = value.trim().eq_ignore_ascii_case("true"),
                "status" => entry.non_compliant = value.trim().eq_ignore_ascii_case("false"),
                "device" => {
                    if let (Some(guid), true, true) =
                        (entry.guid, entry.registered, entry.non_compliant)
                    {
                        list.push(guid);
                    }
                    if list.len() > PART * MOST_PARTS {
                        return Err(Problem::TooMany);
                    }
                }
                _ => {}
            },
            Event::DocType(_) => return Err(Problem::DocumentType),
            Event::Eof => break,
            _ => {}
        }
    }
    if !answer {
        return Err(Problem::NoList);
    }
    list.sort_unstable();
    list.dedup();
    Ok(Listed(list))
}

#[derive(Default)]
struct Entry {
    guid: Option<Guid>,
    registered: bool,
    non_compliant: bool,
}

#[cfg(test)]
mod tests;
