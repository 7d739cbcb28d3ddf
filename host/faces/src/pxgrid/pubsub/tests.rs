//! Whole connections over a pipe in memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use prometheus::Registry;
use tokio::io::DuplexStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};
use tokio_util::sync::CancellationToken;

use super::conversation::tests::TwoTopics;
use super::stomp::{self, Command};
use super::*;

const CONNECT: &str = "CONNECT\naccept-version:1.2\nhost:x\n\n\0";
const SUBSCRIBE: &str = "SUBSCRIBE\ndestination:/topic/a\nid:my-id\nreceipt:go\n\n\0";

struct Stand {
    pubsub: Arc<Pubsub>,
    permissions: Arc<TwoTopics>,
    until: Until,
    registry: Registry,
    sessions: JoinSet<()>,
}

type Client = WebSocketStream<DuplexStream>;

impl Stand {
    fn new() -> Self {
        let registry = Registry::new();
        Self {
            pubsub: Pubsub::new(1_000, &registry).unwrap(),
            permissions: Arc::default(),
            until: Until {
                stopping: CancellationToken::new(),
                cut: CancellationToken::new(),
            },
            registry,
            sessions: JoinSet::new(),
        }
    }

    /// A pipe with so many bytes of room.
    async fn client(&mut self, room: usize) -> Client {
        let (ours, theirs) = tokio::io::duplex(room);
        let node = "client1".parse().unwrap();
        let permissions: Arc<dyn Permissions> = Arc::clone(&self.permissions) as _;
        let session = self.pubsub.enter(node, permissions).unwrap();
        let until = self.until.clone();
        self.sessions
            .spawn(async move { session.run(ours, Bytes::new(), &until).await });
        WebSocketStream::from_raw_socket(theirs, Role::Client, None).await
    }

    /// One that has subscribed to `/topic/a`.
    async fn subscriber(&mut self) -> Client {
        let mut client = self.client(1 << 20).await;
        client.send(binary(CONNECT)).await.unwrap();
        client.send(binary(SUBSCRIBE)).await.unwrap();
        assert_eq!(heard(&mut client).await, "CONNECTED");
        assert_eq!(heard(&mut client).await, "RECEIPT");
        client
    }

    async fn ended(&mut self) {
        self.sessions.join_next().await.unwrap().unwrap();
    }

    #[track_caller]
    fn check_ended(&self, reason: &str, times: u32) {
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap();
        let line =
            format!("portreeve_pxgrid_connections_ended_total{{reason=\"{reason}\"}} {times}\n");
        assert!(text.contains(&line), "{text}");
    }
}

fn binary(text: &str) -> Message {
    Message::Binary(Bytes::copy_from_slice(text.as_bytes()))
}

/// The next frame's command, with the `message` of an error and the body of a
/// message; or the code with which the server closes.
async fn heard(client: &mut Client) -> String {
    loop {
        match client.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                let frame = stomp::read(&bytes).unwrap().unwrap();
                return match frame.command {
                    Command::Error => format!("ERROR {}", frame.header("message").unwrap()),
                    Command::Message => String::from_utf8_lossy(frame.body).into_owned(),
                    command => command.as_str().to_owned(),
                };
            }
            Some(Ok(Message::Ping(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) => return format!("close {}", frame.code),
            other => return format!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn from_beginning_to_end() {
    let mut stand = Stand::new();
    let mut client = stand.subscriber().await;
    for number in 0..100 {
        let body = format!("{{\"n\":{number}}}");
        stand.pubsub.broker.publish("/topic/a", body.as_bytes());
        assert_eq!(heard(&mut client).await, body);
    }
    client
        .send(binary("DISCONNECT\nreceipt:1\n\n\0"))
        .await
        .unwrap();
    assert_eq!(heard(&mut client).await, "RECEIPT");
    assert_eq!(heard(&mut client).await, "close 1000");
    assert!(client.next().await.is_none());
    stand.ended().await;
    stand.check_ended("left", 1);
    assert!(!stand.pubsub.broker.has_subscribers("/topic/a"));
}

#[tokio::test]
async fn who_only_closes_has_left_too() {
    let mut stand = Stand::new();
    let mut client = stand.subscriber().await;
    client.close(None).await.unwrap();
    stand.ended().await;
    stand.check_ended("left", 1);
    let client = stand.subscriber().await;
    drop(client);
    stand.ended().await;
    stand.check_ended("broken", 1);
}

#[tokio::test]
async fn mistakes_end_with_an_error() {
    let large = Message::Binary(vec![b'x'; stomp::LARGEST_MESSAGE + 1].into());
    for (message, error, close, reason) in [
        (
            Message::text("CONNECT"),
            "ERROR expected a binary message, found a text message",
            "close 1003",
            "refused",
        ),
        (
            binary("SEND\n\n\0"),
            "ERROR expected CONNECT first, found SEND",
            "close 1008",
            "refused",
        ),
        (
            large,
            "ERROR expected at most 307200 bytes in a message",
            "close 1009",
            "too-large",
        ),
    ] {
        let mut stand = Stand::new();
        let mut client = stand.client(1 << 20).await;
        client.send(message).await.unwrap();
        assert_eq!(heard(&mut client).await, error);
        assert_eq!(heard(&mut client).await, close);
        // It answers the server's close.
        while client.next().await.is_some_and(|heard| heard.is_ok()) {}
        drop(client);
        stand.ended().await;
        stand.check_ended(reason, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn connect_has_its_time() {
    let mut stand = Stand::new();
    let begun = Instant::now();
    let mut client = stand.client(1 << 20).await;
    client.send(binary("\n")).await.unwrap();
    assert_eq!(
        heard(&mut client).await,
        "ERROR expected CONNECT within 30 s"
    );
    assert_eq!(begun.elapsed().as_secs(), 30);
    drop(client);
    stand.ended().await;
    stand.check_ended("not-connected", 1);
}

#[tokio::test(start_paused = true)]
async fn who_answers_pings_stays() {
    let mut stand = Stand::new();
    let mut client = stand.subscriber().await;
    let hour = tokio::time::timeout(Duration::from_hours(1), heard(&mut client)).await;
    assert!(hour.is_err());
    stand.pubsub.broker.publish("/topic/a", b"{}");
    assert_eq!(heard(&mut client).await, "{}");
}

#[tokio::test(start_paused = true)]
async fn who_answers_no_pings_is_gone() {
    let mut stand = Stand::new();
    let begun = Instant::now();
    let _client = stand.subscriber().await;
    stand.ended().await;
    assert_eq!(begun.elapsed().as_secs(), 60);
    stand.check_ended("silent", 1);
}

#[tokio::test]
async fn a_slow_client_is_told_and_stops_nobody() {
    let mut stand = Stand::new();
    let mut slow = stand.subscriber().await;
    let mut quick = stand.subscriber().await;
    let body = format!("\"{}\"", "x".repeat(1_000));
    // More than the pipe and the queue hold.
    let count = 12_000;
    let pubsub = Arc::clone(&stand.pubsub);
    for _ in 0..count {
        pubsub.broker.publish("/topic/a", body.as_bytes());
        assert_eq!(heard(&mut quick).await, body);
    }
    let mut last = heard(&mut slow).await;
    let mut before = 0;
    while last == body {
        before += 1;
        last = heard(&mut slow).await;
    }
    assert!(before < count, "{before}");
    assert_eq!(
        last,
        "ERROR messages were not read fast enough; subscribe again and ask for what was missed"
    );
    assert_eq!(heard(&mut slow).await, "close 1013");
    assert!(slow.next().await.is_none());
    stand.ended().await;
    stand.check_ended("slow", 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_gone_in_the_end() {
    let mut stand = Stand::new();
    let _slow = stand.subscriber().await;
    let body = format!("\"{}\"", "x".repeat(1_000));
    for _ in 0..12_000 {
        stand.pubsub.broker.publish("/topic/a", body.as_bytes());
        tokio::task::yield_now().await;
    }
    stand.ended().await;
    stand.check_ended("slow", 1);
}

#[tokio::test]
async fn what_the_gateway_lost_is_told() {
    let mut stand = Stand::new();
    let mut client = stand.subscriber().await;
    stand.pubsub.broker.give_up("/topic/a");
    assert_eq!(
        heard(&mut client).await,
        "ERROR changes were lost inside the gateway; subscribe again and ask for what was missed"
    );
    assert_eq!(heard(&mut client).await, "close 1013");
    assert!(client.next().await.is_none());
    stand.ended().await;
    stand.check_ended("missed", 1);
}

#[tokio::test]
async fn without_an_account_nobody_stays() {
    let mut stand = Stand::new();
    let mut client = stand.subscriber().await;
    stand.permissions.0.send_replace(1);
    assert_eq!(
        heard(&mut client).await,
        "ERROR the account of this node is not enabled any more"
    );
    assert_eq!(heard(&mut client).await, "close 1008");
    assert!(client.next().await.is_none());
    stand.ended().await;
    stand.check_ended("expelled", 1);
}

#[tokio::test]
async fn the_server_ends_in_order() {
    let mut stand = Stand::new();
    let mut client = stand.subscriber().await;
    stand.until.stopping.cancel();
    assert_eq!(heard(&mut client).await, "close 1001");
    assert!(client.next().await.is_none());
    stand.ended().await;
    stand.check_ended("stopping", 1);
    // One that does not close in its turn is cut at last.
    let deaf = stand.client(1 << 20).await;
    stand.until.cut.cancel();
    stand.ended().await;
    drop(deaf);
}

#[test]
fn seats() {
    let pubsub = Pubsub::new(150, &Registry::new()).unwrap();
    let permissions: Arc<dyn Permissions> = Arc::new(TwoTopics::default());
    let enter = |node: &str| pubsub.enter(node.parse().unwrap(), Arc::clone(&permissions));
    let mut of_one: Vec<Session> = (0..100).map(|_| enter("one").unwrap()).collect();
    let one: NodeName = "one".parse().unwrap();
    assert_eq!(enter("one").unwrap_err(), NoSeat::OfNode(one));
    let of_two: Vec<Session> = (0..50).map(|_| enter("two").unwrap()).collect();
    assert_eq!(enter("two").unwrap_err(), NoSeat::InAll(150));
    of_one.pop();
    assert!(enter("one").is_ok());
    drop((of_one, of_two));
    assert!(pubsub.seats.lock().by_node.is_empty());
    assert_eq!(pubsub.seats.lock().taken, 0);
}
