//! Secrets that two nodes share.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use portreeve_domain::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::account::{NoRandomness, random};
use super::name::NodeName;

/// After this time a pair gets another secret. The one before is good for as
/// long again.
const PERIOD: Duration = Duration::from_hours(12);

/// One side of a pair: a node, and which of the accounts of that name it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'a> {
    pub(super) name: &'a NodeName,
    pub(super) salt: [u8; 16],
}

/// Makes and knows the secret of every pair of nodes.
///
/// Secrets are computed from a random key of this process, so there is nothing
/// to keep and no bound to set. After a restart nodes ask for new ones.
pub(super) struct AccessSecrets(Zeroizing<[u8; 32]>);

impl AccessSecrets {
    pub(super) fn random() -> Result<Self, NoRandomness> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// The secret of a pair. Both sides get the same.
    pub(super) fn of(&self, one: Side<'_>, other: Side<'_>, now: Timestamp) -> Zeroizing<String> {
        self.at(one, other, period(now))
    }

    /// Whether this is the pair's secret. The time it takes says nothing.
    pub(super) fn is(&self, secret: &str, one: Side<'_>, other: Side<'_>, now: Timestamp) -> bool {
        let period = period(now);
        let current = self.at(one, other, period);
        let before = self.at(one, other, period.saturating_sub(1));
        let is = |expected: &str| secret.as_bytes().ct_eq(expected.as_bytes());
        (is(&current) | is(&before)).into()
    }

    fn at(&self, one: Side<'_>, other: Side<'_>, period: u64) -> Zeroizing<String> {
        let (first, second) = if one.name <= other.name {
            (one, other)
        } else {
            (other, one)
        };
        let mut code = self.code();
        for side in [first, second] {
            // Names have no NUL, so no two pairs read the same.
            code.update(side.name.as_str().as_bytes());
            code.update(&[0]);
            code.update(&side.salt);
        }
        code.update(&period.to_be_bytes());
        Zeroizing::new(hex::encode(code.finalize().into_bytes()))
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn code(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&*self.0).expect("a key of any length")
    }
}

impl fmt::Debug for AccessSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

fn period(now: Timestamp) -> u64 {
    now.as_millis() / (PERIOD.as_secs() * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(hours: u64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    #[test]
    fn a_secret_belongs_to_one_pair() {
        let secrets = AccessSecrets::random().unwrap();
        let names = ["a", "b", "c"].map(|name| name.parse::<NodeName>().unwrap());
        let [one, two, three] = names.each_ref().map(|name| Side {
            name,
            salt: [7; 16],
        });
        let secret = secrets.of(one, two, hours(0));
        assert_eq!(*secrets.of(two, one, hours(0)), *secret);
        assert!(secrets.is(&secret, two, one, hours(0)));
        assert!(!secrets.is(&secret, one, three, hours(0)));
        assert!(!secrets.is("", one, two, hours(0)));
        assert!(!secrets.is("None", one, two, hours(0)));
        // An account that was made again has other secrets.
        let again = Side {
            salt: [8; 16],
            ..two
        };
        assert!(!secrets.is(&secret, one, again, hours(0)));
        let other = AccessSecrets::random().unwrap();
        assert!(!other.is(&secret, one, two, hours(0)));
    }

    #[test]
    fn a_secret_expires() {
        let secrets = AccessSecrets::random().unwrap();
        let names = ["a", "b"].map(|name| name.parse::<NodeName>().unwrap());
        let [one, two] = names.each_ref().map(|name| Side {
            name,
            salt: [7; 16],
        });
        let secret = secrets.of(one, two, hours(120));
        for (at, expected) in [
            (120, true),
            (131, true),
            (132, true),
            (143, true),
            (144, false),
        ] {
            assert_eq!(secrets.is(&secret, one, two, hours(at)), expected, "{at}");
        }
        assert_ne!(*secrets.of(one, two, hours(132)), *secret);
    }
}
