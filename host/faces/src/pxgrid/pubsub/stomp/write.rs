//! From what is to be said to bytes.
//!
//! Every frame ends with its one NUL, and no value has a colon that is not
//! escaped: clients split lines at every colon.

use bytes::Bytes;

use super::Command;

/// The answer to CONNECT. Version 1.2 without heart-beats, for which WebSocket
/// has pings.
pub(in super::super) const CONNECTED: Bytes = Bytes::from_static(b"CONNECTED\nversion:1.2\n\n\0");

/// MESSAGE: one message of a topic for the subscribers who called their
/// subscription `subscription`. `body` is JSON on one line.
pub(in super::super) fn message(
    destination: &str,
    subscription: &str,
    number: u64,
    body: &[u8],
) -> Bytes {
    Writer::new(Command::Message, 200 + body.len())
        .header("destination", destination)
        .header("subscription", subscription)
        .header("message-id", &number.to_string())
        .body("application/json", body)
}

/// RECEIPT: the frame that asked for it was worked on.
pub(in super::super) fn receipt(id: &str) -> Bytes {
    Writer::new(Command::Receipt, 64)
        .header("receipt-id", id)
        .end()
}

/// ERROR: why the connection is closed now. `receipt` names the frame that is
/// to blame, if it asked for a receipt.
pub(in super::super) fn error(reason: &str, receipt: Option<&str>) -> Bytes {
    let mut frame = Writer::new(Command::Error, 200 + 2 * reason.len()).header("message", reason);
    if let Some(receipt) = receipt {
        frame = frame.header("receipt-id", receipt);
    }
    frame.body("text/plain", reason.as_bytes())
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(command: Command, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room);
        bytes.extend_from_slice(command.as_str().as_bytes());
        bytes.push(b'\n');
        Self(bytes)
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b':');
        for byte in value.bytes() {
            match byte {
                b'\r' => self.0.extend_from_slice(b"\\r"),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                b':' => self.0.extend_from_slice(b"\\c"),
                b'\\' => self.0.extend_from_slice(b"\\\\"),
                other => self.0.push(other),
            }
        }
        self.0.push(b'\n');
        self
    }

    fn body(self, media_type: &str, body: &[u8]) -> Bytes {
        let mut frame = self
            .header("content-type", media_type)
            .header("content-length", &body.len().to_string());
        frame.0.push(b'\n');
        frame.0.extend_from_slice(body);
        frame.0.push(0);
        frame.0.into()
    }

    fn end(mut self) -> Bytes {
        self.0.extend_from_slice(b"\n\0");
        self.0.into()
    }
}
