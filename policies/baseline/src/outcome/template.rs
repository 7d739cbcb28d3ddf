//! Texts and URLs with placeholders in braces.

use portreeve_plugin::device::DeviceId;

use crate::facts::kind_and_value;

/// What stands for placeholders.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    /// `{reason}`
    pub(super) reason: &'a str,
    /// `{minimum-os}`
    pub(super) minimum_os: &'a str,
    /// `{mac}`, `{guid}` and `{serial}`: the first one that was asked for.
    pub(super) ids: &'a [DeviceId],
}

const NAMES: [&str; 5] = ["reason", "minimum-os", "mac", "guid", "serial"];

impl<'a> Words<'a> {
    /// The same, for another reason.
    pub(super) fn about(self, reason: &'a str) -> Self {
        Self { reason, ..self }
    }

    /// The word for a placeholder, empty when it is not known.
    fn get(self, name: &str) -> &'a str {
        match name {
            "reason" => self.reason,
            "minimum-os" => self.minimum_os,
            _ => self
                .ids
                .iter()
                .map(kind_and_value)
                .find(|(kind, _)| *kind == name)
                .map_or("", |(_, value)| value),
        }
    }
}

/// Whether a template asks for an identifier.
pub(super) fn needs_ids(template: &str) -> bool {
    ["{mac}", "{guid}", "{serial}"]
        .iter()
        .any(|name| template.contains(name))
}

/// The first placeholder that nothing stands for.
pub(crate) fn unknown_placeholder(template: &str) -> Option<&str> {
    Pieces(template).find_map(|piece| match piece {
        Piece::Placeholder(name) if !NAMES.contains(&name) => Some(name),
        _ => None,
    })
}

/// Fills in a text.
pub(super) fn text(template: &str, words: Words<'_>) -> String {
    let mut filled = String::with_capacity(template.len());
    for piece in Pieces(template) {
        match piece {
            Piece::Literal(text) => filled.push_str(text),
            Piece::Placeholder(name) => filled.push_str(words.get(name)),
        }
    }
    filled
}

/// Fills in a URL. What comes from the question cannot add a part to it.
pub(super) fn url(template: &str, words: Words<'_>) -> String {
    let mut filled = String::with_capacity(template.len());
    for piece in Pieces(template) {
        match piece {
            Piece::Literal(text) => filled.push_str(text),
            Piece::Placeholder(name) => push_encoded(&mut filled, words.get(name)),
        }
    }
    filled
}

/// Percent-encodes all but the unreserved characters of RFC 3986, 2.3.
fn push_encoded(target: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            target.push(char::from(byte));
        } else {
            target.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0');
                target.push(char::from(digit));
            }
        }
    }
}

enum Piece<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
}

/// The pieces of a template. A brace without its partner is a literal.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let Some((before, after)) = self.0.split_once('{') else {
            return Some(Piece::Literal(std::mem::take(&mut self.0)));
        };
        if !before.is_empty() {
            self.0 = self.0.strip_prefix(before).unwrap_or_default();
            return Some(Piece::Literal(before));
        }
        match after.split_once('}') {
            Some((name, rest)) => {
                self.0 = rest;
                Some(Piece::Placeholder(name))
            }
            None => Some(Piece::Literal(std::mem::take(&mut self.0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn placeholders_are_filled_in() {
        let ids = [
            DeviceId::Serial("A/B?c=ü".to_owned()),
            DeviceId::Mac("00:50:56:a4:89:5a".to_owned()),
        ];
        let words = Words {
            reason: "os-too-old",
            minimum_os: "17.5",
            ids: &ids,
        };
        for (template, as_text, as_url) in [
            ("", "", ""),
            ("plain", "plain", "plain"),
            ("{reason}", "os-too-old", "os-too-old"),
            (
                "a{reason}b{minimum-os}",
                "aos-too-oldb17.5",
                "aos-too-oldb17.5",
            ),
            ("?s={serial}&x", "?s=A/B?c=ü&x", "?s=A%2FB%3Fc%3D%C3%BC&x"),
            ("{mac}", "00:50:56:a4:89:5a", "00%3A50%3A56%3Aa4%3A89%3A5a"),
            ("[{guid}]", "[]", "[]"),
            ("{mac", "{mac", "{mac"),
            ("mac}", "mac}", "mac}"),
        ] {
            assert_eq!(text(template, words), as_text, "{template}");
            assert_eq!(url(template, words), as_url, "{template}");
        }
    }

    #[test]
    fn an_unknown_placeholder_is_found() {
        assert_eq!(unknown_placeholder("{mac}{colour}"), Some("colour"));
        assert_eq!(unknown_placeholder("{}"), Some(""));
        assert_eq!(
            unknown_placeholder("{mac}{guid}{serial}{reason}{minimum-os}{"),
            None
        );
    }

    proptest! {
        #[test]
        fn never_panics_and_needs_no_ids_without_asking(template in ".*") {
            let words = Words { reason: "x", minimum_os: "1", ids: &[] };
            let filled = text(&template, words);
            let has_braces = template.contains('{');
            prop_assert!(has_braces || filled == template);
            let _ = url(&template, words);
        }
    }
}
