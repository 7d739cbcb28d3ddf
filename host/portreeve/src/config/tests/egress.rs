use insta::assert_snapshot;

use super::*;

fn certificate() -> String {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    certified.cert.pem()
}

fn folder(text: &str) -> Folder {
    Folder::new()
        .with("ca.pem", &certificate())
        .with("x.wasm", "")
        .with("password", "s3cret")
        .with("main.toml", &format!("{PLAIN}{text}"))
}

#[test]
fn connectors_inherit_proxy_and_trust() {
    let folder = folder(
        "[egress]
proxy = { url = \"http://proxy.example:3128\", user = \"u\", password = { file = \"password\" }, no-proxy = [\"*.corp.example\", \"10.0.0.0/8\"] }
[trust.all]
file = \"ca.pem\"
[trust.one]
file = \"ca.pem\"
connectors = [\"a\"]
[trust.nac]
file = \"ca.pem\"
purposes = [\"clients\"]
[connectors.a]
plugin = \"x.wasm\"
[connectors.b]
plugin = \"x.wasm\"
proxy = \"direct\"
system-roots = false
",
    );
    let config = folder.load().unwrap();
    let [a, b] = config.connectors.0.as_slice() else {
        panic!("two connectors");
    };
    assert_eq!(a.way_out.proxy().unwrap().address(), "proxy.example:3128");
    assert!(b.way_out.proxy().is_none());
    assert!(a.way_out.system_roots() && !b.way_out.system_roots());
    assert_eq!((a.way_out.trusted.len(), b.way_out.trusted.len()), (2, 1));
    let shown = folder.effective();
    assert!(!shown.contains("s3cret"));
    assert!(!format!("{config:?}").contains("s3cret"));
    assert!(
        shown.contains("no-proxy = [\n    \"*.corp.example\",\n    \"10.0.0.0/8\",\n]"),
        "{shown}"
    );
}

#[test]
fn proxies_and_trust_that_cannot_be_used() {
    let folder = folder(
        "[egress]
proxy = \"http://proxy.example:3128\"
[connectors.a]
plugin = \"x.wasm\"
proxy = { url = \"https://proxy.example\" }
[connectors.b]
plugin = \"x.wasm\"
proxy = { url = \"http://proxy.example\", user = \"u\", no-proxy = [\"http://x\"] }
[trust.c]
file = \"password\"
[trust.e]
file = \"ca.pem\"
connectors = [\"bb\"]
purposes = []
[trust.d]
file = \"ca.pem\"
purposes = [\"conectors\"]
",
    );
    assert_snapshot!(folder.errors(), @r#"
    error: main.toml:4:9: egress.proxy: this is no proxy
    hint: write `{ url = "http://proxy.example.com:3128" }`, or `"direct"` for none
    error: main.toml:7:1: connectors.a.proxy: a proxy is written as `http://HOST:PORT`: the scheme is another one
    hint: write `{ url = "http://proxy.example.com:3128", user = "…", password = { file = "…" } }`
    error: main.toml:10:1: connectors.b.proxy: `user` and `password` go together
    hint: add the other one, or leave both out
    error: main.toml:10:65: connectors.b.proxy.no-proxy[0]: `http://x` is no destination to be asked without the proxy: `http://x` is no host, `*.domain`, address or network
    hint: write a host, `*.domain`, an address or a network
    error: main.toml:12:8: trust.c.file: `password`: the file cannot be read: it is neither PEM nor DER nor base64
    hint: a PEM file begins with `-----BEGIN CERTIFICATE-----`
    error: main.toml:13:8: trust.e: `purposes` is empty, so nobody is trusted
    hint: write `"connectors"`, `"clients"` or both
    error: main.toml:15:15: trust.e.connectors[0]: there is no connector `bb`
    hint: did you mean `b`?
    error: main.toml:19:13: trust.d.purposes[0]: `conectors` is none of `connectors`, `clients`
    hint: did you mean `connectors`?
    "#);
}
