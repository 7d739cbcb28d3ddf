//! Devices computed from an index, so that a million of them costs no memory.

use uuid::Uuid;

use super::{Compliance, Device, Mac, User};

const GUID_BASE: u128 = 0x1000_0000_0000_4000_8000_0000_0000_0000;
/// A universally administered prefix; two addresses for each index follow it.
const MAC_BASE: u64 = 0x001B_0000_0000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The generated device with this index.
///
/// Of twenty devices, 16 are compliant, one is not compliant (index % 20 = 16), one is in its
/// grace period (17), one was never evaluated (18) and one is not compliant and unencrypted (19).
/// Platforms change every twenty devices: Windows, macOS, iOS, Android. `epoch` is the time,
/// in milliseconds since 1970, that last contacts and grace periods are counted from.
pub fn generated(index: u32, epoch: i64) -> Device {
    let mut device = Device::new(generated_guid(index));
    device.wifi_mac = Some(generated_mac(index));
    device.serial_number = format!("GEN-{index:010}");
    device.last_check_in = generated_last_check_in(index, epoch);
    device.enrolled_at = epoch - i64::from(30 + index % 700) * DAY_MS - i64::from(index % 86_400);
    device.corporate = !index.is_multiple_of(7);
    device.user = Some(user(index));
    device.name = Some(format!("DESKTOP-{index:07X}"));
    match (index / 20) % 4 {
        0 => device.ethernet_mac = Some(Mac::from_bits(generated_mac(index).bits() + 1)),
        1 => {
            device.name = Some(format!("{}s-MacBook-Pro-{index}", given_name(index)));
            platform(&mut device, "macOS", "14.5", "Apple", "MacBookPro18,3");
            device.udid = Some(format!("{:040X}", device.guid.as_u128()));
        }
        2 => {
            device.name = Some("iPhone".to_owned());
            platform(&mut device, "iOS", "17.5.1", "Apple", "iPhone15,2");
            device.udid = Some(format!("{:040X}", device.guid.as_u128()));
            device.imei = Some(format!("35{index:013}"));
        }
        _ => {
            device.name = Some(format!("{}_AndroidForWork_{index}", given_name(index)));
            platform(&mut device, "Android", "14", "Google", "Pixel 8");
            device.imei = Some(format!("35{index:013}"));
        }
    }
    match index % 20 {
        16 => {
            device.compliance = Compliance::NonCompliant;
            device.failure_reason = Some("operating system is too old".to_owned());
        }
        17 => {
            device.compliance = Compliance::InGracePeriod {
                expires: epoch + 3 * DAY_MS,
            };
            device.failure_reason = Some("a restart is pending".to_owned());
        }
        18 => device.compliance = Compliance::NotEvaluated,
        19 => {
            device.compliance = Compliance::NonCompliant;
            device.encrypted = false;
            device.failure_reason = Some("the disk is not encrypted".to_owned());
        }
        _ => {}
    }
    device
}

/// When the generated device with this index was in contact, in milliseconds since 1970.
pub(super) fn generated_last_check_in(index: u32, epoch: i64) -> i64 {
    epoch - i64::from(index % 480) * 60_000
}

const GIVEN_NAMES: [&str; 8] = [
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Niklaus",
];
const FAMILY_NAMES: [&str; 9] = [
    "Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Wirth", "Löwe",
];

fn pick(names: &[&'static str], index: u32) -> &'static str {
    let position = usize::try_from(index).unwrap_or_default() % names.len().max(1);
    names.get(position).copied().unwrap_or_default()
}

fn given_name(index: u32) -> &'static str {
    pick(&GIVEN_NAMES, index)
}

/// Every user has two devices.
fn user(index: u32) -> User {
    let number = index / 2;
    let (given, family) = (given_name(number), pick(&FAMILY_NAMES, number));
    User {
        principal_name: format!(
            "{}.{number}@contoso.onmicrosoft.example",
            given.to_lowercase()
        ),
        display_name: format!("{given} {family}"),
    }
}

fn platform(device: &mut Device, system: &str, version: &str, manufacturer: &str, model: &str) {
    system.clone_into(&mut device.operating_system);
    version.clone_into(&mut device.os_version);
    manufacturer.clone_into(&mut device.manufacturer);
    model.clone_into(&mut device.model);
}

/// The Intune id of the generated device with this index.
pub fn generated_guid(index: u32) -> Uuid {
    Uuid::from_u128(GUID_BASE | u128::from(index))
}

/// The wireless address of the generated device with this index.
pub fn generated_mac(index: u32) -> Mac {
    // Two addresses each fit the 32 free bits for the lower half of the indices; the rest spills
    // into the next universally administered prefix.
    Mac::from_bits(MAC_BASE + u64::from(index) * 2)
}

pub(super) fn index_of_guid(guid: Uuid) -> Option<u32> {
    u32::try_from(guid.as_u128().checked_sub(GUID_BASE)?).ok()
}

/// The index whose device could have this address.
pub(super) fn index_of_mac(mac: Mac) -> Option<u32> {
    u32::try_from(mac.bits().checked_sub(MAC_BASE)? / 2).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_comes_back_from_guid_and_mac() {
        for index in [0, 1, 19, 20, 4_711, 999_999, u32::MAX] {
            let device = generated(index, 1_700_000_000_000);
            assert_eq!(index_of_guid(device.guid), Some(index));
            for mac in device.macs() {
                assert_eq!(index_of_mac(mac), Some(index));
            }
            assert_eq!(device, generated(index, 1_700_000_000_000));
        }
    }

    #[test]
    fn foreign_identifiers_have_no_index() {
        assert_eq!(index_of_guid(Uuid::nil()), None);
        assert_eq!(index_of_guid(Uuid::max()), None);
        assert_eq!(index_of_mac(Mac::from_bits(0)), None);
        assert_eq!(index_of_mac(Mac::from_bits(u64::MAX)), None);
    }
}
