//! A device in few bytes, in memory and in the store.
//!
//! | part | bytes |
//! | --- | --- |
//! | version of this form | 1 |
//! | states, and which of the parts below there are | 6 |
//! | key, number of identifiers, identifiers | a GUID 17, or none if it is the key; a MAC address 7; digits half a byte each |
//! | what is there of the rest, in a fixed order | texts that many devices share are numbers of [`Words`] |
//!
//! Two versions are read. In the second, which is written, letters take fewer
//! bits, an attribute's name and the kind of its value are one number, and a
//! value that begins with the user's name does not repeat it. Names are alike
//! in both, so they are compared as bytes.
//!
//! What many devices share is written in full until enough of them have it, so
//! the bytes of equal devices may differ; the names never use words.

mod bits;
mod letters;
mod names;
#[cfg(test)]
mod tests;
mod text;
mod walk;
mod wire;
mod words;

use portreeve_domain::{Attribute, ComplianceState, Device, OperatingSystem, Timestamp, User};
use portreeve_domain::{Compliance, Value};

pub(crate) use self::names::{EncodedId, Names, PackedId, encode_key};
pub use self::words::Words;

use self::bits::{Name, Time};
use self::text::{push_address, push_common, push_none, push_part};
use self::walk::{Builder, walk};
use self::wire::{Reader, Sink};

/// The form that is written.
const VERSION: u8 = 2;
/// Stores have devices of this form too, until they change.
const FIRST_VERSION: u8 = 1;
/// After the version and the bits.
const START_OF_NAMES: usize = 1 + bits::SIZE;

// Kinds of values of attributes.
const FALSE: u64 = 0;
const TRUE: u64 = 1;
const INTEGER: u64 = 2;
const SECONDS: u64 = 3;
const MILLIS: u64 = 4;
const TEXT: u64 = 5;
const TEXTS: u64 = 6;
/// What follows the user's name.
const OF_USER: u64 = 7;

/// A shorter name of a user is not looked for in texts.
const SHORTEST_NAME: usize = 3;

/// The bytes are no packed device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// Another version of Portreeve wrote them, or nobody did.
    #[error("packed devices of form {0} are not known, only those up to {VERSION}")]
    Version(u8),
    /// They refer to a word that the dictionary does not have.
    #[error("the packed device refers to word {0}, which the dictionary does not have")]
    UnknownWord(u64),
    /// They are cut off or were changed.
    #[error("the packed device is damaged")]
    Damaged,
}

/// Packs a device.
///
/// Texts may become words by this. Whoever stores the bytes stores the words
/// first: [`Words::since`].
pub fn pack(device: &Device, words: &Words) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(384);
    bytes.push(VERSION);
    bytes.extend(bits::of(device));
    names::push(&mut bytes, &device.key, &device.ids);
    let mut packer = Packer {
        device: distinguish(&device.key),
        bytes,
        words,
    };
    let Device {
        // In the bits, or written above.
        key: _,
        ids: _,
        enrollment: _,
        ownership: _,
        posture: _,
        compliance,
        user,
        os,
        manufacturer,
        model,
        name,
        enrolled_at,
        last_seen,
        attributes,
    } = device;
    packer.compliance(compliance);
    if let Some(user) = user {
        packer.user(user);
    }
    if let Some(os) = os {
        packer.os(os);
    }
    packer.common(manufacturer.as_deref());
    packer.common(model.as_deref());
    let is_own = Name::of_device(device) == Name::Own;
    packer.own(name.as_deref().filter(|_| is_own));
    packer.time(*enrolled_at);
    packer.time(*last_seen);
    packer.attributes(attributes, user.as_ref().and_then(user_name));
    packer.bytes
}

/// The device that was packed. Whatever the bytes, it does not panic.
pub fn unpack(bytes: &[u8], words: &Words) -> Result<Device, PackedError> {
    let mut device = Builder::default();
    walk(bytes, words, &mut device)?;
    Ok(device.0)
}

/// Whether [`unpack`] would succeed, without allocating.
pub fn check(bytes: &[u8], words: &Words) -> Result<(), PackedError> {
    walk(bytes, words, &mut ())
}

/// The state of compliance of a packed device that was checked before.
pub(crate) fn compliance_state(checked: &[u8]) -> ComplianceState {
    let mut reader = Reader(checked);
    let bits = reader.byte().and_then(|_version| reader.array());
    bits.and_then(bits::compliance_state).unwrap_or_default()
}

/// What management systems begin names of their own with: the part of a user's
/// address before `@`.
fn user_name(user: &User) -> Option<&str> {
    let address = user.principal_name.as_deref()?;
    let name = address.rsplit_once('@').map_or(address, |(name, _)| name);
    (name.len() >= SHORTEST_NAME).then_some(name)
}

/// Any number that tells devices apart.
fn distinguish(key: &str) -> u64 {
    let bytes = key.bytes();
    bytes.fold(0, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

struct Packer<'a> {
    device: u64,
    bytes: Vec<u8>,
    words: &'a Words,
}

impl Packer<'_> {
    fn compliance(&mut self, compliance: &Compliance) {
        let Compliance {
            state: _,
            evaluated_at,
            grace_until,
            failing,
        } = compliance;
        self.time(*evaluated_at);
        self.time(*grace_until);
        self.count(failing.len());
        for check in failing {
            self.common(Some(&check.code));
            match &check.message {
                Some(message) => self.common(Some(message)),
                None => push_none(&mut self.bytes),
            }
        }
    }

    fn user(&mut self, user: &User) {
        let User {
            id,
            principal_name,
            display_name,
            groups,
        } = user;
        self.own(id.as_deref());
        if let Some(name) = principal_name {
            push_address(&mut self.bytes, name, self.words, self.device);
        }
        self.own(display_name.as_deref());
        self.texts(groups);
    }

    fn os(&mut self, os: &OperatingSystem) {
        let OperatingSystem {
            family,
            version,
            build,
            patch_level,
        } = os;
        self.common(Some(family));
        self.common(version.as_deref());
        self.common(build.as_deref());
        self.common(patch_level.as_deref());
    }

    fn attributes(&mut self, attributes: &[Attribute], user: Option<&str>) {
        self.count(attributes.len());
        for Attribute { name, value } in attributes {
            match value {
                Value::Boolean(false) => self.attribute(name, FALSE),
                Value::Boolean(true) => self.attribute(name, TRUE),
                Value::Integer(number) => {
                    self.attribute(name, INTEGER);
                    self.bytes.push_varint(zigzag(*number));
                }
                Value::Timestamp(at) => {
                    let seconds = Time::of_timestamp(Some(*at)) == Time::Seconds;
                    self.attribute(name, if seconds { SECONDS } else { MILLIS });
                    self.time(Some(*at));
                }
                Value::Text(text) => {
                    let rest = user.and_then(|user| text.strip_prefix(user));
                    self.attribute(name, if rest.is_some() { OF_USER } else { TEXT });
                    self.common(Some(rest.unwrap_or(text)));
                }
                Value::Texts(texts) => {
                    self.attribute(name, TEXTS);
                    if texts.is_empty() {
                        self.bytes.push(0);
                    }
                    self.texts(texts);
                }
            }
        }
    }

    /// The number of the name, one more than its word's or 0 if it follows,
    /// with the kind of its value.
    fn attribute(&mut self, name: &str, kind: u64) {
        if let Some(number) = self.words.number_for(name, self.device) {
            self.bytes.push_varint((u64::from(number) + 1) << 3 | kind);
        } else {
            self.bytes.push_varint(kind);
            push_part(&mut self.bytes, name);
        }
    }

    /// The number of parts, unless the bits say that there are none.
    fn count(&mut self, count: usize) {
        if count > 0 {
            self.bytes
                .push_varint(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }

    fn texts(&mut self, texts: &[String]) {
        self.count(texts.len());
        for text in texts {
            self.common(Some(text));
        }
    }

    fn own(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            push_part(&mut self.bytes, text);
        }
    }

    fn common(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            push_common(&mut self.bytes, text, self.words, self.device);
        }
    }

    fn time(&mut self, at: Option<Timestamp>) {
        if let Some(at) = at {
            let millis = at.as_millis();
            let whole = Time::of_timestamp(Some(at)) == Time::Seconds;
            self.bytes
                .push_varint(if whole { millis / 1_000 } else { millis });
        }
    }
}

/// Small numbers of either sign become small ones without.
const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}
