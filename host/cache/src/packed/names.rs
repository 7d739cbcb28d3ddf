//! What a packed device is called: its key and its identifiers.
//!
//! They use no words, so that one name has one form and can be compared as
//! bytes, without decoding and without the dictionary.

use portreeve_domain::{Guid, Identifier, MacAddress};
use smallvec::SmallVec;

use super::text::{self, Text};
use super::wire::{Reader, Sink};
use super::{PackedError, START_OF_NAMES};

const MAC: u8 = 0;
const GUID: u8 = 1;
/// The GUID that the key is.
const KEY: u8 = 2;
const SERIAL: u8 = 3;
const IMEI: u8 = 4;
const MEID: u8 = 5;
const UDID: u8 = 6;
const HOSTNAME: u8 = 7;
const USER: u8 = 8;
/// Two texts: the kind and the value.
const OTHER: u8 = 9;
/// Identifiers of the kinds below, by their places.
const KNOWN: u8 = 16;

/// Other kinds that whole fleets have. Their places are in stores, and what is
/// here must not be written otherwise: a change is another version of the form.
const KNOWN_KINDS: [&str; 1] = ["entra-device-id"];

/// An identifier as bytes. Equal if and only if the identifiers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PackedId<'a> {
    kind: u8,
    value: &'a [u8],
}

/// The same for an identifier that somebody asks for. No identifier that was
/// read from text needs memory of its own for this.
#[derive(Clone, Debug)]
pub(crate) struct EncodedId {
    kind: u8,
    value: SmallVec<[u8; 328]>,
}

/// The key and the identifiers of a packed device that was checked before, none
/// of anything else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names<'a> {
    key: &'a [u8],
    count: usize,
    ids: Reader<'a>,
}

impl<'a> Names<'a> {
    pub(crate) fn of(checked: &'a [u8]) -> Self {
        Self::read(checked).unwrap_or_default()
    }

    fn read(packed: &'a [u8]) -> Result<Self, PackedError> {
        let mut reader = Reader(packed.get(START_OF_NAMES..).unwrap_or_default());
        let before = reader;
        Text::skip(&mut reader)?;
        let key = reader.since(before);
        let count = reader.length()?;
        let ids = reader;
        Ok(Self { key, count, ids })
    }

    /// The key as bytes, equal if and only if keys are.
    pub(crate) const fn key(self) -> &'a [u8] {
        self.key
    }

    pub(crate) fn key_text(self) -> String {
        Text::read(&mut Reader(self.key), None).map_or_else(|_| String::new(), String::from)
    }

    pub(crate) fn ids(self) -> impl Iterator<Item = PackedId<'a>> {
        let mut reader = self.ids;
        (0..self.count).map_while(move |_| PackedId::skip(&mut reader, self.key).ok())
    }

    pub(crate) fn carries(self, asked: PackedId<'_>) -> bool {
        self.ids().any(|known| known == asked)
    }

    /// Whether this is another device than `asked` names: it has an identifier
    /// of the kind, of which a device has only one, but not this.
    pub(crate) fn contradicts(self, asked: PackedId<'_>) -> bool {
        if !matches!(asked.kind, GUID | UDID | SERIAL) {
            return false;
        }
        let mut known = self.ids().filter(|id| id.kind == asked.kind).peekable();
        known.peek().is_some() && known.all(|known| known != asked)
    }
}

impl<'a> PackedId<'a> {
    /// Reads and checks one identifier of the device with this key.
    pub(crate) fn read(reader: &mut Reader<'a>, key: &'a [u8]) -> Result<Self, PackedError> {
        let id = Self::parse(reader, key, |reader| Text::read(reader, None).map(drop))?;
        if id.kind == OTHER {
            let kind = Text::read(&mut Reader(id.value), None)?;
            if KNOWN_KINDS.contains(&&*String::from(kind)) {
                return Err(PackedError::Damaged);
            }
        }
        Ok(id)
    }

    fn skip(reader: &mut Reader<'a>, key: &'a [u8]) -> Result<Self, PackedError> {
        Self::parse(reader, key, Text::skip)
    }

    fn parse(
        reader: &mut Reader<'a>,
        key: &'a [u8],
        pass: impl Fn(&mut Reader<'a>) -> Result<(), PackedError>,
    ) -> Result<Self, PackedError> {
        let kind = reader.byte()?;
        let before = *reader;
        match kind {
            MAC => drop(reader.take(6)?),
            GUID => drop(reader.take(16)?),
            KEY => {
                let value = key_guid(key).ok_or(PackedError::Damaged)?;
                return Ok(Self { kind: GUID, value });
            }
            SERIAL..=USER => pass(reader)?,
            kind if known_kind(kind).is_some() => pass(reader)?,
            OTHER => {
                pass(reader)?;
                pass(reader)?;
            }
            _ => return Err(PackedError::Damaged),
        }
        let value = reader.since(before);
        Ok(Self { kind, value })
    }

    pub(crate) fn mac(self) -> Option<MacAddress> {
        let octets = (self.kind == MAC).then_some(self.value)?;
        octets.try_into().ok().map(MacAddress::new)
    }

    pub(crate) fn hostname(self) -> Option<Text<'a>> {
        let text = (self.kind == HOSTNAME).then_some(self.value)?;
        Text::read(&mut Reader(text), None).ok()
    }

    pub(crate) fn decode(self) -> Result<Identifier, PackedError> {
        let mut reader = Reader(self.value);
        let mut text = || Text::read(&mut reader, None).map(|it| String::from(it).into_boxed_str());
        Ok(match self.kind {
            MAC => Identifier::Mac(MacAddress::new(reader.array()?)),
            GUID => Identifier::Guid(Guid::new(u128::from_be_bytes(reader.array()?))),
            SERIAL => Identifier::Serial(text()?),
            IMEI => Identifier::Imei(text()?),
            MEID => Identifier::Meid(text()?),
            UDID => Identifier::Udid(text()?),
            HOSTNAME => Identifier::Hostname(text()?),
            USER => Identifier::User(text()?),
            OTHER => Identifier::Other {
                kind: text()?,
                value: text()?,
            },
            kind => Identifier::Other {
                kind: known_kind(kind).ok_or(PackedError::Damaged)?.into(),
                value: text()?,
            },
        })
    }
}

impl EncodedId {
    pub(crate) fn new(identifier: &Identifier) -> Self {
        let mut value = SmallVec::new();
        let kind = match identifier {
            Identifier::Mac(mac) => {
                value.push_slice(&mac.octets());
                MAC
            }
            Identifier::Guid(guid) => {
                value.push_slice(&guid.bits().to_be_bytes());
                GUID
            }
            Identifier::Serial(it) => own(&mut value, it, SERIAL),
            Identifier::Imei(it) => own(&mut value, it, IMEI),
            Identifier::Meid(it) => own(&mut value, it, MEID),
            Identifier::Udid(it) => own(&mut value, it, UDID),
            Identifier::Hostname(it) => own(&mut value, it, HOSTNAME),
            Identifier::User(it) => own(&mut value, it, USER),
            Identifier::Other { kind, value: it } => {
                if let Some(code) = code_of_known_kind(kind) {
                    own(&mut value, it, code)
                } else {
                    own(&mut value, kind, OTHER);
                    own(&mut value, it, OTHER)
                }
            }
        };
        Self { kind, value }
    }

    pub(crate) fn as_packed(&self) -> PackedId<'_> {
        PackedId {
            kind: self.kind,
            value: &self.value,
        }
    }
}

fn known_kind(code: u8) -> Option<&'static str> {
    let place = usize::from(code.checked_sub(KNOWN)?);
    KNOWN_KINDS.get(place).copied()
}

fn code_of_known_kind(kind: &str) -> Option<u8> {
    let place = KNOWN_KINDS.iter().position(|known| *known == kind)?;
    u8::try_from(place).ok()?.checked_add(KNOWN)
}

fn own(value: &mut impl Sink, text: &str, kind: u8) -> u8 {
    text::push_own(value, text);
    kind
}

/// Writes the names of a device: what [`Names`] reads.
pub(super) fn push(sink: &mut Vec<u8>, key: &str, ids: &[Identifier]) {
    let start = sink.len();
    text::push_own(sink, key);
    let key: SmallVec<[u8; 32]> = sink.get(start..).unwrap_or_default().into();
    sink.push_varint(u64::try_from(ids.len()).unwrap_or(u64::MAX));
    for identifier in ids {
        let id = EncodedId::new(identifier);
        if id.kind == GUID && key_guid(&key) == Some(&id.value) {
            sink.push_byte(KEY);
        } else {
            sink.push_byte(id.kind);
            sink.push_slice(&id.value);
        }
    }
}

/// Writes a key as [`Names::key`] gives it.
pub(crate) fn encode_key(key: &str) -> SmallVec<[u8; 64]> {
    let mut encoded = SmallVec::new();
    text::push_own(&mut encoded, key);
    encoded
}

/// The GUID that a key is, in either case.
fn key_guid(key: &[u8]) -> Option<&[u8]> {
    match key {
        [1 | 2, guid @ ..] if guid.len() == 16 => Some(guid),
        _ => None,
    }
}
