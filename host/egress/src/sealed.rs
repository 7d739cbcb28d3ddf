//! Secrets that stand in a file, encrypted with a key from elsewhere.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Secret;

const KEY_PREFIX: &str = "portreeve-key-1.";
const SEALED_PREFIX: &str = "sealed-1.";
const KEY_BYTES: usize = 32;
/// More keys than this are no rotation.
const MAX_KEYS: usize = 16;
/// Longer secrets than this are none.
const MAX_SEALED: usize = 64 * 1024;

/// Why something cannot be sealed or opened. Texts hold no secret and no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No key, or none that can be read.
    #[error("line {0} is no key; `portreeve secret key FILE` makes one")]
    Key(usize),
    /// There is no key at all.
    #[error("there is no key in it; `portreeve secret key FILE` makes one")]
    NoKey,
    /// Too many keys.
    #[error("there are more than {MAX_KEYS} keys in it")]
    TooManyKeys,
    /// Not a sealed secret.
    #[error("this is no sealed secret; `portreeve secret seal` makes one")]
    Sealed,
    /// Sealed with a key that is not at hand.
    #[error("it is sealed with the key {wanted}, but at hand is {present}")]
    OtherKey {
        /// Name of the key that would open it.
        wanted: String,
        /// Names of the keys that are there.
        present: String,
    },
    /// The key is there, but the text was changed.
    #[error("it was changed after it was sealed with the key {0}")]
    Changed(String),
    /// No random bytes, or no memory.
    #[error("it could not be sealed")]
    Failed,
}

/// Keys for secrets at rest: the first one seals, all of them open (AES-256-GCM).
pub struct SealingKeys(Vec<SealingKey>);

struct SealingKey {
    /// The first digits of a hash, so that a key can be named without being told.
    name: String,
    key: RandomizedNonceKey,
}

impl SealingKeys {
    /// A new key as it is written into a file, one line without its end.
    pub fn generate() -> Result<Secret, SealError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(|_| SealError::Failed)?;
        let encoded = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        Ok(Secret::new(format!("{KEY_PREFIX}{}", encoded.as_str())))
    }

    /// Reads keys, one a line, the newest first. Empty lines and lines that begin with `#` do not
    /// count.
    pub fn read(text: &str) -> Result<Self, SealError> {
        let mut keys = Vec::new();
        for (position, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if keys.len() == MAX_KEYS {
                return Err(SealError::TooManyKeys);
            }
            let key = SealingKey::read(line).ok_or(SealError::Key(position + 1))?;
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(SealError::NoKey);
        }
        Ok(Self(keys))
    }

    /// The names of the keys, the one that seals first.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|key| key.name.as_str()).collect()
    }

    /// Seals a secret with the first key. Twice the same secret looks differently.
    pub fn seal(&self, secret: &Secret) -> Result<String, SealError> {
        let key = self.0.first().ok_or(SealError::NoKey)?;
        let mut sealed = secret.expose().as_bytes().to_vec();
        let nonce = key
            .key
            .seal_in_place_append_tag(Aad::from(key.bound()), &mut sealed)
            .map_err(|_| SealError::Failed)?;
        let whole = [nonce.as_ref().as_slice(), &sealed].concat();
        let encoded = BASE64_URL_SAFE_NO_PAD.encode(whole);
        Ok(format!("{SEALED_PREFIX}{}.{encoded}", key.name))
    }

    /// Opens what one of the keys sealed; beside it comes the name of that key.
    pub fn open(&self, sealed: &str) -> Result<(Secret, &str), SealError> {
        let (name, encoded) = sealed
            .trim()
            .strip_prefix(SEALED_PREFIX)
            .and_then(|rest| rest.split_once('.'))
            .filter(|(name, encoded)| is_name(name) && encoded.len() <= MAX_SEALED)
            .ok_or(SealError::Sealed)?;
        let whole = BASE64_URL_SAFE_NO_PAD
            .decode(encoded)
            .map_err(|_| SealError::Sealed)?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_LEN).ok_or(SealError::Sealed)?;
        let key = self.0.iter().find(|key| key.name == name);
        let key = key.ok_or_else(|| SealError::OtherKey {
            wanted: name.to_owned(),
            present: self.names().join(", "),
        })?;
        let changed = || SealError::Changed(key.name.clone());
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| changed())?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let text = key
            .key
            .open_in_place(nonce, Aad::from(key.bound()), &mut opened)
            .map_err(|_| changed())?;
        let text = std::str::from_utf8(text).map_err(|_| changed())?;
        Ok((Secret::new(text), &key.name))
    }
}

impl SealingKey {
    fn read(line: &str) -> Option<Self> {
        let encoded = line.strip_prefix(KEY_PREFIX)?;
        let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?);
        if bytes.len() != KEY_BYTES {
            return None;
        }
        let hash = Sha256::new()
            .chain_update(b"portreeve sealing key")
            .chain_update(bytes.as_slice())
            .finalize();
        let name = hex::encode(hash).chars().take(8).collect();
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()?;
        Some(Self { name, key })
    }

    /// What the tag covers beside the secret.
    fn bound(&self) -> String {
        format!("{SEALED_PREFIX}{}", self.name)
    }
}

fn is_name(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("SealingKeys")
            .field(&self.names())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> SealingKeys {
        SealingKeys::read(SealingKeys::generate().unwrap().expose()).unwrap()
    }

    #[test]
    fn what_is_sealed_can_be_opened() {
        let keys = keys();
        for text in ["hunter2", "", "pässwörd with spaces", &"x".repeat(5000)] {
            let secret = Secret::new(text);
            let sealed = keys.seal(&secret).unwrap();
            assert!(text.is_empty() || !sealed.contains(text));
            assert_eq!(
                keys.open(&sealed).unwrap(),
                (secret.clone(), keys.names()[0])
            );
            assert_ne!(keys.seal(&secret).unwrap(), sealed);
        }
    }

    #[test]
    fn any_change_is_noticed() {
        let keys = keys();
        let sealed = keys.seal(&Secret::new("hunter2")).unwrap();
        let name = keys.names()[0].to_owned();
        let start = SEALED_PREFIX.len() + name.len() + 1;
        for position in start..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[position] = if changed[position] == b'A' {
                b'B'
            } else {
                b'A'
            };
            let changed = String::from_utf8(changed).unwrap();
            assert!(
                matches!(
                    keys.open(&changed),
                    Err(SealError::Changed(_) | SealError::Sealed)
                ),
                "{position}"
            );
        }
        let other = super::tests::keys();
        assert_eq!(
            other.open(&sealed).unwrap_err().to_string(),
            format!(
                "it is sealed with the key {name}, but at hand is {}",
                other.names()[0]
            )
        );
    }

    #[test]
    fn an_old_key_still_opens() {
        let (old, new) = (
            SealingKeys::generate().unwrap(),
            SealingKeys::generate().unwrap(),
        );
        let sealed = SealingKeys::read(old.expose())
            .unwrap()
            .seal(&Secret::new("a"))
            .unwrap();
        let both = format!("# newest first\n{}\n\n{}\n", new.expose(), old.expose());
        let both = SealingKeys::read(&both).unwrap();
        assert_eq!(both.open(&sealed).unwrap().1, both.names()[1]);
        let again = both.seal(&Secret::new("a")).unwrap();
        assert_eq!(both.open(&again).unwrap().1, both.names()[0]);
        assert!(!format!("{both:?}").contains(KEY_PREFIX));
    }

    #[test]
    fn keys_that_are_none() {
        for (text, expected) in [
            ("", SealError::NoKey),
            ("# nothing\n", SealError::NoKey),
            ("hunter2", SealError::Key(1)),
            ("\nportreeve-key-1.AAAA", SealError::Key(2)),
        ] {
            assert_eq!(SealingKeys::read(text).unwrap_err(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fall(text in "(sealed-1\\.)?[0-9a-f]{0,8}\\.?.{0,60}") {
            prop_assert!(keys().open(&text).is_err());
        }
    }
}
