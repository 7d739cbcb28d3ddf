//! From `managedDevice` to a device record, `mdm-protocols.md` 4.2 and 4.9.

use std::time::UNIX_EPOCH;

use portreeve_plugin::device::{
    Attribute, Compliance, ComplianceState, Device, DeviceId, Enrollment, NamedId, OperatingSystem,
    Ownership, Posture, Tristate, User, Value,
};

use super::hardware;
use super::page::{ManagedDevice, Scalar};
use crate::device::family_by_name;
use crate::identifier::{self, Mac};

/// The attribute of a device on the compliance service's list of devices that
/// are not compliant.
pub(super) const LISTED: &str = "intune.listed-non-compliant";

/// Dates from here on mean "never": `9999-12-31` is what Graph writes.
const NEVER: u64 = 221_845_392_000_000;

/// The record of a device; `None` without an id, as nothing could refer to it.
pub(super) fn device(entry: &ManagedDevice<'_>) -> Option<Device> {
    let key = entry.id.text().and_then(identifier::guid)?;
    let os = operating_system(entry);
    Some(Device {
        ids: identifiers(&key, entry, os.as_ref()),
        key,
        enrollment: enrollment(entry),
        compliance: compliance(entry),
        ownership: match entry.owner.text() {
            Some("company") => Ownership::Corporate,
            Some("personal") => Ownership::Personal,
            _ => Ownership::Unknown,
        },
        posture: Posture {
            disk_encrypted: tristate(entry.encrypted.boolean()),
            screen_lock: Tristate::Unknown,
            // `True`, `False`, `Unknown`, in any case.
            jailbroken: tristate(entry.jailbroken.boolean()),
            firewall: Tristate::Unknown,
            antivirus: Tristate::Unknown,
            secure_boot: secure_boot(entry),
        },
        user: user(entry),
        os,
        manufacturer: owned(&entry.manufacturer),
        model: owned(&entry.model),
        name: owned(&entry.name),
        enrolled_at: timestamp(&entry.enrolled_at),
        last_seen: timestamp(&entry.last_sync),
        attributes: attributes(entry),
    })
}

/// Identifiers, best first. The user is none of them: it names many devices.
fn identifiers(
    guid: &str,
    entry: &ManagedDevice<'_>,
    os: Option<&OperatingSystem>,
) -> Vec<DeviceId> {
    let mut ids = Vec::with_capacity(8);
    ids.push(DeviceId::Guid(guid.to_owned()));
    let udid = entry.udid.text().and_then(hardware::udid);
    ids.extend(udid.map(|udid| DeviceId::Udid(udid.to_owned())));
    let serial = entry.serial.text().and_then(hardware::serial);
    ids.extend(serial.map(|serial| DeviceId::Serial(serial.to_owned())));
    if let Some(imei) = entry.imei.text() {
        ids.extend(hardware::imeis(imei).map(DeviceId::Imei));
    }
    let meid = entry.meid.text().and_then(hardware::meid);
    ids.extend(meid.map(DeviceId::Meid));
    ids.extend(entra_id(entry).map(|value| {
        DeviceId::Other(NamedId {
            kind: "entra-device-id".to_owned(),
            value,
        })
    }));
    let wifi = entry.wifi_mac.text().and_then(hardware::mac);
    let ethernet = entry.ethernet_mac.text().and_then(hardware::mac);
    let ethernet = ethernet.filter(|ethernet| wifi != Some(*ethernet));
    let macs = wifi.into_iter().chain(ethernet).map(Mac::colons);
    ids.extend(macs.map(DeviceId::Mac));
    let hostname = entry.name.text().filter(|name| is_hostname(name, os));
    ids.extend(hostname.map(|name| DeviceId::Hostname(name.to_owned())));
    ids
}

/// A computer's name is its host name. A phone's is whatever its user likes,
/// and thousands are called `iPhone`.
fn is_hostname(name: &str, os: Option<&OperatingSystem>) -> bool {
    let computer = os.is_some_and(|os| matches!(os.family.as_str(), "windows" | "macos" | "linux"));
    computer
        && name.len() <= 253
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

fn entra_id(entry: &ManagedDevice<'_>) -> Option<String> {
    let id = entry.entra_device_id.text().and_then(identifier::guid)?;
    (id != "00000000-0000-0000-0000-000000000000").then_some(id)
}

fn enrollment(entry: &ManagedDevice<'_>) -> Enrollment {
    match entry.management_state.text() {
        // It is listed, and nothing else is said.
        None
        | Some(
            "managed" | "retireFailed" | "wipeFailed" | "unhealthy" | "wipeCanceled"
            | "retireCanceled",
        ) => Enrollment::Enrolled,
        Some("retirePending" | "retireIssued" | "wipePending" | "wipeIssued" | "deletePending") => {
            Enrollment::Retired
        }
        Some("discovered") => Enrollment::NotEnrolled,
        // A word of tomorrow must not mean "all is well".
        Some(_) => Enrollment::Unknown,
    }
}

fn compliance(entry: &ManagedDevice<'_>) -> Compliance {
    let state = match entry.compliance_state.text() {
        Some("compliant") => ComplianceState::Compliant,
        Some("noncompliant") => ComplianceState::NonCompliant,
        Some("inGracePeriod") => ComplianceState::InGracePeriod,
        Some("conflict") => ComplianceState::Conflict,
        Some("error") => ComplianceState::Failed,
        // Intune gave no verdict, or another system does: `configManager`.
        _ => ComplianceState::Unknown,
    };
    // Compliant devices have a date as well, in the year 9999.
    let in_grace = state == ComplianceState::InGracePeriod;
    Compliance {
        state,
        evaluated_at: None,
        grace_until: timestamp(&entry.grace_until).filter(|_| in_grace),
        failing: Vec::new(),
    }
}

fn operating_system(entry: &ManagedDevice<'_>) -> Option<OperatingSystem> {
    let family = entry.os.text().and_then(family_by_name);
    let version = owned(&entry.os_version);
    if family.is_none() && version.is_none() {
        return None;
    }
    Some(OperatingSystem {
        family: family.unwrap_or("unknown").to_owned(),
        version,
        build: None,
        patch_level: owned(&entry.android_patch_level),
    })
}

fn secure_boot(entry: &ManagedDevice<'_>) -> Tristate {
    let word = entry.health().and_then(|health| health.secure_boot.text());
    match word {
        Some(word) if word.eq_ignore_ascii_case("enabled") => Tristate::Yes,
        Some(word) if word.eq_ignore_ascii_case("disabled") => Tristate::No,
        _ => Tristate::Unknown,
    }
}

fn user(entry: &ManagedDevice<'_>) -> Option<User> {
    let id = entry.user_id.text();
    let id = id.filter(|id| *id != "00000000-0000-0000-0000-000000000000");
    let user = User {
        id: id.map(str::to_owned),
        principal_name: owned(&entry.user_principal_name),
        display_name: owned(&entry.user_display_name),
        groups: Vec::new(),
    };
    let known = user.id.is_some() || user.principal_name.is_some() || user.display_name.is_some();
    known.then_some(user)
}

/// What has no place of its own. A word that says nothing (`unknown`, `none`)
/// is no attribute: a million devices would carry it.
fn attributes(entry: &ManagedDevice<'_>) -> Vec<Attribute> {
    let mut attributes = Vec::with_capacity(12);
    let mut add = |name: &str, value: Value| {
        attributes.push(Attribute {
            name: name.to_owned(),
            value,
        });
    };
    let health = entry.health();
    for (name, value, except) in [
        // Only where the record's own words do not say it.
        (
            "intune.compliance-state",
            Some(&entry.compliance_state),
            &[
                "compliant",
                "noncompliant",
                "inGracePeriod",
                "conflict",
                "error",
            ][..],
        ),
        (
            "intune.management-state",
            Some(&entry.management_state),
            &["managed"][..],
        ),
        ("intune.management-agent", Some(&entry.agent), &[]),
        (
            "intune.device-category",
            Some(&entry.category),
            &["Unknown"],
        ),
        ("intune.enrollment-type", Some(&entry.enrollment_type), &[]),
        (
            "intune.enrollment-profile",
            Some(&entry.enrollment_profile),
            &[],
        ),
        (
            "intune.registration-state",
            Some(&entry.registration_state),
            &[],
        ),
        (
            "intune.partner-threat-state",
            Some(&entry.threat_state),
            &[],
        ),
        (
            "intune.exchange-access-state",
            Some(&entry.exchange_access_state),
            &[],
        ),
        (
            "intune.exchange-access-state-reason",
            Some(&entry.exchange_access_state_reason),
            &[],
        ),
        ("intune.subscriber-carrier", Some(&entry.carrier), &[]),
        (
            "intune.bitlocker-status",
            health.map(|health| &health.bitlocker),
            &[],
        ),
        (
            "intune.code-integrity",
            health.map(|health| &health.code_integrity),
            &[],
        ),
        (
            "intune.boot-debugging",
            health.map(|health| &health.boot_debugging),
            &[],
        ),
        (
            "intune.kernel-debugging",
            health.map(|health| &health.kernel_debugging),
            &[],
        ),
        (
            "intune.test-signing",
            health.map(|health| &health.test_signing),
            &[],
        ),
        (
            "intune.safe-mode",
            health.map(|health| &health.safe_mode),
            &[],
        ),
        (
            "intune.early-launch-antimalware",
            health.map(|health| &health.early_launch_antimalware),
            &[],
        ),
        (
            "intune.virtual-secure-mode",
            health.map(|health| &health.virtual_secure_mode),
            &[],
        ),
        (
            "intune.tpm-version",
            health.map(|health| &health.tpm_version),
            &[],
        ),
    ] {
        let text = value.and_then(Scalar::text);
        let says = |text: &&str| {
            !matches!(*text, "unknown" | "unknownFutureValue" | "none") && !except.contains(text)
        };
        if let Some(text) = text.filter(says) {
            add(name, Value::Text(crate::errors::shortened(text)));
        }
    }
    for (name, value) in [
        ("intune.entra-registered", &entry.entra_registered),
        ("intune.supervised", &entry.supervised),
        ("intune.eas-activated", &entry.eas_activated),
        (
            "intune.user-enrollment-approval-required",
            &entry.needs_approval,
        ),
        (
            "intune.configuration-manager-compliance",
            entry
                .workloads()
                .map_or(&Scalar::Null, |workloads| &workloads.compliance),
        ),
    ] {
        if let Some(value) = value.boolean() {
            add(name, Value::Boolean(value));
        }
    }
    for (name, value) in [
        (
            "intune.management-certificate-expires",
            &entry.certificate_expires,
        ),
        ("intune.exchange-last-sync", &entry.exchange_last_sync),
        (
            "intune.health-attested-at",
            health.map_or(&Scalar::Null, |health| &health.issued_at),
        ),
    ] {
        if let Some(time) = timestamp(value) {
            add(name, Value::Timestamp(time));
        }
    }
    attributes
}

/// Milliseconds since the Unix epoch. `0001-01-01` means that there is none.
fn timestamp(value: &Scalar<'_>) -> Option<u64> {
    let time = humantime::parse_rfc3339(value.text()?).ok()?;
    let time = time.duration_since(UNIX_EPOCH).ok()?.as_millis();
    u64::try_from(time)
        .ok()
        .filter(|time| (1..NEVER).contains(time))
}

fn owned(value: &Scalar<'_>) -> Option<String> {
    value.text().map(crate::errors::shortened)
}

fn tristate(value: Option<bool>) -> Tristate {
    match value {
        None => Tristate::Unknown,
        Some(false) => Tristate::No,
        Some(true) => Tristate::Yes,
    }
}
