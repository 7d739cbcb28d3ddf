//! EUI-48 addresses in any spelling.

use std::fmt;
use std::str::FromStr;

/// An EUI-48 hardware or randomised interface address (IEEE 802).
///
/// Reads `AA:BB:CC:DD:EE:FF`, `aa-bb-cc-dd-ee-ff`, `aabb.ccdd.eeff`,
/// `aabbcc-ddeeff` and `aabbccddeeff` in any case; prints as
/// `aa:bb:cc:dd:ee:ff`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

/// The text is no EUI-48 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// Not 12 hexadecimal digits.
    #[error("expected 12 hexadecimal digits, found {0}")]
    Digits(usize),
    /// A character that is neither a digit nor a separator.
    #[error("unexpected character at position {0}")]
    Character(usize),
    /// Separators are mixed or stand at odd places.
    #[error("separators must all be `:`, `-` or `.` and split the digits evenly")]
    Separators,
}

impl MacAddress {
    /// An address from its six octets.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The six octets in transmission order.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether the address was not assigned by a manufacturer, so is likely
    /// randomised (IEEE 802c, the U/L bit).
    pub const fn is_locally_administered(self) -> bool {
        self.0[0] & 0b10 != 0
    }

    /// Reads an address from bytes, so that a request path needs no copy.
    pub fn parse(text: &[u8]) -> Result<Self, MacError> {
        // In the usual forms every digit has its place, and nothing has to be
        // counted. What fits none of them is read again to say what is wrong.
        let well_formed = match text.len() {
            17 => in_form(text, &PAIRS, &[2, 5, 8, 11, 14]),
            14 => in_form(text, &QUADS, &[4, 9]),
            12 => in_form(text, &PLAIN, &[]),
            _ => None,
        };
        well_formed.map_or_else(|| Self::parse_slowly(text), Ok)
    }

    fn parse_slowly(text: &[u8]) -> Result<Self, MacError> {
        let mut octets = [0_u8; 6];
        let mut digits = 0_usize;
        let mut separator = None;
        // Digits since the last separator, and how many make a full group.
        let mut run = 0_usize;
        let mut group = None;
        for (position, &byte) in text.iter().enumerate() {
            if let Some(value) = hexadecimal(byte) {
                let Some(octet) = octets.get_mut(digits / 2) else {
                    return Err(MacError::Digits(count_digits(text)));
                };
                *octet = *octet << 4 | value;
                digits += 1;
                run += 1;
            } else if is_separator(byte) {
                if *separator.get_or_insert(byte) != byte || *group.get_or_insert(run) != run {
                    return Err(MacError::Separators);
                }
                run = 0;
            } else {
                return Err(MacError::Character(position));
            }
        }
        if digits != 12 {
            return Err(MacError::Digits(digits));
        }
        match group {
            None => Ok(Self(octets)),
            Some(2 | 4 | 6) if group == Some(run) => Ok(Self(octets)),
            Some(_) => Err(MacError::Separators),
        }
    }
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b':' | b'-' | b'.')
}

/// Where the digits stand in `aa:bb:cc:dd:ee:ff`.
const PAIRS: [usize; 12] = [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16];
/// Where they stand in `aabb.ccdd.eeff`.
const QUADS: [usize; 12] = [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13];
/// Where they stand in `aabbccddeeff`.
const PLAIN: [usize; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/// The value of each character as a digit, [`NO_DIGIT`] for all others.
#[expect(
    clippy::indexing_slicing,
    reason = "a byte is always a place in a table of 256; this runs when it is compiled"
)]
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 10 {
        digits[b'0' as usize + value as usize] = value;
        value += 1;
    }
    while value < 16 {
        digits[b'a' as usize + value as usize - 10] = value;
        digits[b'A' as usize + value as usize - 10] = value;
        value += 1;
    }
    digits
};
/// More than any digit, so that it shows after all digits are put together.
const NO_DIGIT: u8 = 0xf0;

#[expect(
    clippy::indexing_slicing,
    reason = "the places lie within the length that chose them, and the tables are constants"
)]
fn in_form(text: &[u8], places: &[usize; 12], separators: &[usize]) -> Option<MacAddress> {
    let values = places.map(|place| DIGITS[usize::from(text[place])]);
    let together = values.iter().fold(0, |all, value| all | value);
    let octet = |place: usize| values[place] << 4 | values[place + 1];
    let first = separators.first().map(|place| text[*place]);
    let separated = first.is_none_or(|first| {
        is_separator(first) && separators.iter().all(|place| text[*place] == first)
    });
    (together < 0x10 && separated)
        .then(|| MacAddress([octet(0), octet(2), octet(4), octet(6), octet(8), octet(10)]))
}

fn hexadecimal(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn count_digits(text: &[u8]) -> usize {
    text.iter().filter(|byte| byte.is_ascii_hexdigit()).count()
}

impl FromStr for MacAddress {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, octet) in self.0.iter().enumerate() {
            let colon = if position == 0 { "" } else { ":" };
            write!(formatter, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, MacError>) {
        let read = text.parse::<MacAddress>().map(|mac| mac.to_string());
        assert_eq!(read, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn every_spelling_is_one_address() {
        for text in [
            "00:50:56:A4:89:5A",
            "00-50-56-a4-89-5a",
            "0050.56a4.895a",
            "0050:56a4:895a",
            "005056-a4895a",
            "005056A4895A",
        ] {
            check(text, Ok("00:50:56:a4:89:5a"));
        }
    }

    #[test]
    fn malformed_addresses_say_why() {
        check("", Err(MacError::Digits(0)));
        check("005056A4895", Err(MacError::Digits(11)));
        check("005056A4895A0", Err(MacError::Digits(13)));
        check("00:50:56:A4:89:5G", Err(MacError::Character(16)));
        check("00:50:56:A4:89:5A ", Err(MacError::Character(17)));
        check("00:50-56:A4:89:5A", Err(MacError::Separators));
        check("0:050:56:A4:89:5A", Err(MacError::Separators));
        check("005056A4895A:", Err(MacError::Separators));
        check(":005056A4895A", Err(MacError::Separators));
        check("005:056:A48:95A", Err(MacError::Separators));
        check("00::5056A4895A", Err(MacError::Separators));
        check("0050 56a4 895a", Err(MacError::Character(4)));
    }

    #[test]
    fn randomised_addresses_are_flagged() {
        for (text, expected) in [
            ("00:50:56:a4:89:5a", false),
            ("02:00:00:00:00:01", true),
            ("da:a1:19:00:00:01", true),
            ("01:00:5e:00:00:01", false),
        ] {
            let mac: MacAddress = text.parse().unwrap();
            assert_eq!(mac.is_locally_administered(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = MacAddress::parse(&bytes);
        }

        #[test]
        fn the_quick_way_reads_what_the_thorough_one_does(text in "[0-9a-gA-G]{2}[:.-]?([0-9a-fA-F]{2}[:.-]?){4,5}[0-9a-fA-F]{1,2}") {
            prop_assert_eq!(MacAddress::parse(text.as_bytes()), MacAddress::parse_slowly(text.as_bytes()));
        }

        #[test]
        fn what_is_printed_is_read_back(octets: [u8; 6]) {
            let mac = MacAddress::new(octets);
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
        }
    }
}
