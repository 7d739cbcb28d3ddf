use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::support::{Folder, guest};

const KEY: &str = "key-of-the-test";

/// A gateway that is killed when the test ends.
pub(crate) struct Serving {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Serving {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    pub(crate) fn ready(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        (status.code(), log)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> Folder {
    let plugin = guest("baseline");
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Folder::new(&format!(
        "[server]
listen = \"127.0.0.1:0\"
certificate = \"server.pem\"
key = \"server.key\"

[server.plain]
listen = \"127.0.0.1:0\"

[clients.rest]
faces = [\"rest\"]
bearer = {{ env = \"REST_KEY\" }}

[policies.baseline]
plugin = \"{plugin}\"
"
    ))
    .with("server.pem", &certified.cert.pem())
    .with("server.key", &certified.signing_key.serialize_pem())
}

fn serve(folder: &Folder) -> Serving {
    let mut command = folder.command(&["serve"]);
    Serving::start(command.env("REST_KEY", KEY))
}

#[test]
fn it_says_where_it_serves_and_ends_in_order() {
    for signal in ["TERM", "INT"] {
        let folder = folder();
        let mut serving = serve(&folder);
        let tls = serving.ready();
        assert!(tls.starts_with("ready https://127.0.0.1:"), "{tls}");
        let plain = serving.ready();
        let address = plain.strip_prefix("ready http://").expect(&plain);
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        serving.signal(signal);
        let (code, log) = serving.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains(KEY), "{log}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = folder();
    let mut serving = serve(&folder);
    serving.ready();
    let plain = serving.ready();
    let address = plain.strip_prefix("ready http://").expect(&plain);
    // A request that never ends keeps the gateway from ending in order.
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(
            b"POST /v1/decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
              authorization: Bearer key-of-the-test\r\nexpect: 100-continue\r\n\
              content-length: 10\r\n\r\n",
        )
        .unwrap();
    let mut first = [0; 8];
    stream.read_exact(&mut first).unwrap();
    serving.signal("TERM");
    // The listener closes when the first signal is being acted on.
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    serving.signal("TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(1), "{log}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = Folder::new(&format!("[server.plain]\nlisten = \"{address}\"\n"));
    let said = folder.run(&["serve", "--log", "error"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    let expected = format!("error: cannot listen on `{address}`");
    assert!(said.stderr.starts_with(&expected), "{}", said.stderr);
    assert!(said.stderr.contains("\nhint: "), "{}", said.stderr);
}

#[test]
fn logs_are_json_when_asked() {
    let folder =
        Folder::new("[server.plain]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n");
    let mut serving = Serving::start(&mut folder.command(&["serve"]));
    serving.ready();
    serving.signal("TERM");
    let (code, log) = serving.end();
    assert_eq!(code, Some(0), "{log}");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert!(
        lines.iter().any(|line| line["message"] == "serving"),
        "{log}"
    );
    let warned = lines.iter().filter(|line| line["level"] == "WARN").count();
    assert_eq!(warned, 3, "{log}");
}

/// Shells give few files and allow many.
#[test]
fn it_takes_as_many_files_as_it_may() {
    let folder = folder();
    let serve = folder.command(&["serve"]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "ulimit -Sn 256; ulimit -Hn 1000; exec \"$0\" \"$@\""])
        .arg(serve.get_program())
        .args(serve.get_args())
        .env_clear()
        .env("PORTREEVE_CONFIG", "portreeve.toml")
        .env("REST_KEY", KEY);
    if let Some(directory) = serve.get_current_dir() {
        shell.current_dir(directory);
    }
    let mut serving = Serving::start(&mut shell);
    serving.ready();
    let limits = format!("/proc/{}/limits", serving.child.id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files: Vec<&str> = files.unwrap().split_whitespace().skip(3).take(2).collect();
    assert_eq!(files, ["1000", "1000"]);
    serving.signal("TERM");
    let (_, log) = serving.end();
    assert!(log.contains("fewer files may be open"), "{log}");
}
