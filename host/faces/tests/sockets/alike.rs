//! Requests of one HTTP/1.1 connection that are alike: from the second on they
//! are answered without reading them, and nobody can tell.

use std::time::Duration;

use portreeve_domain::ComplianceState;
use portreeve_faces::{ClientSettings, RateLimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::prepared::still;
use crate::stand::*;

/// One response, as it was sent.
#[derive(Debug, PartialEq)]
struct Told {
    head: String,
    body: String,
}

impl Told {
    fn status(&self) -> &str {
        self.head.get(9..12).unwrap_or_default()
    }

    /// Everything but what is different each time.
    fn still(&self) -> Self {
        let moving = ["date", "server-timing", "x-request-id"];
        let lines = self.head.lines().map(|line| match line.split_once(": ") {
            Some((name, _)) if moving.contains(&name) => name.to_owned(),
            _ => line.to_owned(),
        });
        Self {
            head: lines.collect::<Vec<_>>().join("\n"),
            body: still(&self.body),
        }
    }

    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| *known == name).unwrap().1
    }
}

struct Connection(TcpStream);

impl Connection {
    async fn open(stand: &Stand) -> Self {
        Self(TcpStream::connect(stand.plain).await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn read(&mut self) -> Told {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut told = Told {
            head,
            body: String::new(),
        };
        let mut body = vec![0; told.header("content-length").parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        told.body = String::from_utf8(body).unwrap();
        told
    }

    async fn ask(&mut self, text: &str) -> Told {
        self.send(text).await;
        self.read().await
    }
}

fn get(name: &str, credential: &str, more: &str) -> String {
    format!(
        "GET /v1/devices/{name} HTTP/1.1\r\nHost: x\r\nAuthorization: {credential}\r\n{more}\r\n"
    )
}

async fn known(stand: &Stand) {
    for (device, state) in [
        (COMPLIANT, ComplianceState::Compliant),
        (NOT_COMPLIANT, ComplianceState::NonCompliant),
    ] {
        stand.learnt(device, state, Duration::ZERO).await;
        for _ in 0..2 {
            let request = stand.get(&format!("/v1/devices/{device}"), SCRIPT);
            assert_eq!(request.send().await.unwrap().status(), 200);
        }
    }
}

#[tokio::test]
async fn each_is_answered_for_its_own_device_in_the_same_words() {
    let stand = Stand::new().await;
    known(&stand).await;
    let mut alone = Vec::new();
    let devices = [COMPLIANT, NOT_COMPLIANT];
    for device in devices {
        let mut new = Connection::open(&stand).await;
        alone.push(new.ask(&get(device, SCRIPT, "")).await.still());
    }
    let mut connection = Connection::open(&stand).await;
    let mut ids = Vec::new();
    for round in 0..12 {
        let place = usize::from(round % 3 == 1);
        let told = connection.ask(&get(devices[place], SCRIPT, "")).await;
        ids.push(told.header("x-request-id").to_owned());
        assert_eq!(told.header("date").len(), 29, "{told:?}");
        assert_eq!(told.still(), alone[place], "{round}");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 12);
    // In other spellings, and with a name of the client's own.
    for name in ["00-50-56-00-00-01", "005056000001", "0050.5600.0001"] {
        let told = connection.ask(&get(name, SCRIPT, "")).await;
        assert_eq!(told.still(), alone[0], "{name}");
    }
    for _ in 0..3 {
        let request = get(COMPLIANT, SCRIPT, "X-Request-Id: of-mine\r\n");
        let told = connection.ask(&request).await;
        assert_eq!(told.header("x-request-id"), "of-mine");
    }
    let metrics = stand.metrics().await;
    // Those of `known` and `alone` too; the first of all was evaluated.
    for (outcome, count) in [("permit", 16), ("deny", 6)] {
        let line =
            format!("portreeve_answers_total{{origin=\"cached\",outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
}

/// What differs in any way, between others that do not.
#[tokio::test]
async fn what_is_not_alike_is_answered_as_on_a_new_connection() {
    let stand = Stand::new().await;
    known(&stand).await;
    let usual = get(COMPLIANT, SCRIPT, "");
    let one_by_one = [
        (get(COMPLIANT, "Bearer wrong", ""), "401"),
        (get(COMPLIANT, RADIUS, ""), "403"),
        (get("nonsense!", SCRIPT, ""), "400"),
        (get("00-50-56-00-00-0g", SCRIPT, ""), "400"),
        (get("00-50-56-00-00-01?x=1", SCRIPT, ""), "400"),
        (get("00%3A50%3A56%3A00%3A00%3A01", SCRIPT, ""), "200"),
        (get("..", SCRIPT, ""), "400"),
        (get(UNKNOWN, SCRIPT, ""), "404"),
        (get(COMPLIANT, SCRIPT, "Content-Length: 0\r\n"), "200"),
        (usual.replace("GET", "DELETE"), "405"),
        (usual.replace("HTTP/1.1", "HTTP/3.7"), "400"),
        (usual.replace("/v1/devices", "/v1/nothing"), "404"),
        (usual.replace("Host: x", "Host: y"), "200"),
    ];
    for (other, status) in one_by_one {
        let mut connection = Connection::open(&stand).await;
        for _ in 0..3 {
            assert_eq!(connection.ask(&usual).await.status(), "200");
        }
        let told = connection.ask(&other).await;
        assert_eq!(told.status(), status, "{other}");
        if !told.head.contains("connection: close") && !other.contains("3.7") {
            for _ in 0..3 {
                assert_eq!(connection.ask(&usual).await.status(), "200", "{other}");
            }
        }
    }
}

#[tokio::test]
async fn requests_in_pieces_and_several_at_once_keep_their_order() {
    let stand = Stand::new().await;
    known(&stand).await;
    let (first, second) = (
        get(COMPLIANT, SCRIPT, ""),
        get(NOT_COMPLIANT, SCRIPT, "X: y\r\n"),
    );
    let mut connection = Connection::open(&stand).await;
    let mut expected = Vec::new();
    for text in [&first, &second] {
        expected.push(connection.ask(text).await.still());
    }
    let mut connection = Connection::open(&stand).await;
    for _ in 0..3 {
        assert_eq!(connection.ask(&first).await.still(), expected[0]);
    }
    connection.send(&[&*first, &second, &first].concat()).await;
    for place in [0, 1, 0] {
        assert_eq!(connection.read().await.still(), expected[place]);
    }
    let mut connection = Connection::open(&stand).await;
    for _ in 0..3 {
        assert_eq!(connection.ask(&first).await.still(), expected[0]);
    }
    let (start, end) = second.split_at(30);
    connection.send(&[&*first, start].concat()).await;
    assert_eq!(connection.read().await.still(), expected[0]);
    connection.send(end).await;
    assert_eq!(connection.read().await.still(), expected[1]);
    assert_eq!(connection.ask(&first).await.still(), expected[0]);
    // A body is no request.
    let body = get(NOT_COMPLIANT, SCRIPT, "");
    let length = format!("Content-Length: {}\r\n", body.len());
    let mut connection = Connection::open(&stand).await;
    for _ in 0..2 {
        assert_eq!(connection.ask(&first).await.still(), expected[0]);
    }
    let told = connection.ask(&get(COMPLIANT, SCRIPT, &length)).await;
    assert!(told.head.contains("connection: close"), "{told:?}");
    // The server need not take it any more.
    let _ = connection.0.write_all(body.as_bytes()).await;
    let mut rest = Vec::new();
    let _ = connection.0.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}

#[tokio::test]
async fn who_is_taken_out_or_asks_too_often_is_refused_among_them() {
    let stand = Stand::new().await;
    known(&stand).await;
    let mut connection = Connection::open(&stand).await;
    let usual = get(COMPLIANT, SCRIPT, "");
    let with = |change: fn(&mut ClientSettings)| {
        let mut all = clients();
        all.iter_mut()
            .filter(|it| &*it.name == "script")
            .for_each(change);
        all
    };
    let mut statuses = Vec::new();
    for others in [
        clients(),
        with(|script| script.authentication.clear()),
        clients(),
        with(|script| script.faces.clear()),
        clients(),
        with(|script| script.networks.push("192.0.2.0/24".parse().unwrap())),
        with(|script| {
            script.rate_limit = Some(RateLimit {
                requests: 1,
                per: Duration::from_hours(1),
                burst: 2,
            });
        }),
    ] {
        stand.reload(others).unwrap();
        for _ in 0..3 {
            statuses.push(connection.ask(&usual).await.status().to_owned());
        }
    }
    let expected =
        "200 200 200 401 401 401 200 200 200 403 403 403 200 200 200 401 401 401 200 200 429";
    assert_eq!(statuses.join(" "), expected);
    // What it is about goes the same way: nothing is answered from before.
    stand.reload(clients()).unwrap();
    for _ in 0..3 {
        let told = connection.ask(&usual).await;
        assert!(told.body.contains("\"permit\""), "{told:?}");
    }
    let changed = ComplianceState::NonCompliant;
    stand.learnt(COMPLIANT, changed, Duration::ZERO).await;
    for _ in 0..3 {
        let told = connection.ask(&usual).await;
        assert!(told.body.contains("\"deny\""), "{told:?}");
    }
}
