//! MAC addresses as Intune keeps them: 12 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An EUI-48 address.
///
/// Shown as Intune shows it: 12 upper-case hexadecimal digits without separators.
/// Reading is as strict, in either case: how the real service treats other spellings is not
/// published, so a caller that forgets to normalise is told so with status 400.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(u64);

/// The text is not 12 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a MAC address of 12 hexadecimal digits")]
pub struct NotMac(String);

impl Mac {
    /// The address with this value; only the lower 48 bits are used.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & 0xFFFF_FFFF_FFFF)
    }

    /// The 48 bits as a number.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The same address with a separator after every two digits, in lower case.
    pub fn separated(self, separator: char) -> String {
        let plain = self.to_string().to_ascii_lowercase();
        let mut text = String::with_capacity(17);
        for (position, digit) in plain.chars().enumerate() {
            if position > 0 && position % 2 == 0 {
                text.push(separator);
            }
            text.push(digit);
        }
        text
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012X}", self.0)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mac({self})")
    }
}

impl FromStr for Mac {
    type Err = NotMac;

    fn from_str(text: &str) -> Result<Self, NotMac> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            u64::from_str_radix(text, 16)
                .map(Self)
                .map_err(|_| NotMac(text.to_owned()))
        } else {
            Err(NotMac(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Mac {
    type Error = NotMac;

    fn try_from(text: String) -> Result<Self, NotMac> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_twelve_digits() {
        let mac = Mac::from_bits(0x0050_56A4_895A);
        assert_eq!("005056a4895A".parse::<Mac>().unwrap(), mac);
        assert_eq!(mac.to_string(), "005056A4895A");
        assert_eq!(mac.separated(':'), "00:50:56:a4:89:5a");
        for wrong in [
            "",
            "00:50:56:a4:89:5a",
            "005056A4895",
            "005056A4895G",
            "+05056A4895A",
        ] {
            assert!(wrong.parse::<Mac>().is_err(), "{wrong}");
        }
    }
}
