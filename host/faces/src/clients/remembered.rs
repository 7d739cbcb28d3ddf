//! Headers that were verified, so that nothing slow is done twice.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use portreeve_domain::Timestamp;

use super::digest::Digest;

/// Headers that can be remembered. Each has one place; a second one for the
/// same place takes it over, and the first is verified again.
const PLACES: usize = 1024;

/// The headers that were verified since the clients were set.
///
/// Only right ones get in, so nobody else pushes one out.
#[derive(Debug)]
pub(super) struct Remembered {
    places: Box<[ArcSwapOption<Verified>]>,
}

/// A header that was verified.
#[derive(Debug)]
pub(super) struct Verified {
    digest: Digest,
    /// Its client's place.
    pub(super) client: usize,
    pub(super) until: Timestamp,
}

impl Remembered {
    pub(super) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| ArcSwapOption::empty()).collect(),
        }
    }

    /// The place of the client whose header this is. Takes no lock.
    pub(super) fn client(&self, digest: &Digest, now: Timestamp) -> Option<usize> {
        let verified = self.place(digest)?.load();
        let verified = verified.as_ref()?;
        (verified.digest == *digest && now < verified.until).then_some(verified.client)
    }

    pub(super) fn put(&self, digest: Digest, client: usize, until: Timestamp) {
        if let Some(place) = self.place(&digest) {
            let verified = Verified {
                digest,
                client,
                until,
            };
            place.store(Some(Arc::new(verified)));
        }
    }

    /// Takes over what `other` remembers of clients that have another place now.
    pub(super) fn take_over(&self, other: &Self, place_of: impl Fn(usize) -> Option<usize>) {
        for verified in other.places.iter().filter_map(ArcSwapOption::load_full) {
            if let Some(client) = place_of(verified.client) {
                self.put(verified.digest, client, verified.until);
            }
        }
    }

    fn place(&self, digest: &Digest) -> Option<&ArcSwapOption<Verified>> {
        self.places.get(digest.short() % PLACES)
    }
}
