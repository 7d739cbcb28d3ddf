//! Look-up of devices by Intune id and by MAC address.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use uuid::Uuid;

use super::generated::{generated, index_of_guid, index_of_mac};
use super::{Device, Mac, generated_guid, generated_last_check_in};

/// All devices: those that were added, and any number of computed ones.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    added: BTreeMap<Uuid, Device>,
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
        let guid = generated_guid(index_of_mac(mac)?);
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

    /// The devices with a greater id than this one, by id. A list that is read in pieces by the
    /// last id of each names every device that is there all the time exactly once.
    pub(crate) fn after(&self, last: Option<Uuid>) -> impl Iterator<Item = Slot<'_>> {
        let bound = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut added = self.added.range((bound, Bound::Unbounded)).peekable();
        let first = match last {
            None => Some(0),
            Some(last) if last < generated_guid(0) => Some(0),
            Some(last) => index_of_guid(last).and_then(|index| index.checked_add(1)),
        };
        let mut computed = first.map_or(0..0, |first| first..self.generated).peekable();
        std::iter::from_fn(move || {
            loop {
                let index = computed.peek().copied();
                if let Some((guid, _)) = added.peek()
                    && index.is_none_or(|index| **guid <= generated_guid(index))
                {
                    // The one that it replaces is not listed beside it.
                    if index.is_some_and(|index| **guid == generated_guid(index)) {
                        computed.next();
                    }
                    return added.next().map(|(_, device)| Slot::Added(device));
                }
                computed.next();
                if !self.removed.contains(&generated_guid(index?)) {
                    return index.map(|index| Slot::Generated {
                        index,
                        epoch: self.epoch,
                    });
                }
            }
        })
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

/// A place in the list; what is generated is computed only when it is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slot<'a> {
    Added(&'a Device),
    Generated { index: u32, epoch: i64 },
}

impl<'a> Slot<'a> {
    /// The last contact, in milliseconds since 1970.
    pub(crate) fn last_check_in(self) -> i64 {
        match self {
            Self::Added(device) => device.last_check_in,
            Self::Generated { index, epoch } => generated_last_check_in(index, epoch),
        }
    }

    /// The record.
    pub(crate) fn device(self) -> Cow<'a, Device> {
        match self {
            Self::Added(device) => Cow::Borrowed(device),
            Self::Generated { index, epoch } => Cow::Owned(generated(index, epoch)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::generated_mac;
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
    fn in_order_and_in_pieces() {
        let mut directory = Directory::new(0);
        directory.generate(9);
        for guid in [1, u128::MAX] {
            directory.add(Device::new(Uuid::from_u128(guid)));
        }
        directory.add(Device::new(generated_guid(4)));
        directory.remove(generated_guid(7));
        let whole: Vec<Uuid> = directory
            .after(None)
            .map(|slot| slot.device().guid)
            .collect();
        assert!(whole.is_sorted());
        assert_eq!(whole.len(), directory.len());
        assert!(!whole.contains(&generated_guid(7)));
        let mut pieces = Vec::new();
        while let Some(slot) = directory.after(pieces.last().copied()).next() {
            pieces.push(slot.device().guid);
        }
        assert_eq!(pieces, whole);
        // A removed device still says where to go on.
        let next = directory.after(Some(generated_guid(7))).next().unwrap();
        assert_eq!(next.device().guid, generated_guid(8));
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
