use std::collections::BTreeSet;

use super::*;
use crate::{
    Secret, TlsFailure, TlsFailureKind, TokenErrorKind,
    oauth::{ClientProof, advice_codes, advice_findings},
};

const PAGE: &str = include_str!("../../../../docs/findings.md");

fn request(url: &str, scope: &str) -> TokenRequest {
    TokenRequest {
        token_url: url.parse().unwrap(),
        client_id: "client".to_owned(),
        proof: ClientProof::Secret(Secret::new("secret")),
        scope: scope.to_owned(),
    }
}

fn good(roles: &[&str], readable: bool, clock_ahead: Option<i64>) -> Arc<Token> {
    let now = Instant::now();
    Arc::new(Token {
        value: Secret::new("token"),
        header: http::HeaderValue::from_static("Bearer token"),
        refresh_at: now,
        unusable_at: now,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        readable,
        clock_ahead,
    })
}

fn lines(outcomes: Vec<Result<Arc<Token>, Box<TokenError>>>) -> Vec<String> {
    let url = "https://login.example/tenant/oauth2/v2.0/token";
    let requests = [request(url, "graph"), request(url, "intune")];
    let names = ["graph", "intune"];
    let tried: Vec<Tried<'_>> = outcomes
        .into_iter()
        .zip(&requests)
        .zip(names)
        .map(|((outcome, request), name)| Tried {
            name,
            request,
            certificate: None,
            outcome,
        })
        .collect();
    report(&tried, OffsetDateTime::now_utc())
        .into_iter()
        .map(|finding| {
            let mark = match finding.verdict {
                Verdict::Passed => '+',
                Verdict::Degraded => '~',
                Verdict::Failed => '-',
            };
            assert_eq!(finding.code.is_none(), mark == '+');
            assert_eq!(finding.hint.is_none(), mark == '+');
            let code = finding.code.unwrap_or_default();
            format!("{mark} {} [{code}] {}", finding.subject, finding.message)
        })
        .collect()
}

fn broken(error: EgressError) -> Result<Arc<Token>, Box<TokenError>> {
    Err(Box::new(TokenError::transport("login.example", error)))
}

const WAY: [&str; 3] = [
    "+ name resolution login.example [] works",
    "+ connection login.example [] works",
    "+ TLS login.example [] works",
];
const GRAPH: &str = "+ token graph [] `https://login.example/tenant/oauth2/v2.0/token` gave client \
                     `client` one for `graph`";

#[test]
fn all_is_well() {
    let found = lines(vec![Ok(good(&["a"], true, Some(-2)))]);
    let clock = "+ clock [] it agrees with the login host's, to the minute";
    assert_eq!(found, [&WAY[..], &[clock, GRAPH]].concat());
}

#[test]
fn the_way_is_told_once() {
    let connect = || EgressError::Connect {
        host: "login.example".to_owned(),
        reason: "refused".to_owned(),
    };
    let resolution = EgressError::NameResolution {
        host: "login.example".to_owned(),
        reason: "no such host".to_owned(),
    };
    let untrusted = EgressError::Tls(Box::new(TlsFailure {
        host: "login.example".to_owned(),
        port: 443,
        kind: TlsFailureKind::UnknownIssuer,
        reason: "its chain does not end at a trusted root certificate".to_owned(),
        missing_issuer: Some("CN=Proxy".to_owned()),
        presented: Vec::new(),
    }));
    for (error, passed, expected) in [
        (
            resolution,
            0,
            "- name resolution login.example [login-name-resolution]",
        ),
        (
            connect(),
            1,
            "- connection login.example [login-connection] ",
        ),
        (
            untrusted,
            2,
            "- TLS login.example [login-certificate-untrusted] ",
        ),
        (
            EgressError::Timeout,
            0,
            "- connection login.example [login-timeout] ",
        ),
        (
            EgressError::Other("no HTTP".to_owned()),
            3,
            "- answer login.example [not-a-token-endpoint] no HTTP",
        ),
    ] {
        let found = lines(vec![broken(error.clone()), broken(error)]);
        assert_eq!(found.len(), passed + 1, "{found:?}");
        assert_eq!(found[..passed], WAY[..passed]);
        assert!(found[passed].starts_with(expected), "{found:?}");
    }
    // One answer shows that the way is open.
    let found = lines(vec![Ok(good(&["a"], true, None)), broken(connect())]);
    assert_eq!(found[..4], [&WAY[..], &[GRAPH]].concat());
    assert!(
        found[4].starts_with("- token intune [login-connection] "),
        "{found:?}"
    );
}

#[test]
fn a_refusal_is_told_for_each_token() {
    let refused = || {
        Err(Box::new(TokenError {
            description: Some("AADSTS7000222: expired".to_owned()),
            correlation_id: Some("c-1".to_owned()),
            clock_ahead: Some(400),
            ..TokenError::new(
                TokenErrorKind::Refused,
                "client-secret-expired",
                "login.example",
                "make a new one",
            )
        }))
    };
    let found = lines(vec![refused(), refused()]);
    assert_eq!(found[..3], WAY);
    assert_eq!(
        found[3],
        "- clock [clock-wrong] this machine's clock is 400 s behind the login host's"
    );
    assert_eq!(
        found[4],
        "- token graph [client-secret-expired] `https://login.example/tenant/oauth2/v2.0/token` \
         gave client `client` none for `graph`: AADSTS7000222: expired, correlation id c-1"
    );
    assert_eq!(found.len(), 6);
}

#[test]
fn clocks_are_compared() {
    let clock = |ahead| lines(vec![Ok(good(&["a"], true, Some(ahead)))])[3].clone();
    assert!(clock(60).starts_with('+'));
    assert_eq!(
        clock(-61),
        "~ clock [clock-wrong] this machine's clock is 61 s ahead of the login host's"
    );
    assert!(clock(300).starts_with('~'));
    assert!(clock(301).starts_with('-'));
}

#[test]
fn a_token_that_permits_nothing_lacks_consent() {
    let found = lines(vec![Ok(good(&[], true, None))]);
    assert_eq!(
        found.last().unwrap(),
        "~ consent graph [consent-missing] the token names no permission at all"
    );
    let opaque = lines(vec![Ok(good(&[], false, None))]);
    assert_eq!(opaque.len(), 4, "{opaque:?}");
    let page = |url: &str| consent("graph", &request(url, "")).and_then(|finding| finding.hint);
    let hint = page("https://login.example:8443/tenant/oauth2/v2.0/token").unwrap();
    assert!(
        hint.contains("`https://login.example:8443/tenant/adminconsent?client_id=client`"),
        "{hint}"
    );
    assert_eq!(page("https://mdm.example/api/oauth/token"), None);
    assert_eq!(page("https://mdm.example/"), None);
}

#[test]
fn a_certificates_days_are_counted() {
    let certificate = ClientCertificate::from_pem(
        include_bytes!("../../tests/certificates/throwaway.pem"),
        include_bytes!("../../tests/certificates/throwaway-key.pem"),
        None,
    )
    .unwrap();
    let end = certificate.not_after();
    let days = time::Duration::days;
    for (now, code) in [
        (end - days(31), None),
        (end - days(29), Some("certificate-expires-soon")),
        (end + days(1), Some("certificate-expired")),
    ] {
        let finding = validity("graph", &certificate, now);
        assert_eq!(finding.code, code);
        assert!(finding.message.contains("thumbprint"), "{finding:?}");
    }
}

/// The sections between two headings of the page: code and text.
fn sections() -> Vec<(&'static str, &'static str)> {
    let start = PAGE.find("\n## The gateway").unwrap();
    let part = &PAGE[start..];
    let end = part[1..].find("\n## ").map_or(part.len(), |end| end + 1);
    part[..end]
        .split("\n### `")
        .skip(1)
        .map(|section| section.split_once('`').unwrap())
        .collect()
}

#[test]
fn every_code_has_its_section_and_the_reverse() {
    let known: BTreeSet<&str> = code::ALL.iter().copied().chain(advice_findings()).collect();
    let described: Vec<&str> = sections().iter().map(|(code, _)| *code).collect();
    let unique: BTreeSet<&str> = described.iter().copied().collect();
    assert_eq!(unique.len(), described.len(), "a section stands twice");
    assert_eq!(unique, known);
    for (finding, code) in advice_codes() {
        let (_, text) = sections()
            .into_iter()
            .find(|(code, _)| *code == finding)
            .unwrap();
        let name = format!("AADSTS{code}");
        assert!(
            text.contains(&name),
            "{finding} says nothing about AADSTS{code}"
        );
    }
}
