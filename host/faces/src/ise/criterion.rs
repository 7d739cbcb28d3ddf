//! What ISE looks a device up by.

use portreeve_domain::{Guid, Identifier};

use crate::problem::Problem;
use crate::text::one_line;

/// The values of `querycriteria` that name a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Criterion {
    MacAddress,
    /// The GUID in the endpoint's certificate.
    Guid,
    /// The same, or a host name.
    GuidOrHostname,
    Udid,
    Imei,
    Meid,
    Serial,
}

/// Its words, in any case. `serial` is what other servers of this API take.
const WORDS: [(&str, Criterion); 9] = [
    ("macaddress", Criterion::MacAddress),
    ("guid", Criterion::Guid),
    ("guidhn", Criterion::GuidOrHostname),
    ("udid", Criterion::Udid),
    ("imei", Criterion::Imei),
    ("meid", Criterion::Meid),
    ("serial_number", Criterion::Serial),
    ("serialnumber", Criterion::Serial),
    ("serial", Criterion::Serial),
];

/// All that may stand in `querycriteria`.
pub(super) const EXPECTED: &str = "`macaddress`, `guid`, `guidhn`, `udid`, `imei`, `meid`, \
     `serial_number`, `username` or `compliance`";

impl Criterion {
    pub(super) fn of_word(word: &str) -> Option<Self> {
        let found = WORDS
            .iter()
            .find(|(known, _)| word.eq_ignore_ascii_case(known));
        found.map(|(_, criterion)| *criterion)
    }

    /// The identifier that a value names. `place` says where it stood.
    pub(super) fn identifier(self, value: &str, place: &str) -> Result<Identifier, Problem> {
        let of_kind = |kind| Identifier::of_kind(kind, value);
        let identifier = match self {
            Self::MacAddress => of_kind("mac"),
            // ISE may pass on the whole name from the certificate.
            Self::Guid | Self::GuidOrHostname => match Guid::find_in_certificate_name(value) {
                Some(guid) => Ok(Identifier::Guid(guid)),
                None if self == Self::GuidOrHostname => of_kind("hostname"),
                None => of_kind("guid"),
            },
            Self::Udid => of_kind("udid"),
            Self::Imei => of_kind("imei"),
            Self::Meid => of_kind("meid"),
            Self::Serial => of_kind("serial"),
        };
        identifier.map_err(|error| {
            Problem::malformed(one_line(&format!("{place}: {error}"), LONGEST_ERROR))
        })
    }
}

/// Bytes of an error text, which may quote what was sent.
const LONGEST_ERROR: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "3eeb9e62-cec9-4dd8-9dd6-74903695a62b";

    #[test]
    fn values() {
        for (word, value, expected) in [
            ("macaddress", "0026B424FEB4", Ok("00:26:b4:24:fe:b4")),
            ("MacAddress", "18:20:32:97:3f:6e", Ok("18:20:32:97:3f:6e")),
            ("macaddress", "0026.b424.feb4", Ok("00:26:b4:24:fe:b4")),
            (
                "macaddress",
                "0026B424FEB",
                Err(
                    "`value`: `0026B424FEB` is no MAC address: expected 12 hexadecimal digits, found 11",
                ),
            ),
            ("guid", GUID, Ok(GUID)),
            (
                "guid",
                "ID:Microsoft Endpoint Manager:GUID:3EEB9E62-CEC9-4DD8-9DD6-74903695A62B",
                Ok(GUID),
            ),
            (
                "guid",
                "laptop7",
                Err("`value`: `laptop7` is no GUID: expected 8-4-4-4-12 hexadecimal digits"),
            ),
            ("guidhn", GUID, Ok(GUID)),
            (
                "guidhn",
                "Laptop7.example.com",
                Ok("hostname:laptop7.example.com"),
            ),
            ("udid", "00008030-001A", Ok("udid:00008030-001A")),
            ("imei", "352099001761481", Ok("imei:352099001761481")),
            ("meid", "a0000000002329", Ok("meid:A0000000002329")),
            (
                "meid",
                "a000",
                Err("`value`: `a000` is no MEID: expected 14 hexadecimal digits"),
            ),
            ("serial_number", "C02XK0AAJGH5", Ok("serial:C02XK0AAJGH5")),
            ("serial", "C02XK0AAJGH5", Ok("serial:C02XK0AAJGH5")),
            (
                "serial",
                "",
                Err(
                    "`value`: `` is no serial number: expected 1 to 256 bytes without control characters",
                ),
            ),
        ] {
            let criterion = Criterion::of_word(word).unwrap();
            let read = criterion.identifier(value, "`value`");
            let read = read.map(|identifier| identifier.to_string());
            match (read, expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected),
                (Err(problem), Err(expected)) => assert_eq!(problem.detail(), expected),
                (read, _) => panic!("{word} {value}: {read:?}"),
            }
        }
        assert_eq!(Criterion::of_word("username"), None);
        assert_eq!(Criterion::of_word(""), None);
    }
}
