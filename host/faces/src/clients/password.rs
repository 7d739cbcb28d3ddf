//! Passwords and keys of which only a hash is known.

use std::fmt;

use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::{Argon2, Params};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A key that is shorter was not made at random, and a plain digest does not
/// protect what people can remember. 32 characters are 128 bits or more in
/// hexadecimal already.
pub(super) const SHORTEST_KEY: usize = 32;

/// KiB that checking one password may take.
const MOST_MEMORY: u32 = 256 << 10;
/// Passes over that memory.
const MOST_PASSES: u32 = 16;
/// Lanes of it.
const MOST_LANES: u32 = 16;

/// A hash by which a password is recognised.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordHash {
    /// SHA-256, for a key that was made at random and has at least 32
    /// characters.
    Sha256([u8; 32]),
    /// Argon2 (RFC 9106) in the PHC string format, for what people choose.
    Argon2(Argon2Hash),
}

/// `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`
#[derive(Clone, PartialEq, Eq)]
pub struct Argon2Hash(String);

/// The text is no hash that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Not in the format.
    #[error("expected `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`")]
    Format,
    /// Checking one password would take too much.
    #[error(
        "checking one password would take too much: at most {MOST_MEMORY} KiB (`m`), {MOST_PASSES} passes (`t`) and {MOST_LANES} lanes (`p`)"
    )]
    TooExpensive,
}

impl Argon2Hash {
    /// Reads the PHC string format.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let hash = Phc::new(text).map_err(|_| HashError::Format)?;
        if !text.starts_with("$argon2") || hash.hash.is_none() || hash.salt.is_none() {
            return Err(HashError::Format);
        }
        let parameters = Params::try_from(&hash).map_err(|_| HashError::Format)?;
        if parameters.m_cost() > MOST_MEMORY
            || parameters.t_cost() > MOST_PASSES
            || parameters.p_cost() > MOST_LANES
        {
            return Err(HashError::TooExpensive);
        }
        Ok(Self(text.to_owned()))
    }

    /// Hashes a password with the parameters that RFC 9106 recommends where
    /// memory is scarce, and a salt of the system.
    pub fn of(password: &str) -> Result<Self, HashError> {
        use argon2::password_hash::PasswordHasher as _;
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| Self(hash.to_string()))
            .map_err(|_| HashError::Format)
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PasswordHash {
    /// The SHA-256 of a key.
    pub fn of_key(key: &str) -> Self {
        Self::Sha256(sha256(key.as_bytes()))
    }

    /// Whether checking takes so long that nobody may be kept waiting for it.
    pub(super) const fn is_slow(&self) -> bool {
        matches!(self, Self::Argon2(_))
    }

    /// Whether this is the password. Takes tens of milliseconds if it
    /// [is slow](Self::is_slow).
    pub(super) fn verifies(&self, password: &[u8]) -> bool {
        match self {
            Self::Sha256(hash) => {
                password.len() >= SHORTEST_KEY && bool::from(sha256(password).ct_eq(hash))
            }
            Self::Argon2(hash) => Phc::new(&hash.0)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
        }
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A hash is no secret, but nothing for a log either.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sha256(_) => "Sha256([redacted])",
            Self::Argon2(_) => "Argon2([redacted])",
        })
    }
}

impl fmt::Debug for Argon2Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `argon2 somesalt -id -t 1 -m 10 -p 1` of "hunter2".
    const CHEAP: &str = "$argon2id$v=19$m=1024,t=1,p=1$";

    #[test]
    fn what_is_hashed_is_recognised() {
        let hash = PasswordHash::Argon2(Argon2Hash::of("hunter2").unwrap());
        assert!(hash.is_slow() && hash.verifies(b"hunter2") && !hash.verifies(b"hunter3"));
        let PasswordHash::Argon2(text) = &hash else {
            panic!("it was made by Argon2");
        };
        assert_eq!(Argon2Hash::parse(text.as_str()).as_ref(), Ok(text));
        assert!(text.as_str().starts_with("$argon2id$v=19$"));
        assert!(!format!("{hash:?}").contains("argon2id"));
    }

    #[test]
    fn a_short_key_is_refused_even_if_it_is_right() {
        let long = "0123456789abcdef0123456789abcdef";
        assert!(PasswordHash::of_key(long).verifies(long.as_bytes()));
        assert!(!PasswordHash::of_key(long).verifies(&long.as_bytes()[1..]));
        assert!(!PasswordHash::of_key(&long[1..]).verifies(&long.as_bytes()[1..]));
    }

    #[test]
    fn hashes_that_are_none() {
        let salt_and_hash = "c29tZXNhbHQ$wJQwbuBhMvmTRgSzRnZOzmMHMhGKB+wdUZGCMMDaV5k";
        let whole = format!("{CHEAP}{salt_and_hash}");
        assert!(Argon2Hash::parse(&whole).is_ok());
        for wrong in [
            "",
            "hunter2",
            "$2y$10$abcdefghijklmnopqrstuuKmZ5mZ5mZ5mZ5mZ5mZ5mZ5mZ5mZ5mZ5",
            "$argon2id$v=19$m=1024,t=1,p=1",
            "$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHQ",
            "$scrypt$ln=15,r=8,p=1$c29tZXNhbHQ$wJQwbuBhMvmTRgSzRnZOzmMHMhGKB+wdUZGCMMDaV5k",
        ] {
            assert_eq!(Argon2Hash::parse(wrong), Err(HashError::Format), "{wrong}");
        }
        for costly in ["m=4194304,t=1,p=1", "m=1024,t=100,p=1", "m=1024,t=1,p=64"] {
            let text = format!("$argon2id$v=19${costly}${salt_and_hash}");
            assert_eq!(Argon2Hash::parse(&text), Err(HashError::TooExpensive));
        }
    }
}
