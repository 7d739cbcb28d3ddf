//! How a connection ends.

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::stomp;

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The client left, with or without DISCONNECT. With a receipt it wants to
    /// know that everything it sent was worked on.
    Left,
    /// The client left with DISCONNECT and asked for this receipt.
    LeftWithReceipt(String),
    /// The client sent what cannot be read or is not allowed.
    Refused {
        /// What was wrong and what was expected.
        reason: String,
        /// The receipt that the frame asked for.
        receipt: Option<String>,
    },
    /// The client sent a text message.
    Text,
    /// The client sent a message that is too large.
    TooLarge,
    /// The client did not say CONNECT in time.
    NotConnected,
    /// The client does not read fast enough.
    Slow,
    /// The gateway itself lost changes.
    Missed,
    /// The client answers no pings, or takes nothing.
    Silent,
    /// The operator took the node's account away.
    Expelled,
    /// The gateway ends.
    Stopping,
    /// The connection broke.
    Broken,
}

impl Ending {
    /// The words for all of them in metrics.
    pub(super) const WORDS: [&'static str; 10] = [
        "left",
        "refused",
        "too-large",
        "not-connected",
        "slow",
        "missed",
        "silent",
        "expelled",
        "stopping",
        "broken",
    ];

    /// The word for it in logs and metrics.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Left | Self::LeftWithReceipt(_) => "left",
            Self::Refused { .. } | Self::Text => "refused",
            Self::TooLarge => "too-large",
            Self::NotConnected => "not-connected",
            Self::Slow => "slow",
            Self::Missed => "missed",
            Self::Silent => "silent",
            Self::Expelled => "expelled",
            Self::Stopping => "stopping",
            Self::Broken => "broken",
        }
    }

    /// The last frame, if there is something to say.
    pub(super) fn frame(&self) -> Option<Bytes> {
        let reason = match self {
            Self::Left | Self::Broken | Self::Silent | Self::Stopping => return None,
            Self::LeftWithReceipt(receipt) => return Some(stomp::receipt(receipt)),
            Self::Refused { reason, receipt } => {
                return Some(stomp::error(reason, receipt.as_deref()));
            }
            Self::Text => "expected a binary message, found a text message",
            Self::TooLarge => "expected at most 307200 bytes in a message",
            Self::NotConnected => "expected CONNECT within 30 s",
            Self::Slow => {
                "messages were not read fast enough; subscribe again and ask for what was missed"
            }
            Self::Missed => {
                "changes were lost inside the gateway; subscribe again and ask for what was missed"
            }
            Self::Expelled => "the account of this node is not enabled any more",
        };
        Some(stomp::error(reason, None))
    }

    /// The code in the WebSocket close frame (RFC 6455, section 7.4.1).
    pub(super) const fn code(&self) -> CloseCode {
        match self {
            Self::Left | Self::LeftWithReceipt(_) | Self::Broken | Self::Silent => {
                CloseCode::Normal
            }
            Self::Refused { .. } | Self::NotConnected | Self::Expelled => CloseCode::Policy,
            Self::Text => CloseCode::Unsupported,
            Self::TooLarge => CloseCode::Size,
            Self::Slow | Self::Missed => CloseCode::Again,
            Self::Stopping => CloseCode::Away,
        }
    }
}
