//! How often one assertion is taken.
//!
//! Microsoft's libraries use one assertion for several tokens until it ends, so
//! "once" is too strict. What is bound is how much somebody gets out of one
//! that was overheard.

use std::collections::HashMap;

use parking_lot::Mutex;

/// Tokens for one assertion.
const USES: u8 = 20;
/// Assertions that are remembered until they end.
const MOST: usize = 10_000;

/// Assertions that were verified, until they end.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    used: Mutex<HashMap<[u8; 32], Used>>,
}

#[derive(Clone, Copy, Debug)]
struct Used {
    times: u8,
    /// In seconds since 1970.
    until: i64,
}

/// Why an assertion is not taken once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worn {
    /// It was used too often.
    UsedUp,
    /// There is no room to remember it.
    Full,
}

impl Replay {
    /// Counts one use of a verified assertion.
    pub(super) fn admit(&self, digest: [u8; 32], until: i64, now: i64) -> Result<(), Worn> {
        let mut used = self.used.lock();
        if let Some(known) = used.get_mut(&digest) {
            if known.times >= USES {
                return Err(Worn::UsedUp);
            }
            known.times += 1;
            return Ok(());
        }
        if used.len() >= MOST {
            used.retain(|_, used| used.until > now);
        }
        // What is forgotten could be used again, so nothing is before its time.
        if used.len() >= MOST {
            return Err(Worn::Full);
        }
        used.insert(digest, Used { times: 1, until });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[test]
    fn one_assertion_has_its_uses() {
        let replay = Replay::default();
        for _ in 0..USES {
            assert_eq!(replay.admit(digest(1), 100, 1), Ok(()));
        }
        assert_eq!(replay.admit(digest(1), 100, 1), Err(Worn::UsedUp));
        assert_eq!(replay.admit(digest(2), 100, 1), Ok(()));
    }

    #[test]
    fn only_what_ended_is_forgotten() {
        let replay = Replay::default();
        for number in 0..MOST {
            let until = if number < 10 { 50 } else { 100 };
            assert_eq!(replay.admit(digest(number), until, 1), Ok(()));
        }
        assert_eq!(replay.admit(digest(MOST), 100, 1), Err(Worn::Full));
        assert_eq!(replay.admit(digest(MOST), 200, 50), Ok(()));
        assert_eq!(replay.used.lock().len(), MOST - 9);
    }
}
