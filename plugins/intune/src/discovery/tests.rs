use portreeve_plugin::http::{Error as HttpError, Header, Response};

use super::*;
use crate::services::fake::{self, Fake, endpoints, ok, status};

const ENDPOINTS: &str = "https://graph.microsoft.com/v1.0/servicePrincipals/\
                         appId=0000000a-0000-0000-c000-000000000000/endpoints";

fn found(services: &Fake, settings: &Settings) -> String {
    service(services, settings).unwrap().address.to_string()
}

fn list(entries: &str) -> Result<Response, HttpError> {
    ok(&format!("{{\"value\":[{entries}]}}"))
}

#[test]
fn asks_once_and_remembers() {
    let services = Fake::new([endpoints("msud01")]);
    let settings = Settings::default();
    assert_eq!(found(&services, &settings), fake::service("msud01"));
    assert_eq!(found(&services, &settings), fake::service("msud01"));
    assert_eq!(services.asked(), [ENDPOINTS]);
    assert_eq!(
        services.kept.borrow()[Wanted::Compliance.key()].1,
        24 * 3_600_000
    );
    assert!(service(&services, &settings).unwrap().remembered);
}

#[test]
fn other_settings_make_what_was_remembered_void() {
    let services = Fake::new([endpoints("msud01")]);
    let settings = Settings::default();
    found(&services, &settings);
    services.asked();
    for changed in [
        Settings {
            graph_url: "https://graph.microsoft.us".to_owned(),
            ..settings.clone()
        },
        Settings {
            service_version: 2,
            ..settings.clone()
        },
        Settings {
            service_hosts: vec!["elsewhere.example".to_owned()],
            ..settings.clone()
        },
        Settings {
            discovery_cache_hours: 0,
            ..settings.clone()
        },
    ] {
        assert_eq!(
            recall(&services, &changed, Wanted::Compliance),
            None,
            "{changed:?}"
        );
    }
    services.remember(Wanted::Compliance.key(), b"nonsense", 1);
    assert_eq!(recall(&services, &settings, Wanted::Compliance), None);
}

#[test]
fn an_address_that_is_set_is_taken_without_asking() {
    let services = Fake::new([]);
    let set = |url: &str| Settings {
        service_url: Some(url.to_owned()),
        ..Settings::default()
    };
    let by_hand = set("https://fef.msub01.manage.microsoft.com/x/y");
    assert_eq!(
        found(&services, &by_hand),
        "https://fef.msub01.manage.microsoft.com/x/y"
    );
    assert_eq!(found(&services, &by_hand), found(&services, &by_hand));
    // The token goes to no other host for that.
    assert!(service(&services, &set("https://elsewhere.example/x")).is_err());
    assert!(services.asked().is_empty());
}

#[test]
fn nothing_is_kept_when_that_is_wanted() {
    let services = Fake::new([endpoints("a"), endpoints("b")]);
    let settings = Settings {
        discovery_cache_hours: 0,
        ..Settings::default()
    };
    assert_eq!(found(&services, &settings), fake::service("a"));
    assert_eq!(found(&services, &settings), fake::service("b"));
    assert!(services.kept.borrow().is_empty());
}

#[test]
fn a_slash_at_the_end_of_the_setting_is_not_doubled() {
    let services = Fake::new([endpoints("a")]);
    let settings = Settings {
        graph_url: "https://localhost:8443/".to_owned(),
        ..Settings::default()
    };
    found(&services, &settings);
    assert_eq!(
        services.asked(),
        [ENDPOINTS.replace("graph.microsoft.com", "localhost:8443")]
    );
}

/// The entries of a real tenant, `mdm-protocols.md` 2.2, and the old form of 2.3.
#[test]
fn names_are_compared_loosely_and_odd_entries_passed_over() {
    let wanted = r#"{"providerName":"complianceRETRIEVALservice","uri":"https://a.manage.microsoft.com/x/"}"#;
    let legacy =
        r#"{"serviceName":"ComplianceRetrievalService","uri":"https://b.manage.microsoft.com/y"}"#;
    for (entries, expected) in [
        (wanted.to_owned(), "https://a.manage.microsoft.com/x"),
        (legacy.to_owned(), "https://b.manage.microsoft.com/y"),
        (
            format!("{wanted},{legacy}"),
            "https://a.manage.microsoft.com/x",
        ),
        (
            format!(
                r#"null,1,"x",{{}},{{"providerName":null}},{{"providerName":7,"uri":8}},{{"providerName":"Region","uri":"OC"}},{{"providerName":"ComplianceRetrievalService","uri":null}},{wanted}"#
            ),
            "https://a.manage.microsoft.com/x",
        ),
    ] {
        let services = Fake::new([list(&entries)]);
        assert_eq!(
            found(&services, &Settings::default()),
            expected,
            "{entries}"
        );
    }
}

#[test]
fn the_old_service_can_be_wanted() {
    let services = Fake::new([endpoints("msud01")]);
    let settings = Settings {
        service_version: 2,
        ..Settings::default()
    };
    assert_eq!(
        found(&services, &settings),
        "https://fef.msud01.manage.microsoft.com/StatelessNACService"
    );
}

fn paged(next: &str) -> Result<Response, HttpError> {
    ok(&serde_json::json!({ "value": [], "@odata.nextLink": next }).to_string())
}

#[test]
fn pages_are_followed_on_the_same_origin_only() {
    let next = format!("{ENDPOINTS}?$skiptoken=2");
    let services = Fake::new([paged(&next), endpoints("a")]);
    assert_eq!(found(&services, &Settings::default()), fake::service("a"));
    assert_eq!(services.asked(), [ENDPOINTS.to_owned(), next]);
    for next in [
        "https://evil.example/next",
        "https://graph.microsoft.com:8443/next",
        "https://graph.microsoft.com@evil.example/next",
        "http://graph.microsoft.com/next",
        "/v1.0/next",
        "",
    ] {
        check(
            [paged(next)],
            "Error::BadResponse",
            "goes on at another host",
        );
    }
}

#[test]
fn endless_pages_end() {
    let pages = (0..MAX_PAGES).map(|_| paged(ENDPOINTS));
    check(pages, "Error::Misconfigured", "lists no Intune services");
}

fn check(answers: impl IntoIterator<Item = Result<Response, HttpError>>, kind: &str, text: &str) {
    let services = Fake::new(answers);
    let failure = service(&services, &Settings::default()).unwrap_err();
    let shown = format!("{:?}", failure.error);
    assert!(shown.starts_with(kind), "{shown}");
    assert!(shown.contains(text), "{shown}");
    assert!(services.kept.borrow().is_empty(), "{shown}");
    services.asked();
}

#[test]
fn every_failure_is_told_apart() {
    check(
        [list("")],
        "Error::Misconfigured",
        "lists no Intune services",
    );
    check(
        [list(r#"{"providerName":"Region","uri":"OC"}"#)],
        "Error::Misconfigured",
        "no `ComplianceRetrievalService`",
    );
    check(
        [status(404)],
        "Error::Misconfigured",
        "does not know the application Intune",
    );
    check(
        [status(401)],
        "Error::Unauthenticated",
        "Microsoft Graph answered 401",
    );
    check([status(403)], "Error::Forbidden", "`Application.Read.All`");
    check([status(429)], "Error::RateLimited", "None");
    check([status(500)], "Error::Unavailable", "500");
    check([status(302)], "Error::BadResponse", "redirect");
    check([ok("")], "Error::BadResponse", "cannot be read");
    check([ok("{}")], "Error::BadResponse", "no `value`");
    check([ok("[]")], "Error::BadResponse", "no `value`");
    check([ok("{\"value\":")], "Error::BadResponse", "cannot be read");
    check([Err(HttpError::Timeout)], "Error::Timeout", "");
    check(
        [Err(HttpError::CredentialRefused(
            "AADSTS7000222: new secret".to_owned(),
        ))],
        "Error::Unauthenticated",
        "AADSTS7000222: new secret",
    );
}

#[test]
fn a_token_goes_to_allowed_hosts_only() {
    for (uri, text) in [
        (
            "https://evil.example/ComplianceRetrievalService",
            "none of `service-hosts`",
        ),
        (
            "https://manage.microsoft.com.evil.example/x",
            "none of `service-hosts`",
        ),
        ("http://fef.manage.microsoft.com/x", "no usable address"),
        (
            "https://fef.manage.microsoft.com@evil.example/x",
            "no usable address",
        ),
        ("AMSUD0101", "no usable address"),
        ("https://fef.manage.microsoft.com/x?y=", "has a query"),
    ] {
        let entry = serde_json::json!({ "providerName": "ComplianceRetrievalService", "uri": uri });
        check([list(&entry.to_string())], "Error::BadResponse", text);
    }
}

#[test]
fn a_pause_is_passed_on() {
    let answer = Response {
        status: 429,
        headers: vec![Header {
            name: "Retry-After".to_owned(),
            value: "2.128".to_owned(),
        }],
        body: Vec::new(),
    };
    check([Ok(answer)], "Error::RateLimited", "2128");
}
