//! Devices in the words of Jamf's classic API.

use portreeve_domain::{MacAddress, Timestamp, User};
use serde::Serialize;

use crate::problem::{Problem, ProblemKind};
use crate::text::{Rfc3339, one_line};
use crate::told::Told;

/// One of Jamf's two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inventory {
    Computers,
    MobileDevices,
}

impl Inventory {
    pub(super) fn of(name: &str) -> Result<Self, Problem> {
        match name {
            "computers" => Ok(Self::Computers),
            "mobiledevices" => Ok(Self::MobileDevices),
            other => {
                let other = one_line(other, 64);
                let detail =
                    format!("there is no `{other}` here, only `computers` and `mobiledevices`");
                Err(Problem::new(ProblemKind::NoSuchPath, detail))
            }
        }
    }

    /// Whether a device is in this list, by what it runs.
    pub(super) fn holds(self, told: Told<'_>) -> bool {
        let os = told.device().and_then(|device| device.os.as_ref());
        os.is_none_or(|os| Self::of_family(&os.family).is_none_or(|own| own == self))
    }

    fn of_family(family: &str) -> Option<Self> {
        match family {
            "macos" | "windows" | "linux" | "chromeos" => Some(Self::Computers),
            "ios" | "ipados" | "android" | "tvos" | "watchos" | "visionos" => {
                Some(Self::MobileDevices)
            }
            _ => None,
        }
    }

    pub(super) fn view(self, told: Told<'_>) -> View<'_> {
        match self {
            Self::Computers => View::Computer(Computer::of(told)),
            Self::MobileDevices => View::MobileDevice(MobileDevice::of(told)),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum View<'a> {
    Computer(Computer<'a>),
    MobileDevice(MobileDevice<'a>),
}

#[derive(Debug, Serialize)]
pub(super) struct Computer<'a> {
    general: ComputerGeneral<'a>,
    location: Location<'a>,
    hardware: Hardware<'a>,
}

#[derive(Debug, Serialize)]
struct ComputerGeneral<'a> {
    name: &'a str,
    mac_address: String,
    alt_mac_address: String,
    serial_number: &'a str,
    udid: String,
    last_contact_time_utc: String,
    remote_management: RemoteManagement,
}

/// The verdict: what products look at.
#[derive(Debug, Serialize)]
struct RemoteManagement {
    managed: bool,
}

#[derive(Debug, Serialize)]
struct Hardware<'a> {
    make: &'a str,
    model: &'a str,
    os_name: &'a str,
    os_version: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct MobileDevice<'a> {
    general: MobileGeneral<'a>,
    location: Location<'a>,
}

#[derive(Debug, Serialize)]
struct MobileGeneral<'a> {
    name: &'a str,
    model: &'a str,
    os_type: &'a str,
    os_version: &'a str,
    wifi_mac_address: String,
    serial_number: &'a str,
    udid: String,
    last_inventory_update_utc: String,
    /// The verdict: what products look at.
    managed: bool,
}

#[derive(Debug, Serialize)]
struct Location<'a> {
    username: &'a str,
    realname: &'a str,
    email_address: &'a str,
}

/// What both kinds have; what is not known is empty, as in Jamf.
struct Common<'a> {
    name: &'a str,
    model: &'a str,
    make: &'a str,
    family: &'a str,
    version: &'a str,
    serial: &'a str,
    udid: String,
    macs: [String; 2],
    last_seen: String,
    location: Location<'a>,
}

impl<'a> Common<'a> {
    fn of(told: Told<'a>) -> Self {
        let device = told.device();
        let os = device.and_then(|device| device.os.as_ref());
        let user = device.and_then(|device| device.user.as_ref());
        let of_user = |part: fn(&User) -> Option<&str>| user.and_then(part).unwrap_or_default();
        let mut macs = told.macs();
        let mut mac = || {
            let upper = |mac: MacAddress| mac.to_string().to_ascii_uppercase();
            macs.next().map(upper).unwrap_or_default()
        };
        let macs = [mac(), mac()];
        let moment = |moment: Timestamp| Rfc3339(moment).to_string();
        let last_seen = device.and_then(|device| device.last_seen);
        let principal = of_user(|user| user.principal_name.as_deref());
        Self {
            name: device
                .and_then(|device| device.name.as_deref())
                .unwrap_or_default(),
            model: device
                .and_then(|device| device.model.as_deref())
                .unwrap_or_default(),
            make: device
                .and_then(|device| device.manufacturer.as_deref())
                .unwrap_or_default(),
            family: os.map_or("", |os| &os.family),
            version: os.and_then(|os| os.version.as_deref()).unwrap_or_default(),
            serial: told.serial().unwrap_or_default(),
            udid: told.guid().map(|guid| guid.to_string()).unwrap_or_default(),
            macs,
            last_seen: last_seen.map(moment).unwrap_or_default(),
            location: Location {
                username: principal,
                realname: of_user(|user| user.display_name.as_deref()),
                email_address: principal,
            },
        }
    }
}

impl<'a> Computer<'a> {
    fn of(told: Told<'a>) -> Self {
        let common = Common::of(told);
        let [mac_address, alt_mac_address] = common.macs;
        Self {
            general: ComputerGeneral {
                name: common.name,
                mac_address,
                alt_mac_address,
                serial_number: common.serial,
                udid: common.udid,
                last_contact_time_utc: common.last_seen,
                remote_management: RemoteManagement {
                    managed: told.is_compliant(),
                },
            },
            location: common.location,
            hardware: Hardware {
                make: common.make,
                model: common.model,
                os_name: common.family,
                os_version: common.version,
            },
        }
    }
}

impl<'a> MobileDevice<'a> {
    fn of(told: Told<'a>) -> Self {
        let common = Common::of(told);
        let [wifi_mac_address, _] = common.macs;
        Self {
            general: MobileGeneral {
                name: common.name,
                model: common.model,
                os_type: common.family,
                os_version: common.version,
                wifi_mac_address,
                serial_number: common.serial,
                udid: common.udid,
                last_inventory_update_utc: common.last_seen,
                managed: told.is_compliant(),
            },
            location: common.location,
        }
    }
}
