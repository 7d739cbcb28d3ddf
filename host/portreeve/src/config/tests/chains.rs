//! `[chain]` and `[chains.NAME]`.

use super::*;

const POLICIES: &str = r#"
[policies.a]
plugin = "x.wasm"
[policies.b]
plugin = "x.wasm"
mode = "monitor"
[policies.c]
plugin = "x.wasm"
[clients.ise]
faces = ["rest"]
basic = { username = "ise", password = { env = "PASSWORD" } }
"#;

fn folder(text: &str) -> Folder {
    Folder::new()
        .with("x.wasm", "")
        .with("main.toml", &format!("{PLAIN}{POLICIES}{text}"))
}

#[test]
fn only_policies_that_a_chain_names_are_in_use() {
    let config = folder(
        "[chain]\npolicies = [\"b\"]\n[chains.lab]\npolicies = [\"a\", \"b\"]\ncombine = \"deny-overrides\"\nclients = [\"ise\"]\nnas = [\"10.1.0.0/16\", \"switch-*\"]\nmedia = [\"wireless\"]\n",
    )
    .load()
    .unwrap();
    assert_eq!(config.policies.names(), ["b", "a"]);
    assert_eq!(config.chain.policies, ["b"]);
    let shown: toml::Table = config.to_toml().unwrap().parse().unwrap();
    let lab = shown["chains"]["lab"].as_table().unwrap();
    for (key, expected) in [
        ("policies", r#"["a", "b"]"#),
        ("combine", r#""deny-overrides""#),
        ("verdict-ttl", r#""1m""#),
        ("clients", r#"["ise"]"#),
        ("nas", r#"["10.1.0.0/16", "switch-*"]"#),
        ("media", r#"["wireless"]"#),
    ] {
        assert_eq!(lab[key].to_string(), expected, "{key}");
    }
    assert_eq!(lab.len(), 6);
}

#[test]
fn mistakes_of_chains() {
    let mistakes = folder(
        "[chains.default]\npolicies = [\"a\"]\nmedia = [\"wirless\"]\n[chains.lab]\npolicies = [\"d\"]\nclients = [\"isse\"]\nnas = [\"10.0.0.0/40\"]\ncombine = \"strict\"\n[chains.other]\nmedia = []\n",
    );
    insta::assert_snapshot!(mistakes.errors(), @r#"
    error: main.toml:14:9: chains.default: this is the name of `[chain]`
    hint: choose another name
    error: main.toml:16:10: chains.default.media[0]: `wirless` is none of `wired`, `wireless`, `vpn`
    hint: did you mean `wireless`?
    error: main.toml:18:13: chains.lab.policies[0]: there is no policy `d`
    hint: there are `a`, `b`, `c`
    error: main.toml:19:12: chains.lab.clients[0]: there is no client `isse`
    hint: did you mean `ise`?
    error: main.toml:20:8: chains.lab.nas[0]: `10.0.0.0/40` is no pattern: the number of bits after `/` is not one of such an address
    hint: write a name, perhaps with `*`, an address, or a range like `10.1.0.0/16`
    error: main.toml:21:11: chains.lab.combine: `strict` is none of `first-decides`, `deny-overrides`, `permit-overrides`
    hint: write one of these words
    error: main.toml:22:9: chains.other.policies: missing
    hint: add `policies = ["baseline"]` under `[chains.other]`
    "#);
    let everybody = folder("[chains.all]\npolicies = [\"a\"]\n");
    insta::assert_snapshot!(everybody.errors(), @r"
    error: main.toml:14:9: chains.all: it does not say which questions it is for
    hint: add one of `clients`, `nas`, `attachments`, `locations`, `media`, `authentications`; `[chain]` is for all others
    ");
}
