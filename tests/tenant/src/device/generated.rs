//! Devices computed from an index, so that a million of them costs no memory.

use uuid::Uuid;

use super::{Compliance, Device, Mac};

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
    device.last_check_in = epoch - i64::from(index % 480) * 60_000;
    match (index / 20) % 4 {
        0 => device.ethernet_mac = Some(Mac::from_bits(generated_mac(index).bits() + 1)),
        1 => {
            platform(&mut device, "macOS", "14.5", "Apple", "MacBookPro18,3");
            device.udid = Some(format!("{:040X}", device.guid.as_u128()));
        }
        2 => {
            platform(&mut device, "iOS", "17.5.1", "Apple", "iPhone15,2");
            device.udid = Some(format!("{:040X}", device.guid.as_u128()));
            device.imei = Some(format!("35{index:013}"));
        }
        _ => {
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
