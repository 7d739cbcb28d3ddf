//! Writing JSON by hand, for what is written with every answer.
//!
//! Most of an answer is names of members. serde escapes them letter by letter,
//! which took longer than looking the answer up; here they are literals.

use std::ops::Range;

use portreeve_domain::{Guid, MacAddress, Timestamp};
use portreeve_gateway::{Hole, Moving, Text};

use crate::text::Rfc3339;

/// Room for a usual answer, so that its buffer grows once at most.
const USUAL: usize = 2048;

/// A JSON text as it is written. The writer is responsible for its form.
#[derive(Debug)]
pub(crate) struct Json(Vec<u8>, Vec<(Range<usize>, Moving)>);

impl Json {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(USUAL), Vec::new())
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The same with holes where something [`moving`](Self::moving) stands.
    pub(crate) fn to_text(&self, status: u16) -> Text {
        let Self(bytes, moving) = self;
        let mut kept = Vec::with_capacity(bytes.len());
        let mut holes = Vec::with_capacity(moving.len());
        let mut from = 0;
        for (span, content) in moving {
            kept.extend_from_slice(bytes.get(from..span.start).unwrap_or_default());
            holes.push(Hole {
                place: u32::try_from(kept.len()).unwrap_or(u32::MAX),
                content: *content,
            });
            from = span.end;
        }
        kept.extend_from_slice(bytes.get(from..).unwrap_or_default());
        Text {
            status,
            bytes: kept.into(),
            holes: holes.into(),
        }
    }

    /// Something that will be different the next time.
    pub(crate) fn moving(&mut self, content: Moving, write: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.0.len();
        write(self);
        self.1.push((start..self.0.len(), content));
        self
    }

    /// Something that is JSON already, in parts perhaps.
    pub(crate) fn raw(&mut self, literal: &str) -> &mut Self {
        self.0.extend_from_slice(literal.as_bytes());
        self
    }

    /// A string, escaped where needed.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        // Looks at every byte, found or not: that is done many bytes at a time.
        let special = text.bytes().fold(false, |found, byte| {
            found || byte < b' ' || byte == b'"' || byte == b'\\'
        });
        if special {
            // Writing to memory does not fail, and neither does a string.
            let _ = serde_json::to_writer(&mut self.0, text);
        } else {
            self.0.reserve(text.len() + 2);
            self.0.push(b'"');
            self.0.extend_from_slice(text.as_bytes());
            self.0.push(b'"');
        }
        self
    }

    pub(crate) fn boolean(&mut self, value: bool) -> &mut Self {
        self.raw(if value { "true" } else { "false" })
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        let _ = serde_json::to_writer(&mut self.0, &number);
        self
    }

    pub(crate) fn signed(&mut self, number: i64) -> &mut Self {
        let _ = serde_json::to_writer(&mut self.0, &number);
        self
    }

    /// A point in time as a string.
    pub(crate) fn moment(&mut self, moment: Timestamp) -> &mut Self {
        self.0.push(b'"');
        self.0.extend_from_slice(&Rfc3339(moment).to_bytes());
        self.0.push(b'"');
        self
    }

    pub(crate) fn mac(&mut self, mac: MacAddress) -> &mut Self {
        let mut text = *b"\"00:00:00:00:00:00\"";
        for (digits, octet) in text.chunks_mut(3).zip(mac.octets()) {
            write_hexadecimal(digits.iter_mut().skip(1), octet);
        }
        self.0.extend_from_slice(&text);
        self
    }

    pub(crate) fn guid(&mut self, guid: Guid) -> &mut Self {
        let mut text = *b"\"00000000-0000-0000-0000-000000000000\"";
        let mut digits = text.iter_mut().filter(|byte| **byte == b'0');
        for octet in guid.bits().to_be_bytes() {
            write_hexadecimal(digits.by_ref(), octet);
        }
        self.0.extend_from_slice(&text);
        self
    }

    /// `null`, or what `write` writes.
    pub(crate) fn optional<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Self, T),
    ) -> &mut Self {
        match value {
            Some(value) => write(self, value),
            None => {
                self.raw("null");
            }
        }
        self
    }

    pub(crate) fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        self.optional(text, |json, text| {
            json.text(text);
        })
    }

    pub(crate) fn optional_moment(&mut self, moment: Option<Timestamp>) -> &mut Self {
        self.optional(moment, |json, moment| {
            json.moment(moment);
        })
    }

    /// The members, separated by commas; brackets are the caller's.
    pub(crate) fn each<T>(
        &mut self,
        members: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (position, member) in members.into_iter().enumerate() {
            if position > 0 {
                self.raw(",");
            }
            write(self, member);
        }
        self
    }

    /// A list of strings.
    pub(crate) fn texts(&mut self, texts: &[String]) -> &mut Self {
        self.raw("[").each(texts, |json, text| {
            json.text(text);
        });
        self.raw("]")
    }
}

fn write_hexadecimal<'a>(digits: impl Iterator<Item = &'a mut u8>, octet: u8) {
    // In this order, because `zip` takes from the first one more than it gives.
    for (nibble, digit) in [octet >> 4, octet & 0xf].into_iter().zip(digits) {
        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::new();
        write(&mut json);
        String::from_utf8(json.into_bytes()).unwrap()
    }

    proptest! {
        #[test]
        fn strings_are_as_serde_writes_them(text in any::<String>(), tail in r"[ -~\x00-\x1f]{0,40}") {
            for text in [text, tail] {
                let json = written(|json| { json.text(&text); });
                prop_assert_eq!(json, serde_json::to_string(&text).unwrap());
            }
        }

        #[test]
        fn addresses_and_guids_are_as_they_are_printed(octets: [u8; 6], bits: u128) {
            let mac = MacAddress::new(octets);
            prop_assert_eq!(written(|json| { json.mac(mac); }), format!("\"{mac}\""));
            let guid = Guid::new(bits);
            prop_assert_eq!(written(|json| { json.guid(guid); }), format!("\"{guid}\""));
        }

        #[test]
        fn numbers(number: i64, other: u64) {
            prop_assert_eq!(written(|json| { json.signed(number); }), number.to_string());
            prop_assert_eq!(written(|json| { json.number(other); }), other.to_string());
        }
    }

    #[test]
    fn lists_and_nothing() {
        let texts = ["a".to_owned(), "b\"".to_owned()];
        assert_eq!(
            written(|json| {
                json.texts(&texts);
            }),
            r#"["a","b\""]"#
        );
        assert_eq!(
            written(|json| {
                json.texts(&[]);
            }),
            "[]"
        );
        assert_eq!(
            written(|json| {
                json.optional_text(None);
            }),
            "null"
        );
        assert_eq!(
            written(|json| {
                json.optional_moment(Some(Timestamp::default()));
            }),
            "\"1970-01-01T00:00:00.000Z\""
        );
    }
}
