use std::collections::BTreeMap;

use insta::assert_snapshot;

use super::*;

#[test]
fn secrets_never_stand_in_the_configuration() {
    let message = errors("[clients.a]\nfaces = [\"rest\"]\nbearer = \"hunter2\"\n");
    assert_snapshot!(message, @r#"
    error: main.toml:5:10: clients.a.bearer: a secret must not stand in the configuration itself
    hint: write `{ env = "NAME" }`, `{ file = "PATH" }`, `{ credential = "NAME" }` or `{ sealed = "…" }`
    "#);
    assert!(!message.contains("hunter2"));
}

#[test]
fn secrets_that_are_not_there() {
    let folder = Folder::new()
        .with("empty", "\n")
        .with_mode("open", "x", 0o604)
        .with(
            "main.toml",
            &format!(
                "{PLAIN}
[clients.a]
faces = [\"rest\"]
bearer = {{ env = \"NOT_SET\" }}
[clients.b]
faces = [\"rest\"]
bearer = {{ file = \"not-there\" }}
[clients.c]
faces = [\"rest\"]
bearer = {{ file = \"empty\" }}
[clients.d]
faces = [\"rest\"]
bearer = {{ file = \"open\" }}
[clients.e]
faces = [\"rest\"]
bearer = {{ credential = \"token\" }}
[clients.f]
faces = [\"rest\"]
bearer = {{ env = \"PASSWORD\", file = \"empty\" }}
[clients.g]
faces = [\"rest\"]
bearer = 12
"
            ),
        );
    assert_snapshot!(folder.errors(), @r#"
    error: main.toml:6:18: clients.a.bearer.env: environment variable `NOT_SET` is not set
    hint: set `NOT_SET` for the process that runs portreeve
    error: main.toml:9:19: clients.b.bearer.file: cannot read `not-there`: No such file or directory (os error 2)
    hint: a relative path is relative to the file that names it
    error: main.toml:12:19: clients.c.bearer.file: the secret is empty
    hint: a secret has at least one character
    error: main.toml:15:19: clients.d.bearer.file: `open` holds a secret, but is open to everyone (0604)
    hint: run `chmod o= open`
    error: main.toml:18:25: clients.e.bearer.credential: no systemd credentials: `CREDENTIALS_DIRECTORY` is not set
    hint: add `LoadCredential=token:/path/to/it` to the systemd unit
    error: main.toml:21:1: clients.f.bearer: exactly one of `env`, `file`, `credential` and `sealed` is needed
    hint: write `{ env = "NAME" }`, `{ file = "PATH" }`, `{ credential = "NAME" }` or `{ sealed = "…" }`
    error: main.toml:24:10: clients.g.bearer: expected where the secret is, found an integer
    hint: write `{ env = "NAME" }`, `{ file = "PATH" }`, `{ credential = "NAME" }` or `{ sealed = "…" }`
    "#);
}

#[test]
fn secrets_from_everywhere() {
    let text = format!(
        "{PLAIN}
[clients.a]
faces = [\"rest\"]
bearer = {{ env = \"TOKEN\" }}
[clients.b]
faces = [\"rest\"]
bearer = {{ file = \"token\" }}
[clients.c]
faces = [\"rest\"]
bearer = {{ credential = \"token\" }}
"
    );
    let folder = Folder::new()
        .with("main.toml", &text)
        .with("token", "from-file\r\n")
        .with("credentials/token", "from-systemd\n");
    let directory = folder.0.path().join("credentials");
    let environment = BTreeMap::from([
        ("TOKEN", "from-env"),
        ("CREDENTIALS_DIRECTORY", directory.to_str().unwrap()),
    ]);
    let config = folder.load_in(&environment).unwrap();
    let secrets: Vec<&str> = config
        .clients
        .0
        .iter()
        .map(|client| client.bearer.as_ref().unwrap().value.expose())
        .collect();
    assert_eq!(secrets, ["from-env", "from-file", "from-systemd"]);
    let shown = config.to_toml().unwrap() + &format!("{config:?}");
    assert!(!shown.contains("from-"), "{shown}");
}

#[test]
fn a_credential_name_is_no_path() {
    let folder = Folder::new().with("main.toml", &format!(
        "{PLAIN}[clients.a]\nfaces = [\"rest\"]\nbearer = {{ credential = \"../../etc/shadow\" }}\n"
    ));
    let environment = BTreeMap::from([("CREDENTIALS_DIRECTORY", "/run/credentials/x")]);
    let error = folder.load_in(&environment).unwrap_err().to_string();
    assert_snapshot!(folder.shown(&error), @r"
    error: main.toml:5:25: clients.a.bearer.credential: `../../etc/shadow` is no name of a credential
    hint: write the name before the colon of `LoadCredential=NAME:PATH`
    ");
}
