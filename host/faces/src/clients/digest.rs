//! Credentials are compared as keyed digests.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A key of this process alone, so that nobody can aim at a digest: looking one
/// up in a table then tells nothing by the time it takes.
pub(super) struct DigestKey([u8; 32]);

/// A credential's digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    /// A part of it, to choose a place in a table.
    pub(super) fn short(self) -> usize {
        let [a, b, c, d, ..] = self.0;
        u32::from_le_bytes([a, b, c, d]) as usize
    }
}

/// No random bytes could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub(super) struct NoRandomness;

impl DigestKey {
    pub(super) fn random() -> Result<Self, NoRandomness> {
        let mut key = [0; 32];
        rustls::crypto::aws_lc_rs::default_provider()
            .secure_random
            .fill(&mut key)
            .map_err(|_| NoRandomness)?;
        Ok(Self(key))
    }

    /// The digest of one credential.
    pub(super) fn digest(&self, credential: &[u8]) -> Digest {
        let mut hash = Sha256::new_with_prefix(self.0);
        hash.update(credential);
        Digest(hash.finalize().into())
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}
