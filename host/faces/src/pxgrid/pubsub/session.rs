//! One connection, once it is a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;

use super::Pubsub;
use super::conversation::{Conversation, Permissions};
use super::ending::Ending;
use super::outlet::{Outlet, Room, Waiting};
use super::stomp::LARGEST_MESSAGE;
use crate::metrics::Counted;
use crate::pxgrid::NodeName;

/// From the handshake to CONNECT.
const CONNECT: Duration = Duration::from_secs(30);
/// How often the client is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);
/// How long it may say nothing, pongs among it.
const SILENCE: Duration = Duration::from_mins(1);
/// How long a few frames may take to leave.
const SEND: Duration = Duration::from_mins(1);
/// How long a client may take to read our last words and to close.
const FAREWELL: Duration = Duration::from_secs(5);
/// Frames that are written before the client is heard again.
const BATCH: usize = 64;
/// A client that is further behind is told so and cut off.
const ROOM: Room = Room {
    frames: 16 << 10,
    bytes: 8 << 20,
};

type Socket<S> = WebSocketStream<S>;

/// A node that was let in, until dropped.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) node: NodeName,
    pub(super) number: u64,
    pub(super) permissions: Arc<dyn Permissions>,
    pub(super) pubsub: Arc<Pubsub>,
}

/// When the server ends.
#[derive(Clone, Debug)]
pub(crate) struct Until {
    /// Connections should end in order.
    pub(crate) stopping: CancellationToken,
    /// They have to be gone.
    pub(crate) cut: CancellationToken,
}

impl Session {
    /// Serves the connection until either side ends it. `read` is what the
    /// client sent already after the handshake.
    pub(crate) async fn run<S>(&self, stream: S, read: Bytes, until: &Until)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let metrics = &self.pubsub.metrics;
        let _counted = Counted::new(&metrics.connections);
        tracing::debug!(node = %self.node, connection = self.number, "a pxGrid node is connected");
        let mut socket =
            WebSocketStream::from_partially_read(stream, read.into(), Role::Server, Some(config()))
                .await;
        let ending = self.converse(&mut socket, until).await;
        metrics.count(&ending);
        let farewell = timeout(FAREWELL, part(&mut socket, &ending));
        let _ = until.cut.run_until_cancelled(farewell).await;
        let (node, reason) = (&self.node, ending.as_str());
        match &ending {
            Ending::Refused { reason: why, .. } => {
                tracing::info!(%node, reason, why, "a pxGrid node was cut off");
            }
            Ending::Slow | Ending::Missed => {
                tracing::warn!(%node, reason, "a pxGrid node was cut off");
            }
            _ => tracing::debug!(%node, reason, "a pxGrid node is not connected any more"),
        }
    }

    async fn converse<S>(&self, socket: &mut Socket<S>, until: &Until) -> Ending
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (outlet, mut waiting) = Outlet::new(ROOM);
        let mut conversation = Conversation::new(
            self.node.clone(),
            self.number,
            Arc::clone(&self.permissions),
            Arc::clone(&self.pubsub.broker),
            Arc::clone(&outlet),
        );
        let mut changes = self.permissions.changes();
        let begun = Instant::now();
        let mut heard = begun;
        let mut ping = interval_at(begun + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            let next = tokio::select! {
                ending = outlet.ended() => return ending,
                () = until.stopping.cancelled() => return Ending::Stopping,
                () = sleep_until(begun + CONNECT), if !conversation.is_connected() => {
                    return Ending::NotConnected;
                }
                received = socket.next() => {
                    heard = Instant::now();
                    received_message(received).and_then(|message| match message {
                        Some(frame) => conversation.take(&frame),
                        None => Ok(()),
                    })
                }
                () = taken(&mut waiting, &mut batch) => {
                    let frames = batch.drain(..).map(Message::Binary);
                    send(socket, frames, &outlet, until).await
                }
                _ = changes.changed() => {
                    if conversation.may_stay() { Ok(()) } else { Err(Ending::Expelled) }
                }
                now = ping.tick() => {
                    if now.duration_since(heard) >= SILENCE {
                        return Ending::Silent;
                    }
                    send(socket, [Message::Ping(Bytes::new())], &outlet, until).await
                }
            };
            if let Err(ending) = next {
                return ending;
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.pubsub.leave(&self.node);
    }
}

fn config() -> WebSocketConfig {
    // Thousands of connections wait most of the time.
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(16 << 10)
        .max_write_buffer_size(2 * LARGEST_MESSAGE)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
}

async fn taken(waiting: &mut Waiting, batch: &mut Vec<Bytes>) {
    waiting.take(batch, BATCH).await;
}

/// A STOMP frame, or nothing that matters.
fn received_message(received: Option<Result<Message, Error>>) -> Result<Option<Bytes>, Ending> {
    match received {
        Some(Ok(Message::Binary(frame))) => Ok(Some(frame)),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Text(_)) | Err(Error::Utf8(_))) => Err(Ending::Text),
        Some(Ok(Message::Close(_))) | None => Err(Ending::Left),
        Some(Err(Error::Capacity(_))) => Err(Ending::TooLarge),
        Some(Err(Error::Protocol(error)))
            if error != ProtocolError::ResetWithoutClosingHandshake =>
        {
            Err(Ending::Refused {
                reason: format!("WebSocket: {error}"),
                receipt: None,
            })
        }
        Some(Err(_)) => Err(Ending::Broken),
    }
}

/// Sends messages, unless there is a reason not to wait for the client.
async fn send<S>(
    socket: &mut Socket<S>,
    messages: impl IntoIterator<Item = Message>,
    outlet: &Outlet,
    until: &Until,
) -> Result<(), Ending>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let sending = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
    };
    tokio::select! {
        sent = timeout(SEND, sending) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ending::Broken),
            Err(_) => Err(Ending::Silent),
        },
        ending = outlet.ended() => Err(ending),
        () = until.stopping.cancelled() => Err(Ending::Stopping),
    }
}

/// Says the last words and waits until the client has heard them: what is in
/// its way would be lost if we closed at once.
async fn part<S>(socket: &mut Socket<S>, ending: &Ending) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if matches!(ending, Ending::Broken | Ending::Silent) {
        return Ok(());
    }
    if let Some(frame) = ending.frame() {
        socket.feed(Message::Binary(frame)).await?;
    }
    let frame = CloseFrame {
        code: ending.code(),
        reason: "".into(),
    };
    // The client may have begun to close, and then this is no news.
    let _ = socket.close(Some(frame)).await;
    let mut is_readable = true;
    while is_readable && let Some(received) = socket.next().await {
        is_readable = received.is_ok();
    }
    let stream = socket.get_mut();
    stream.shutdown().await?;
    if !is_readable {
        // In the middle of something that nobody wants to read.
        tokio::io::copy(stream, &mut tokio::io::sink()).await?;
    }
    Ok(())
}
