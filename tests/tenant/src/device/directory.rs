//! Look-up of devices by Intune id and by MAC address.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::generated::{generated, index_of_guid, index_of_mac};
use super::{Device, Mac};

/// All devices: those that were added, and any number of computed ones.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    added: HashMap<Uuid, Device>,
    by_mac: HashMap<Mac, Uuid>,
    removed: HashSet<Uuid>,
    generated: u32,
    epoch: i64,
}

impl Directory {
    /// An empty directory; generated devices count their times from `epoch` (milliseconds).
    pub(crate) fn new(epoch: i64) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// Sets how many devices are generated.
    pub(crate) fn generate(&mut self, count: u32) {
        self.generated = count;
    }

    /// Adds a device, or replaces the one with the same id.
    pub(crate) fn add(&mut self, device: Device) {
        self.remove(device.guid);
        self.removed.remove(&device.guid);
        for mac in device.macs() {
            self.by_mac.insert(mac, device.guid);
        }
        self.added.insert(device.guid, device);
    }

    /// Removes a device; says whether it was there.
    pub(crate) fn remove(&mut self, guid: Uuid) -> bool {
        let known = self.get(guid).is_some();
        if let Some(old) = self.added.remove(&guid) {
            for mac in old.macs() {
                if self.by_mac.get(&mac) == Some(&guid) {
                    self.by_mac.remove(&mac);
                }
            }
        }
        if index_of_guid(guid).is_some() {
            self.removed.insert(guid);
        }
        known
    }

    /// The device with this Intune id.
    pub(crate) fn get(&self, guid: Uuid) -> Option<Device> {
        self.added.get(&guid).cloned().or_else(|| {
            let index = index_of_guid(guid)?;
            (index < self.generated && !self.removed.contains(&guid))
                .then(|| generated(index, self.epoch))
        })
    }

    /// The device with this address, wireless or wired.
    pub(crate) fn find(&self, mac: Mac) -> Option<Device> {
        if let Some(guid) = self.by_mac.get(&mac) {
            return self.added.get(guid).cloned();
        }
        let guid = super::generated_guid(index_of_mac(mac)?);
        // A replaced device may have other addresses now, and few have both.
        self.get(guid)
            .filter(|device| device.macs().any(|own| own == mac))
    }

    /// Every device, added ones first.
    pub(crate) fn all(&self) -> impl Iterator<Item = Device> {
        let computed = (0..self.generated)
            .map(|index| generated(index, self.epoch))
            .filter(|device| {
                !self.removed.contains(&device.guid) && !self.added.contains_key(&device.guid)
            });
        self.added.values().cloned().chain(computed)
    }

    /// How many devices there are.
    pub(crate) fn len(&self) -> usize {
        let hidden = |guid: &&Uuid| index_of_guid(**guid).is_some_and(|i| i < self.generated);
        let replaced = self.added.keys().filter(hidden).count();
        let removed = self.removed.iter().filter(hidden).count();
        self.added.len() + usize::try_from(self.generated).unwrap_or(usize::MAX)
            - replaced
            - removed
    }
}

#[cfg(test)]
mod tests {
    use super::super::{generated_guid, generated_mac};
    use super::*;

    #[test]
    fn generated_devices_are_found_by_both_keys() {
        let mut directory = Directory::new(0);
        directory.generate(100);
        assert_eq!(directory.len(), 100);
        assert_eq!(
            directory.get(generated_guid(42)).unwrap().guid,
            generated_guid(42)
        );
        assert_eq!(
            directory.find(generated_mac(99)).unwrap().guid,
            generated_guid(99)
        );
        assert!(directory.get(generated_guid(100)).is_none());
        assert!(directory.find(generated_mac(100)).is_none());
        // Index 42 is an iPhone without a wired interface.
        assert!(
            directory
                .find(Mac::from_bits(generated_mac(42).bits() + 1))
                .is_none()
        );
    }

    #[test]
    fn an_added_device_replaces_a_generated_one() {
        let mut directory = Directory::new(0);
        directory.generate(10);
        let mut device = Device::new(generated_guid(3));
        device.wifi_mac = Some(Mac::from_bits(0xA));
        directory.add(device.clone());
        assert_eq!(directory.len(), 10);
        assert_eq!(directory.find(Mac::from_bits(0xA)), Some(device));
        assert!(directory.find(generated_mac(3)).is_none());
        assert_eq!(directory.all().count(), 10);

        assert!(directory.remove(generated_guid(3)));
        assert!(!directory.remove(generated_guid(3)));
        assert!(directory.get(generated_guid(3)).is_none());
        assert!(directory.find(Mac::from_bits(0xA)).is_none());
        assert_eq!((directory.len(), directory.all().count()), (9, 9));
    }
}
