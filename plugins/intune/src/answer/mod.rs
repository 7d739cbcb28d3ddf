//! What the compliance service says about devices, in the form Cisco gave it.

use crate::identifier::{Asked, Mac, guid};
use crate::xml::{self, Element};

/// Most attributes that are passed on without being understood.
const MAX_OTHERS: usize = 24;
/// Longest value of one.
const MAX_OTHER_LENGTH: usize = 256;

/// Why an answer is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error(transparent)]
    Xml(#[from] xml::Problem),
    #[error("its root is `{0}` instead of `ise_api`")]
    Root(String),
    #[error("it lists no devices, not even none")]
    NoList,
    #[error("it is about `{answered}` instead of `{asked}`")]
    OtherDevice { asked: String, answered: String },
}

/// One device in an answer. What is absent was not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) guids: Vec<String>,
    /// The address the entry is about, with colons.
    pub(crate) echoed_macs: Vec<String>,
    /// All addresses that it lists.
    pub(crate) listed_macs: Vec<Mac>,
    pub(crate) registered: Option<bool>,
    pub(crate) compliant: Option<bool>,
    pub(crate) failure_reason: Option<String>,
    pub(crate) remediation: Option<String>,
    /// Milliseconds since the Unix epoch. Not in Cisco's definition.
    pub(crate) grace_until: Option<u64>,
    pub(crate) disk_encrypted: Option<bool>,
    pub(crate) screen_lock: Option<bool>,
    pub(crate) jailbroken: Option<bool>,
    pub(crate) manufacturer: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) imei: Option<String>,
    pub(crate) meid: Option<String>,
    pub(crate) udid: Option<String>,
    pub(crate) os: Option<String>,
    pub(crate) os_version: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub(crate) last_check_in: Option<u64>,
    /// Names in lower case, and values.
    pub(crate) others: Vec<(String, String)>,
}

/// What `mdminfo` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerInfo {
    pub(crate) api_version: Option<String>,
    pub(crate) vendor: Option<String>,
    pub(crate) product: Option<String>,
}

/// Reads the answer to a question about devices.
pub(crate) fn read(document: &[u8]) -> Result<Vec<Entry>, Problem> {
    let root = root(document)?;
    match root.child("devicelist") {
        Some(list) => Ok(list
            .children
            .iter()
            .filter(|child| child.name == "device")
            .map(entry)
            .collect()),
        // Without a list, only the word for this kind of answer says that it
        // is one. An error in XML must not read as "there is no such device".
        None if root.text_of("name") == Some("attributes") => Ok(Vec::new()),
        None => Err(Problem::NoList),
    }
}

/// Reads the answer of `mdminfo`.
pub(crate) fn read_server_info(document: &[u8]) -> Result<ServerInfo, Problem> {
    let root = root(document)?;
    let text = |name| root.text_of(name).map(crate::errors::shortened);
    Ok(ServerInfo {
        api_version: text("api_version"),
        vendor: text("vendor"),
        product: text("product_name"),
    })
}

/// Keeps the entries about the device that was asked for. A service that
/// ignores a criterion would otherwise decide about one device with the facts
/// of another.
pub(crate) fn about(asked: &Asked, entries: Vec<Entry>) -> Result<Vec<Entry>, Problem> {
    let mut answered = None;
    let matching: Vec<Entry> = entries
        .into_iter()
        .filter(|entry| {
            let other = match asked {
                Asked::Guid(asked) => entry.guids.iter().find(|guid| *guid != asked).cloned(),
                Asked::Mac(asked) => {
                    let asked = asked.colons();
                    entry.echoed_macs.iter().find(|mac| **mac != asked).cloned()
                }
            };
            let matches = other.is_none();
            answered = other.or(answered.take());
            matches
        })
        .collect();
    match answered {
        Some(answered) if matching.is_empty() => Err(Problem::OtherDevice {
            asked: asked.key(),
            answered,
        }),
        _ => Ok(matching),
    }
}

fn root(document: &[u8]) -> Result<Element, Problem> {
    let root = xml::read(document)?;
    if root.name == "ise_api" {
        Ok(root)
    } else {
        Err(Problem::Root(crate::errors::shortened(&root.name)))
    }
}

fn entry(device: &Element) -> Entry {
    let mut entry = Entry::default();
    for child in &device.children {
        match child.name.as_str() {
            "attributes" => {
                for attribute in &child.children {
                    read_attribute(&mut entry, attribute);
                }
            }
            _ => read_attribute(&mut entry, child),
        }
    }
    entry
}

fn read_attribute(entry: &mut Entry, element: &Element) {
    let text = element.text.as_str();
    match element.name.as_str() {
        "guid" => echo(&mut entry.guids, text, guid(text)),
        "macaddress" | "mac" => {
            echo(
                &mut entry.echoed_macs,
                text,
                Mac::parse(text).map(Mac::colons),
            );
        }
        "macaddresses" => entry
            .listed_macs
            .extend(text.split([',', ';', ' ']).filter_map(Mac::parse)),
        "register_status" => set(&mut entry.registered, boolean(text)),
        "compliance" => {
            for child in &element.children {
                read_compliance(entry, child);
            }
        }
        "disk_encryption_on" => set(&mut entry.disk_encrypted, boolean(text)),
        "pin_lock_on" => set(&mut entry.screen_lock, boolean(text)),
        "jail_broken" => set(&mut entry.jailbroken, boolean(text)),
        "manufacturer" => set(&mut entry.manufacturer, words(text)),
        "model" => set(&mut entry.model, words(text)),
        "serial_number" => set(&mut entry.serial, words(text)),
        "imei" => set(&mut entry.imei, words(text)),
        "meid" => set(&mut entry.meid, words(text)),
        "udid" => set(&mut entry.udid, words(text)),
        "os" | "os_type" | "operating_system" | "platform" => set(&mut entry.os, words(text)),
        "os_version" => set(&mut entry.os_version, words(text)),
        "lastcheckintimestamp" => set(&mut entry.last_check_in, timestamp(text)),
        "grace_period_expiration" => set(&mut entry.grace_until, timestamp(text)),
        // Personal, and no business of network access.
        "phone_number" => {}
        name => {
            if element.children.is_empty()
                && !text.is_empty()
                && name.len() <= 64
                && entry.others.len() < MAX_OTHERS
            {
                let value = text.chars().take(MAX_OTHER_LENGTH).collect();
                entry.others.push((name.to_owned(), value));
            }
        }
    }
}

fn read_compliance(entry: &mut Entry, element: &Element) {
    let text = element.text.as_str();
    match element.name.as_str() {
        "status" => set(&mut entry.compliant, boolean(text)),
        "failure_reason" => set(&mut entry.failure_reason, words(text)),
        "remediation" => set(&mut entry.remediation, words(text)),
        "grace_period_expiration" => set(&mut entry.grace_until, timestamp(text)),
        _ => {}
    }
}

/// Something unreadable is kept as it is: it is not what was asked for.
fn echo(echoes: &mut Vec<String>, text: &str, read: Option<String>) {
    let echo = read.unwrap_or_else(|| crate::errors::shortened(text));
    if !echo.is_empty() && !echoes.contains(&echo) {
        echoes.push(echo);
    }
}

/// The first word counts, an empty or unreadable one does not.
fn set<T>(place: &mut Option<T>, value: Option<T>) {
    if place.is_none() {
        *place = value;
    }
}

fn words(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| crate::errors::shortened(text))
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Milliseconds since the Unix epoch; 0 means "never" there.
fn timestamp(text: &str) -> Option<u64> {
    text.parse().ok().filter(|time| *time > 0)
}

#[cfg(test)]
mod tests;
