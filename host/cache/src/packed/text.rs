//! Texts, the bulk of a device.
//!
//! A text begins with a number: its low three bits say how it is written, the
//! rest how long it is.

use std::fmt;

use portreeve_domain::Guid;

use super::letters::{self, Letters};
use super::wire::{Reader, Sink};
use super::{PackedError, Words};

/// As UTF-8, so many bytes.
const PLAIN: u64 = 0;
/// A GUID with hyphens in lower case, 16 bytes, if the length is 0. Otherwise
/// [`Letters`] in so many bytes, since the second version, and not in names.
const GUID: u64 = 1;
/// A GUID in upper case. With a length, so many bytes of [`Letters`], `@`, and
/// the word of the number that follows.
const UPPER_GUID: u64 = 2;
/// So many hexadecimal digits in lower case, or decimal ones, two to a byte.
const HEX: u64 = 3;
/// The same in upper case, at least one of them a letter.
const UPPER_HEX: u64 = 4;
/// The word of that number.
const WORD: u64 = 5;
/// So many bytes of UTF-8, `@`, and the word of the number that follows.
const ADDRESS: u64 = 6;
/// No text.
const NONE: u64 = 7;

/// Shorter ones are as short as they are.
const FEWEST_DIGITS: usize = 4;

/// A text as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text<'a> {
    Plain(&'a str),
    Guid {
        guid: Guid,
        upper: bool,
    },
    Hex {
        digits: usize,
        bytes: &'a [u8],
        upper: bool,
    },
    Word(&'a str),
    Address {
        local: &'a str,
        domain: &'a str,
    },
    Letters(Letters<'a>),
    LettersAddress {
        local: Letters<'a>,
        domain: &'a str,
    },
}

/// How a text that stands for itself is written best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Guid(Guid, bool),
    Hex(bool),
}

impl<'a> Text<'a> {
    /// Reads a text, which may be a word if there are `words`.
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        words: Option<&'a Words>,
    ) -> Result<Self, PackedError> {
        Self::read_optional(reader, words)?.ok_or(PackedError::Damaged)
    }

    /// Reads a text or that there is none.
    pub(crate) fn read_optional(
        reader: &mut Reader<'a>,
        words: Option<&'a Words>,
    ) -> Result<Option<Self>, PackedError> {
        let head = reader.varint()?;
        let length = usize::try_from(head >> 3).map_err(|_| PackedError::Damaged)?;
        Ok(Some(match head & 7 {
            PLAIN => {
                let text = utf8(reader.take(length)?)?;
                if Form::of(text) != Form::Plain {
                    return Err(PackedError::Damaged);
                }
                Self::Plain(text)
            }
            form @ (GUID | UPPER_GUID) if length == 0 => {
                let bytes = reader.array()?;
                let upper = form == UPPER_GUID;
                if upper && !has_letter(&bytes) {
                    return Err(PackedError::Damaged);
                }
                Self::Guid {
                    guid: Guid::new(u128::from_be_bytes(bytes)),
                    upper,
                }
            }
            GUID if words.is_some() => Self::Letters(Letters(reader.take(length)?)),
            UPPER_GUID if words.is_some() => {
                let local = Letters(reader.take(length)?);
                let domain = word(words, reader.varint()?)?;
                Self::LettersAddress { local, domain }
            }
            form @ (HEX | UPPER_HEX) if length >= FEWEST_DIGITS => {
                let bytes = reader.take(length.div_ceil(2))?;
                let upper = form == UPPER_HEX;
                let padded = length % 2 == 1 && bytes.last().is_some_and(|last| last & 0xf != 0);
                if padded || (upper && !has_letter(bytes)) {
                    return Err(PackedError::Damaged);
                }
                Self::Hex {
                    digits: length,
                    bytes,
                    upper,
                }
            }
            WORD => Self::Word(word(words, head >> 3)?),
            ADDRESS => {
                let local = utf8(reader.take(length)?)?;
                let domain = word(words, reader.varint()?)?;
                Self::Address { local, domain }
            }
            NONE if length == 0 => return Ok(None),
            _ => return Err(PackedError::Damaged),
        }))
    }

    /// The word of a number that was read.
    pub(crate) fn word(words: &'a Words, number: u64) -> Result<Self, PackedError> {
        word(Some(words), number).map(Self::Word)
    }

    /// Passes over a text that was read before, without looking into it.
    pub(crate) fn skip(reader: &mut Reader<'a>) -> Result<(), PackedError> {
        let head = reader.varint()?;
        let length = usize::try_from(head >> 3).map_err(|_| PackedError::Damaged)?;
        match head & 7 {
            PLAIN => reader.take(length)?,
            GUID | UPPER_GUID => reader.take(16)?,
            HEX | UPPER_HEX => reader.take(length.div_ceil(2))?,
            _ => return Err(PackedError::Damaged),
        };
        Ok(())
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) | Self::Word(text) => formatter.write_str(text),
            Self::Guid { guid, upper: false } => guid.fmt(formatter),
            Self::Guid { guid, upper: true } => {
                formatter.write_str(&guid.to_string().to_ascii_uppercase())
            }
            Self::Hex {
                digits,
                bytes,
                upper,
            } => {
                let table: &[u8; 16] = if *upper {
                    b"0123456789ABCDEF"
                } else {
                    b"0123456789abcdef"
                };
                let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
                halves.take(*digits).try_for_each(|half| {
                    let digit = table.get(usize::from(half)).copied().unwrap_or(b'0');
                    fmt::Write::write_char(formatter, char::from(digit))
                })
            }
            Self::Address { local, domain } => write!(formatter, "{local}@{domain}"),
            Self::Letters(letters) => letters.fmt(formatter),
            Self::LettersAddress { local, domain } => write!(formatter, "{local}@{domain}"),
        }
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        match text {
            Text::Plain(text) | Text::Word(text) => text.to_owned(),
            _ => text.to_string(),
        }
    }
}

/// Writes a text that stands for itself: equal texts have equal bytes.
pub(crate) fn push_own(sink: &mut impl Sink, text: &str) {
    let length = length(text.len());
    match Form::of(text) {
        Form::Plain => {
            sink.push_varint(length | PLAIN);
            sink.push_slice(text.as_bytes());
        }
        Form::Guid(guid, upper) => {
            sink.push_varint(if upper { UPPER_GUID } else { GUID });
            sink.push_slice(&guid.bits().to_be_bytes());
        }
        Form::Hex(upper) => {
            sink.push_varint(length | if upper { UPPER_HEX } else { HEX });
            for pair in text.as_bytes().chunks(2) {
                let half = |byte: Option<&u8>| byte.map_or(0, |byte| digit(*byte));
                sink.push_byte(half(pair.first()) << 4 | half(pair.get(1)));
            }
        }
    }
}

/// Writes a text of a kind that many devices share.
pub(crate) fn push_common(sink: &mut impl Sink, text: &str, words: &Words, device: u64) {
    match words.number_for(text, device) {
        Some(number) => sink.push_varint(u64::from(number) << 3 | WORD),
        None => push_part(sink, text),
    }
}

/// Writes a text that stands for itself and is no name: the short way, which
/// names must not go, for they are compared with those of older stores.
pub(crate) fn push_part(sink: &mut impl Sink, text: &str) {
    match letters::encode(text).filter(|_| Form::of(text) == Form::Plain) {
        Some(letters) => {
            sink.push_varint(length(letters.len()) | GUID);
            sink.push_slice(&letters);
        }
        None => push_own(sink, text),
    }
}

/// Writes a text that may be somebody's address in a domain that many share.
pub(crate) fn push_address(sink: &mut impl Sink, text: &str, words: &Words, device: u64) {
    let parts = text.rsplit_once('@');
    let number = parts.and_then(|(_, domain)| words.number_for(domain, device));
    if let (Some((local, _)), Some(number)) = (parts, number) {
        if let Some(letters) = letters::encode(local) {
            sink.push_varint(length(letters.len()) | UPPER_GUID);
            sink.push_slice(&letters);
        } else {
            sink.push_varint(length(local.len()) | ADDRESS);
            sink.push_slice(local.as_bytes());
        }
        sink.push_varint(u64::from(number));
    } else {
        push_part(sink, text);
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX) << 3
}

pub(crate) fn push_none(sink: &mut impl Sink) {
    sink.push_varint(NONE);
}

impl Form {
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
        if bytes.len() == 36 && bytes.get(8) == Some(&b'-') {
            let guid = one_case(bytes).zip(Guid::parse(bytes).ok());
            return guid.map_or(Self::Plain, |(upper, guid)| Self::Guid(guid, upper));
        }
        if bytes.len() < FEWEST_DIGITS || !bytes.iter().all(is_hex) {
            return Self::Plain;
        }
        one_case(bytes).map_or(Self::Plain, Self::Hex)
    }
}

/// Whether all letters are upper case, `None` if some are and some are not.
fn one_case(bytes: &[u8]) -> Option<bool> {
    let upper = bytes.iter().any(u8::is_ascii_uppercase);
    (!upper || !bytes.iter().any(u8::is_ascii_lowercase)).then_some(upper)
}

const fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0,
    }
}

fn has_letter(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| byte >> 4 > 9 || byte & 0xf > 9)
}

fn utf8(bytes: &[u8]) -> Result<&str, PackedError> {
    std::str::from_utf8(bytes).map_err(|_| PackedError::Damaged)
}

fn word(words: Option<&Words>, number: u64) -> Result<&str, PackedError> {
    let words = words.ok_or(PackedError::Damaged)?;
    let known = usize::try_from(number).ok().and_then(|it| words.get(it));
    known.ok_or(PackedError::UnknownWord(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, size: usize) {
        let mut bytes = Vec::new();
        push_own(&mut bytes, text);
        assert_eq!(bytes.len(), size, "{text}");
        let mut reader = Reader(&bytes);
        let read = Text::read(&mut reader, None).unwrap();
        assert_eq!(String::from(read), text);
        assert!(reader.0.is_empty());
        let mut reader = Reader(&bytes);
        Text::skip(&mut reader).unwrap();
        assert!(reader.0.is_empty());
    }

    #[test]
    fn a_text_is_written_the_short_way() {
        for (text, size) in [
            ("", 1),
            ("abc", 4),
            ("3eeb9e62-cec9-4dd8-9dd6-74903695a62b", 17),
            ("3EEB9E62-CEC9-4DD8-9DD6-74903695A62B", 17),
            ("11111111-1111-1111-1111-111111111111", 17),
            ("3eeb9e62-CEC9-4dd8-9dd6-74903695a62b", 38),
            ("{3eeb9e62-cec9-4dd8-9dd6-74903695a62b}", 40),
            ("352099001761481", 9),
            ("a0000000002329", 8),
            ("A0000000002329", 8),
            ("A000000000232f", 15),
            ("C02XK0AAJGH5", 13),
            ("größe", 8),
        ] {
            check(text, size);
        }
    }

    #[test]
    fn there_is_only_one_way() {
        for bytes in [
            // Digits as plain text, digits in "upper case", padding that is
            // not zero, too few digits, a GUID with a length, none.
            &[4 << 3, b'1', b'2', b'3', b'4'][..],
            &[4 << 3 | 4, 0x12, 0x34],
            &[5 << 3 | 3, 0x12, 0x34, 0x51],
            &[2 << 3 | 3, 0x12],
            &[1 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[7],
            &[5],
            &[1 << 3, 0xff],
        ] {
            let read = Text::read(&mut Reader(bytes), None);
            assert_eq!(read, Err(PackedError::Damaged), "{bytes:?}");
        }
    }
}
