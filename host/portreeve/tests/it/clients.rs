//! Clients that come, change and go while the gateway runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::serve::Serving;
use crate::support::Folder;

/// An open connection on which one request follows the other.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    /// The status of an answer.
    fn ask(&mut self, authorization: &str) -> u16 {
        let request = format!(
            "GET /v1/devices/00:50:56:00:00:01 HTTP/1.1\r\nhost: x\r\nauthorization: {authorization}\r\n\r\n"
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut status = 0;
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().unwrap();
            }
            if line.is_empty() {
                let mut body = vec![0; length];
                self.0.read_exact(&mut body).unwrap();
                return status;
            }
        }
    }
}

fn folder() -> Folder {
    Folder::new(
        "include = [\"clients.d/*.toml\"]

[server.plain]
listen = \"127.0.0.1:0\"

[store]
directory = \"data\"

[clients.first]
faces = [\"rest\"]
bearer = { env = \"REST_KEY\" }
",
    )
}

fn serving(folder: &Folder) -> (Serving, String) {
    let mut command = folder.command(&["serve"]);
    let mut serving = Serving::start(command.env("REST_KEY", "key-of-the-first"));
    let ready = serving.ready();
    let address = ready
        .strip_prefix("ready http://")
        .expect(&ready)
        .to_owned();
    (serving, address)
}

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let said = folder.run(arguments);
    assert_eq!(said.code, 0, "{}", said.stderr);
    serde_json::from_str(&said.stdout).unwrap()
}

fn key(document: &Value) -> String {
    assert_eq!(document["in_force"], true, "{document}");
    format!("Bearer {}", document["key"].as_str().unwrap())
}

#[test]
fn a_client_comes_changes_and_goes_while_connections_stay() {
    let folder = folder();
    let (serving, address) = serving(&folder);
    // Unknown everywhere and denied, which is 404: asked and answered.
    let mut first = Connection::open(&address);
    let mut second = Connection::open(&address);
    assert_eq!(first.ask("Bearer key-of-the-first"), 404);

    let added = json(
        &folder,
        &["client", "add", "second", "--face", "rest", "--json"],
    );
    let old = key(&added);
    assert_eq!(second.ask(&old), 404);
    let file = folder.path().join("clients.d/second.toml");
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        !written.contains(old.strip_prefix("Bearer ").unwrap()),
        "{written}"
    );
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let new = key(&json(&folder, &["client", "rotate", "second", "--json"]));
    assert_eq!((second.ask(&old), second.ask(&new)), (404, 404));
    let rotated = json(
        &folder,
        &["client", "rotate", "second", "--overlap", "0s", "--json"],
    );
    let newest = key(&rotated);
    assert_eq!((second.ask(&new), second.ask(&newest)), (401, 404));

    let listed = json(&folder, &["client", "list", "--json"]);
    let names: Vec<&str> = listed["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|client| client["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["first", "second"]);
    assert!(
        folder
            .run(&["client", "list"])
            .stdout
            .contains("bearer-hash")
    );

    // What the gateway does not take is undone.
    let said = folder.run(&[
        "client",
        "add",
        "third",
        "--face",
        "rest",
        "--rate-limit",
        "often",
    ]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    assert!(
        said.stderr.contains("`often` is no rate"),
        "{}",
        said.stderr
    );
    assert!(!folder.path().join("clients.d/third.toml").exists());

    let said = folder.run(&["client", "revoke", "second"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "client `second` is revoked, and in force\n")
    );
    assert_eq!(second.ask(&newest), 401);
    assert_eq!(first.ask("Bearer key-of-the-first"), 404);
    assert!(!file.exists());

    serving.signal("TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0), "{log}");
    for secret in [old, new, newest] {
        assert!(
            !log.contains(secret.strip_prefix("Bearer ").unwrap()),
            "{log}"
        );
    }
}

#[test]
fn a_broken_configuration_changes_nothing() {
    let folder = folder();
    let (serving, address) = serving(&folder);
    let mut connection = Connection::open(&address);
    let path = folder.path().join("portreeve.toml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let broken = whole.replace("[clients.first]", "[clients.renamed]\nface = 1");
    std::fs::write(&path, broken).unwrap();
    let said = folder.run(&["reload"]);
    assert_eq!(said.code, 1, "{}", said.stdout);
    let expected = "portreeve.toml:10:1: clients.renamed.face: unknown key";
    assert!(said.stderr.contains(expected), "{}", said.stderr);
    assert_eq!(connection.ask("Bearer key-of-the-first"), 404);

    let changed = whole + "\n[sources]\nretry-after = \"7s\"\n";
    std::fs::write(&path, changed).unwrap();
    let state = json(&folder, &["reload", "--json"]);
    assert_eq!(
        state["needs_restart"],
        serde_json::json!(["sources.retry-after"])
    );
    assert_eq!(state["refused"], Value::Null);
    assert_eq!(connection.ask("Bearer key-of-the-first"), 404);

    serving.signal("TERM");
    let (_, log) = serving.end();
    assert!(log.contains("the configuration was not taken"), "{log}");
    assert!(log.contains("the configuration was read again"), "{log}");
}

#[test]
fn a_hangup_reads_the_configuration_again() {
    let folder = folder();
    let (serving, address) = serving(&folder);
    let mut connection = Connection::open(&address);
    let path = folder.path().join("portreeve.toml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let without = whole.split("[clients.first]").next().unwrap().to_owned();
    std::fs::write(&path, without).unwrap();
    serving.signal("HUP");
    // The signal is on its way; the answer is another one once it has arrived.
    while connection.ask("Bearer key-of-the-first") != 401 {
        std::thread::yield_now();
    }
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn what_a_command_cannot_do_leaves_nothing_behind() {
    let folder = Folder::new(
        "[server.plain]\nlisten = \"127.0.0.1:0\"\n[clients.own]\nfaces = [\"rest\"]\ncertificate = { san = \"x\" }\n",
    );
    for (arguments, expected) in [
        (
            &["client", "add", "a", "--face", "rest"][..],
            "hint: add `include",
        ),
        (&["client", "add", "own", "--face", "rest"], "already"),
        (
            &["client", "add", "a b", "--face", "rest"],
            "no usable name",
        ),
        (&["client", "rotate", "own"], "is written in"),
        (&["client", "revoke", "own"], "is written in"),
        (
            &["client", "revoke", "nobody"],
            "there is no client `nobody`",
        ),
        (&["reload"], "hint: start one"),
    ] {
        let said = folder.run(arguments);
        assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(
            said.stderr.contains(expected),
            "{arguments:?}: {}",
            said.stderr
        );
    }
    let left = std::fs::read_dir(folder.path().join("clients.d"));
    assert!(left.is_ok_and(|mut left| left.next().is_none()));
}
