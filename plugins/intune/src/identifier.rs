//! The two names that Intune's compliance service knows a device by.

/// A MAC address (EUI-48).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mac([u8; 6]);

impl Mac {
    /// Reads any common spelling: with colons, hyphens or dots, or without.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut octets = [0_u8; 6];
        let mut digits = 0_usize;
        for byte in text.trim().bytes() {
            if matches!(byte, b':' | b'-' | b'.') {
                continue;
            }
            let digit = char::from(byte).to_digit(16)?;
            let octet = octets.get_mut(digits / 2)?;
            *octet = *octet << 4 | u8::try_from(digit).ok()?;
            digits += 1;
        }
        (digits == 12).then_some(Self(octets))
    }

    /// The six octets in the order of transmission.
    pub(crate) fn octets(self) -> [u8; 6] {
        self.0
    }

    /// As Intune wants it: `005056A4895A`.
    pub(crate) fn intune(self) -> String {
        self.colons().replace(':', "").to_ascii_uppercase()
    }

    /// As the gateway wants it: `00:50:56:a4:89:5a`.
    pub(crate) fn colons(self) -> String {
        let mut text = String::with_capacity(17);
        for (position, octet) in self.0.into_iter().enumerate() {
            if position > 0 {
                text.push(':');
            }
            for digit in [octet >> 4, octet & 0xf] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
        text
    }
}

/// Reads a GUID, in braces or not, and returns it in lower case.
pub(crate) fn guid(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text
        .strip_prefix('{')
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or(text);
    let shaped = text.len() == 36
        && text.bytes().enumerate().all(|(position, byte)| {
            if matches!(position, 8 | 13 | 18 | 23) {
                byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        });
    shaped.then(|| text.to_ascii_lowercase())
}

/// What a look-up asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Lower case.
    Guid(String),
    Mac(Mac),
}

impl Asked {
    /// Name of the criterion in a query.
    pub(crate) fn criterion(&self) -> &'static str {
        match self {
            Self::Guid(_) => "guid",
            Self::Mac(_) => "macaddress",
        }
    }

    /// Value of the criterion in a query. Neither needs escaping.
    pub(crate) fn value(&self) -> String {
        match self {
            Self::Guid(guid) => guid.clone(),
            Self::Mac(mac) => mac.intune(),
        }
    }

    /// What the answer says it was found by.
    pub(crate) fn matched_by(&self) -> &'static str {
        match self {
            Self::Guid(_) => "guid",
            Self::Mac(_) => "mac",
        }
    }

    /// Key of a device of which nothing better is known.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Guid(guid) => guid.clone(),
            Self::Mac(mac) => format!("mac:{}", mac.colons()),
        }
    }

    /// The reverse of [`Asked::key`].
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        match key.strip_prefix("mac:") {
            Some(mac) => Mac::parse(mac).map(Self::Mac),
            None => guid(key).map(Self::Guid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_every_spelling() {
        for (text, expected) in [
            ("005056A4895A", Some("00:50:56:a4:89:5a")),
            ("00:50:56:a4:89:5a", Some("00:50:56:a4:89:5a")),
            ("00-50-56-A4-89-5A", Some("00:50:56:a4:89:5a")),
            ("0050.56a4.895a", Some("00:50:56:a4:89:5a")),
            (" 005056A4895A ", Some("00:50:56:a4:89:5a")),
            ("005056A4895", None),
            ("005056A4895A0", None),
            ("005056A4895G", None),
            ("", None),
            ("٠٠٥٠٥٦A٤٨٩٥A", None),
        ] {
            assert_eq!(
                Mac::parse(text).map(Mac::colons).as_deref(),
                expected,
                "{text}"
            );
        }
        assert_eq!(
            Mac::parse("00:50:56:a4:89:5a").unwrap().intune(),
            "005056A4895A"
        );
    }

    #[test]
    fn guids() {
        let plain = "ee9d3792-6859-4b71-93aa-56aba42581c5";
        for (text, expected) in [
            (plain, Some(plain)),
            ("EE9D3792-6859-4B71-93AA-56ABA42581C5", Some(plain)),
            ("{ee9d3792-6859-4b71-93aa-56aba42581c5}", Some(plain)),
            ("ee9d3792-6859-4b71-93aa-56aba42581c", None),
            ("ee9d379268594b7193aa56aba42581c5", None),
            ("ee9d3792-6859-4b71-93aa-56aba42581c5&filter=x", None),
            ("ge9d3792-6859-4b71-93aa-56aba42581c5", None),
            ("", None),
        ] {
            assert_eq!(guid(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn keys_come_back() {
        for key in [
            "ee9d3792-6859-4b71-93aa-56aba42581c5",
            "mac:00:50:56:a4:89:5a",
        ] {
            assert_eq!(Asked::from_key(key).unwrap().key(), key);
        }
        for key in [
            "",
            "mac:",
            "serial:1",
            "mac:ee9d3792-6859-4b71-93aa-56aba42581c5",
        ] {
            assert_eq!(Asked::from_key(key), None, "{key}");
        }
    }
}
