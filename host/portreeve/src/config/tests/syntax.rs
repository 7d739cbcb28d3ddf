use insta::assert_snapshot;

use super::*;

#[test]
fn every_syntax_error_is_told() {
    let folder = Folder::new().with("main.toml", "[server\na = 1\nb = = 2\n");
    assert_snapshot!(folder.errors(), @r"
    error: main.toml:1:8: unclosed table, expected `]`
    hint: this is not valid TOML, see https://toml.io
    error: main.toml:3:5: extra `=`, expected nothing
    hint: this is not valid TOML, see https://toml.io
    error: main.toml:3:7: unexpected key or value, expected newline, `#`
    hint: this is not valid TOML, see https://toml.io
    ");
}

#[test]
fn a_key_set_twice_in_one_file() {
    assert_snapshot!(errors("[log]\nlevel = \"a\"\nlevel = \"b\"\n"), @r"
    error: main.toml:5:1: duplicate key
    hint: a key is set once; remove one of them
    ");
}

#[test]
fn unknown_keys_are_refused_and_the_nearest_is_named() {
    assert_snapshot!(errors("[log]\nlevle = \"info\"\n[cahce]\n[server]\nzzz = 1\n"), @r"
    error: main.toml:4:1: log.levle: unknown key
    hint: did you mean `level`?
    error: main.toml:5:2: cahce: unknown key
    hint: did you mean `cache`?
    error: main.toml:7:1: server.zzz: unknown key
    hint: known keys here are `plain`, `max-connections`, `max-waiting`, `max-body`, `header-timeout`, `body-timeout`, `idle-timeout`, `shutdown-timeout`, `listen`, `client-ca`, `certificate`, `key`
    ");
}

#[test]
fn unknown_keys_are_refused_in_every_table() {
    for (table, prefix) in [
        ("", ""),
        ("[server]", "server."),
        ("[clients.a]", "clients.a."),
        ("[clients.a.basic]", "clients.a.basic."),
        ("[clients.a.certificate]", "clients.a.certificate."),
        ("[clients.a.bearer]", "clients.a.bearer."),
        ("[sources]", "sources."),
        ("[connectors.a]", "connectors.a."),
        ("[connectors.a.limits]", "connectors.a.limits."),
        (
            "[connectors.a.credentials.b]\nkind = \"bearer\"",
            "connectors.a.credentials.b.",
        ),
        (
            "[connectors.a.credentials.b]\nkind = \"hmac\"",
            "connectors.a.credentials.b.",
        ),
        (
            "[connectors.a.credentials.b]\nkind = \"header\"",
            "connectors.a.credentials.b.",
        ),
        (
            "[connectors.a.credentials.b]\nkind = \"basic\"",
            "connectors.a.credentials.b.",
        ),
        (
            "[connectors.a.credentials.b]\nkind = \"oauth2-client-secret\"",
            "connectors.a.credentials.b.",
        ),
        (
            "[connectors.a.credentials.b]\nkind = \"oauth2-client-certificate\"",
            "connectors.a.credentials.b.",
        ),
        ("[policies.a]", "policies.a."),
        ("[policies.a.limits]", "policies.a.limits."),
        ("[chain]", "chain."),
        ("[lists.a]", "lists.a."),
        ("[cache]", "cache."),
        ("[plugins]", "plugins."),
        ("[log]", "log."),
    ] {
        let text = format!("{table}\nqqq = 1\n");
        let folder = Folder::new().with("main.toml", &text);
        let errors = folder.errors();
        assert!(
            errors.contains(&format!(": {prefix}qqq: unknown key")),
            "{table}: {errors}"
        );
    }
}

#[test]
fn values_of_the_wrong_kind() {
    assert_snapshot!(errors("
[server]
max-connections = \"10\"
max-body = 8
idle-timeout = true
shutdown-timeout = \"5 parsecs\"
header-timeout = \"0s\"
[cache]
max-devices = 0
max-memory = \"99999999999 GiB\"
[log]
format = \"jsno\"
level = 3
[chain]
policies = \"baseline\"
"), @r#"
    error: main.toml:5:19: server.max-connections: expected a whole number, found a string
    hint: write it without quotes
    error: main.toml:6:12: server.max-body: `8` has no unit
    hint: write a whole number and a unit: `"512 B"`, `"64 KiB"`, `"8 MiB"` or `"1 GiB"`
    error: main.toml:7:16: server.idle-timeout: expected a span of time, found a boolean
    hint: write a whole number and a unit: `"500ms"`, `"30s"`, `"5m"`, `"4h"` or `"1d"`
    error: main.toml:8:20: server.shutdown-timeout: `5 parsecs` is not a span of time
    hint: write a whole number and a unit: `"500ms"`, `"30s"`, `"5m"`, `"4h"` or `"1d"`
    error: main.toml:9:18: server.header-timeout: `0s` is too small, it must be more than zero
    hint: write a whole number and a unit: `"500ms"`, `"30s"`, `"5m"`, `"4h"` or `"1d"`
    error: main.toml:11:15: cache.max-devices: `0` is out of range
    hint: the least value is 1
    error: main.toml:12:14: cache.max-memory: `99999999999 GiB` is too large
    hint: write a whole number and a unit: `"512 B"`, `"64 KiB"`, `"8 MiB"` or `"1 GiB"`
    error: main.toml:14:10: log.format: `jsno` is none of `text`, `json`
    hint: did you mean `json`?
    error: main.toml:15:9: log.level: expected a string, found an integer
    hint: write it in quotes
    error: main.toml:17:12: chain.policies: expected an array, found a string
    hint: write it in brackets: `[…]`
    "#);
}

#[test]
fn quantities_are_read_and_shown() {
    for (text, expected) in [
        ("500ms", "500ms"),
        ("30s", "30s"),
        ("90 s", "90s"),
        ("5m", "5m"),
        ("240m", "4h"),
        ("24h", "1d"),
        ("1D", "1d"),
    ] {
        let config = read(&format!("[chain]\nverdict-ttl = \"{text}\"\n"));
        assert_eq!(config.chain.verdict_ttl.to_string(), expected, "{text}");
    }
    for (text, bytes, shown) in [
        ("512 B", 512, "512 B"),
        ("64 KiB", 65_536, "64 KiB"),
        ("64kib", 65_536, "64 KiB"),
        ("2048 MiB", 2_147_483_648, "2 GiB"),
    ] {
        let config = read(&format!("[cache]\nmax-memory = \"{text}\"\n"));
        assert_eq!(config.cache.max_memory.0, bytes, "{text}");
        assert_eq!(config.cache.max_memory.to_string(), shown, "{text}");
    }
}
