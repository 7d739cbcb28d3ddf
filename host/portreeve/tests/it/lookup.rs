use std::io::BufRead;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::support::{Folder, guest, portreeve, run};

/// A gateway without sources: nothing is known, so the policy decides on that.
fn folder() -> Folder {
    let plugin = guest("baseline");
    Folder::new(&format!(
        "[server.plain]
listen = \"127.0.0.1:0\"

[clients.rest]
faces = [\"rest\"]
basic = {{ username = \"help\", password = {{ file = \"password\" }} }}

[clients.radius]
faces = [\"radius\"]
bearer = {{ file = \"password\" }}

[policies.baseline]
plugin = \"{plugin}\"
"
    ))
    .with("password", "s3cret")
}

#[test]
fn in_process() {
    let said = folder().run(&["lookup", "00-50-56-A4-89-5A", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let code = match answer["verdict"].as_str().unwrap() {
        "permit" => 0,
        "restrict" => 3,
        "deny" => 4,
        "cannot-tell" => 5,
        other => panic!("{other}"),
    };
    assert_eq!(said.code, code, "{}", said.stderr);
    let text = folder().run(&["lookup", "00-50-56-A4-89-5A"]);
    assert_eq!(text.code, code);
    let first = format!("verdict   {}", answer["verdict"].as_str().unwrap());
    assert_eq!(text.stdout.lines().next(), Some(first.as_str()));
}

#[test]
fn without_a_policy_all_is_denied() {
    let folder = Folder::new("[server.plain]\nlisten = \"127.0.0.1:0\"\n");
    let said = folder.run(&["lookup", "serial:x"]);
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(
        said.stdout.starts_with("verdict   deny\n"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_running_gateway() {
    let folder = folder();
    let mut serving = folder
        .command(&["serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = serving.stdout.take().unwrap();
    std::io::BufReader::new(stdout)
        .read_line(&mut line)
        .unwrap();
    let url = line.trim_end().strip_prefix("ready ").unwrap().to_owned();

    let ask = |arguments: &[&str]| {
        let mut command = folder.command(&["lookup", "00-50-56-A4-89-5A", "--url", &url]);
        let said = run(command.env_remove("PORTREEVE_CONFIG").args(arguments));
        (said.code, said.stdout, said.stderr.replace(&url, "URL"))
    };
    let in_process = folder.run(&["lookup", "00-50-56-A4-89-5A"]);
    let (code, stdout, stderr) = ask(&["--user", "help", "--password-file", "password"]);
    assert_eq!(code, in_process.code, "{stderr}");
    assert_eq!(stdout.lines().next(), in_process.stdout.lines().next());

    let (code, _, stderr) = ask(&[]);
    assert_eq!(code, 1);
    assert_snapshot!(stderr, @r"
    error: `URL/v1/decisions` answered 401 Unauthorized: expected `Authorization` with Basic or Bearer, or a client certificate, of a configured client
    hint: give `--user`, `--token-file` or `--identity` of a client
    ");
    let (code, _, stderr) = ask(&["--user", "help"]);
    assert_eq!(code, 1);
    assert_snapshot!(stderr, @r"
    error: no password for user `help`
    hint: give `--password-file PATH` or set `PORTREEVE_PASSWORD`
    ");
    let (code, _, stderr) = ask(&["--token-file", "password"]);
    assert_eq!(code, 1);
    assert_snapshot!(stderr, @r"
    error: `URL/v1/decisions` answered 403 Forbidden: client `radius` may not use the face `rest`
    hint: the client needs `rest` among its `faces`
    ");

    serving.kill().unwrap();
    serving.wait().unwrap();
    let (code, _, stderr) = ask(&[]);
    assert_eq!(code, 1);
    assert!(
        stderr.starts_with("error: no answer from `URL/v1/decisions`: "),
        "{stderr}"
    );
}

#[test]
fn secrets_do_not_go_over_the_network_in_clear() {
    let said = run(&mut portreeve(&[
        "lookup",
        "serial:x",
        "--url",
        "http://192.0.2.1:80",
    ]));
    assert_eq!(said.code, 1);
    assert_snapshot!(said.stderr, @r"
    error: `http://192.0.2.1/` is no address to send a question to
    hint: write `https://HOST:PORT`; `http://` is for the loopback only
    ");
}
