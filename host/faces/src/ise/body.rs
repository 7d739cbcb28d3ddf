//! Bodies that ISE sends: XML, or XML in a part of a form.
//!
//! The shape of `batchdevices` is not documented, and that of the others varies
//! from product to product, so elements are taken by their names, wherever they
//! are. Nothing is allocated in proportion to the body but the values that were
//! asked for, and of those there is a bound on number and length.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::criterion::Criterion;
use crate::text::one_line;

/// Elements inside elements.
const DEEPEST: usize = 16;
/// Bytes of a value that names a device, white space around it included.
const LONGEST_NAME: usize = 512;
/// Bytes of a text of a message.
const LONGEST_MESSAGE: usize = 4096;
/// Bytes of a boundary (RFC 2046, section 5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// What is in a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    /// The devices that are named, in order.
    pub(super) devices: Vec<Named>,
    /// What a user is to be told.
    pub(super) header: Option<String>,
    pub(super) text: Option<String>,
}

/// A device as a body names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// What the element says of it, `None` for a mere `value`.
    pub(super) criterion: Option<Criterion>,
    /// What the element holds.
    pub(super) value: String,
}

/// A body that is not what was expected. Places count bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the form has no boundary of 1 to 70 characters in its `Content-Type`")]
    Boundary,
    #[error("no part of the form holds XML")]
    NoPart,
    #[error("expected UTF-8, found other bytes at {0}")]
    Encoding(usize),
    #[error("expected the encoding `UTF-8`, the document declares `{0}`")]
    DeclaredEncoding(String),
    #[error("a document type is not taken here, found one at {0}")]
    DocumentType(u64),
    #[error("the entity `{name}` at {place} is not one of XML's own")]
    Entity { name: String, place: u64 },
    #[error("expected at most {DEEPEST} elements inside each other, found more at {0}")]
    Deep(u64),
    #[error("expected one document element, found more after it at {0}")]
    Trailing(u64),
    #[error("expected an XML document, found no element")]
    Empty,
    #[error("the document ends inside of an element")]
    Torn,
    #[error("expected text only in `{element}`, found an element at {place}")]
    Nested { element: &'static str, place: u64 },
    #[error("expected at most {longest} bytes in `{element}`, found more at {place}")]
    Long {
        element: &'static str,
        longest: usize,
        place: u64,
    },
    #[error("expected at most {most} devices, found more at {place}")]
    Many { most: usize, place: u64 },
    #[error("no XML at {place}: {message}")]
    Syntax { message: String, place: u64 },
}

/// An element whose text is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaf {
    Device(Option<Criterion>),
    Header,
    Text,
}

/// Elements by name, in any case.
const LEAVES: [(&str, Leaf); 11] = [
    ("value", Leaf::Device(None)),
    ("macaddress", Leaf::Device(Some(Criterion::MacAddress))),
    ("guid", Leaf::Device(Some(Criterion::Guid))),
    ("guidhn", Leaf::Device(Some(Criterion::GuidOrHostname))),
    ("udid", Leaf::Device(Some(Criterion::Udid))),
    ("imei", Leaf::Device(Some(Criterion::Imei))),
    ("meid", Leaf::Device(Some(Criterion::Meid))),
    ("serial_number", Leaf::Device(Some(Criterion::Serial))),
    ("serial", Leaf::Device(Some(Criterion::Serial))),
    ("message_header", Leaf::Header),
    ("message_body", Leaf::Text),
];

/// The text that is being gathered.
struct Open {
    name: &'static str,
    leaf: Leaf,
    text: String,
}

impl Open {
    fn of(name: &str) -> Option<Self> {
        let (name, leaf) = LEAVES
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known))?;
        Some(Self {
            name,
            leaf: *leaf,
            text: String::new(),
        })
    }

    fn add(&mut self, text: &str, place: u64) -> Result<(), Malformed> {
        let longest = match self.leaf {
            Leaf::Device(_) => LONGEST_NAME,
            Leaf::Header | Leaf::Text => LONGEST_MESSAGE,
        };
        if self.text.len() + text.len() > longest {
            return Err(Malformed::Long {
                element: self.name,
                longest,
                place,
            });
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// Reads a document that names at most so many devices.
pub(super) fn read(bytes: &[u8], most: usize) -> Result<Body, Malformed> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| Malformed::Encoding(error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut body = Body::default();
    let mut open: Option<Open> = None;
    let mut depth = 0_usize;
    let mut finished = false;
    loop {
        let place = reader.buffer_position();
        let event = reader.read_event().map_err(|error| Malformed::Syntax {
            message: one_line(&error.to_string(), 200),
            place: reader.error_position(),
        })?;
        match event {
            Event::Start(_) | Event::Empty(_) if finished => {
                return Err(Malformed::Trailing(place));
            }
            Event::Start(_) | Event::Empty(_) if open.is_some() => {
                let element = open.map_or("", |open| open.name);
                return Err(Malformed::Nested { element, place });
            }
            Event::Start(start) => {
                if depth == DEEPEST {
                    return Err(Malformed::Deep(place));
                }
                if depth > 0 {
                    open = Open::of(start.local_name().as_ref());
                }
                depth += 1;
            }
            Event::Empty(_) => finished |= depth == 0,
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                finished |= depth == 0;
                if let Some(open) = open.take() {
                    body.take(&open, most, place)?;
                }
            }
            Event::Text(text) => match &mut open {
                Some(open) => open.add(&text.xml10_content(), place)?,
                None if depth == 0 && !text.trim().is_empty() => {
                    return Err(Malformed::Trailing(place));
                }
                None => {}
            },
            Event::CData(text) => match &mut open {
                Some(open) => open.add(&text.xml10_content(), place)?,
                None if depth == 0 => return Err(Malformed::Trailing(place)),
                None => {}
            },
            Event::GeneralRef(entity) => {
                let character = resolved(&entity, place)?;
                if let Some(open) = &mut open {
                    open.add(character.encode_utf8(&mut [0; 4]), place)?;
                }
            }
            Event::DocType(_) => return Err(Malformed::DocumentType(place)),
            Event::Decl(declaration) => expect_utf8(declaration.encoding().and_then(Result::ok))?,
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof if depth > 0 => return Err(Malformed::Torn),
            Event::Eof if !finished => return Err(Malformed::Empty),
            Event::Eof => return Ok(body),
        }
    }
}

impl Body {
    fn take(&mut self, open: &Open, most: usize, place: u64) -> Result<(), Malformed> {
        let text = open.text.trim();
        if text.is_empty() {
            return Ok(());
        }
        match open.leaf {
            Leaf::Device(criterion) => {
                if self.devices.len() == most {
                    return Err(Malformed::Many { most, place });
                }
                self.devices.push(Named {
                    criterion,
                    value: text.to_owned(),
                });
            }
            Leaf::Header => self.header = Some(text.to_owned()),
            Leaf::Text => self.text = Some(text.to_owned()),
        }
        Ok(())
    }
}

/// One of the five entities that need no declaration, or a character by its
/// number (XML 1.0, sections 4.1 and 4.6).
fn resolved(entity: &BytesRef<'_>, place: u64) -> Result<char, Malformed> {
    let unknown = || Malformed::Entity {
        name: one_line(entity, 64),
        place,
    };
    match entity.resolve_char_ref() {
        Ok(Some(character)) => Ok(character),
        Ok(None) => match &**entity {
            "amp" => Ok('&'),
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => Err(unknown()),
        },
        Err(_) => Err(unknown()),
    }
}

fn expect_utf8(declared: Option<std::borrow::Cow<'_, str>>) -> Result<(), Malformed> {
    match declared {
        Some(encoding)
            if !encoding.eq_ignore_ascii_case("utf-8")
                && !encoding.eq_ignore_ascii_case("us-ascii") =>
        {
            Err(Malformed::DeclaredEncoding(one_line(&encoding, 64)))
        }
        _ => Ok(()),
    }
}

/// The XML in a body: all of it, or the first part of a form that looks like
/// XML (RFC 2046, section 5.1).
pub(super) fn document<'a>(content_type: &[u8], body: &'a [u8]) -> Result<&'a [u8], Malformed> {
    let is_form = content_type
        .get(..10)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"));
    if !is_form {
        return Ok(body);
    }
    let boundary = boundary(content_type).ok_or(Malformed::Boundary)?;
    let delimiter = [b"--", boundary].concat();
    let mut rest = body;
    while let Some(start) = find(rest, &delimiter) {
        rest = rest.get(start + delimiter.len()..).unwrap_or_default();
        if rest.starts_with(b"--") {
            break;
        }
        let end = find(rest, &delimiter).ok_or(Malformed::NoPart)?;
        let part = content(rest.get(..end).unwrap_or_default());
        if part.trim_ascii_start().starts_with(b"<") || part.starts_with(b"\xef\xbb\xbf<") {
            return Ok(part);
        }
    }
    Err(Malformed::NoPart)
}

/// What follows the header fields of a part, without the line end before the
/// next delimiter.
fn content(part: &[u8]) -> &[u8] {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"].map(|end| find(part, end).map(|at| at + end.len()));
    let start = ends.into_iter().flatten().min().unwrap_or(part.len());
    let content = part.get(start..).unwrap_or_default();
    let content = content.strip_suffix(b"\n").unwrap_or(content);
    content.strip_suffix(b"\r").unwrap_or(content)
}

fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    let mut parameters = content_type.split(|byte| *byte == b';').skip(1);
    let boundary = parameters.find_map(|parameter| {
        let parameter = parameter.trim_ascii();
        let (name, value) = parameter.split_at_checked(9)?;
        name.eq_ignore_ascii_case(b"boundary=").then_some(value)
    })?;
    let unquoted = boundary
        .strip_prefix(b"\"")
        .and_then(|inner| inner.strip_suffix(b"\""));
    let boundary = unquoted.unwrap_or(boundary);
    (1..=LONGEST_BOUNDARY)
        .contains(&boundary.len())
        .then_some(boundary)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}
