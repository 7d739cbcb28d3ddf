//! The two names that Intune's compliance service knows a device by.

/// A MAC address (EUI-48).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mac([u8; 6]);

impl Mac {
    /// Reads any common spelling: with colons, hyphens or dots, or without.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .trim()
            .bytes()
            .filter(|byte| !matches!(byte, b':' | b'-' | b'.'))
            .map(|byte| char::from(byte).to_digit(16))
            .map(|digit| digit.and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()?;
        let mut octets = [0; 6];
        if digits.len() != 12 {
            return None;
        }
        for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
            if let [high, low] = pair {
                *octet = high << 4 | low;
            }
        }
        Some(Self(octets))
    }

    /// As Intune wants it: `005056A4895A`.
    pub(crate) fn intune(self) -> String {
        self.colons().replace(':', "").to_ascii_uppercase()
    }

    /// As the gateway wants it: `00:50:56:a4:89:5a`.
    pub(crate) fn colons(self) -> String {
        self.0.map(|octet| format!("{octet:02x}")).join(":")
    }
}

/// Reads a GUID, in braces or not, and returns it in lower case.
pub(crate) fn guid(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text
        .strip_prefix('{')
        .and_then(|inner| inner.strip_suffix('}'))
        .unwrap_or(text);
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let hex = text
        .bytes()
        .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    (hex && groups == [8, 4, 4, 4, 12]).then(|| text.to_ascii_lowercase())
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
