//! What the simulated Intune knows about devices.

mod action;
mod directory;
mod generated;
mod mac;
pub mod well_known;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use action::{Acted, ActionResult, ActionState};
pub(crate) use directory::{Directory, Slot};
use generated::generated_last_check_in;
pub use generated::{generated, generated_guid, generated_mac};
pub use mac::{Mac, NotMac};

/// One device record.
///
/// [`Device::new`] gives a compliant Windows laptop; change the public fields from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of a device, as the MDM reports them"
)]
pub struct Device {
    /// The Intune device id, the `guid` of the NAC 2.0 service.
    pub guid: Uuid,
    /// Address of the wireless interface.
    #[serde(default)]
    pub wifi_mac: Option<Mac>,
    /// Address of the wired interface.
    #[serde(default)]
    pub ethernet_mac: Option<Mac>,
    /// False for a device that is known but no longer managed, such as a retired one.
    #[serde(default = "yes")]
    pub registered: bool,
    /// What Intune says about compliance.
    #[serde(default)]
    pub compliance: Compliance,
    /// Why it is not compliant, if that is known.
    #[serde(default)]
    pub failure_reason: Option<String>,
    /// `Windows`, `macOS`, `iOS` or `Android`.
    #[serde(default = "windows")]
    pub operating_system: String,
    /// Version as the platform writes it, such as `10.0.22631.3880`.
    #[serde(default = "windows_version")]
    pub os_version: String,
    /// Manufacturer of the hardware.
    #[serde(default)]
    pub manufacturer: String,
    /// Model of the hardware.
    #[serde(default)]
    pub model: String,
    /// Serial number of the hardware.
    #[serde(default)]
    pub serial_number: String,
    /// IMEI of a phone.
    #[serde(default)]
    pub imei: Option<String>,
    /// MEID of a phone.
    #[serde(default)]
    pub meid: Option<String>,
    /// Unique device identifier of Apple devices.
    #[serde(default)]
    pub udid: Option<String>,
    /// Whether the disk is encrypted.
    #[serde(default = "yes")]
    pub encrypted: bool,
    /// Whether a lock code is set.
    #[serde(default = "yes")]
    pub pin_lock: bool,
    /// Whether the device was jailbroken or rooted.
    #[serde(default)]
    pub jailbroken: bool,
    /// The last contact with Intune, in milliseconds since 1970.
    #[serde(default)]
    pub last_check_in: i64,
    /// The first contact with Intune, in milliseconds since 1970.
    #[serde(default)]
    pub enrolled_at: i64,
    /// Name of the device; without one it is called after its serial number.
    #[serde(default)]
    pub name: Option<String>,
    /// Its primary user.
    #[serde(default)]
    pub user: Option<User>,
    /// Whether it belongs to the organisation, not to its user.
    #[serde(default = "yes")]
    pub corporate: bool,
    /// Graph's `managementState`, if `registered` does not say it.
    #[serde(default)]
    pub management_state: Option<String>,
    /// Graph's `complianceState`, if it has a word that `compliance` does not know.
    #[serde(default)]
    pub compliance_state: Option<String>,
    /// What was asked of it and what became of that.
    #[serde(default)]
    pub action_results: Vec<ActionResult>,
}

/// The primary user of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// User principal name, which is the mail address as well.
    pub principal_name: String,
    /// As the directory shows it.
    pub display_name: String,
}

/// Intune's word on compliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compliance {
    /// All rules are met.
    #[default]
    Compliant,
    /// At least one rule is not met.
    NonCompliant,
    /// A rule is not met, but the user still has time to repair it.
    InGracePeriod {
        /// The end of the grace period, in milliseconds since 1970.
        expires: i64,
    },
    /// Enrolled, but no rule was evaluated yet.
    NotEvaluated,
}

impl Device {
    /// A registered, compliant, encrypted Windows laptop without addresses.
    pub fn new(guid: Uuid) -> Self {
        Self {
            guid,
            wifi_mac: None,
            ethernet_mac: None,
            registered: true,
            compliance: Compliance::Compliant,
            failure_reason: None,
            operating_system: windows(),
            os_version: windows_version(),
            manufacturer: "Contoso".to_owned(),
            model: "Laptop 7".to_owned(),
            serial_number: format!("SN-{:08X}", guid.as_u128() & 0xFFFF_FFFF),
            imei: None,
            meid: None,
            udid: None,
            encrypted: true,
            pin_lock: true,
            jailbroken: false,
            last_check_in: 0,
            enrolled_at: 0,
            name: None,
            user: None,
            corporate: true,
            management_state: None,
            compliance_state: None,
            action_results: Vec::new(),
        }
    }

    /// The name that Graph shows.
    pub(crate) fn display_name(&self) -> Cow<'_, str> {
        match &self.name {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("device {}", self.serial_number)),
        }
    }

    /// Its id in Entra, which follows from the one in Intune.
    pub(crate) fn entra_id(&self) -> Uuid {
        Uuid::from_u128(self.guid.as_u128() ^ 0xE000_0000_0000_0000_0000_0000_0000_0000)
    }

    /// The addresses it has, wireless first.
    pub fn macs(&self) -> impl Iterator<Item = Mac> {
        self.wifi_mac.into_iter().chain(self.ethernet_mac)
    }
}

fn yes() -> bool {
    true
}

fn windows() -> String {
    "Windows".to_owned()
}

fn windows_version() -> String {
    "10.0.22631.3880".to_owned()
}
