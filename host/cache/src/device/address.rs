//! Where things stand in the index.

use std::hash::{BuildHasher, RandomState};

use portreeve_domain::Identifier;

use super::SourceId;
use crate::index::Address;

/// Turns names into addresses, keyed by numbers that are new in each process:
/// nobody who names devices can make them collide.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    position: RandomState,
    check: RandomState,
}

impl Addresses {
    /// An identifier within one source. Interface addresses are exact, all
    /// others 128 bits of two keyed hashes.
    pub(super) fn identifier(&self, source: SourceId, identifier: &Identifier) -> Address {
        if let Identifier::Mac(mac) = identifier {
            let exact = mac.octets().iter().fold(u64::from(source.0), |sum, octet| {
                sum << 8 | u64::from(*octet)
            });
            return Address::new(self.position.hash_one(exact), exact);
        }
        self.hashed(&(source, identifier))
    }

    /// A source's own key for a device.
    pub(super) fn key(&self, source: SourceId, key: &str) -> Address {
        self.hashed(&("key", source, key))
    }

    fn hashed(&self, name: &impl std::hash::Hash) -> Address {
        Address::new(self.position.hash_one(name), self.check.hash_one(name))
    }
}
