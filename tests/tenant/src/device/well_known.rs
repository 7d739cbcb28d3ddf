//! Devices that every tenant has from the start, one for each answer a policy cares about.
//!
//! | constant | MDM's word | what is special |
//! | --- | --- | --- |
//! | [`COMPLIANT`] | compliant | Windows laptop with two addresses |
//! | [`NON_COMPLIANT`] | not compliant | antivirus signatures out of date |
//! | [`IN_GRACE`] | in grace period | three days left from the start of the tenant |
//! | [`GRACE_OVER`] | in grace period | the period ended an hour before the start |
//! | [`JAILBROKEN`] | compliant | jailbroken iPhone |
//! | [`UNENCRYPTED`] | compliant | Windows laptop without disk encryption |
//! | [`OLD_OS`] | compliant | iPhone with iOS 12.5.7 |
//! | [`LONG_SILENT`] | compliant | last contact 45 days before the start |
//! | [`NEVER_EVALUATED`] | registered, no compliance yet | new Android phone |
//! | [`RETIRED`] | not registered | known, but no longer managed |
//! | [`UNKNOWN`] | not registered | not in the directory at all |

use serde::Serialize;
use uuid::Uuid;

use super::{Compliance, Device, Mac, User};

/// The identifiers of a device that tests and the demo may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WellKnown {
    /// What it stands for, such as `in-grace`.
    pub name: &'static str,
    /// The Intune device id.
    pub guid: Uuid,
    /// The wireless address.
    pub mac: Mac,
}

const fn known(name: &'static str, number: u8) -> WellKnown {
    WellKnown {
        name,
        guid: Uuid::from_u128(0xA000_0000_0000_4000_8000_0000_0000_0000 | number as u128),
        mac: Mac::from_bits(0x0050_5600_0100 | number as u64),
    }
}

/// All is well.
pub const COMPLIANT: WellKnown = known("compliant", 1);
/// Antivirus signatures are out of date.
pub const NON_COMPLIANT: WellKnown = known("non-compliant", 2);
/// Not compliant, with three days left to repair it.
pub const IN_GRACE: WellKnown = known("in-grace", 3);
/// Reported as in its grace period, which is over.
pub const GRACE_OVER: WellKnown = known("grace-over", 4);
/// Compliant for Intune, but jailbroken.
pub const JAILBROKEN: WellKnown = known("jailbroken", 5);
/// Compliant for Intune, but not encrypted.
pub const UNENCRYPTED: WellKnown = known("unencrypted", 6);
/// Compliant for Intune, but with a very old operating system.
pub const OLD_OS: WellKnown = known("old-os", 7);
/// Compliant for Intune, but not seen for 45 days.
pub const LONG_SILENT: WellKnown = known("long-silent", 8);
/// Registered, and compliance was never evaluated.
pub const NEVER_EVALUATED: WellKnown = known("never-evaluated", 9);
/// Known, and no longer registered.
pub const RETIRED: WellKnown = known("retired", 10);
/// Not in the directory: no tenant knows this id or address.
pub const UNKNOWN: WellKnown = known("unknown", 99);

/// All of them, [`UNKNOWN`] last.
pub const ALL: [WellKnown; 11] = [
    COMPLIANT,
    NON_COMPLIANT,
    IN_GRACE,
    GRACE_OVER,
    JAILBROKEN,
    UNENCRYPTED,
    OLD_OS,
    LONG_SILENT,
    NEVER_EVALUATED,
    RETIRED,
    UNKNOWN,
];

const MINUTE_MS: i64 = 60 * 1000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// The records of all well-known devices but [`UNKNOWN`]; `epoch` is the start of the tenant in
/// milliseconds since 1970.
pub(crate) fn devices(epoch: i64) -> Vec<Device> {
    let base = |known: WellKnown| {
        let mut device = Device::new(known.guid);
        device.wifi_mac = Some(known.mac);
        device.last_check_in = epoch - 30 * MINUTE_MS;
        device.enrolled_at = epoch - 200 * DAY_MS;
        device.user = Some(User {
            principal_name: format!("{}@contoso.onmicrosoft.example", known.name),
            display_name: format!("User of {}", known.name),
        });
        device
    };
    let phone = |known: WellKnown| Device {
        operating_system: "iOS".to_owned(),
        os_version: "17.5.1".to_owned(),
        manufacturer: "Apple".to_owned(),
        model: "iPhone15,2".to_owned(),
        udid: Some(format!("{:040X}", known.guid.as_u128())),
        imei: Some(format!("350000{:09}", known.mac.bits() & 0xFF)),
        ..base(known)
    };
    let in_grace = |known: WellKnown, expires| Device {
        compliance: Compliance::InGracePeriod { expires },
        failure_reason: Some("a required update is missing".to_owned()),
        ..base(known)
    };
    vec![
        Device {
            ethernet_mac: Some(Mac::from_bits(COMPLIANT.mac.bits() | 0x1000)),
            ..base(COMPLIANT)
        },
        Device {
            compliance: Compliance::NonCompliant,
            failure_reason: Some("antivirus signatures are out of date".to_owned()),
            ..base(NON_COMPLIANT)
        },
        in_grace(IN_GRACE, epoch + 3 * DAY_MS),
        in_grace(GRACE_OVER, epoch - 60 * MINUTE_MS),
        Device {
            jailbroken: true,
            ..phone(JAILBROKEN)
        },
        Device {
            encrypted: false,
            ..base(UNENCRYPTED)
        },
        Device {
            os_version: "12.5.7".to_owned(),
            model: "iPhone7,2".to_owned(),
            ..phone(OLD_OS)
        },
        Device {
            last_check_in: epoch - 45 * DAY_MS,
            ..base(LONG_SILENT)
        },
        Device {
            compliance: Compliance::NotEvaluated,
            operating_system: "Android".to_owned(),
            os_version: "14".to_owned(),
            manufacturer: "Google".to_owned(),
            model: "Pixel 8".to_owned(),
            ..base(NEVER_EVALUATED)
        },
        Device {
            registered: false,
            ..base(RETIRED)
        },
    ]
}
