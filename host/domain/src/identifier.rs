//! The ways to name an endpoint.

use std::fmt;
use std::str::FromStr;

use crate::{Guid, GuidError, MacAddress, MacError};

/// The longest text identifier, in bytes. A certificate's GUID field holds at
/// most 128 (ISE MDM API v3); host and user names stay under 256.
const LONGEST: usize = 256;

/// One way to name an endpoint.
///
/// As text a MAC address or a GUID stands for itself; every other kind, and
/// these too if wished, is written `kind:value`, e.g. `serial:C02XK0AAJGH5`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// Hardware or randomised interface address.
    Mac(MacAddress),
    /// Device GUID, as carried in a certificate.
    Guid(Guid),
    /// Manufacturer's serial number.
    Serial(Box<str>),
    /// 15-digit IMEI, digits only.
    Imei(Box<str>),
    /// 14-digit MEID, hexadecimal, upper case.
    Meid(Box<str>),
    /// Apple or Android device identifier.
    Udid(Box<str>),
    /// Fully qualified or `NetBIOS` host name, lower case.
    Hostname(Box<str>),
    /// User principal name or mail address of the primary user, lower case.
    User(Box<str>),
    /// Any other identifier.
    Other {
        /// Lower-case kebab-case kind, e.g. `entra-device-id`.
        kind: Box<str>,
        /// As the source writes it.
        value: Box<str>,
    },
}

/// The text names no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Neither a MAC address nor a GUID, and no known kind stands before it.
    #[error(
        "`{0}` is neither a MAC address nor a GUID; write other identifiers as `kind:value`, \
         e.g. `serial:C02XK0AAJGH5`"
    )]
    Unrecognised(String),
    /// A MAC address was announced or recognised, but is malformed.
    #[error("`{text}` is no MAC address: {source}")]
    Mac {
        /// What was read.
        text: String,
        /// What is wrong with it.
        source: MacError,
    },
    /// A GUID was announced, but is malformed.
    #[error("`{text}` is no GUID: {source}")]
    Guid {
        /// What was read.
        text: String,
        /// What is wrong with it.
        source: GuidError,
    },
    /// The value does not fit its kind.
    #[error("`{text}` is no {kind}: expected {expected}")]
    Value {
        /// What was read.
        text: String,
        /// The kind that was announced.
        kind: &'static str,
        /// What a value of this kind looks like.
        expected: &'static str,
    },
}

impl Identifier {
    /// The kind's name as it is written before the colon.
    pub fn kind(&self) -> &str {
        match self {
            Self::Mac(_) => "mac",
            Self::Guid(_) => "guid",
            Self::Serial(_) => "serial",
            Self::Imei(_) => "imei",
            Self::Meid(_) => "meid",
            Self::Udid(_) => "udid",
            Self::Hostname(_) => "hostname",
            Self::User(_) => "user",
            Self::Other { kind, .. } => kind,
        }
    }

    /// The value without its kind, normalised.
    pub fn value(&self) -> String {
        match self {
            Self::Mac(mac) => mac.to_string(),
            Self::Guid(guid) => guid.to_string(),
            Self::Serial(value)
            | Self::Imei(value)
            | Self::Meid(value)
            | Self::Udid(value)
            | Self::Hostname(value)
            | Self::User(value)
            | Self::Other { value, .. } => value.to_string(),
        }
    }

    /// The address, if this is one.
    pub const fn as_mac(&self) -> Option<MacAddress> {
        match self {
            Self::Mac(mac) => Some(*mac),
            _ => None,
        }
    }

    /// How much a look-up trusts this kind, lowest first: a certificate's GUID
    /// beats hardware numbers, they beat an interface address, names come last.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Guid(_) => 0,
            Self::Udid(_) => 1,
            Self::Serial(_) | Self::Imei(_) | Self::Meid(_) => 2,
            Self::Other { .. } => 3,
            Self::Mac(_) => 4,
            Self::Hostname(_) => 5,
            Self::User(_) => 6,
        }
    }

    /// An identifier of a named kind. Kinds without a form of their own become
    /// [`Identifier::Other`].
    pub fn of_kind(kind: &str, value: &str) -> Result<Self, IdentifierError> {
        let text = || shorten(value);
        let value = value.trim();
        match kind {
            "mac" => MacAddress::from_str(value)
                .map(Self::Mac)
                .map_err(|source| IdentifierError::Mac {
                    text: text(),
                    source,
                }),
            "guid" => {
                Guid::from_str(value)
                    .map(Self::Guid)
                    .map_err(|source| IdentifierError::Guid {
                        text: text(),
                        source,
                    })
            }
            "imei" => {
                let digits: String = value.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
                if matches!(digits.len(), 14..=16) && digits.bytes().all(|b| b.is_ascii_digit()) {
                    Ok(Self::Imei(digits.into()))
                } else {
                    Err(IdentifierError::Value {
                        text: text(),
                        kind: "IMEI",
                        expected: "15 digits",
                    })
                }
            }
            "meid" => {
                let digits = value.to_ascii_uppercase();
                if digits.len() == 14 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                    Ok(Self::Meid(digits.into()))
                } else {
                    Err(IdentifierError::Value {
                        text: text(),
                        kind: "MEID",
                        expected: "14 hexadecimal digits",
                    })
                }
            }
            "serial" => plain(value, "serial number").map(Self::Serial),
            "udid" => plain(value, "UDID").map(Self::Udid),
            "hostname" => plain(&value.to_lowercase(), "host name").map(Self::Hostname),
            "user" => plain(&value.to_lowercase(), "user name").map(Self::User),
            _ if is_kebab_case(kind) => {
                let value = plain(value, "identifier")?;
                Ok(Self::Other {
                    kind: kind.into(),
                    value,
                })
            }
            _ => Err(IdentifierError::Unrecognised(shorten(&format!(
                "{kind}:{value}"
            )))),
        }
    }
}

fn plain(value: &str, kind: &'static str) -> Result<Box<str>, IdentifierError> {
    if value.is_empty() || value.len() > LONGEST || value.chars().any(char::is_control) {
        return Err(IdentifierError::Value {
            text: shorten(value),
            kind,
            expected: "1 to 256 bytes without control characters",
        });
    }
    Ok(value.into())
}

fn is_kebab_case(kind: &str) -> bool {
    (2..=64).contains(&kind.len())
        && kind.starts_with(|c: char| c.is_ascii_lowercase())
        && kind
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Keeps a hostile text from filling an error message or forging a log line.
fn shorten(text: &str) -> String {
    text.chars()
        .take(64)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        // A space behind `c8:50:56:a4:89:5a` would make it a `c8`.
        let text = text.trim();
        if let Ok(guid) = Guid::from_str(text) {
            return Ok(Self::Guid(guid));
        }
        match MacAddress::from_str(text) {
            Ok(mac) => return Ok(Self::Mac(mac)),
            // Only hexadecimal digits and separators: a MAC address was meant.
            Err(source @ (MacError::Digits(6..) | MacError::Separators)) => {
                return Err(IdentifierError::Mac {
                    text: shorten(text),
                    source,
                });
            }
            Err(_) => {}
        }
        match text.split_once(':') {
            Some((kind, value)) if is_kebab_case(kind) => Self::of_kind(kind, value),
            _ => Err(IdentifierError::Unrecognised(shorten(text))),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(formatter),
            Self::Guid(guid) => guid.fmt(formatter),
            _ => write!(formatter, "{}:{}", self.kind(), self.value()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_read_and_printed() {
        for (text, expected) in [
            ("00-50-56-A4-89-5A", "00:50:56:a4:89:5a"),
            ("mac:005056A4895A", "00:50:56:a4:89:5a"),
            (
                "3EEB9E62-CEC9-4DD8-9DD6-74903695A62B",
                "3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
            ),
            (
                "guid:3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
                "3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
            ),
            ("serial:C02XK0AAJGH5", "serial:C02XK0AAJGH5"),
            ("imei:35-209900-176148-1", "imei:352099001761481"),
            ("meid:a0000000002329", "meid:A0000000002329"),
            ("user:Ada@Example.com", "user:ada@example.com"),
            ("entra-device-id:xyz", "entra-device-id:xyz"),
            // Not a `c8` that is called `50:56:a4:89:5a`.
            (" c8:50:56:a4:89:5a  ", "c8:50:56:a4:89:5a"),
        ] {
            let read: Identifier = text.parse().unwrap();
            assert_eq!(read.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn errors_name_what_was_wrong() {
        for (text, expected) in [
            ("laptop1", "`laptop1` is neither a MAC address nor a GUID"),
            (
                "00:50:56:a4:89",
                "`00:50:56:a4:89` is no MAC address: expected 12 hexadecimal digits, found 10",
            ),
            (
                "mac:zz",
                "`zz` is no MAC address: unexpected character at position 0",
            ),
            (
                "guid:1234",
                "`1234` is no GUID: expected 8-4-4-4-12 hexadecimal digits",
            ),
            ("imei:12", "`12` is no IMEI: expected 15 digits"),
            ("serial:", "`` is no serial number: expected 1 to 256 bytes"),
            ("Serial:abc", "`Serial:abc` is neither"),
        ] {
            let error = text.parse::<Identifier>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_certificates_guid_beats_an_address() {
        let mut ids: Vec<Identifier> = [
            "user:a@b",
            "00:50:56:a4:89:5a",
            "serial:x",
            "3eeb9e62-cec9-4dd8-9dd6-74903695a62b",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        ids.sort_by_key(Identifier::rank);
        let kinds: Vec<_> = ids.iter().map(Identifier::kind).collect();
        assert_eq!(kinds, ["guid", "serial", "mac", "user"]);
    }

    proptest! {
        #[test]
        fn never_panics_and_errors_stay_short(text in any::<String>()) {
            if let Err(error) = text.parse::<Identifier>() {
                prop_assert!(error.to_string().len() < 600);
            }
        }

        #[test]
        fn what_is_printed_is_read_back(text in "(serial|udid|hostname|user|x-kind):[a-z0-9]{1,20}") {
            let read: Identifier = text.parse().unwrap();
            prop_assert_eq!(read.to_string().parse::<Identifier>(), Ok(read));
        }
    }
}
