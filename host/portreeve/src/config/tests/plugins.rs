use insta::assert_snapshot;

use super::*;

#[test]
fn connectors_and_credentials() {
    assert_snapshot!(errors("
[connectors.a]
egress = [\"*.com\", \"ftp://x\"]
ttl = \"2d\"
[connectors.b]
plugin = \"not-there.wasm\"
settings = 5
[connectors.b.credentials.one]
[connectors.b.credentials.two]
kind = \"oauth2-client-secrt\"
[connectors.b.credentials.three]
kind = \"oauth2-client-secret\"
urls = [\"https://x/?q\"]
token-url = \"nowhere\"
scope = \"s\"
secret = \"inline\"
[connectors.b.credentials.four]
kind = \"oauth2-client-certificate\"
urls = [\"https://x/\"]
token-url = \"https://login.example/t\"
client-id = \"c\"
certificate = \"not-there.pfx\"
algorithm = \"ES256\"
"), @r#"
    error: main.toml:4:13: connectors.a.plugin: missing
    hint: add `plugin = "plugins/intune.wasm"` under `[connectors.a]`
    error: main.toml:4:13: connectors.a: `max-stale-compliant` (1d) is shorter than `ttl` (2d)
    hint: a record is fresh for `ttl`, then stale until its `max-stale-…`
    error: main.toml:4:13: connectors.a: `max-stale-other` (1h) is shorter than `ttl` (2d)
    hint: a record is fresh for `ttl`, then stale until its `max-stale-…`
    error: main.toml:5:11: connectors.a.egress[0]: `*.com` is no host to grant: `*.com`: `*` may only stand as `*.` before a domain of at least two labels
    hint: write `host`, `host:port` or `*.domain`; https is meant unless `http://` stands before it
    error: main.toml:5:20: connectors.a.egress[1]: `ftp://x` is no host to grant: scheme `ftp` is not known, write `https://` or `http://`
    hint: write `host`, `host:port` or `*.domain`; https is meant unless `http://` stands before it
    error: main.toml:8:10: connectors.b.plugin: cannot read `not-there.wasm`: No such file or directory (os error 2)
    hint: a relative path is relative to the file that names it
    error: main.toml:9:12: connectors.b.settings: expected a table, found an integer
    hint: write `[connectors.b.settings]`
    error: main.toml:10:27: connectors.b.credentials.one.kind: missing
    hint: add `kind = "oauth2-client-secret"` under `[connectors.b.credentials.one]`
    error: main.toml:12:8: connectors.b.credentials.two.kind: `oauth2-client-secrt` is none of `oauth2-client-secret`, `oauth2-client-certificate`, `basic`, `bearer`, `header`, `hmac`
    hint: did you mean `oauth2-client-secret`?
    error: main.toml:13:27: connectors.b.credentials.three.client-id: missing
    hint: add `client-id = "00000000-0000-0000-0000-000000000000"` under `[connectors.b.credentials.three]`
    error: main.toml:15:9: connectors.b.credentials.three.urls[0]: `https://x/?q` is no URL prefix: a URL scope has no query or fragment
    hint: write where the credential may be sent, e.g. `"https://graph.microsoft.com/"`
    error: main.toml:16:13: connectors.b.credentials.three.token-url: `nowhere` is no URL: relative URL without a base
    hint: write it whole, e.g. `"https://host/path"`
    error: main.toml:18:10: connectors.b.credentials.three.secret: a secret must not stand in the configuration itself
    hint: write `{ env = "NAME" }`, `{ file = "PATH" }`, `{ credential = "NAME" }` or `{ sealed = "…" }`
    error: main.toml:24:15: connectors.b.credentials.four.certificate: cannot read `not-there.pfx`: No such file or directory (os error 2)
    hint: a relative path is relative to the file that names it
    error: main.toml:25:13: connectors.b.credentials.four.algorithm: `ES256` is none of `PS256`, `RS256`
    hint: did you mean `RS256`?
    "#);
}

#[test]
fn the_order_is_the_operators() {
    let text = "[connectors.b]\nplugin = \"x.wasm\"\n[connectors.a]\nplugin = \"x.wasm\"\n[policies.z]\nplugin = \"x.wasm\"\n[policies.y]\nplugin = \"x.wasm\"\n";
    let folder = |more: &str| {
        Folder::new()
            .with("main.toml", &format!("{PLAIN}{text}{more}"))
            .with("x.wasm", "")
    };
    let config = folder("").load().unwrap();
    assert_eq!(config.connectors.names(), ["b", "a"]);
    assert_eq!(config.policies.names(), ["z", "y"]);

    let more = "[sources]\norder = [\"a\", \"b\"]\n[chain]\npolicies = [\"y\"]\n";
    let config = folder(more).load().unwrap();
    assert_eq!(config.connectors.names(), ["a", "b"]);
    assert_eq!(config.policies.names(), ["y"]);

    let more = "[sources]\norder = [\"a\", \"a\", \"bb\"]\n[chain]\npolicies = [\"zz\"]\n";
    assert_snapshot!(folder(more).errors(), @r"
    error: main.toml:12:9: sources.order: `b` missing from the order
    hint: add it, or remove its table from the configuration
    error: main.toml:12:15: sources.order[1]: `a` is named twice
    hint: remove one of them
    error: main.toml:12:20: sources.order[2]: there is no `bb`
    hint: did you mean `b`?
    error: main.toml:14:13: chain.policies[0]: there is no `zz`
    hint: did you mean `z`?
    ");
}

#[test]
fn problems_with_settings_are_found_by_pointer() {
    let folder = Folder::new()
        .with(
            "main.toml",
            &format!(
                "{PLAIN}
[policies.a]
plugin = \"x.wasm\"
[policies.a.settings]
vlan = {{ guest = 12 }}
names = [\"one\",
  \"two\"]
"
            ),
        )
        .with("x.wasm", "");
    let config = folder.load().unwrap();
    let settings = &config.policies.0[0].settings;
    let shown: Vec<String> = [
        "",
        "/vlan/guest",
        "/names/1",
        "/vlan/other",
        "/not~1there/x",
    ]
    .iter()
    .map(|pointer| folder.shown(&settings.problem(pointer, "wrong").to_string()))
    .collect();
    assert_snapshot!(shown.join("\n"), @r#"
    main.toml:6:13: policies.a.settings: wrong
    main.toml:7:18: policies.a.settings.vlan.guest: wrong
    main.toml:9:3: policies.a.settings.names[1]: wrong
    main.toml:7:1: policies.a.settings.vlan.other: wrong
    main.toml:6:13: policies.a.settings."not/there": wrong
    "#);
}

#[test]
fn the_effective_configuration_has_all_defaults() {
    let folder = Folder::new()
        .with(
            "main.toml",
            &format!(
                "{PLAIN}
[clients.radius]
faces = [\"radius\"]
basic = {{ username = \"radius\", password = {{ env = \"PASSWORD\" }} }}
[connectors.contoso]
plugin = \"x.wasm\"
egress = [\"graph.microsoft.com\"]
[connectors.contoso.settings]
tenant = \"t\"
[connectors.contoso.credentials.graph]
kind = \"oauth2-client-secret\"
urls = [\"https://graph.microsoft.com/\"]
token-url = \"https://login.microsoftonline.com/t/oauth2/v2.0/token\"
client-id = \"c\"
scope = \"https://graph.microsoft.com/.default\"
secret = {{ file = \"secret\" }}
[policies.baseline]
plugin = \"x.wasm\"
[lists]
vip = [\"00:11:22:33:44:55\"]
"
            ),
        )
        .with("secret", "s3cret-in-file")
        .with("x.wasm", "");
    let shown = folder.effective();
    assert!(!shown.contains("s3cret"), "{shown}");
    assert_snapshot!(shown, @r#"
    [server]
    max-connections = 4096
    max-waiting = 1024
    max-body = "8 MiB"
    header-timeout = "10s"
    body-timeout = "10s"
    idle-timeout = "1m"
    shutdown-timeout = "30s"

    [server.plain]
    listen = "127.0.0.1:0"

    [clients.radius]
    faces = ["radius"]
    networks = []
    patience = "2s"
    actions = []
    unconfirmed-actions = []

    [clients.radius.basic]
    username = "radius"

    [clients.radius.basic.password]
    env = "PASSWORD"
    value = "[redacted]"

    [ise]
    vendor = "Portreeve"
    product = "Portreeve"
    query-max-size = 1000
    patience = "150ms"
    max-lists = 16
    list-lifetime = "5m"
    messaging = false

    [egress]
    proxy = "direct"
    system-roots = true

    [sources]
    order = ["contoso"]
    max-calls = 256
    retry-after = "30s"

    [connectors.contoso]
    enabled = true
    type = "mobile-device-manager"
    plugin = "x.wasm"
    egress = ["https://graph.microsoft.com"]
    private-networks = []
    trust = []
    proxy = "direct"
    system-roots = true
    ttl = "5m"
    max-stale-compliant = "1d"
    max-stale-other = "1h"
    negative-ttl = "1m"
    timeout = "10s"

    [connectors.contoso.limits]
    memory = "64 MiB"
    table-elements = 100000
    handover = "16 MiB"
    concurrent-calls = 16
    calls-per-instance = 256
    log-events-per-second = 20
    log-burst = 100
    log-message = "4 KiB"
    breaker-faults = 5
    breaker-pause = "30s"

    [connectors.contoso.requests]
    connect-timeout = "5s"
    timeout = "30s"
    max-request = "1 MiB"
    max-response = "16 MiB"
    max-concurrent = 32

    [connectors.contoso.settings]
    tenant = "t"

    [connectors.contoso.credentials.graph]
    urls = ["https://graph.microsoft.com/"]
    kind = "oauth2-client-secret"
    token-url = "https://login.microsoftonline.com/t/oauth2/v2.0/token"
    client-id = "c"
    scope = "https://graph.microsoft.com/.default"

    [connectors.contoso.credentials.graph.secret]
    file = "secret"
    value = "[redacted]"

    [chain]
    policies = ["baseline"]
    combine = "first-decides"
    verdict-ttl = "1m"

    [policies.baseline]
    plugin = "x.wasm"
    mode = "enforce"
    on-error = "deny"
    timeout = "250ms"

    [policies.baseline.limits]
    memory = "64 MiB"
    table-elements = 100000
    handover = "1 MiB"
    concurrent-calls = 64
    calls-per-instance = 1
    log-events-per-second = 20
    log-burst = 100
    log-message = "4 KiB"
    breaker-faults = 5
    breaker-pause = "30s"

    [policies.baseline.settings]

    [policy-change]

    [lists]
    vip = ["00:11:22:33:44:55"]

    [actions]
    allow = []
    at-once = []
    confirm-by = "same-client"
    confirm-within = "5m"
    max-devices = 5000
    max-jobs = 1000
    first-look = "1m"

    [cache]
    max-devices = 1000000
    max-memory = "2 GiB"
    max-unknown = 100000
    max-verdicts = 1000000
    max-answers = "256 MiB"

    [sessions]
    max = 100000
    expire-after = "5d"

    [decisions]
    keep = "none"
    facts = "read"
    max-file = "64 MiB"
    max-total = "1 GiB"
    retention = "30d"
    queue = 8192

    [plugins]
    threads = 2
    max-instances = 256
    max-memory = "256 MiB"
    max-component = "64 MiB"

    [log]
    format = "text"
    level = "info"
    "#);
}
