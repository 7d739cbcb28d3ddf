//! Identifiers of hardware, without what stands in their place when there is
//! none. Two devices with the serial number `0` would be one for a look-up.

use crate::identifier::Mac;

/// What firmware and agents write where no serial number is, in lower case and
/// without anything but letters and digits.
const NO_SERIAL: [&str; 27] = [
    "unknown",
    "none",
    "na",
    "nil",
    "null",
    "empty",
    "notapplicable",
    "notavailable",
    "notspecified",
    "notset",
    "default",
    "defaultstring",
    "invalid",
    "oem",
    "chassisserialnumber",
    "serial",
    "serialnumber",
    "systemserialnumber",
    "systemproductname",
    "tobefilledbyoem",
    "nonspecified",
    "test",
    "0123456789",
    "123456789",
    "1234567890",
    "123456789012345",
    "xxxxxxxxxx",
];

/// A serial number that names one device.
pub(super) fn serial(text: &str) -> Option<&str> {
    let text = text.trim();
    let mut bare = [0_u8; 32];
    let mut length = 0;
    for byte in text.bytes().filter(u8::is_ascii_alphanumeric) {
        // Longer than any of the placeholders.
        let Some(place) = bare.get_mut(length) else {
            return plain(text);
        };
        *place = byte.to_ascii_lowercase();
        length += 1;
    }
    let bare = bare.get(..length).unwrap_or_default();
    let placeholder = one_character(bare)
        || NO_SERIAL
            .iter()
            .any(|placeholder| placeholder.as_bytes() == bare);
    if placeholder { None } else { plain(text) }
}

/// A device identifier of Apple or Android.
pub(super) fn udid(text: &str) -> Option<&str> {
    serial(text).filter(|text| text.len() >= 8)
}

/// The IMEIs in a text: a phone with two SIM cards may have two.
pub(super) fn imeis(text: &str) -> impl Iterator<Item = String> {
    text.split([',', ';', '/']).filter_map(|part| {
        let plain = part
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'));
        let digits: String = part.chars().filter(char::is_ascii_digit).collect();
        (plain && digits.len() == 15 && !one_character(digits.as_bytes())).then_some(digits)
    })
}

/// A MEID: 14 hexadecimal digits.
pub(super) fn meid(text: &str) -> Option<String> {
    let text = text.trim();
    let hex = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && !one_character(text.as_bytes())).then(|| text.to_ascii_uppercase())
}

/// The address of an interface: not of a group of them, and none of those that
/// systems show instead of their own.
pub(super) fn mac(text: &str) -> Option<Mac> {
    let mac = Mac::parse(text)?;
    let octets = mac.octets();
    let group = octets.first().is_none_or(|first| first & 1 == 1);
    let rest = octets.get(1..).unwrap_or_default();
    // 02:00:00:00:00:00 is what iOS and Android say to programs without a right.
    let placeholder = rest.iter().all(|octet| *octet == 0) && matches!(octets.first(), Some(0 | 2));
    (!group && !placeholder).then_some(mac)
}

/// Whether it is nothing, or the same character all over.
fn one_character(bytes: &[u8]) -> bool {
    bytes
        .first()
        .is_none_or(|first| bytes.iter().all(|byte| byte == first))
}

/// As the host takes identifiers.
fn plain(text: &str) -> Option<&str> {
    (text.len() <= 256 && !text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers() {
        for (text, expected) in [
            ("C02XK0AAJGH5", Some("C02XK0AAJGH5")),
            (" PF2ABCDE ", Some("PF2ABCDE")),
            (
                "VMware-42 24 61 a8 00 90 e4 c2-0e 2c 2f 2b a2 ee fe 60",
                Some("VMware-42 24 61 a8 00 90 e4 c2-0e 2c 2f 2b a2 ee fe 60"),
            ),
            ("10", Some("10")),
            ("", None),
            ("   ", None),
            ("0", None),
            ("0000000", None),
            ("........", None),
            ("FFFFFFFF", None),
            ("Unknown", None),
            ("N/A", None),
            ("Defaultstring", None),
            ("Default string", None),
            ("To be filled by O.E.M.", None),
            ("System Serial Number", None),
            ("123456789", None),
            ("a\u{7}bcdefgh", None),
        ] {
            assert_eq!(serial(text), expected, "{text}");
        }
        assert_eq!(serial(&"12".repeat(129)), None);
    }

    #[test]
    fn phones() {
        let both = |text: &str| imeis(text).collect::<Vec<_>>();
        assert_eq!(both("35 209900 176148 1"), ["352099001761481"]);
        assert_eq!(
            both("352099001761481, 352099001761482"),
            ["352099001761481", "352099001761482"]
        );
        for text in [
            "",
            "0",
            "Unknown",
            "000000000000000",
            "35209900176148",
            "x352099001761481",
        ] {
            assert!(both(text).is_empty(), "{text}");
        }
        assert_eq!(meid("a00000009296f0").as_deref(), Some("A00000009296F0"));
        for text in ["", "0", "00000000000000", "Unknown", "A00000009296F"] {
            assert_eq!(meid(text), None, "{text}");
        }
        assert_eq!(
            udid("00008030-0011223344556677"),
            Some("00008030-0011223344556677")
        );
        assert_eq!(udid("0"), None);
        assert_eq!(udid("Unknown"), None);
    }

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("005056A4895A", Some("00:50:56:a4:89:5a")),
            ("00:50:56:A4:89:5A", Some("00:50:56:a4:89:5a")),
            ("02AABBCCDDEE", Some("02:aa:bb:cc:dd:ee")),
            ("", None),
            ("Unknown", None),
            ("000000000000", None),
            ("020000000000", None),
            ("FFFFFFFFFFFF", None),
            ("01005E000001", None),
        ] {
            assert_eq!(mac(text).map(Mac::colons).as_deref(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,40}") {
            let _ = (serial(&text), udid(&text), meid(&text), mac(&text));
            for imei in imeis(&text) {
                proptest::prop_assert_eq!(imei.len(), 15);
            }
        }
    }
}
