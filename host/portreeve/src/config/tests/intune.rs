//! `intune` of a client.

use super::*;
use insta::assert_snapshot;

fn rsa() -> String {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let params = rcgen::CertificateParams::default();
    params.self_signed(&key).unwrap().pem()
}

#[test]
fn secret_and_certificate() {
    let text = format!(
        "{PLAIN}
[clients.ise]
faces = [\"intune\"]
intune = {{ client-id = \"c-1\", secret = {{ file = \"secret\" }}, certificate = \"ise.pem\" }}
"
    );
    let folder = Folder::new()
        .with("main.toml", &text)
        .with("secret", "s3cret")
        .with("ise.pem", &format!("{}{}", rsa(), rsa()));
    let config = folder.load().unwrap();
    let client = config.clients.get("ise").unwrap();
    let intune = client.intune.as_ref().unwrap();
    assert_eq!(intune.certificate.as_ref().unwrap().certificates.len(), 2);
    let shown = folder.effective();
    assert!(shown.contains("client-id = \"c-1\"") && shown.contains("certificate = \"ise.pem\""));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn mistakes() {
    let elliptic = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let text = format!(
        "{PLAIN}
[clients.a]
faces = [\"intune\"]
intune = {{ client-id = \"a b\" }}
[clients.b]
faces = [\"intune\"]
intune = {{ secret = \"x\", certificate = \"elliptic.pem\" }}
[clients.c]
faces = [\"intune\"]
intune = {{ client-id = \"c\", secret = {{ env = \"PASSWORD\" }} }}
[clients.d]
faces = [\"intune\"]
intune = {{ client-id = \"C\", secret = {{ file = \"secret\" }} }}
"
    );
    let folder = Folder::new()
        .with("main.toml", &text)
        .with("secret", "other")
        .with("elliptic.pem", &elliptic.cert.pem());
    assert_snapshot!(folder.errors(), @r#"
    error: main.toml:6:1: clients.a.intune: nothing proves who uses this identifier
    hint: add `secret = { file = "PATH" }` or `certificate = "PATH"`
    error: main.toml:6:24: clients.a.intune.client-id: a client identifier has 1 to 128 letters, digits, `-`, `.` or `_`
    hint: make a GUID up, e.g. with `uuidgen`
    error: main.toml:9:1: clients.b.intune.client-id: missing
    hint: add `client-id = "IDENTIFIER"` under `[clients.b.intune]`
    error: main.toml:9:21: clients.b.intune.secret: a secret must not stand in the configuration itself
    hint: write `{ env = "NAME" }`, `{ file = "PATH" }`, `{ credential = "NAME" }` or `{ sealed = "…" }`
    error: main.toml:9:40: clients.b.intune.certificate: a certificate in it is not usable: its key is not RSA
    hint: it is the product's own certificate, with an RSA key
    error: main.toml:13:10: clients.d: has the same credential as client `c`
    hint: give each client a credential of its own
    "#);
}
