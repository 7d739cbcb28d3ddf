use futures_util::future::BoxFuture;

use super::*;
use crate::{
    SettingsError,
    guard::AddressGuard,
    oauth::{Token, TokenError, TokenSource, cache::FetchToken},
};

#[derive(Debug)]
struct Nobody;

impl FetchToken for Nobody {
    fn fetch(&self) -> BoxFuture<'static, Result<Token, Box<TokenError>>> {
        unreachable!("no test here fetches a token")
    }
}

fn bearer(slot: &str, urls: &[&str]) -> CredentialSettings {
    CredentialSettings {
        slot: slot.to_owned(),
        urls: urls.iter().map(|url| url.parse().unwrap()).collect(),
        kind: CredentialKind::Bearer {
            token: Secret::new("t0ken"),
        },
    }
}

fn of_kind(kind: CredentialKind) -> CredentialSettings {
    CredentialSettings {
        kind,
        ..bearer("slot", &["https://h.example/"])
    }
}

fn slots(settings: Vec<CredentialSettings>) -> Result<Slots, SettingsError> {
    let guard = AddressGuard::new(vec!["10.0.0.0/8".parse().unwrap()]);
    Slots::new(settings, &guard, |_| {
        TokenSource::new(std::sync::Arc::new(Nobody))
    })
}

fn refused(settings: Vec<CredentialSettings>) -> String {
    slots(settings).unwrap_err().to_string()
}

#[test]
fn the_closest_scope_wins() {
    let slots = slots(vec![
        bearer("wide", &["https://*.h.example/"]),
        bearer("host", &["https://a.h.example/", "https://other.example/"]),
        bearer("path", &["https://a.h.example/v1"]),
    ])
    .unwrap();
    let chosen = |url: &str| {
        slots
            .for_url(&url.parse().unwrap())
            .map(|slot| slot.name.as_str())
    };
    assert_eq!(chosen("https://b.h.example/v1"), Some("wide"));
    assert_eq!(chosen("https://a.h.example/v10"), Some("host"));
    assert_eq!(chosen("https://a.h.example/v1/x"), Some("path"));
    assert_eq!(chosen("https://other.example/"), Some("host"));
    assert_eq!(chosen("https://h.example/"), None);
    assert_eq!(chosen("http://a.h.example/v1"), None);
}

#[test]
fn equal_scopes_are_ambiguous() {
    assert_eq!(
        refused(vec![
            bearer("a", &["https://h.example/x/"]),
            bearer("b", &["https://i.example", "https://H.example:443/x"]),
        ]),
        "credentials `a` and `b` have the same URL scope `https://h.example/x`"
    );
    assert_eq!(
        refused(vec![
            bearer("a", &["https://h.example/"]),
            bearer("a", &["https://i.example/"])
        ]),
        "credential `a` is configured twice"
    );
}

#[test]
fn nothing_secret_goes_in_clear() {
    assert_eq!(
        refused(vec![bearer("a", &["http://h.example/"])]),
        "credential `a` would be sent in clear to `http://h.example/`: use `https://`, or an \
         address literal inside a granted private network"
    );
    assert!(refused(vec![bearer("a", &["http://8.8.8.8/"])]).contains("in clear"));
    assert!(refused(vec![bearer("a", &["http://192.168.0.1/"])]).contains("in clear"));
    slots(vec![bearer("a", &["http://10.0.0.7:8080/api"])]).unwrap();
}

#[test]
fn values_that_cannot_be_sent_are_refused() {
    let secret = || Secret::new("s3cret");
    let oauth = |token_url: &str| {
        of_kind(CredentialKind::Oauth2ClientSecret {
            token_url: token_url.to_owned(),
            client_id: "c".to_owned(),
            secret: secret(),
            scope: String::new(),
        })
    };
    assert_eq!(
        refused(vec![oauth("http://login.example/token")]),
        "token URL of credential `slot`: it must begin with `https://`"
    );
    assert!(refused(vec![oauth("nonsense")]).starts_with("token URL of credential `slot`: "));
    assert!(refused(vec![oauth("https://a@login.example/token")]).contains("before `@`"));
    slots(vec![oauth("https://login.example/token")]).unwrap();

    let header = |name: &str| {
        of_kind(CredentialKind::Header {
            name: name.to_owned(),
            value: secret(),
        })
    };
    assert!(refused(vec![header("na me")]).contains("`na me` is not a header name"));
    assert!(refused(vec![header("Host")]).contains("`Host` is not a header for credentials"));
    assert!(refused(vec![header("content-length")]).contains("not a header for credentials"));
    slots(vec![header("aw-tenant-code")]).unwrap();

    let basic = |user: &str, password: &str| {
        let (user, password) = (user.to_owned(), Secret::new(password));
        of_kind(CredentialKind::Basic { user, password })
    };
    assert!(refused(vec![basic("a:b", "x")]).contains("the user name has a colon"));
    assert!(refused(vec![basic("a", "")]).contains("the password is empty"));

    let forged = of_kind(CredentialKind::Bearer {
        token: Secret::new("a\r\nx: y"),
    });
    assert_eq!(
        refused(vec![forged]),
        "credential `slot`: the value has characters that no header can carry"
    );
    assert_eq!(
        refused(vec![bearer("a", &[])]),
        "credential `a` has no URL scope, so it would never be sent"
    );
    let hmac = CredentialKind::Hmac { secret: secret() };
    slots(vec![CredentialSettings {
        kind: hmac,
        ..bearer("key", &[])
    }])
    .unwrap();
}

#[test]
fn equal_token_requests_share_a_cache() {
    let oauth = |slot: &str, url: &str, scope: &str| CredentialSettings {
        kind: CredentialKind::Oauth2ClientSecret {
            token_url: "https://login.example/t/oauth2/v2.0/token".to_owned(),
            client_id: "c".to_owned(),
            secret: Secret::new("s3cret"),
            scope: scope.to_owned(),
        },
        ..bearer(slot, &[url])
    };
    let slots = slots(vec![
        oauth("a", "https://a.example/", "x"),
        oauth("b", "https://b.example/", "x"),
        oauth("c", "https://c.example/", "y"),
    ])
    .unwrap();
    let source = |name: &str| match &slots.get(name).unwrap().kind {
        SlotKind::Token { source, .. } => std::sync::Arc::as_ptr(source),
        _ => unreachable!(),
    };
    assert_eq!(source("a"), source("b"));
    assert_ne!(source("a"), source("c"));
    assert_eq!(
        slots.get("a").unwrap().info().status,
        CredentialStatus::Idle
    );
    assert!(slots.get("d").is_none());
}
