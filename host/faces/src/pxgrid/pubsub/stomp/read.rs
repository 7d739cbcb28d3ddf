//! From bytes to a frame.

use std::borrow::Cow;

use memchr::{memchr, memrchr};
use serde::de::IgnoredAny;

use super::{Command, Frame, LARGEST_MESSAGE};
use crate::text;

/// Header lines of one frame.
const MOST_HEADERS: usize = 32;
/// Bytes of the command or of one header, without the line's end.
const LONGEST_LINE: usize = 4096;

/// The bytes are no frame. Lines are counted from the command, which is 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// More than the largest message.
    #[error("expected at most {LARGEST_MESSAGE} bytes, found {0}")]
    TooLarge(usize),
    /// The first line is something else.
    #[error("line 1: `{0}` is no STOMP command")]
    NoCommand(String),
    /// The header section does not end.
    #[error("line {0}: expected a header, or an empty line before the body")]
    NoBlankLine(usize),
    /// A line is too long.
    #[error("line {0}: expected at most {LONGEST_LINE} bytes")]
    LongLine(usize),
    /// There are too many headers.
    #[error("expected at most {MOST_HEADERS} headers")]
    ManyHeaders,
    /// A header has no colon, or nothing before it.
    #[error("line {0}: expected `name:value`")]
    NoName(usize),
    /// A header is no text.
    #[error("line {0}: expected UTF-8 without NUL and carriage returns")]
    NoText(usize),
    /// A backslash before something else than `r`, `n`, `c` or a backslash.
    #[error("line {0}: expected `\\r`, `\\n`, `\\c` or `\\\\` after a backslash")]
    NoEscape(usize),
    /// The length is no number.
    #[error("`content-length`: expected a number of bytes")]
    NoLength,
    /// There is no NUL at the end.
    #[error("expected a NUL after the body")]
    NoEnd,
    /// There is more after the NUL.
    #[error("expected one frame in a message, found more after its NUL")]
    MoreThanOne,
}

/// Reads the one frame of a message. `None` when there are only line ends, which
/// are a heart-beat.
pub(crate) fn read(message: &[u8]) -> Result<Option<Frame<'_>>, FrameError> {
    if message.len() > LARGEST_MESSAGE {
        return Err(FrameError::TooLarge(message.len()));
    }
    let start = message
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'));
    let Some((_, message)) = start.and_then(|start| message.split_at_checked(start)) else {
        return Ok(None);
    };
    let (line, mut rest) = take_line(message, 1)?;
    let command = command(line)?;
    let mut headers = Vec::new();
    let mut number = 1;
    loop {
        number += 1;
        let (line, after) = take_line(rest, number)?;
        rest = after;
        if line.is_empty() {
            break;
        }
        if headers.len() == MOST_HEADERS {
            return Err(FrameError::ManyHeaders);
        }
        headers.push(header(line, number, command.has_escapes())?);
    }
    let mut frame = Frame {
        command,
        headers,
        body: &[],
    };
    frame.body = body(rest, frame.header("content-length"))?;
    Ok(Some(frame))
}

/// A line without its end, which is a line feed with or without a carriage
/// return before it, and what comes after.
fn take_line(bytes: &[u8], number: usize) -> Result<(&[u8], &[u8]), FrameError> {
    let Some(end) = memchr(b'\n', bytes) else {
        return Err(FrameError::NoBlankLine(number));
    };
    let (line, rest) = bytes.split_at(end);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LONGEST_LINE {
        return Err(FrameError::LongLine(number));
    }
    Ok((line, rest.get(1..).unwrap_or_default()))
}

fn command(line: &[u8]) -> Result<Command, FrameError> {
    if line == b"STOMP" {
        return Ok(Command::Connect);
    }
    let found = Command::ALL
        .into_iter()
        .find(|command| command.as_str().as_bytes() == line);
    found.ok_or_else(|| {
        let start = line.get(..40).unwrap_or(line);
        FrameError::NoCommand(text::one_line(&String::from_utf8_lossy(start), 40))
    })
}

type Header<'a> = (Cow<'a, str>, Cow<'a, str>);

fn header(line: &[u8], number: usize, escaped: bool) -> Result<Header<'_>, FrameError> {
    let line = std::str::from_utf8(line).map_err(|_| FrameError::NoText(number))?;
    if line.contains(['\0', '\r']) {
        return Err(FrameError::NoText(number));
    }
    // A colon in the value has to be escaped, but what else could it mean.
    let (name, value) = line.split_once(':').ok_or(FrameError::NoName(number))?;
    if name.is_empty() {
        return Err(FrameError::NoName(number));
    }
    if !escaped {
        return Ok((name.into(), value.into()));
    }
    let plain = |text| unescape(text).ok_or(FrameError::NoEscape(number));
    Ok((plain(name)?, plain(value)?))
}

fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next()? {
                'r' => '\r',
                'n' => '\n',
                'c' => ':',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(Cow::Owned(plain))
}

/// The body of a frame: as long as it says, or up to the first NUL if it says
/// nothing. Where there is no NUL after the length that is said, the length is
/// wrong (pxgrid-api sends that of something else), and the last NUL counts.
fn body<'a>(rest: &'a [u8], length: Option<&str>) -> Result<&'a [u8], FrameError> {
    let only_line_ends = |bytes: &[u8]| bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
    let first = memchr(0, rest).ok_or(FrameError::NoEnd)?;
    let end = match length {
        None => first,
        Some(length) => {
            let length = length.parse().map_err(|_| FrameError::NoLength)?;
            let right = rest
                .get(length..)
                .and_then(|rest| rest.strip_prefix(&[0]))
                .is_some_and(only_line_ends);
            if right {
                length
            } else {
                memrchr(0, rest).unwrap_or(first)
            }
        }
    };
    let (body, after) = rest.split_at(end);
    if only_line_ends(after.get(1..).unwrap_or_default()) {
        Ok(body)
    } else {
        Err(FrameError::MoreThanOne)
    }
}

/// A JSON text on one line: pxgrid-api takes the last line of a frame for the
/// whole text. `None` when it is no JSON. Line ends are never inside a string
/// there (RFC 8259, section 7), so each is as good as a space.
pub(crate) fn one_line(json: &[u8]) -> Option<Cow<'_, [u8]>> {
    // serde_json does not look at the letters of what it skips.
    std::str::from_utf8(json).ok()?;
    serde_json::from_slice::<IgnoredAny>(json).ok()?;
    let json = json.trim_ascii();
    if !json.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return Some(Cow::Borrowed(json));
    }
    let spaced = json.iter().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        other => *other,
    });
    Some(Cow::Owned(spaced.collect()))
}
