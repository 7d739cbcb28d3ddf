//! The properties of `managedDevice` in Graph v1.0 and how they are written.

use serde_json::ser::to_writer;
use uuid::Uuid;

use crate::clock::iso;
use crate::device::{Compliance, Device};

/// One property.
pub(super) struct Property {
    pub(super) name: &'static str,
    /// Whether it is null unless it is named in `$select`.
    wanted_only: bool,
    write: fn(&mut Vec<u8>, &Device),
}

/// "There is no date", in Graph's words.
const NO_DATE: &str = "\"0001-01-01T00:00:00Z\"";
/// "It never ends".
const NEVER: &str = "\"9999-12-31T23:59:59.9999999Z\"";

impl Property {
    /// Appends the value; `selected` when it was named.
    pub(super) fn write(&self, body: &mut Vec<u8>, device: &Device, selected: bool) {
        if selected || !self.wanted_only {
            (self.write)(body, device);
        } else {
            raw(body, "null");
        }
    }
}

/// The property of this name.
pub(super) fn named(name: &str) -> Option<&'static Property> {
    ALL.iter().find(|property| property.name == name)
}

macro_rules! properties {
    ($($name:literal $($wanted_only:ident)? => $write:expr),+ $(,)?) => {
        /// All of them, in the order of Microsoft's definition.
        pub(super) static ALL: &[Property] = &[$(Property {
            name: $name,
            wanted_only: properties!(@ $($wanted_only)?),
            write: $write,
        }),+];
    };
    (@ wanted_only) => { true };
    (@) => { false };
}

properties! {
    "id" => |body, device| uuid(body, device.guid),
    "activationLockBypassCode" wanted_only => |body, _| raw(body, "null"),
    "androidSecurityPatchLevel" => |body, device| {
        text(body, if device.operating_system == "Android" { "2026-07-05" } else { "" });
    },
    "azureADDeviceId" => |body, device| uuid(body, device.entra_id()),
    "azureADRegistered" => |body, _| raw(body, "true"),
    "complianceGracePeriodExpirationDateTime" => |body, device| match device.compliance {
        Compliance::InGracePeriod { expires } => date(body, expires),
        _ => raw(body, NEVER),
    },
    "complianceState" => |body, device| text(body, compliance_state(device)),
    "configurationManagerClientEnabledFeatures" => |body, _| raw(body, "null"),
    "deviceActionResults" => |body, device| actions(body, device),
    "deviceCategoryDisplayName" => |body, _| text(body, "Unknown"),
    "deviceEnrollmentType" => |body, device| text(body, match device.operating_system.as_str() {
        "Windows" => "windowsAzureADJoin",
        "macOS" | "iOS" => "appleBulkWithUser",
        _ => "userEnrollment",
    }),
    "deviceHealthAttestationState" => |body, _| raw(body, "null"),
    "deviceName" => |body, device| text(body, &device.display_name()),
    "deviceRegistrationState" => |body, _| text(body, "registered"),
    "easActivated" => |body, _| raw(body, "false"),
    "easActivationDateTime" => |body, _| raw(body, NO_DATE),
    "easDeviceId" => |body, _| text(body, ""),
    "emailAddress" => |body, device| text(body, principal(device)),
    "enrolledDateTime" => |body, device| date(body, device.enrolled_at),
    "enrollmentProfileName" => |body, _| text(body, ""),
    "ethernetMacAddress" wanted_only => |body, device| mac(body, device.ethernet_mac),
    "exchangeAccessState" => |body, _| text(body, "none"),
    "exchangeAccessStateReason" => |body, _| text(body, "none"),
    "exchangeLastSuccessfulSyncDateTime" => |body, _| raw(body, NO_DATE),
    "freeStorageSpaceInBytes" => |body, _| raw(body, "128849018880"),
    "iccid" wanted_only => |body, _| text(body, ""),
    "imei" => |body, device| text(body, device.imei.as_deref().unwrap_or_default()),
    "isEncrypted" => |body, device| flag(body, device.encrypted),
    "isSupervised" => |body, device| flag(body, device.operating_system == "iOS"),
    "jailBroken" => |body, device| text(body, match device.operating_system.as_str() {
        "iOS" | "Android" if device.jailbroken => "True",
        "iOS" | "Android" => "False",
        _ => "Unknown",
    }),
    "lastSyncDateTime" => |body, device| date(body, device.last_check_in),
    "managedDeviceName" => |body, device| {
        let user = principal(device).split('@').next().unwrap_or_default();
        text(body, &format!("{user}_{}_{}", device.operating_system, device.serial_number));
    },
    "managedDeviceOwnerType" => |body, device| {
        text(body, if device.corporate { "company" } else { "personal" });
    },
    "managementAgent" => |body, _| text(body, "mdm"),
    "managementCertificateExpirationDate" => |body, device| {
        date(body, device.enrolled_at.saturating_add(365 * 86_400_000));
    },
    "managementState" => |body, device| text(body, management_state(device)),
    "manufacturer" => |body, device| text(body, &device.manufacturer),
    "meid" => |body, device| text(body, device.meid.as_deref().unwrap_or_default()),
    "model" => |body, device| text(body, &device.model),
    "notes" wanted_only => |body, _| raw(body, "null"),
    "operatingSystem" => |body, device| text(body, &device.operating_system),
    "osVersion" => |body, device| text(body, &device.os_version),
    "partnerReportedThreatState" => |body, _| text(body, "unknown"),
    "phoneNumber" => |body, _| text(body, ""),
    "physicalMemoryInBytes" wanted_only => |body, _| raw(body, "17179869184"),
    "remoteAssistanceSessionErrorDetails" => |body, _| raw(body, "null"),
    "remoteAssistanceSessionUrl" => |body, _| raw(body, "null"),
    "requireUserEnrollmentApproval" => |body, _| raw(body, "null"),
    "serialNumber" => |body, device| text(body, &device.serial_number),
    "subscriberCarrier" => |body, _| text(body, ""),
    "totalStorageSpaceInBytes" => |body, _| raw(body, "255550554112"),
    "udid" wanted_only => |body, device| match &device.udid {
        Some(udid) => text(body, udid),
        None => raw(body, "null"),
    },
    "userDisplayName" => |body, device| {
        text(body, device.user.as_ref().map_or("", |user| &user.display_name));
    },
    "userId" => |body, device| match &device.user {
        // One id for one name.
        Some(user) => uuid(body, user_id(&user.principal_name)),
        None => text(body, ""),
    },
    "userPrincipalName" => |body, device| text(body, principal(device)),
    "wiFiMacAddress" => |body, device| mac(body, device.wifi_mac),
}

fn actions(body: &mut Vec<u8>, device: &Device) {
    body.push(b'[');
    for (position, result) in device.action_results.iter().enumerate() {
        raw(
            body,
            if position > 0 {
                ",{\"actionName\":"
            } else {
                "{\"actionName\":"
            },
        );
        text(body, &result.name);
        raw(body, ",\"actionState\":");
        text(body, result.state.as_str());
        raw(body, ",\"startDateTime\":");
        date(body, result.started);
        raw(body, ",\"lastUpdatedDateTime\":");
        date(body, result.updated);
        body.push(b'}');
    }
    body.push(b']');
}

/// Graph's word for what Intune says about compliance.
fn compliance_state(device: &Device) -> &str {
    let own = match device.compliance {
        Compliance::Compliant => "compliant",
        Compliance::NonCompliant => "noncompliant",
        Compliance::InGracePeriod { .. } => "inGracePeriod",
        Compliance::NotEvaluated => "unknown",
    };
    device.compliance_state.as_deref().unwrap_or(own)
}

fn management_state(device: &Device) -> &str {
    let own = if device.registered {
        "managed"
    } else {
        "retireIssued"
    };
    device.management_state.as_deref().unwrap_or(own)
}

fn principal(device: &Device) -> &str {
    device.user.as_ref().map_or("", |user| &user.principal_name)
}

fn user_id(principal_name: &str) -> Uuid {
    // FNV-1a (Fowler, Noll, Vo) with 128 bits: any fixed function does.
    let hash = principal_name.bytes().fold(
        0x6C62_272E_07BB_0142_62B8_2175_6295_C58D_u128,
        |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013B),
    );
    Uuid::from_u128(hash)
}

fn raw(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(text.as_bytes());
}

fn text(body: &mut Vec<u8>, value: &str) {
    // Writing text to memory cannot fail.
    let _ = to_writer(body, value);
}

fn flag(body: &mut Vec<u8>, value: bool) {
    raw(body, if value { "true" } else { "false" });
}

fn uuid(body: &mut Vec<u8>, value: Uuid) {
    let mut buffer = Uuid::encode_buffer();
    body.push(b'"');
    raw(body, value.hyphenated().encode_lower(&mut buffer));
    body.push(b'"');
}

fn mac(body: &mut Vec<u8>, value: Option<crate::device::Mac>) {
    text(body, &value.map(|mac| mac.to_string()).unwrap_or_default());
}

/// Milliseconds since 1970; 0 is "there is no date".
fn date(body: &mut Vec<u8>, value: i64) {
    if value == 0 {
        raw(body, NO_DATE);
    } else {
        text(body, &iso(value));
    }
}
