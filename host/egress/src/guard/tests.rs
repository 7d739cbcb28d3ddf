use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use url::Url;

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn check_grant(grant: &str, target: &str, expected: bool) {
    let parsed: HostGrant = grant.parse().unwrap();
    assert_eq!(
        parsed.matches(&url(target)),
        expected,
        "`{grant}` and `{target}`"
    );
}

#[test]
fn grants_match_by_scheme_host_and_port() {
    let graph = "graph.microsoft.com";
    check_grant(graph, "https://graph.microsoft.com/v1.0", true);
    check_grant(graph, "https://GRAPH.Microsoft.COM:443/", true);
    check_grant(graph, "https://graph.microsoft.com./", true);
    check_grant("Graph.Microsoft.com.", "https://graph.microsoft.com/", true);
    check_grant(
        "https://graph.microsoft.com/",
        "https://graph.microsoft.com/",
        true,
    );
    check_grant(graph, "http://graph.microsoft.com/", false);
    check_grant(graph, "http://graph.microsoft.com:443/", false);
    check_grant(graph, "https://graph.microsoft.com:8443/", false);
    check_grant(graph, "https://graph.microsoft.com.evil.example/", false);
    check_grant(graph, "https://graph.microsoft.com@evil.example/", false);
    check_grant(graph, "https://evil.example/graph.microsoft.com", false);
    check_grant(graph, "https://xgraph.microsoft.com/", false);
    check_grant(graph, "https://graph.microsoft.com../", false);
    check_grant("mdm.example:8443", "https://mdm.example:8443/", true);
    check_grant("mdm.example:8443", "https://mdm.example/", false);
    check_grant("http://mdm.example", "http://mdm.example/", true);
    check_grant("http://mdm.example", "https://mdm.example/", false);
    check_grant("http://mdm.example", "https://mdm.example:80/", false);
}

#[test]
fn wildcards_cover_what_is_below_a_domain() {
    let below = "*.manage.microsoft.com";
    check_grant(below, "https://fef.msub06.manage.microsoft.com/", true);
    check_grant(below, "https://fef.manage.microsoft.com/", true);
    check_grant(below, "https://manage.microsoft.com/", false);
    check_grant(below, "https://notmanage.microsoft.com/", false);
    check_grant(
        below,
        "https://fef.manage.microsoft.com.evil.example/",
        false,
    );
    check_grant(below, "https://.manage.microsoft.com/", false);
    check_grant(
        "*.manage.microsoft.com:8443",
        "https://a.manage.microsoft.com:8443/",
        true,
    );
}

#[test]
fn international_names_and_literals() {
    check_grant("bücher.example", "https://xn--bcher-kva.example/", true);
    check_grant("BÜCHER.example", "https://bücher.example/", true);
    check_grant("192.0.2.1", "https://192.0.2.1/", true);
    check_grant("192.0.2.1", "https://0xC0000201/", true);
    check_grant("[2001:db8::1]:8443", "https://[2001:DB8:0::1]:8443/", true);
    check_grant("*.0.2.1.example", "https://192.0.2.1/", false);
}

#[test]
fn odd_grants_are_refused() {
    let refused = |text: &str| text.parse::<HostGrant>().unwrap_err().to_string();
    assert_eq!(refused(""), "no host is named");
    assert_eq!(refused("https://"), "no host is named");
    assert_eq!(
        refused("ftp://host"),
        "scheme `ftp` is not known, write `https://` or `http://`"
    );
    assert_eq!(
        refused("user@host"),
        "a user name before `@` has no place here"
    );
    assert_eq!(
        refused("host/path"),
        "a grant names a host, not a path: remove `/path`"
    );
    assert_eq!(refused("host:0"), "`0` is not a port");
    assert_eq!(refused("host:+80"), "`+80` is not a port");
    assert_eq!(refused("host:"), "`` is not a port");
    assert_eq!(refused("::1"), "`::1` is not a host name or address");
    assert_eq!(refused("ho st"), "`ho st` is not a host name or address");
    assert_eq!(refused("a..b"), "`a..b` is not a host name or address");
    assert_eq!(
        refused("host%2eevil"),
        "`host%2eevil` is not a host name or address"
    );
    for text in [
        "*",
        "*.com",
        "a.*.example.com",
        "*example.com",
        "*.1.2.3.4",
        "**.example.com",
        "﹡",
        "﹡.example.com",
        "*.﹡.com",
    ] {
        assert!(text.parse::<HostGrant>().is_err(), "{text}");
    }
}

fn check_scope(scope: &str, target: &str, expected: bool) {
    let parsed: UrlScope = scope.parse().unwrap();
    assert_eq!(
        parsed.matches(&url(target)),
        expected,
        "`{scope}` and `{target}`"
    );
}

#[test]
fn scopes_end_at_a_segment() {
    let scope = "https://h.example/a";
    check_scope(scope, "https://h.example/a", true);
    check_scope(scope, "https://h.example/a/", true);
    check_scope(scope, "https://h.example/a/b?c=d", true);
    check_scope(scope, "https://h.example/a?b", true);
    check_scope(scope, "https://h.example/ab", false);
    check_scope(scope, "https://h.example/A", false);
    check_scope(scope, "https://h.example/", false);
    check_scope(scope, "https://h.example/a/../b", false);
    check_scope(scope, "https://h.example/a/%2e%2e/b", false);
    check_scope(scope, "https://h.example/a/..%2fb", false);
    check_scope(scope, "https://h.example/a/%2E%2e%2Fb", false);
    check_scope(scope, "https://h.example/a/..%5Cb", false);
    check_scope(scope, "https://h.example/a/..;x/b", false);
    check_scope(scope, r"https://h.example/a\..\b", false);
    check_scope(scope, "https://h.example/a/b..c", true);
    check_scope("https://h.example/a/", "https://h.example/a", true);
    check_scope(
        "https://h.example",
        "https://h.example/anything/..%2f",
        true,
    );
    check_scope("h.example", "https://h.example/", true);
    check_scope("https://h.example/x/../a", "https://h.example/a", true);
    check_scope("https://*.h.example/a", "https://b.h.example/a/c", true);
    check_scope(
        "https://h.example.com",
        "https://h.example.com.evil.example/",
        false,
    );
    assert_eq!("https://h/?q".parse::<UrlScope>(), Err(PatternError::Query));
    assert_eq!("https://h/#f".parse::<UrlScope>(), Err(PatternError::Query));
}

#[test]
fn closer_scopes_are_greater() {
    let rank = |text: &str| text.parse::<UrlScope>().unwrap().specificity();
    assert!(rank("https://a.b.example/") > rank("https://*.b.example/long/path"));
    assert!(rank("https://*.a.b.example/") > rank("https://*.b.example/x"));
    assert!(rank("https://a.example/x/y") > rank("https://a.example/x"));
    assert_eq!(rank("https://a.example/x/"), rank("https://a.example/x"));
}

#[test]
fn special_addresses_are_not_public() {
    let special = [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.7",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "2001::1",
        "2001:db8::1",
        "2001:2::1",
        "100::1",
        "3fff::1",
    ];
    for address in special {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    let public = [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "20.190.128.1",
        "2606:4700::1111",
        "2a01:111::1",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
    ];
    for address in public {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn private_networks_open_only_themselves() {
    let guard = AddressGuard::new(vec![
        "10.0.0.0/8".parse().unwrap(),
        "fd00::/16".parse().unwrap(),
    ]);
    let allowed = |address: &str| guard.allows(address.parse().unwrap());
    assert!(allowed("10.2.3.4"));
    assert!(allowed("::ffff:10.2.3.4"));
    assert!(allowed("fd00::5"));
    assert!(allowed("8.8.8.8"));
    assert!(!allowed("127.0.0.1"));
    assert!(!allowed("192.168.0.1"));
    assert!(!allowed("fd01::5"));
    assert!(!allowed("169.254.169.254"));
}

#[test]
fn public_addresses_come_before_granted_ones() {
    let guard = AddressGuard::new(vec!["10.0.0.0/8".parse().unwrap()]);
    let choose = |addresses: &[&str]| {
        guard
            .choose(
                addresses
                    .iter()
                    .map(|a| SocketAddr::new(a.parse().unwrap(), 0)),
            )
            .map(|chosen| {
                chosen
                    .iter()
                    .map(|a| a.ip().to_string())
                    .collect::<Vec<_>>()
            })
    };
    assert_eq!(
        choose(&["10.0.0.1", "1.1.1.1", "127.0.0.1"]).unwrap(),
        ["1.1.1.1"]
    );
    assert_eq!(choose(&["10.0.0.1", "127.0.0.1"]).unwrap(), ["10.0.0.1"]);
    assert_eq!(
        choose(&["127.0.0.1"]),
        Err(Some("127.0.0.1".parse::<IpAddr>().unwrap()))
    );
    assert_eq!(choose(&[]), Err(None));
}

proptest! {
    #[test]
    fn parsing_never_panics_and_display_reads_back(text in "\\PC{0,40}") {
        if let Ok(grant) = text.parse::<HostGrant>() {
            prop_assert_eq!(grant.to_string().parse::<HostGrant>().unwrap(), grant);
        }
        if let Ok(scope) = text.parse::<UrlScope>() {
            prop_assert_eq!(scope.to_string().parse::<UrlScope>().unwrap(), scope);
        }
    }

    #[test]
    fn a_grant_matches_no_other_host(
        host in "[a-z]{1,8}(\\.[a-z]{1,8}){1,3}",
        other in "[a-z.@:%/\\\\?#A-Z0-9-]{0,30}",
        wildcard in any::<bool>(),
    ) {
        let text = if wildcard { format!("*.{host}") } else { host.clone() };
        let grant: HostGrant = text.parse().unwrap();
        // What foreign text may do around a granted name: none of it may move the host.
        for target in [
            format!("https://{other}"),
            format!("https://{host}{other}"),
            format!("https://{other}{host}"),
            format!("https://{host}.{other}/"),
        ] {
            let Ok(url) = Url::parse(&target) else { continue };
            if !grant.matches(&url) { continue }
            let found = url.host_str().unwrap();
            let found = found.strip_suffix('.').unwrap_or(found);
            prop_assert_eq!(url.port_or_known_default(), Some(443));
            if wildcard {
                let suffix = format!(".{}", &host);
                prop_assert!(found.ends_with(&suffix));
            } else {
                prop_assert_eq!(found, &host);
            }
        }
    }

    #[test]
    fn a_scope_covers_only_its_prefix(
        prefix in "/[a-z]{1,4}(/[a-z]{1,4}){0,2}",
        tail in "[a-z./%2efFcC5;\\\\]{0,20}",
    ) {
        let scope: UrlScope = format!("https://h.example{prefix}").parse().unwrap();
        let Ok(url) = Url::parse(&format!("https://h.example{prefix}{tail}")) else { return Ok(()) };
        if scope.matches(&url) {
            // The most generous reading a server may have: decode, then resolve.
            let decoded = url.path().to_lowercase().replace("%2f", "/").replace("%5c", "/").replace("%2e", ".");
            let mut segments: Vec<&str> = Vec::new();
            for segment in decoded.split('/') {
                match segment.split(';').next().unwrap() {
                    ".." => { segments.pop(); }
                    "." => {}
                    _ => segments.push(segment),
                }
            }
            let resolved = segments.join("/");
            prop_assert!(resolved == prefix || resolved.starts_with(&format!("{prefix}/")), "{}", resolved);
        }
    }
}
