//! What a client may say, and what follows from it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use super::broker::{Broker, Subscription};
use super::ending::Ending;
use super::outlet::Outlet;
use super::stomp::{self, Command, Frame};
use crate::pxgrid::NodeName;
use crate::text::one_line;

/// Subscriptions of one connection.
const MOST_SUBSCRIPTIONS: usize = 64;
/// Bytes of what a client calls a subscription.
const LONGEST_ID: usize = 256;

/// Who may be here and use which topic.
pub(crate) trait Permissions: fmt::Debug + Send + Sync {
    /// Whether a node's account is approved.
    fn is_enabled(&self, node: &NodeName) -> bool;

    /// Whether a node may get a topic's messages.
    fn may_subscribe(&self, node: &NodeName, topic: &str) -> bool;

    /// Whether a node may publish to a topic.
    fn may_publish(&self, node: &NodeName, topic: &str) -> bool;

    /// Changes with any account.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// One client's conversation, from CONNECT to DISCONNECT.
#[derive(Debug)]
pub(super) struct Conversation {
    node: NodeName,
    connection: u64,
    permissions: Arc<dyn Permissions>,
    broker: Arc<Broker>,
    outlet: Arc<Outlet>,
    subscriptions: HashMap<Arc<str>, Subscription>,
    is_connected: bool,
}

impl Conversation {
    /// `connection` is a number that no other connection has.
    pub(super) fn new(
        node: NodeName,
        connection: u64,
        permissions: Arc<dyn Permissions>,
        broker: Arc<Broker>,
        outlet: Arc<Outlet>,
    ) -> Self {
        Self {
            node,
            connection,
            permissions,
            broker,
            outlet,
            subscriptions: HashMap::new(),
            is_connected: false,
        }
    }

    /// Whether CONNECT was there.
    pub(super) const fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Whether the node still may do all it does here.
    pub(super) fn may_stay(&self) -> bool {
        let topics = self.subscriptions.values().map(Subscription::topic);
        self.permissions.is_enabled(&self.node)
            && topics
                .into_iter()
                .all(|topic| self.permissions.may_subscribe(&self.node, topic))
    }

    /// Works on one message of the client. Answers go the way of all frames, so
    /// that a receipt comes after what was sent before it. An error is how the
    /// connection ends.
    pub(super) fn take(&mut self, message: &[u8]) -> Result<(), Ending> {
        let frame = stomp::read(message).map_err(|error| refused(error.to_string()))?;
        let Some(frame) = frame else {
            return Ok(());
        };
        let receipt = frame.header("receipt");
        if frame.command == Command::Disconnect {
            return Err(receipt.map_or(Ending::Left, |receipt| {
                Ending::LeftWithReceipt(receipt.to_owned())
            }));
        }
        self.work(&frame).map_err(|reason| Ending::Refused {
            reason: one_line(&reason, 400),
            receipt: receipt.map(str::to_owned),
        })?;
        if let Some(receipt) = receipt {
            self.outlet.push(stomp::receipt(receipt));
        }
        Ok(())
    }

    /// An error says what was wrong and what was expected.
    fn work(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let command = frame.command;
        if command == Command::Connect {
            return self.connect(frame);
        }
        if !self.is_connected {
            return Err(format!(
                "expected CONNECT first, found {}",
                command.as_str()
            ));
        }
        match command {
            Command::Subscribe => self.subscribe(frame),
            Command::Unsubscribe => {
                let id = required(frame, "id")?;
                let known = self.subscriptions.remove(id);
                known
                    .map(drop)
                    .ok_or_else(|| format!("`id`: there is no subscription `{id}`"))
            }
            Command::Send => self.send(frame),
            Command::Ack | Command::Nack => Err(format!(
                "{}: messages need no acknowledgement here",
                command.as_str()
            )),
            Command::Begin | Command::Commit | Command::Abort => Err(format!(
                "{}: there are no transactions here",
                command.as_str()
            )),
            _ => Err(format!(
                "expected a frame of a client, found {}",
                command.as_str()
            )),
        }
    }

    fn connect(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        if self.is_connected {
            return Err("CONNECT: the conversation has begun already".to_owned());
        }
        let versions = frame.header("accept-version").unwrap_or("1.0");
        if !versions.split(',').any(|version| version.trim() == "1.2") {
            return Err(format!(
                "`accept-version`: expected 1.2 among the versions, found `{versions}`"
            ));
        }
        self.is_connected = true;
        self.outlet.push(stomp::CONNECTED);
        Ok(())
    }

    fn subscribe(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let id = required(frame, "id")?;
        let topic = required(frame, "destination")?;
        if id.len() > LONGEST_ID {
            return Err(format!("`id`: expected at most {LONGEST_ID} bytes"));
        }
        if self.subscriptions.contains_key(id) {
            return Err(format!("`id`: there is a subscription `{id}` already"));
        }
        if self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            return Err(format!(
                "expected at most {MOST_SUBSCRIPTIONS} subscriptions of one connection"
            ));
        }
        // Without its filter a subscription would be another one.
        if frame.header("filter").is_some() {
            return Err("`filter` is not supported; subscribe without it".to_owned());
        }
        if !matches!(frame.header("ack"), None | Some("auto")) {
            return Err("`ack`: expected `auto` or nothing".to_owned());
        }
        if !self.permissions.may_subscribe(&self.node, topic) {
            return Err(format!(
                "`destination`: the node `{}` may not subscribe to `{topic}`",
                self.node
            ));
        }
        let id: Arc<str> = id.into();
        let outlet = Arc::clone(&self.outlet);
        let subscription = self
            .broker
            .subscribe(topic, Arc::clone(&id), self.connection, outlet);
        self.subscriptions.insert(id, subscription);
        Ok(())
    }

    fn send(&self, frame: &Frame<'_>) -> Result<(), String> {
        let topic = required(frame, "destination")?;
        if !self.permissions.may_publish(&self.node, topic) {
            return Err(format!(
                "`destination`: the node `{}` may not publish to `{topic}`; \
                 it needs the right to, and a registered service with this topic",
                self.node
            ));
        }
        let body = stomp::one_line(frame.body);
        let body = body.ok_or("the body: expected one JSON text in UTF-8")?;
        self.broker.publish(topic, &body);
        Ok(())
    }
}

fn refused(reason: String) -> Ending {
    Ending::Refused {
        reason,
        receipt: None,
    }
}

fn required<'a>(frame: &'a Frame<'_>, name: &str) -> Result<&'a str, String> {
    frame
        .header(name)
        .ok_or_else(|| format!("{} needs the header `{name}`", frame.command.as_str()))
}

#[cfg(test)]
pub(super) mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt as _;

    use super::super::metrics::PubsubMetrics;
    use super::super::outlet::{Room, Waiting};
    use super::*;

    /// Everybody may have `/topic/a` and `/topic/b`, and publish to `/topic/b`,
    /// until this is told that nobody may.
    #[derive(Debug, Default)]
    pub(in super::super) struct TwoTopics(pub(in super::super) watch::Sender<u64>);

    impl Permissions for TwoTopics {
        fn is_enabled(&self, _: &NodeName) -> bool {
            *self.0.borrow() == 0
        }

        fn may_subscribe(&self, _: &NodeName, topic: &str) -> bool {
            matches!(topic, "/topic/a" | "/topic/b")
        }

        fn may_publish(&self, _: &NodeName, topic: &str) -> bool {
            topic == "/topic/b"
        }

        fn changes(&self) -> watch::Receiver<u64> {
            self.0.subscribe()
        }
    }

    pub(in super::super) fn broker() -> Arc<Broker> {
        Broker::new(PubsubMetrics::register(&prometheus::Registry::new()).unwrap())
    }

    fn conversation(broker: &Arc<Broker>, connection: u64) -> (Conversation, Waiting) {
        let (outlet, waiting) = Outlet::new(Room {
            frames: 1_000,
            bytes: 1_000_000,
        });
        let conversation = Conversation::new(
            "client1".parse().unwrap(),
            connection,
            Arc::new(TwoTopics::default()),
            Arc::clone(broker),
            outlet,
        );
        (conversation, waiting)
    }

    const CONNECT: &str = "CONNECT\naccept-version:1.2\nhost:x\n\n\0";

    fn taken(waiting: &mut Waiting) -> Vec<String> {
        let mut batch = Vec::new();
        let _ = waiting.take(&mut batch, 1_000).now_or_never();
        let text = |frame: &Bytes| String::from_utf8(frame.to_vec()).unwrap();
        batch.iter().map(text).collect()
    }

    /// What is answered to frames after CONNECT, and how it ends if it does.
    fn after_connect(frames: &[&str]) -> (Vec<String>, Result<(), Ending>) {
        let broker = broker();
        let (mut conversation, mut waiting) = conversation(&broker, 1);
        conversation.take(CONNECT.as_bytes()).unwrap();
        assert_eq!(taken(&mut waiting), ["CONNECTED\nversion:1.2\n\n\0"]);
        let ending = frames
            .iter()
            .try_for_each(|frame| conversation.take(frame.as_bytes()));
        (taken(&mut waiting), ending)
    }

    #[track_caller]
    fn check(frames: &[&str], expected: &[&str]) {
        let (answers, ending) = after_connect(frames);
        assert_eq!(ending, Ok(()), "{frames:?}");
        assert_eq!(answers, expected, "{frames:?}");
    }

    #[track_caller]
    fn check_refused(frames: &[&str], expected: &str) {
        match after_connect(frames).1 {
            Err(Ending::Refused { reason, .. }) => assert_eq!(reason, expected, "{frames:?}"),
            other => panic!("{frames:?}: {other:?}"),
        }
    }

    #[test]
    fn a_subscription_from_beginning_to_end() {
        check(
            &[
                "SUBSCRIBE\ndestination:/topic/b\nid:my-id\nreceipt:1\n\n\0",
                "SEND\ndestination:/topic/b\n\n{\n\"a\": 1}\0",
                "\n",
                "UNSUBSCRIBE\nid:my-id\nreceipt:2\n\n\0",
                "SEND\ndestination:/topic/b\nreceipt:3\n\n{}\0",
                "SUBSCRIBE\ndestination:/topic/a\nid:my-id\nack:auto\n\n\0",
            ],
            &[
                "RECEIPT\nreceipt-id:1\n\n\0",
                "MESSAGE\ndestination:/topic/b\nsubscription:my-id\nmessage-id:1\n\
                 content-type:application/json\ncontent-length:9\n\n{ \"a\": 1}\0",
                "RECEIPT\nreceipt-id:2\n\n\0",
                "RECEIPT\nreceipt-id:3\n\n\0",
            ],
        );
    }

    #[test]
    fn ends_that_are_no_mistake() {
        let (_, ending) = after_connect(&["DISCONNECT\n\n\0"]);
        assert_eq!(ending, Err(Ending::Left));
        let (_, ending) = after_connect(&["DISCONNECT\nreceipt:77\n\n\0"]);
        assert_eq!(ending, Err(Ending::LeftWithReceipt("77".to_owned())));
    }

    #[test]
    fn what_is_refused() {
        for (frame, expected) in [
            (CONNECT, "CONNECT: the conversation has begun already"),
            (
                "SUBSCRIBE\ndestination:/topic/a\n\n\0",
                "SUBSCRIBE needs the header `id`",
            ),
            (
                "SUBSCRIBE\nid:1\n\n\0",
                "SUBSCRIBE needs the header `destination`",
            ),
            (
                "SUBSCRIBE\ndestination:/topic/A\nid:1\n\n\0",
                "`destination`: the node `client1` may not subscribe to `/topic/A`",
            ),
            (
                "SUBSCRIBE\ndestination:/topic/a\nid:1\nfilter:a=='b'\n\n\0",
                "`filter` is not supported; subscribe without it",
            ),
            (
                "SUBSCRIBE\ndestination:/topic/a\nid:1\nack:client\n\n\0",
                "`ack`: expected `auto` or nothing",
            ),
            ("UNSUBSCRIBE\n\n\0", "UNSUBSCRIBE needs the header `id`"),
            (
                "UNSUBSCRIBE\nid:1\n\n\0",
                "`id`: there is no subscription `1`",
            ),
            (
                "SEND\ndestination:/topic/a\n\n{}\0",
                "`destination`: the node `client1` may not publish to `/topic/a`; \
                 it needs the right to, and a registered service with this topic",
            ),
            ("SEND\n\n{}\0", "SEND needs the header `destination`"),
            (
                "SEND\ndestination:/topic/b\n\n{\0",
                "the body: expected one JSON text in UTF-8",
            ),
            (
                "ACK\nid:1\n\n\0",
                "ACK: messages need no acknowledgement here",
            ),
            (
                "BEGIN\ntransaction:1\n\n\0",
                "BEGIN: there are no transactions here",
            ),
            (
                "MESSAGE\n\n\0",
                "expected a frame of a client, found MESSAGE",
            ),
            ("HELLO\n\n\0", "line 1: `HELLO` is no STOMP command"),
        ] {
            check_refused(&[frame], expected);
        }
        check_refused(
            &["SUBSCRIBE\ndestination:/topic/a\nid:1\n\n\0"; 2],
            "`id`: there is a subscription `1` already",
        );
        let long = format!(
            "SUBSCRIBE\ndestination:/topic/a\nid:{}\n\n\0",
            "x".repeat(257)
        );
        check_refused(&[&long], "`id`: expected at most 256 bytes");
        let many: Vec<String> = (0..65)
            .map(|id| format!("SUBSCRIBE\ndestination:/topic/a\nid:{id}\n\n\0"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check_refused(&many, "expected at most 64 subscriptions of one connection");
    }

    #[test]
    fn an_error_names_the_receipt() {
        let (_, ending) = after_connect(&["ACK\nreceipt:5\n\n\0"]);
        let Err(ending) = ending else {
            panic!("no end");
        };
        let frame = ending.frame().unwrap();
        let frame = stomp::read(&frame).unwrap().unwrap();
        assert_eq!(frame.command, Command::Error);
        assert_eq!(frame.header("receipt-id"), Some("5"));
        assert_eq!(
            frame.header("message"),
            Some("ACK: messages need no acknowledgement here")
        );
    }

    #[test]
    fn versions() {
        for (accepted, expected) in [
            ("accept-version:1.2\n", None),
            ("accept-version:1.0,1.1,1.2\n", None),
            ("accept-version:1.1, 1.2\n", None),
            ("accept-version:1.1\n", Some("1.1")),
            ("accept-version:1.20\n", Some("1.20")),
            ("", Some("1.0")),
        ] {
            let (mut conversation, _waiting) = conversation(&broker(), 1);
            let frame = format!("STOMP\n{accepted}\n\0");
            let begun = conversation.take(frame.as_bytes());
            assert_eq!(conversation.is_connected(), expected.is_none());
            let refused = expected.map(|found| Ending::Refused {
                reason: format!(
                    "`accept-version`: expected 1.2 among the versions, found `{found}`"
                ),
                receipt: None,
            });
            assert_eq!(begun.err(), refused, "{accepted}");
        }
        let (mut conversation, _waiting) = conversation(&broker(), 1);
        let early = conversation.take(b"SEND\ndestination:/topic/b\n\n{}\0");
        assert_eq!(
            early,
            Err(refused("expected CONNECT first, found SEND".to_owned()))
        );
    }

    #[test]
    fn an_ended_conversation_leaves_nothing() {
        let broker = broker();
        let (mut one, _waiting) = conversation(&broker, 1);
        let (mut other, mut waiting) = conversation(&broker, 2);
        for conversation in [&mut one, &mut other] {
            conversation.take(CONNECT.as_bytes()).unwrap();
            conversation
                .take(b"SUBSCRIBE\ndestination:/topic/a\nid:1\n\n\0")
                .unwrap();
        }
        drop(one);
        broker.publish("/topic/a", b"{}");
        assert_eq!(taken(&mut waiting).len(), 2);
        drop(other);
        assert!(!broker.has_subscribers("/topic/a"));
    }
}
