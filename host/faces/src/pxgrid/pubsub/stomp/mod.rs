//! Frames of STOMP 1.2 (<https://stomp.github.io/stomp-specification-1.2.html>)
//! as pxGrid uses them: one frame in each WebSocket message.
//!
//! Reading and writing are functions on bytes. Reading is a little more generous
//! than the specification where real clients need it; writing is stricter,
//! because real clients read less than the specification allows.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;

pub(crate) use read::{one_line, read};
pub(super) use write::{CONNECTED, error, message, receipt};

/// Bytes of one message, in either direction; what Cisco ISE takes.
pub(crate) const LARGEST_MESSAGE: usize = 300 << 10;

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Begins a conversation; `STOMP` means the same.
    Connect,
    /// Publishes to a topic.
    Send,
    /// Asks for a topic's messages.
    Subscribe,
    /// Wants them no more.
    Unsubscribe,
    /// Ends the conversation.
    Disconnect,
    /// Takes a message; not needed here.
    Ack,
    /// Does not take a message; not possible here.
    Nack,
    /// Begins a transaction; there are none here.
    Begin,
    /// Ends a transaction.
    Commit,
    /// Gives a transaction up.
    Abort,
    /// The server's answer to CONNECT.
    Connected,
    /// One message of a topic.
    Message,
    /// Says that a frame was worked on.
    Receipt,
    /// Says why the server closes the connection.
    Error,
}

impl Command {
    /// All of them, in the order of their declaration.
    pub(crate) const ALL: [Self; 14] = [
        Self::Connect,
        Self::Send,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Disconnect,
        Self::Ack,
        Self::Nack,
        Self::Begin,
        Self::Commit,
        Self::Abort,
        Self::Connected,
        Self::Message,
        Self::Receipt,
        Self::Error,
    ];

    /// The first line of its frames.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Send => "SEND",
            Self::Subscribe => "SUBSCRIBE",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Disconnect => "DISCONNECT",
            Self::Ack => "ACK",
            Self::Nack => "NACK",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Abort => "ABORT",
            Self::Connected => "CONNECTED",
            Self::Message => "MESSAGE",
            Self::Receipt => "RECEIPT",
            Self::Error => "ERROR",
        }
    }

    /// Whether its headers have escapes. The frames that agree on the version
    /// have none, for the sake of version 1.0 ("Value Encoding").
    const fn has_escapes(self) -> bool {
        !matches!(self, Self::Connect | Self::Connected)
    }
}

/// One frame as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) command: Command,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(crate) body: &'a [u8],
}

impl Frame<'_> {
    /// A header's value. Of several with one name the first counts ("Repeated
    /// Header Entries").
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        Some(value)
    }
}
