//! Topics and who subscribed to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use super::ending::Ending;
use super::metrics::PubsubMetrics;
use super::outlet::Outlet;
use super::stomp;

/// Takes messages to the subscribers of their topic.
///
/// Publishing waits for nobody. All subscribers of a topic get its messages in
/// one order.
#[derive(Debug)]
pub(crate) struct Broker {
    topics: Mutex<Topics>,
    metrics: PubsubMetrics,
}

#[derive(Debug, Default)]
struct Topics {
    /// The number of the last message, of whatever topic.
    number: u64,
    by_name: HashMap<Arc<str>, Subscribers>,
}

/// The subscribers of one topic by what they call their subscription, which is
/// a part of the frame: most clients use the same few names, and those who do
/// share one frame. Then by connection.
type Subscribers = HashMap<Arc<str>, BTreeMap<u64, Arc<Outlet>>>;

/// A subscription, until dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    broker: Arc<Broker>,
    topic: Arc<str>,
    id: Arc<str>,
    connection: u64,
}

impl Broker {
    pub(super) fn new(metrics: PubsubMetrics) -> Arc<Self> {
        Arc::new(Self {
            topics: Mutex::default(),
            metrics,
        })
    }

    /// Sends one JSON text, which has to be on one line, to everybody who
    /// subscribed to exactly this topic.
    pub(crate) fn publish(&self, topic: &str, body: &[u8]) {
        self.metrics.published.inc();
        let mut topics = self.topics.lock();
        let topics = &mut *topics;
        topics.number += 1;
        let Some(subscribers) = topics.by_name.get_mut(topic) else {
            return;
        };
        let mut sent = 0;
        for (id, outlets) in subscribers {
            let frame = stomp::message(topic, id, topics.number, body);
            for outlet in outlets.values() {
                sent += u64::from(outlet.push(frame.clone()));
            }
        }
        self.metrics.delivered.inc_by(sent);
    }

    /// Whether anybody would get a message. Whoever subscribes later does not
    /// expect what was before.
    pub(crate) fn has_subscribers(&self, topic: &str) -> bool {
        self.topics.lock().by_name.contains_key(topic)
    }

    /// Tells everybody who subscribed to a topic that messages of it were lost,
    /// and ends their connections.
    pub(super) fn give_up(&self, topic: &str) {
        let topics = self.topics.lock();
        let subscribers = topics.by_name.get(topic);
        let outlets = subscribers.into_iter().flat_map(HashMap::values);
        for outlet in outlets.flat_map(BTreeMap::values) {
            outlet.end(Ending::Missed);
        }
    }

    /// From here on the connection gets the topic's messages. It has no other
    /// subscription of this name.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        topic: &str,
        id: Arc<str>,
        connection: u64,
        outlet: Arc<Outlet>,
    ) -> Subscription {
        let mut topics = self.topics.lock();
        let topic = match topics.by_name.get_key_value(topic) {
            Some((topic, _)) => Arc::clone(topic),
            None => topic.into(),
        };
        let subscribers = topics.by_name.entry(Arc::clone(&topic)).or_default();
        let outlets = subscribers.entry(Arc::clone(&id)).or_default();
        outlets.insert(connection, outlet);
        self.metrics.subscriptions.inc();
        Subscription {
            broker: Arc::clone(self),
            topic,
            id,
            connection,
        }
    }
}

impl Subscription {
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.broker.metrics.subscriptions.dec();
        let mut topics = self.broker.topics.lock();
        let Some(subscribers) = topics.by_name.get_mut(&self.topic) else {
            return;
        };
        if let Some(outlets) = subscribers.get_mut(&self.id) {
            outlets.remove(&self.connection);
            if outlets.is_empty() {
                subscribers.remove(&self.id);
            }
        }
        if subscribers.is_empty() {
            topics.by_name.remove(&self.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt as _;

    use super::super::outlet::{Room, Waiting};
    use super::*;

    const ROOM: Room = Room {
        frames: 4,
        bytes: 10_000,
    };

    fn broker() -> Arc<Broker> {
        Broker::new(PubsubMetrics::register(&prometheus::Registry::new()).unwrap())
    }

    /// Subscription and body of what waits.
    fn taken(waiting: &mut Waiting) -> Vec<(String, String)> {
        let mut batch = Vec::new();
        let _ = waiting.take(&mut batch, 99).now_or_never();
        let read = |frame: &Bytes| {
            let frame = stomp::read(frame).unwrap().unwrap();
            let body = String::from_utf8(frame.body.to_vec()).unwrap();
            (frame.header("subscription").unwrap().to_owned(), body)
        };
        batch.iter().map(read).collect()
    }

    fn pair(id: &str, body: &str) -> (String, String) {
        (id.to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn exactly_the_topic() {
        let broker = broker();
        let (outlet, mut waiting) = Outlet::new(ROOM);
        let subscription = broker.subscribe("/topic/a", "1".into(), 1, Arc::clone(&outlet));
        let _other = broker.subscribe("/topic/b", "2".into(), 1, outlet);
        for topic in ["/topic/a", "/topic/aa", "/topic/", "/topic/A", "/topic/*"] {
            broker.publish(topic, b"0");
        }
        broker.publish("/topic/b", b"1");
        assert_eq!(taken(&mut waiting), [pair("1", "0"), pair("2", "1")]);
        drop(subscription);
        broker.publish("/topic/a", b"2");
        assert_eq!(taken(&mut waiting), []);
        assert!(!broker.has_subscribers("/topic/a"));
        assert!(broker.has_subscribers("/topic/b"));
    }

    #[tokio::test]
    async fn one_frame_for_all_of_one_name() {
        let broker = broker();
        let mut waitings = Vec::new();
        let mut subscriptions = Vec::new();
        for connection in 0..3 {
            let (outlet, waiting) = Outlet::new(ROOM);
            subscriptions.push(broker.subscribe("/topic/a", "my-id".into(), connection, outlet));
            waitings.push(waiting);
        }
        broker.publish("/topic/a", b"{}");
        let mut frames = Vec::new();
        for waiting in &mut waitings {
            waiting.take(&mut frames, 9).now_or_never().unwrap();
        }
        assert_eq!(frames.len(), 3);
        assert!(
            frames
                .iter()
                .all(|frame| frame.as_ptr() == frames[0].as_ptr())
        );
    }

    #[tokio::test]
    async fn two_subscriptions_of_one_connection() {
        let broker = broker();
        let (outlet, mut waiting) = Outlet::new(ROOM);
        let first = broker.subscribe("/topic/a", "1".into(), 1, Arc::clone(&outlet));
        let _second = broker.subscribe("/topic/a", "2".into(), 1, outlet);
        broker.publish("/topic/a", b"0");
        let mut both = taken(&mut waiting);
        both.sort();
        assert_eq!(both, [pair("1", "0"), pair("2", "0")]);
        drop(first);
        broker.publish("/topic/a", b"1");
        assert_eq!(taken(&mut waiting), [pair("2", "1")]);
    }

    #[tokio::test]
    async fn a_slow_subscriber_stops_nobody() {
        let broker = broker();
        let (slow, _full) = Outlet::new(Room { frames: 1, ..ROOM });
        let (quick, mut waiting) = Outlet::new(ROOM);
        let _slow = broker.subscribe("/topic/a", "1".into(), 1, Arc::clone(&slow));
        let _quick = broker.subscribe("/topic/a", "1".into(), 2, quick);
        for body in ["0", "1", "2"] {
            broker.publish("/topic/a", body.as_bytes());
        }
        assert_eq!(slow.ended().await, Ending::Slow);
        let bodies = ["0", "1", "2"].map(|body| pair("1", body));
        assert_eq!(taken(&mut waiting), bodies);
        assert_eq!(broker.metrics.delivered.get(), 4);
    }

    #[tokio::test]
    async fn what_was_lost_is_told_to_all_of_the_topic() {
        let broker = broker();
        let outlets = [1, 2, 3].map(|_| Outlet::new(ROOM).0);
        let [one, two, three] = outlets;
        let _one = broker.subscribe("/topic/a", "1".into(), 1, Arc::clone(&one));
        let _two = broker.subscribe("/topic/a", "2".into(), 2, Arc::clone(&two));
        let _three = broker.subscribe("/topic/b", "1".into(), 3, Arc::clone(&three));
        broker.give_up("/topic/a");
        broker.give_up("/topic/c");
        assert_eq!(one.ended().await, Ending::Missed);
        assert_eq!(two.ended().await, Ending::Missed);
        assert_eq!(three.ended().now_or_never(), None);
    }
}
