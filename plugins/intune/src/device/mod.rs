//! From an entry of the compliance service to a device record.

use portreeve_plugin::device::{
    Attribute, Compliance, ComplianceState, Device, DeviceId, Enrollment, FailingCheck,
    OperatingSystem, Ownership, Posture, Tristate, Value,
};

use crate::answer::Entry;
use crate::identifier::{Asked, Mac};

/// Makes the record of a registered device.
pub(crate) fn from_entry(entry: Entry, asked: &Asked) -> Device {
    let guid = match asked {
        Asked::Guid(guid) => Some(guid.clone()),
        Asked::Mac(_) => known_guid(&entry),
    };
    let macs = addresses(&entry, asked);
    let os = operating_system(&entry);
    let compliance = compliance(&entry);
    let attributes = attributes(&entry, asked);
    Device {
        key: guid.clone().unwrap_or_else(|| asked.key()),
        ids: identifiers(guid, &macs, &entry),
        enrollment: Enrollment::Enrolled,
        compliance,
        ownership: Ownership::Unknown,
        posture: Posture {
            disk_encrypted: tristate(entry.disk_encrypted),
            screen_lock: tristate(entry.screen_lock),
            jailbroken: tristate(entry.jailbroken),
            firewall: Tristate::Unknown,
            antivirus: Tristate::Unknown,
            secure_boot: Tristate::Unknown,
        },
        user: None,
        os,
        manufacturer: entry.manufacturer,
        model: entry.model,
        name: None,
        enrolled_at: None,
        last_seen: entry.last_check_in,
        attributes,
    }
}

/// The GUID of an entry that was asked for by something else.
pub(crate) fn known_guid(entry: &Entry) -> Option<String> {
    entry
        .guids
        .iter()
        .find_map(|text| crate::identifier::guid(text))
}

fn addresses(entry: &Entry, asked: &Asked) -> Vec<Mac> {
    let mut macs = Vec::new();
    if let Asked::Mac(mac) = asked {
        macs.push(*mac);
    }
    let echoed = entry.echoed_macs.iter().filter_map(|mac| Mac::parse(mac));
    for mac in echoed.chain(entry.listed_macs.iter().copied()) {
        if !macs.contains(&mac) {
            macs.push(mac);
        }
    }
    macs
}

fn identifiers(guid: Option<String>, macs: &[Mac], entry: &Entry) -> Vec<DeviceId> {
    let digits = |text: &String| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        (digits.len() == 15).then_some(digits)
    };
    let meid = |text: &String| {
        let hex = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| text.to_ascii_uppercase())
    };
    let mut ids = Vec::new();
    ids.extend(guid.map(DeviceId::Guid));
    ids.extend(macs.iter().map(|mac| DeviceId::Mac(mac.colons())));
    ids.extend(entry.serial.clone().map(DeviceId::Serial));
    ids.extend(entry.imei.as_ref().and_then(digits).map(DeviceId::Imei));
    ids.extend(entry.meid.as_ref().and_then(meid).map(DeviceId::Meid));
    ids.extend(entry.udid.clone().map(DeviceId::Udid));
    ids
}

fn compliance(entry: &Entry) -> Compliance {
    let state = match entry.compliant {
        // Some services count the grace period as compliant, some do not. Whether
        // it is over is a question for the time of the decision: the record is
        // kept for a while.
        _ if entry.grace_until.is_some() => ComplianceState::InGracePeriod,
        Some(true) => ComplianceState::Compliant,
        Some(false) => ComplianceState::NonCompliant,
        None => ComplianceState::Unknown,
    };
    let failing = match &entry.failure_reason {
        Some(reason) if state != ComplianceState::Compliant => vec![FailingCheck {
            code: code(reason),
            message: Some(match &entry.remediation {
                Some(remediation) => format!("{reason} ({remediation})"),
                None => reason.clone(),
            }),
        }],
        _ => Vec::new(),
    };
    Compliance {
        state,
        evaluated_at: None,
        grace_until: entry.grace_until,
        failing,
    }
}

/// A code is one word; a sentence only says that there is a reason.
fn code(reason: &str) -> String {
    let word = reason
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if word && reason.len() <= 64 {
        kebab(reason)
    } else {
        "failure-reason".to_owned()
    }
}

fn attributes(entry: &Entry, asked: &Asked) -> Vec<Attribute> {
    let named = |name: &str, value: &str| Attribute {
        name: format!("intune.{name}"),
        value: Value::Text(value.to_owned()),
    };
    let mut attributes = vec![named("matched-by", asked.matched_by())];
    for (name, value) in [
        ("failure-reason", &entry.failure_reason),
        ("remediation", &entry.remediation),
    ] {
        attributes.extend(value.as_deref().map(|value| named(name, value)));
    }
    for (name, value) in &entry.others {
        let name = kebab(name);
        // A service must not be able to say how the device was found.
        let own = attributes
            .iter()
            .any(|attribute| attribute.name.strip_prefix("intune.") == Some(name.as_str()));
        if !own && !name.is_empty() {
            attributes.push(named(&name, value));
        }
    }
    attributes
}

/// Lower case, with single hyphens between words.
fn kebab(name: &str) -> String {
    name.to_ascii_lowercase()
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

fn operating_system(entry: &Entry) -> Option<OperatingSystem> {
    let family = entry
        .os
        .as_deref()
        .and_then(family_by_name)
        .or_else(|| entry.model.as_deref().and_then(family_by_model))
        .or_else(|| entry.os_version.as_deref().and_then(family_by_version));
    if family.is_none() && entry.os_version.is_none() {
        return None;
    }
    Some(OperatingSystem {
        family: family.unwrap_or("unknown").to_owned(),
        version: entry.os_version.clone(),
        build: None,
        patch_level: None,
    })
}

pub(crate) fn family_by_name(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    // `macos` before `os`, `ipados` before `ios`.
    [
        ("windows", "windows"),
        ("macos", "macos"),
        ("mac os", "macos"),
        ("ipados", "ipados"),
        ("ios", "ios"),
        ("android", "android"),
        ("aosp", "android"),
        ("chromeos", "chromeos"),
        ("chrome os", "chromeos"),
        ("linux", "linux"),
        ("ubuntu", "linux"),
    ]
    .into_iter()
    .find(|(part, _)| name.contains(part))
    .map(|(_, family)| family)
}

fn family_by_model(model: &str) -> Option<&'static str> {
    let model = model.to_ascii_lowercase();
    let starts = |names: &[&str]| names.iter().any(|name| model.starts_with(name));
    if starts(&["iphone", "ipod"]) {
        Some("ios")
    } else if starts(&["ipad"]) {
        Some("ipados")
    } else if starts(&[
        "macbook",
        "imac",
        "mac mini",
        "macmini",
        "mac pro",
        "macpro",
        "mac studio",
    ]) || is_numbered_mac(&model)
    {
        Some("macos")
    } else {
        None
    }
}

/// `mac14,2`, the form of all newer ones.
fn is_numbered_mac(model: &str) -> bool {
    model
        .strip_prefix("mac")
        .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// Only Windows is recognised by its version: `10.0.19043.2006`.
fn family_by_version(version: &str) -> Option<&'static str> {
    let mut parts = version.split('.');
    let windows = parts.next() == Some("10")
        && parts.next() == Some("0")
        && parts.next().is_some_and(|build| {
            build.len() == 5 && build.bytes().all(|byte| byte.is_ascii_digit())
        });
    windows.then_some("windows")
}

fn tristate(value: Option<bool>) -> Tristate {
    match value {
        None => Tristate::Unknown,
        Some(false) => Tristate::No,
        Some(true) => Tristate::Yes,
    }
}

#[cfg(test)]
mod tests;
