use insta::assert_snapshot;

use super::*;

#[test]
fn some_listener_is_needed() {
    assert_snapshot!(Folder::new().with("main.toml", "").errors(), @r#"
    error: main.toml:1:1: server.certificate: missing
    hint: add `certificate = "server.pem"` under `[server]`
    error: main.toml:1:1: server.key: missing
    hint: add `key = "server.key"` under `[server]`
    "#);
}

#[test]
fn without_tls_only_the_loopback() {
    let folder = Folder::new().with("main.toml", "[server.plain]\nlisten = \"0.0.0.0:8080\"\n");
    assert_snapshot!(folder.errors(), @r"
    error: main.toml:2:10: server.plain.listen: `0.0.0.0:8080` can be reached from the network without TLS
    hint: listen on `127.0.0.1` or `[::1]` here; the network is for `[server]` with TLS
    ");
}

#[test]
fn certificates_and_keys_are_read() {
    let text = "[server]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\nclient-ca = \"ca.pem\"\n";
    let folder = Folder::new()
        .with("main.toml", text)
        .with("c.pem", "nothing")
        .with_mode("k.pem", "nothing", 0o644);
    assert_snapshot!(folder.errors(), @r"
    error: main.toml:2:15: server.certificate: `c.pem`: the file cannot be read: it is neither PEM nor DER nor base64
    hint: a PEM file begins with `-----BEGIN CERTIFICATE-----`
    error: main.toml:3:7: server.key: `k.pem` holds a secret, but is open to everyone (0644)
    hint: run `chmod o= k.pem`
    error: main.toml:4:13: server.client-ca: cannot read `ca.pem`: No such file or directory (os error 2)
    hint: a relative path is relative to the file that names it
    ");

    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = Folder::new()
        .with("main.toml", text)
        .with_mode("c.pem", &certified.cert.pem(), 0o644)
        .with_mode("ca.pem", &certified.cert.pem(), 0o644)
        .with_mode("k.pem", &certified.signing_key.serialize_pem(), 0o640);
    let tls = folder.load().unwrap().server.tls.unwrap();
    assert_eq!(tls.listen.to_string(), "0.0.0.0:8443");
    assert_eq!(tls.certificate.certificates.len(), 1);
    assert_eq!(tls.client_ca.unwrap().certificates.len(), 1);
}

#[test]
fn a_key_goes_with_its_certificate() {
    let make = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = Folder::new()
        .with(
            "main.toml",
            "[server]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n",
        )
        .with("c.pem", &make().cert.pem())
        .with("k.pem", &make().signing_key.serialize_pem());
    assert_snapshot!(folder.errors(), @r"
    error: main.toml:3:7: server.key: does not go with `certificate`: keys may not be consistent: KeyMismatch
    hint: the key must be that of the first certificate in the file
    ");
}

#[test]
fn a_credential_belongs_to_one_client() {
    let text = format!(
        "{PLAIN}
[clients.a]
faces = [\"rest\"]
bearer = {{ env = \"PASSWORD\" }}
[clients.b]
faces = [\"radius\"]
bearer = {{ file = \"secret\" }}
[clients.c]
faces = [\"rest\"]
basic = {{ username = \"c\", password = {{ env = \"PASSWORD\" }} }}
"
    );
    let folder = Folder::new()
        .with("main.toml", &text)
        .with("secret", "s3cret-in-env\n");
    assert_snapshot!(folder.errors(), @r"
    error: main.toml:7:10: clients.b: has the same credential as client `a`
    hint: give each client a credential of its own
    ");
}

#[test]
fn clients_prove_who_they_are() {
    assert_snapshot!(errors("
[clients.a]
faces = []
networks = [\"10.0.0.0/33\", \"10.1.1.1\"]
[clients.b]
faces = [\"rest\", \"radios\"]
certificate = { san = \"x\", sha256 = \"y\" }
[clients.c]
certificate = { sha256 = \"12:34\" }
[clients.d]
faces = [\"rest\"]
basic = { username = \"a:b\" }
[clients.\"e f\"]
faces = [\"rest\"]
"), @r#"
    error: main.toml:4:10: clients.a: nothing says how this client proves who it is
    hint: add `basic`, `bearer`, `bearer-hash`, `jwt`, `certificate` or `intune`
    error: main.toml:5:9: clients.a.faces: a client without faces may not ask anything
    hint: write e.g. `["rest"]`
    error: main.toml:6:13: clients.a.networks[0]: `10.0.0.0/33` is no network: invalid IP address syntax
    hint: write an address and a prefix length, e.g. `"10.0.0.0/8"`
    error: main.toml:8:18: clients.b.faces[1]: `radios` is none of `rest`, `radius`, `metrics`, `admin`, `ise`, `pxgrid`, `intune`, `kandji`, `jamf`, `clearpass`, `inventory`, `scep`, `actions`
    hint: did you mean `radius`?
    error: main.toml:9:1: clients.b.certificate: exactly one of `san` and `sha256` is needed
    hint: write e.g. `{ san = "ise.example.com" }`
    error: main.toml:10:10: clients.c.faces: missing
    hint: add `faces = ["rest"]` under `[clients.c]`
    error: main.toml:11:26: clients.c.certificate.sha256: `12:34` is no SHA-256 fingerprint
    hint: `openssl x509 -in FILE -noout -fingerprint -sha256` prints it
    error: main.toml:14:1: clients.d.basic.password: missing
    hint: add `password = { env = "RADIUS_PASSWORD" }` under `[clients.d.basic]`
    error: main.toml:14:22: clients.d.basic.username: a user name of Basic authentication has no colon
    hint: choose another name (RFC 7617, section 2)
    error: main.toml:15:10: clients."e f": `e f` is no usable name
    hint: a name has 1 to 64 letters, digits, `-`, `_` or `.` and begins with a letter or digit
    error: main.toml:15:10: clients."e f": nothing says how this client proves who it is
    hint: add `basic`, `bearer`, `bearer-hash`, `jwt`, `certificate` or `intune`
    "#);
}

#[test]
fn what_a_client_may_see_and_do() {
    assert_snapshot!(errors("
[clients.a]
faces = [\"rest\"]
bearer = { env = \"PASSWORD\" }
sources = []
attributes = [\"os\", \"compliance\"]
actions = [\"lock\", \"pin-lock\"]
rate-limit = \"100 per second\"
burst = 0
[clients.b]
faces = [\"rest\"]
certificate = { san = \"x\" }
sources = [\"contoso\"]
burst = 5
"), @r#"
    error: main.toml:7:11: clients.a.sources: a client without sources knows no device
    hint: leave the key out for all sources
    error: main.toml:8:21: clients.a.attributes[1]: `compliance` is no fact about a device: expected `attribute:NAME` or one of `identifiers`, `ownership`, `posture`, `user`, `os`, `manufacturer`, `model`, `name`, `enrolled-at`, `last-seen`, `attributes`
    hint: write e.g. `["os", "attribute:intune.partner-threat-state"]`, or `[]` for none
    error: main.toml:9:20: clients.a.actions[1]: `pin-lock` is none of `sync`, `lock`, `retire`, `wipe`, `notify`, `other:NAME`
    hint: write one of these words, or e.g. `other:rebootNow`
    error: main.toml:10:14: clients.a.rate-limit: `100 per second` is no rate: expected a whole number from 1 on, `/`, and `s`, `m` or `h`
    hint: write e.g. `"100/s"` or `"6000/m"`
    error: main.toml:11:9: clients.a.burst: `0` is out of range
    hint: the least value is 1
    error: main.toml:15:12: clients.b.sources[0]: there is no connector `contoso`
    hint: add `[connectors.NAME]`
    error: main.toml:16:9: clients.b.burst: there is no `rate-limit`
    hint: add e.g. `rate-limit = "100/s"`, or remove it
    "#);
}
