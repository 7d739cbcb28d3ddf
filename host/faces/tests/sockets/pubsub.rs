//! Publish-subscribe: STOMP over WebSocket.

use std::collections::HashSet;
use std::time::Duration;

use portreeve_domain::ComplianceState;
use portreeve_faces::Limits;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Error;

use crate::stand::*;
use crate::subscriber::{Node, Subscriber, basic};

const SERVICE: &str = "com.example.svc";
const ENDPOINTS: &str = "/topic/com.cisco.ise.mdm.endpoint";

async fn stand() -> (Stand, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::kept_in(folder.path()).await;
    (stand, folder)
}

/// A node that publishes, and its topic.
async fn provider(stand: &Stand) -> (Subscriber, String) {
    let node = Node::new(stand, "provider", &["publish"]).await;
    let topic = node.offers(stand, SERVICE).await;
    (node.connected(stand).await, topic)
}

#[tokio::test]
async fn a_message_from_one_node_to_another() {
    let (stand, _folder) = stand().await;
    let (mut publisher, topic) = provider(&stand).await;
    let consumer = Node::new(&stand, "consumer", &["subscribe"]).await;
    let mut plain = consumer.connected(&stand).await;
    let mut tls = consumer.connected_with_tls(&stand).await;
    plain.subscribe(&topic, "my-id").await;
    tls.subscribe(&topic, r"other\cid").await;
    publisher.publish(&topic, "{\n \"a\": 1\n}").await;
    assert_eq!(
        plain.heard().await,
        "MESSAGE\ndestination:/topic/com.example.svc\nsubscription:my-id\nmessage-id:1\n\
         content-type:application/json\ncontent-length:11\n\n{  \"a\": 1 }\0"
    );
    assert_eq!(
        tls.heard().await,
        "MESSAGE\ndestination:/topic/com.example.svc\nsubscription:other\\cid\nmessage-id:1\n\
         content-type:application/json\ncontent-length:11\n\n{  \"a\": 1 }\0"
    );
    // A length that is that of something else, as pxgrid-api sends it.
    let careless = format!("SEND\ndestination:{topic}\ncontent-length:2\n\n{{\"b\":2}}\0");
    publisher.send(&careless).await;
    assert_eq!(plain.message().await, "{\"b\":2}");
    assert_eq!(tls.message().await, "{\"b\":2}");
    tls.send("UNSUBSCRIBE\nid:other\\cid\nreceipt:1\n\n\0")
        .await;
    assert_eq!(tls.heard().await, "RECEIPT\nreceipt-id:1\n\n\0");
    publisher.publish(&topic, "3").await;
    publisher.send("DISCONNECT\nreceipt:2\n\n\0").await;
    assert_eq!(publisher.heard().await, "RECEIPT\nreceipt-id:2\n\n\0");
    assert_eq!(publisher.heard().await, "close 1000");
    assert_eq!(plain.message().await, "3");
    tls.send("DISCONNECT\nreceipt:3\n\n\0").await;
    assert_eq!(tls.heard().await, "RECEIPT\nreceipt-id:3\n\n\0");
}

#[tokio::test]
async fn what_a_node_may_not() {
    let (stand, _folder) = stand().await;
    let (mut publisher, topic) = provider(&stand).await;
    let consumer = Node::new(&stand, "consumer", &["subscribe"]).await;
    let mut subscriber = consumer.connected(&stand).await;
    subscriber.publish(&topic, "{}").await;
    let heard = subscriber.heard().await;
    assert!(
        heard.starts_with(
            "ERROR\nmessage:`destination`\\c the node `consumer` may not publish to \
             `/topic/com.example.svc`"
        ),
        "{heard}"
    );
    assert_eq!(subscriber.heard().await, "close 1008");
    let frame = format!("SUBSCRIBE\ndestination:{topic}\nid:1\n\n\0");
    publisher.send(&frame).await;
    let heard = publisher.heard().await;
    assert!(
        heard.starts_with(
            "ERROR\nmessage:`destination`\\c the node `provider` may not subscribe to \
             `/topic/com.example.svc`"
        ),
        "{heard}"
    );
    // The gateway's own topics are nobody else's.
    let mut publisher = Node::new(&stand, "other", &["publish"])
        .await
        .connected(&stand)
        .await;
    publisher
        .publish("/topic/com.cisco.ise.mdm.endpoint", "{}")
        .await;
    assert!(publisher.heard().await.starts_with("ERROR\n"));
}

#[tokio::test]
async fn without_an_account_nobody_stays() {
    let (stand, _folder) = stand().await;
    let consumer = Node::new(&stand, "consumer", &["subscribe"]).await;
    let mut subscriber = consumer.connected(&stand).await;
    subscriber.subscribe("/topic/com.example.svc", "1").await;
    let disable = "/v1/admin/pxgrid/nodes/consumer/disable";
    let disabled = stand.request(Method::POST, disable, ADMIN).send().await;
    assert_eq!(disabled.unwrap().status(), 200);
    let heard = subscriber.heard().await;
    assert!(
        heard.starts_with("ERROR\nmessage:the account of this node is not enabled any more\n"),
        "{heard}"
    );
    assert_eq!(subscriber.heard().await, "close 1008");
}

#[tokio::test]
async fn handshakes_that_are_refused() {
    let (stand, _folder) = stand().await;
    let consumer = Node::new(&stand, "consumer", &["subscribe"]).await;
    for (credential, expected) in [
        (String::new(), 401),
        (basic("consumer", "wrong"), 401),
        (basic("nobody", "wrong"), 401),
        // The password is for the control API alone.
        (consumer.credential.clone(), 401),
        (SCRIPT.to_owned(), 401),
    ] {
        let stream = TcpStream::connect(stand.plain).await.unwrap();
        let refused = Subscriber::open(stream, "ws", &credential).await;
        match refused.err().map(|error| *error) {
            Some(Error::Http(response)) => assert_eq!(response.status(), expected),
            other => panic!("{other:?}"),
        }
    }
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "8"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let url = format!("http://{}/pxgrid/ise/pubsub", stand.plain);
    let mut request = stand
        .client
        .get(&url)
        .header("authorization", &consumer.peer);
    let response = stand.client.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 400);
    for (name, value) in upgrade {
        request = request.header(name, value);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 426);
    assert_eq!(response.headers()["sec-websocket-version"], "13");
    // Over HTTP/2 there is none.
    let response = stand.get("/pxgrid/ise/pubsub", &consumer.peer).send().await;
    assert_eq!(response.unwrap().status(), 400);
}

#[tokio::test]
async fn standing_still_is_no_reason_to_be_cut() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        idle_timeout: Duration::from_millis(250),
        header_timeout: Duration::from_millis(250),
        ..Limits::default()
    };
    let stand = Stand::kept_with(folder.path(), limits).await;
    let (mut publisher, topic) = provider(&stand).await;
    let consumer = Node::new(&stand, "consumer", &["subscribe"]).await;
    let mut subscriber = consumer.connected(&stand).await;
    subscriber.subscribe(&topic, "1").await;
    // Longer than any connection may stand still for requests.
    tokio::time::sleep(Duration::from_secs(1)).await;
    publisher.publish(&topic, "{}").await;
    assert_eq!(subscriber.message().await, "{}");
}

#[tokio::test]
async fn subscribers_are_connections_and_end_in_order() {
    let (mut stand, _folder) = stand().await;
    let consumer = Node::new(&stand, "consumer", &["subscribe"]).await;
    let mut subscriber = consumer.connected(&stand).await;
    subscriber.subscribe("/topic/com.example.svc", "1").await;
    let metrics = stand.metrics().await;
    for line in [
        "portreeve_pxgrid_connections 1\n",
        "portreeve_pxgrid_subscriptions 1\n",
        "portreeve_pxgrid_connections_ended_total{reason=\"stopping\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
    stand.begin_to_stop();
    assert_eq!(subscriber.heard().await, "close 1001");
    // It answers the close in reading on.
    assert_eq!(subscriber.heard().await, "None");
    stand.stopped().await;
}

#[tokio::test]
async fn a_node_has_so_many_connections() {
    let (stand, _folder) = stand().await;
    let consumer = Node::new(&stand, "consumer", &["subscribe"]).await;
    let mut connections = Vec::new();
    for _ in 0..100 {
        connections.push(consumer.connected(&stand).await);
    }
    let stream = TcpStream::connect(stand.plain).await.unwrap();
    let refused = Subscriber::open(stream, "ws", &consumer.peer).await;
    match refused.err().map(|error| *error) {
        Some(Error::Http(response)) => {
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()["retry-after"], "60");
        }
        other => panic!("{other:?}"),
    }
    let other = Node::new(&stand, "other", &["subscribe"]).await;
    other.connected(&stand).await;
}

/// What the gateway promises: 1,000 subscribers, each gets every message, once
/// and in order, and one who reads nothing stops nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_subscribers() {
    const SUBSCRIBERS: usize = 1_000;
    const MESSAGES: usize = 100;
    raise_file_limit();
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        max_connections: 2 * SUBSCRIBERS,
        ..Limits::default()
    };
    let stand = Stand::kept_with(folder.path(), limits).await;
    let (mut publisher, topic) = provider(&stand).await;
    let mut nodes = Vec::new();
    for number in 0..11 {
        let name = format!("consumer{number}");
        nodes.push(Node::new(&stand, &name, &["subscribe"]).await);
    }
    let mut deaf = nodes[10].connected(&stand).await;
    deaf.subscribe(&topic, "my-id").await;
    let mut subscribers = JoinSet::new();
    let mut ready = Vec::new();
    // One place is the publisher's, one the deaf one's.
    for number in 0..SUBSCRIBERS - 2 {
        let node = &nodes[number / 100];
        let mut subscriber = match number % 20 {
            0 => node.connected_with_tls(&stand).await,
            _ => node.connected(&stand).await,
        };
        // Half of them share a name for their subscription.
        let id = match number % 2 {
            0 => "my-id".to_owned(),
            _ => format!("id-{number}"),
        };
        subscriber.subscribe(&topic, &id).await;
        subscriber.subscribe(ENDPOINTS, "endpoints").await;
        ready.push(subscriber);
    }
    for mut subscriber in ready {
        subscribers.spawn(async move {
            let mut endpoints = Vec::with_capacity(MESSAGES);
            let mut number = 0;
            for _ in 0..2 * MESSAGES {
                let message = subscriber.message().await;
                if message.starts_with("{\"macAddress\"") {
                    endpoints.push(message);
                } else {
                    assert_eq!(message, format!("{{\"n\":{number}}}"));
                    number += 1;
                }
            }
            // Nothing more comes before the receipt.
            subscriber.send("DISCONNECT\nreceipt:end\n\n\0").await;
            assert_eq!(subscriber.heard().await, "RECEIPT\nreceipt-id:end\n\n\0");
            endpoints
        });
    }
    for number in 0..MESSAGES {
        publisher
            .publish(&topic, &format!("{{\"n\":{number}}}"))
            .await;
    }
    for number in 0..MESSAGES {
        let mac = format!("00:50:56:00:01:{number:02x}");
        stand
            .learnt(&mac, ComplianceState::Compliant, Duration::ZERO)
            .await;
    }
    let mut first: Option<Vec<String>> = None;
    while let Some(endpoints) = subscribers.join_next().await {
        let endpoints = endpoints.unwrap();
        let first = first.get_or_insert_with(|| endpoints.clone());
        assert_eq!(*first, endpoints);
    }
    let endpoints: HashSet<String> = first.unwrap().into_iter().collect();
    assert_eq!(endpoints.len(), MESSAGES);
    let delivered = MESSAGES * (SUBSCRIBERS - 1 + SUBSCRIBERS - 2);
    let metrics = stand.metrics().await;
    for line in [
        format!("portreeve_pxgrid_published_total {}\n", 2 * MESSAGES),
        format!("portreeve_pxgrid_delivered_total {delivered}\n"),
        "portreeve_pxgrid_connections_ended_total{reason=\"slow\"} 0\n".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

/// Both ends of every connection are in this process.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[tokio::test]
async fn every_change_of_an_endpoint() {
    let (stand, _folder) = stand().await;
    let consumer = Node::new(&stand, "consumer", &["subscribe"]).await;
    let mut plain = consumer.connected(&stand).await;
    let mut tls = consumer.connected_with_tls(&stand).await;
    plain.subscribe(ENDPOINTS, "1").await;
    tls.subscribe(ENDPOINTS, "2").await;
    let states = [
        ComplianceState::Compliant,
        ComplianceState::NonCompliant,
        ComplianceState::Compliant,
    ];
    for state in states {
        stand.learnt(NOT_COMPLIANT, state, Duration::ZERO).await;
        let expected = json!({
            "macAddress": "00:50:56:00:00:02",
            "registered": true,
            "compliant": state == ComplianceState::Compliant,
            "deviceManager": "contoso",
        });
        for subscriber in [&mut plain, &mut tls] {
            let message: Value = serde_json::from_str(&subscriber.message().await).unwrap();
            assert_eq!(message, expected);
        }
        // The same again is no change.
        stand.learnt(NOT_COMPLIANT, state, Duration::ZERO).await;
    }
}

#[tokio::test]
async fn a_device_that_goes() {
    let (stand, _folder) = stand().await;
    let consumer = Node::new(&stand, "consumer", &["subscribe"]).await;
    let mut subscriber = consumer.connected(&stand).await;
    subscriber.subscribe(ENDPOINTS, "1").await;
    stand
        .learnt(COMPLIANT, ComplianceState::Compliant, Duration::ZERO)
        .await;
    let message: Value = serde_json::from_str(&subscriber.message().await).unwrap();
    assert_eq!(message["registered"], true);
    stand.removed(COMPLIANT).await;
    let message: Value = serde_json::from_str(&subscriber.message().await).unwrap();
    assert_eq!(
        message,
        json!({ "macAddress": "00:50:56:00:00:01", "registered": false })
    );
}
