//! Where things stand in the indexes.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;

use portreeve_domain::MacAddress;

use super::SourceId;
use crate::index::{Digest, LARGEST_TAG};
use crate::packed::PackedId;

/// An interface address within one source, exact: an entry at this tag belongs
/// to this address and no other.
///
/// `None` for sources so high that a tag has no room for them.
pub(super) fn mac_tag(source: SourceId, mac: MacAddress) -> Option<NonZeroU64> {
    let exact = mac.octets().iter().fold(u64::from(source.0), |sum, octet| {
        sum << 8 | u64::from(*octet)
    });
    // The first address of the first source is all zeroes.
    let tag = exact.checked_add(1).filter(|tag| *tag <= LARGEST_TAG);
    tag.and_then(NonZeroU64::new)
}

/// Turns other names into digests, keyed by numbers that are new in each
/// process: nobody who names devices can make them collide. What is found is
/// compared all the same.
#[derive(Debug, Default)]
pub(super) struct Digests {
    names: RandomState,
    checks: RandomState,
}

impl Digests {
    pub(super) fn name(&self, source: SourceId, name: PackedId<'_>) -> Digest {
        Digest(self.names.hash_one((source, name)))
    }

    /// Another digest of the name, for where it cannot be compared.
    pub(super) fn check(&self, source: SourceId, name: PackedId<'_>) -> u64 {
        self.checks.hash_one((source, name))
    }
}
