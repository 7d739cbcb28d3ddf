//! Policies and lists that change while the gateway runs, and are tried out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;

use crate::serve::Serving;
use crate::support::{Folder, Said, guest, run};

const MAC: &str = "00:50:56:00:00:01";
const KEY: &str = "key-of-the-first";

/// A gateway without sources: every device is unknown.
fn config(policies: &str) -> String {
    format!(
        "[server.plain]
listen = \"127.0.0.1:0\"

[store]
directory = \"data\"

[decisions]
keep = \"all\"

[clients.first]
faces = [\"rest\"]
bearer = {{ env = \"REST_KEY\" }}

{policies}
"
    )
}

/// A policy that says as many letters as `count` says, and a list with as many
/// members.
fn counting(count: usize) -> String {
    let members: Vec<String> = (0..count).map(|number| format!("\"m{number}\"")).collect();
    let members = members.join(", ");
    let plugin = guest("fixture-policy");
    config(&format!(
        "[policies.counting]
plugin = \"{plugin}\"
settings = {{ behaviour = \"huge\", count = {count} }}

[lists]
vip = [{members}]
"
    ))
}

fn baseline() -> String {
    let plugin = guest("baseline");
    config(&format!(
        "[policies.baseline]\nplugin = \"{plugin}\"\n[lists]\nvip = [\"ada\"]\n"
    ))
}

fn serving(folder: &Folder) -> (Serving, String) {
    let mut command = folder.command(&["serve"]);
    let mut serving = Serving::start(command.env("REST_KEY", KEY));
    let ready = serving.ready();
    let address = ready
        .strip_prefix("ready http://")
        .expect(&ready)
        .to_owned();
    (serving, address)
}

/// An open connection on which one question follows the other.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    /// The answer and the request's name.
    fn ask(&mut self) -> (Value, String) {
        let body = format!("{{\"identifiers\":[\"{MAC}\"]}}");
        let length = body.len();
        let request = format!(
            "POST /v1/decisions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        let mut id = String::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let line = line.trim_end();
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "x-request-id" => value.clone_into(&mut id),
                "" => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (serde_json::from_slice(&body).unwrap(), id)
    }

    /// How many letters the policy said.
    fn count(&mut self) -> usize {
        let (answer, _) = self.ask();
        let message = answer["reasons"][0]["message"].as_str();
        message.unwrap_or_else(|| panic!("{answer}")).len()
    }
}

/// A command beside the gateway.
fn command(folder: &Folder, arguments: &[&str]) -> Said {
    run(folder.command(arguments).env("REST_KEY", KEY))
}

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let said = command(folder, arguments);
    assert_eq!(said.code, 0, "{}", said.stderr);
    serde_json::from_str(&said.stdout).unwrap()
}

fn write(folder: &Folder, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

/// `portreeve reload`, and that it is done.
fn reload(folder: &Folder) {
    let said = command(folder, &["reload"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(!said.stdout.contains("next start"), "{}", said.stdout);
}

/// Ends those who ask, at the end of the test.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn policies_are_reloaded_under_load_and_no_request_fails() {
    const RELOADS: usize = 20;
    let folder = Folder::new(&counting(1));
    let (serving, address) = serving(&folder);
    let is_over = AtomicBool::new(false);
    let asked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut connection = Connection::open(&address);
                while !is_over.load(Ordering::Relaxed) {
                    let count = connection.count();
                    assert!((1..=RELOADS + 1).contains(&count), "{count}");
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also when something below fails.
        let _over = Over(&is_over);
        let mut connection = Connection::open(&address);
        for number in 2..=RELOADS + 1 {
            write(&folder, "portreeve.toml", &counting(number));
            reload(&folder);
            // From the end of the command on, nobody hears the one before.
            assert_eq!(connection.count(), number);
            let list = json(&folder, &["list", "show", "vip", "--json"]);
            assert_eq!(list["members"].as_array().unwrap().len(), number);
        }
    });
    assert!(asked.load(Ordering::Relaxed) > 0);

    // A policy that cannot be used changes nothing.
    let broken = counting(1).replace("count = 1", "count = -1");
    write(&folder, "portreeve.toml", &broken);
    let said = command(&folder, &["reload"]);
    assert_eq!(said.code, 1, "{}", said.stdout);
    assert!(said.stderr.contains("count"), "{}", said.stderr);
    assert_eq!(Connection::open(&address).count(), RELOADS + 1);
    let listed = json(&folder, &["policy", "list", "--json"]);
    assert_eq!(listed["chains"][0]["policies"][0]["name"], "counting");
    assert_eq!(listed["chains"][0]["policies"][0]["state"], "ok");
    serving.signal("TERM");
    serving.end();
}

#[test]
fn lists_change_while_it_runs_and_stay_over_a_restart() {
    let folder = Folder::new(&baseline());
    for is_first in [true, false] {
        let (serving, _) = serving(&folder);
        if is_first {
            let added = [
                "list",
                "add",
                "vip",
                "0050.5600.0001",
                "--for",
                "8h",
                "--why",
                "board",
            ];
            let said = command(&folder, &added);
            assert_eq!(said.code, 0, "{}", said.stderr);
            assert!(
                said.stdout.contains("00:50:56:00:00:01 is in `vip`"),
                "{}",
                said.stdout
            );
            let said = command(&folder, &["list", "remove", "vip", "ADA"]);
            assert_eq!(said.code, 0, "{}", said.stderr);
            let said = command(&folder, &["list", "add", "vpi", "eve"]);
            assert_eq!(said.code, 1);
            assert!(
                said.stderr.contains("there is no list `vpi`"),
                "{}",
                said.stderr
            );
        }
        let list = json(&folder, &["list", "show", "vip", "--json"]);
        assert_eq!(list["members"], serde_json::json!([MAC]));
        assert_eq!(list["changes"][0]["why"], "board");
        serving.signal("TERM");
        serving.end();
    }
}

#[test]
fn decisions_are_explained_and_decided_again() {
    let folder = Folder::new(&baseline());
    let (serving, address) = serving(&folder);
    let (answer, id) = Connection::open(&address).ask();
    assert_eq!(answer["verdict"], "deny", "{answer}");

    let now = json(&folder, &["explain", MAC, "--client", "first", "--json"]);
    assert_eq!(now["answer"]["verdict"], "deny", "{now}");
    assert_eq!(now["policies"][0]["name"], "baseline");
    assert!(!now["policies"][0]["facts"].as_array().unwrap().is_empty());
    // Who is known, enrolled and compliant is permitted.
    assert_eq!(now["improvements"][0]["fact"], "device", "{now}");
    assert_eq!(now["improvements"][0]["verdict"], "permit");
    let said = command(&folder, &["explain", MAC]);
    assert!(
        said.stdout.starts_with("deny by policy baseline"),
        "{}",
        said.stdout
    );
    let said = command(&folder, &["explain", MAC, "--client", "nobody"]);
    assert!(
        said.stderr.contains("no client `nobody`"),
        "{}",
        said.stderr
    );

    let past = json(&folder, &["explain", "--decision", &id, "--json"]);
    assert_eq!(past["logged"]["verdict"], "deny", "{past}");
    assert_eq!(past["now"]["answer"]["verdict"], "deny", "{past}");
    assert_eq!(past["not_recorded"], serde_json::json!([]));
    let said = command(&folder, &["explain", "--decision", "nothing"]);
    assert_eq!(said.code, 1);

    // A file may hold nothing but what decides.
    let plugin = guest("fixture-policy");
    let other = format!("[policies.other]\nplugin = \"{plugin}\"\n");
    write(&folder, "new.toml", &other);
    let replayed = json(&folder, &["policy", "replay", "portreeve.toml", "--json"]);
    assert_eq!(replayed["decisions"], 1, "{replayed}");
    assert_eq!(replayed["same_chain"], 1);
    assert_eq!(replayed["replayed"]["compared"], 1);
    assert_eq!(replayed["replayed"]["changed"], 0);
    assert_eq!(replayed["replayed"]["other_obligations"], 0);
    let said = command(&folder, &["policy", "impact", "new.toml"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stdout.starts_with("0 of 0 endpoints"),
        "{}",
        said.stdout
    );
    let component = Path::new(&plugin).to_str().unwrap();
    let said = command(&folder, &["policy", "impact", "--wasm", component]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let said = command(&folder, &["policy", "impact", "--wasm", "nothing.wasm"]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("cannot read"), "{}", said.stderr);
    serving.signal("TERM");
    serving.end();
}
