//! Device GUIDs, also as certificates carry them.

use std::fmt;
use std::str::FromStr;

/// A device's GUID (RFC 9562), printed in lower case with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(u128);

/// The text is no GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 8-4-4-4-12 hexadecimal digits")]
pub struct GuidError;

impl Guid {
    /// A GUID from its 128 bits, most significant first.
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// The 128 bits, most significant first.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Reads a GUID from bytes, so that a request path needs no copy.
    ///
    /// Takes 8-4-4-4-12 digits with hyphens, in braces or not.
    pub fn parse(text: &[u8]) -> Result<Self, GuidError> {
        let text = match text {
            [b'{', inner @ .., b'}'] => inner,
            plain => plain,
        };
        if text.len() != 36 {
            return Err(GuidError);
        }
        let mut bits = 0_u128;
        for (position, &byte) in text.iter().enumerate() {
            if matches!(position, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return Err(GuidError);
                }
            } else {
                let digit = char::from(byte).to_digit(16).ok_or(GuidError)?;
                bits = bits << 4 | u128::from(digit);
            }
        }
        Ok(Self(bits))
    }

    /// Finds the device GUID in a certificate's subject alternative name or
    /// common name.
    ///
    /// Known forms are `IntuneDeviceId://{guid}` and
    /// `ID:Microsoft Endpoint Manager:GUID:{guid}`. Since Microsoft's strong
    /// mapping (KB5014754) the field may hold a security identifier too, joined
    /// by a comma, and FreeRADIUS gives the whole extension as
    /// `DNS:…, URI:…`; so this searches and does not anchor. A bare GUID counts
    /// only when it is the whole text: any other GUID in a certificate is not
    /// known to name the device.
    pub fn find_in_certificate_name(text: &str) -> Option<Self> {
        let bytes = text.trim().as_bytes();
        if let Ok(guid) = Self::parse(bytes) {
            return Some(guid);
        }
        for marker in [b"IntuneDeviceId://".as_slice(), b":GUID:".as_slice()] {
            for (start, window) in bytes.windows(marker.len()).enumerate() {
                if !window.eq_ignore_ascii_case(marker) {
                    continue;
                }
                let rest = bytes.get(start + marker.len()..).unwrap_or_default();
                let (length, next) = match rest.first() {
                    Some(b'{') => (38, rest.get(38)),
                    _ => (36, rest.get(36)),
                };
                let ends = next.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
                let guid = rest.get(..length).map(Self::parse);
                if let (true, Some(Ok(guid))) = (ends, guid) {
                    return Some(guid);
                }
            }
        }
        None
    }
}

impl FromStr for Guid {
    type Err = GuidError;

    fn from_str(text: &str) -> Result<Self, GuidError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        write!(
            formatter,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            bits >> 96,
            bits >> 80 & 0xffff,
            bits >> 64 & 0xffff,
            bits >> 48 & 0xffff,
            bits & 0xffff_ffff_ffff,
        )
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GUID: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";

    #[test]
    fn spellings() {
        for text in [
            GUID,
            &GUID.to_uppercase(),
            "{3eeb9e62-cec9-4dd8-9dd6-74903695a62b}",
        ] {
            assert_eq!(text.parse::<Guid>().unwrap().to_string(), GUID);
        }
        for text in [
            "",
            "3eeb9e62",
            "3eeb9e62-cec9-4dd8-9dd6-74903695a62",
            "3eeb9e62cec94dd89dd674903695a62b",
        ] {
            assert_eq!(text.parse::<Guid>(), Err(GuidError), "{text}");
        }
    }

    #[test]
    fn names_in_certificates() {
        let found = [
            GUID.to_owned(),
            format!("IntuneDeviceId://{GUID}"),
            format!("intunedeviceid://{}", GUID.to_uppercase()),
            format!("ID:Microsoft Endpoint Manager:GUID:{GUID}"),
            format!("DNS:laptop1.example, URI:ID:Microsoft Endpoint Manager:GUID:{GUID}"),
            format!("tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500,IntuneDeviceId://{GUID}"),
            format!("IntuneDeviceId://{GUID},tag:microsoft.com,2022-09-14:sid:S-1-5-21-1"),
            format!("URI:IntuneDeviceId://nonsense, URI:IntuneDeviceId://{{{GUID}}}"),
        ];
        for text in found {
            assert_eq!(
                Guid::find_in_certificate_name(&text).map(|guid| guid.to_string()),
                Some(GUID.to_owned()),
                "{text}"
            );
        }
        let absent = [
            String::new(),
            format!("DNS:{GUID}.example"),
            format!("IntuneDeviceId://{GUID}ff"),
            format!("IntuneUserId://{GUID}"),
            "IntuneDeviceId://".to_owned(),
        ];
        for text in absent {
            assert_eq!(Guid::find_in_certificate_name(&text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            let _ = Guid::find_in_certificate_name(&text);
            let _ = text.parse::<Guid>();
        }

        #[test]
        fn what_is_printed_is_read_back(bits: u128) {
            let guid = Guid::new(bits);
            prop_assert_eq!(guid.to_string().parse(), Ok(guid));
        }
    }
}
