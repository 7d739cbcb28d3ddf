//! One way through packed bytes, whether they are decoded or only checked.

use portreeve_domain::{Attribute, Device, FailingCheck, Timestamp, Value};

use super::bits::{self, Name, Parts, Time};
use super::names::PackedId;
use super::text::Text;
use super::user_name;
use super::wire::Reader;
use super::{
    FALSE, FIRST_VERSION, INTEGER, MILLIS, OF_USER, PackedError, SECONDS, TEXT, TEXTS, TRUE,
    VERSION, Words, unzigzag,
};

/// What is done with the parts of a device, in the order in which they come.
pub(super) trait Visitor<'a> {
    fn bits(&mut self, _device: Device) {}
    fn id(&mut self, _id: PackedId<'a>) -> Result<(), PackedError> {
        Ok(())
    }
    fn text(&mut self, _field: Field, _text: Text<'a>) {}
    fn time(&mut self, _field: TimeField, _at: Timestamp) {}
    /// The value of the attribute that was named last.
    fn value(&mut self, _value: PlainValue) {}
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Key,
    FailingCode,
    FailingMessage,
    UserId,
    PrincipalName,
    DisplayName,
    Group,
    OsFamily,
    OsVersion,
    OsBuild,
    OsPatchLevel,
    Manufacturer,
    Model,
    Name,
    /// The name in lower case, though it is in upper case.
    UpperName,
    AttributeName,
    /// The attribute's text.
    Text,
    /// The attribute's text after the user's name.
    TextOfUser,
    /// One of the attribute's texts.
    OneOfTexts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeField {
    EvaluatedAt,
    GraceUntil,
    EnrolledAt,
    LastSeen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlainValue {
    Boolean(bool),
    Integer(i64),
    Timestamp(Timestamp),
    /// Texts follow, or none.
    Texts,
}

/// Only checks.
impl Visitor<'_> for () {}

/// Goes through all parts and checks all bytes.
pub(super) fn walk<'a>(
    bytes: &'a [u8],
    words: &'a Words,
    visitor: &mut impl Visitor<'a>,
) -> Result<(), PackedError> {
    let mut reader = Reader(bytes);
    let version = match reader.byte() {
        Ok(version @ (FIRST_VERSION | VERSION)) => version,
        Ok(version) => return Err(PackedError::Version(version)),
        Err(_) => return Err(PackedError::Damaged),
    };
    let (device, parts) = bits::read(reader.array()?)?;
    visitor.bits(device);
    let mut way = Way {
        reader,
        words,
        visitor,
        version,
        hostname: None,
        has_user_name: parts.principal_name,
    };
    way.names()?;
    way.parts(parts)?;
    if way.reader.0.is_empty() {
        Ok(())
    } else {
        Err(PackedError::Damaged)
    }
}

struct Way<'a, 'v, V> {
    reader: Reader<'a>,
    words: &'a Words,
    visitor: &'v mut V,
    version: u8,
    /// The first one.
    hostname: Option<Text<'a>>,
    has_user_name: bool,
}

impl<'a, V: Visitor<'a>> Way<'a, '_, V> {
    fn names(&mut self) -> Result<(), PackedError> {
        let before = self.reader;
        let text = Text::read(&mut self.reader, None)?;
        let key = self.reader.since(before);
        self.visitor.text(Field::Key, text);
        for _ in 0..self.reader.length()? {
            let id = PackedId::read(&mut self.reader, key)?;
            if self.hostname.is_none() {
                self.hostname = id.hostname();
            }
            self.visitor.id(id)?;
        }
        Ok(())
    }

    fn parts(&mut self, parts: Parts) -> Result<(), PackedError> {
        self.time(TimeField::EvaluatedAt, parts.evaluated_at)?;
        self.time(TimeField::GraceUntil, parts.grace_until)?;
        for _ in 0..self.count(parts.failing)? {
            self.text(Field::FailingCode, true)?;
            let message = Text::read_optional(&mut self.reader, Some(self.words))?;
            if let Some(message) = message {
                self.visitor.text(Field::FailingMessage, message);
            }
        }
        self.text(Field::UserId, parts.user_id)?;
        self.text(Field::PrincipalName, parts.principal_name)?;
        self.text(Field::DisplayName, parts.display_name)?;
        for _ in 0..self.count(parts.groups)? {
            self.text(Field::Group, true)?;
        }
        self.text(Field::OsFamily, parts.os)?;
        self.text(Field::OsVersion, parts.version)?;
        self.text(Field::OsBuild, parts.build)?;
        self.text(Field::OsPatchLevel, parts.patch_level)?;
        self.text(Field::Manufacturer, parts.manufacturer)?;
        self.text(Field::Model, parts.model)?;
        self.name(parts.name)?;
        self.time(TimeField::EnrolledAt, parts.enrolled_at)?;
        self.time(TimeField::LastSeen, parts.last_seen)?;
        for _ in 0..self.count(parts.attributes)? {
            let kind = self.attribute()?;
            self.value(kind)?;
        }
        Ok(())
    }

    /// The name of an attribute; gives the kind of its value.
    fn attribute(&mut self) -> Result<u64, PackedError> {
        if self.version == FIRST_VERSION {
            self.text(Field::AttributeName, true)?;
            let kind = self.reader.byte()?;
            return Ok(u64::from(kind));
        }
        let head = self.reader.varint()?;
        match (head >> 3).checked_sub(1) {
            None => self.text(Field::AttributeName, true)?,
            Some(word) => {
                let name = Text::word(self.words, word)?;
                self.visitor.text(Field::AttributeName, name);
            }
        }
        Ok(head & 7)
    }

    fn name(&mut self, name: Name) -> Result<(), PackedError> {
        let field = match name {
            Name::None => return Ok(()),
            Name::Own => return self.text(Field::Name, true),
            Name::Hostname => Field::Name,
            Name::UpperHostname => Field::UpperName,
        };
        let hostname = self.hostname.ok_or(PackedError::Damaged)?;
        self.visitor.text(field, hostname);
        Ok(())
    }

    fn value(&mut self, kind: u64) -> Result<(), PackedError> {
        let value = match kind {
            FALSE => PlainValue::Boolean(false),
            TRUE => PlainValue::Boolean(true),
            INTEGER => PlainValue::Integer(unzigzag(self.reader.varint()?)),
            SECONDS => PlainValue::Timestamp(self.timestamp(Time::Seconds)?),
            MILLIS => PlainValue::Timestamp(self.timestamp(Time::Millis)?),
            TEXT => return self.text(Field::Text, true),
            OF_USER if self.has_user_name => return self.text(Field::TextOfUser, true),
            TEXTS => {
                self.visitor.value(PlainValue::Texts);
                for _ in 0..self.reader.length()? {
                    self.text(Field::OneOfTexts, true)?;
                }
                return Ok(());
            }
            _ => return Err(PackedError::Damaged),
        };
        self.visitor.value(value);
        Ok(())
    }

    /// How many parts there are, never zero if there are any.
    fn count(&mut self, any: bool) -> Result<usize, PackedError> {
        if !any {
            return Ok(0);
        }
        match self.reader.length()? {
            0 => Err(PackedError::Damaged),
            count => Ok(count),
        }
    }

    fn text(&mut self, field: Field, there: bool) -> Result<(), PackedError> {
        if there {
            let text = Text::read(&mut self.reader, Some(self.words))?;
            self.visitor.text(field, text);
        }
        Ok(())
    }

    fn time(&mut self, field: TimeField, time: Time) -> Result<(), PackedError> {
        if time != Time::None {
            let at = self.timestamp(time)?;
            self.visitor.time(field, at);
        }
        Ok(())
    }

    fn timestamp(&mut self, time: Time) -> Result<Timestamp, PackedError> {
        let number = self.reader.varint()?;
        let millis = match time {
            Time::Seconds => number.checked_mul(1_000).ok_or(PackedError::Damaged)?,
            _ => number,
        };
        let at = Timestamp::from_millis(millis);
        if Time::of_timestamp(Some(at)) == time {
            Ok(at)
        } else {
            Err(PackedError::Damaged)
        }
    }
}

/// Puts a device together again.
#[derive(Debug, Default)]
pub(super) struct Builder(pub(super) Device);

impl<'a> Visitor<'a> for Builder {
    fn bits(&mut self, device: Device) {
        self.0 = device;
    }

    fn id(&mut self, id: PackedId<'a>) -> Result<(), PackedError> {
        self.0.ids.push(id.decode()?);
        Ok(())
    }

    fn text(&mut self, field: Field, text: Text<'a>) {
        let device = &mut self.0;
        let text = String::from(text);
        // The bits have made a user and an operating system where there are.
        let user = device.user.as_mut();
        let os = device.os.as_mut();
        match field {
            Field::Key => device.key = text,
            Field::FailingCode => device.compliance.failing.push(FailingCheck {
                code: text,
                message: None,
            }),
            Field::FailingMessage => {
                if let Some(check) = device.compliance.failing.last_mut() {
                    check.message = Some(text);
                }
            }
            Field::UserId => set(user, |user| user.id = Some(text)),
            Field::PrincipalName => set(user, |user| user.principal_name = Some(text)),
            Field::DisplayName => set(user, |user| user.display_name = Some(text)),
            Field::Group => set(user, |user| user.groups.push(text)),
            Field::OsFamily => set(os, |os| os.family = text),
            Field::OsVersion => set(os, |os| os.version = Some(text)),
            Field::OsBuild => set(os, |os| os.build = Some(text)),
            Field::OsPatchLevel => set(os, |os| os.patch_level = Some(text)),
            Field::Manufacturer => device.manufacturer = Some(text),
            Field::Model => device.model = Some(text),
            Field::Name => device.name = Some(text),
            Field::UpperName => device.name = Some(text.to_ascii_uppercase()),
            Field::AttributeName => device.attributes.push(Attribute {
                name: text,
                value: Value::Boolean(false),
            }),
            Field::Text => self.set_value(Value::Text(text)),
            Field::TextOfUser => {
                let name = user.as_ref().and_then(|user| user_name(user));
                let text = [name.unwrap_or_default(), &text].concat();
                self.set_value(Value::Text(text));
            }
            Field::OneOfTexts => {
                let last = device.attributes.last_mut();
                if let Some(Value::Texts(texts)) = last.map(|last| &mut last.value) {
                    texts.push(text);
                }
            }
        }
    }

    fn time(&mut self, field: TimeField, at: Timestamp) {
        let device = &mut self.0;
        let time = match field {
            TimeField::EvaluatedAt => &mut device.compliance.evaluated_at,
            TimeField::GraceUntil => &mut device.compliance.grace_until,
            TimeField::EnrolledAt => &mut device.enrolled_at,
            TimeField::LastSeen => &mut device.last_seen,
        };
        *time = Some(at);
    }

    fn value(&mut self, value: PlainValue) {
        self.set_value(match value {
            PlainValue::Boolean(value) => Value::Boolean(value),
            PlainValue::Integer(number) => Value::Integer(number),
            PlainValue::Timestamp(at) => Value::Timestamp(at),
            PlainValue::Texts => Value::Texts(Vec::new()),
        });
    }
}

impl Builder {
    fn set_value(&mut self, value: Value) {
        if let Some(last) = self.0.attributes.last_mut() {
            last.value = value;
        }
    }
}

fn set<T>(part: Option<&mut T>, change: impl FnOnce(&mut T)) {
    if let Some(part) = part {
        change(part);
    }
}
