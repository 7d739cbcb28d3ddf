use http::HeaderValue;
use rcgen::{CertificateParams, KeyPair, SanType};

use super::*;

fn client(name: &str, authentication: ClientAuthentication) -> ClientSettings {
    ClientSettings {
        name: name.into(),
        authentication: vec![authentication],
        faces: vec![Face::Rest, Face::Metrics],
        networks: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        ..ClientSettings::default()
    }
}

fn basic(username: &str, password: &str) -> ClientAuthentication {
    ClientAuthentication::Basic {
        username: username.to_owned(),
        password: Secret::new(password.to_owned()),
    }
}

fn bearer(key: &str) -> ClientAuthentication {
    let key = Secret::new(key.to_owned());
    ClientAuthentication::Bearer { key }
}

fn certificate(names: &[&str]) -> Vec<u8> {
    let mut parameters = CertificateParams::default();
    for name in names {
        let name = match name.split_once(':') {
            Some(("uri", rest)) => SanType::URI(rest.try_into().unwrap()),
            Some(("ip", rest)) => SanType::IpAddress(rest.parse().unwrap()),
            _ => SanType::DnsName((*name).try_into().unwrap()),
        };
        parameters.subject_alt_names.push(name);
    }
    let key = KeyPair::generate().unwrap();
    parameters.self_signed(&key).unwrap().der().to_vec()
}

fn clients() -> Clients {
    Clients::new(
        vec![
            client("radius", basic("radius", "s3cret:with:colons")),
            client("script", bearer("key-1")),
            client(
                "ise",
                ClientAuthentication::CertificateName("ise.example".to_owned()),
            ),
            client(
                "asa",
                ClientAuthentication::CertificateName("URN:asa".to_owned()),
            ),
        ],
        &[],
    )
    .unwrap()
}

#[track_caller]
fn check(header: &str, address: &str, expected: Result<&str, AuthenticationFailure>) {
    let clients = clients();
    let mut headers = HeaderMap::new();
    if !header.is_empty() {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
    }
    let found = clients.authenticate(&headers, None, address.parse().unwrap());
    assert_eq!(found.map(|client| &*client.name), expected, "{header}");
}

#[test]
fn headers() {
    use AuthenticationFailure::{Malformed, Missing, Network, Wrong};
    // radius:s3cret:with:colons
    let right = "Basic cmFkaXVzOnMzY3JldDp3aXRoOmNvbG9ucw==";
    check(right, "10.1.2.3", Ok("radius"));
    check(right, "::1", Ok("radius"));
    check(right, "192.0.2.1", Err(Network));
    check(&right.replace("Basic", "basic  "), "10.1.2.3", Ok("radius"));
    check("Basic cmFkaXVzOnMzY3JldA==", "10.1.2.3", Err(Wrong));
    check("Bearer key-1", "10.1.2.3", Ok("script"));
    check("bearer key-1", "10.1.2.3", Ok("script"));
    check("Bearer key-2", "10.1.2.3", Err(Wrong));
    check("Bearer KEY-1", "10.1.2.3", Err(Wrong));
    check("key-1", "10.1.2.3", Err(Malformed));
    check("Basic key-1", "10.1.2.3", Err(Malformed));
    check(
        &format!("Bearer {}", "x".repeat(5000)),
        "10.1.2.3",
        Err(Malformed),
    );
    check("", "10.1.2.3", Err(Missing));
}

#[test]
fn a_header_counts_more_than_a_certificate() {
    let clients = clients();
    let certified = clients
        .of_certificate(&certificate(&["ise.example"]))
        .unwrap();
    let address = "10.0.0.1".parse().unwrap();
    let mut headers = HeaderMap::new();
    let found = clients.authenticate(&headers, Some(&certified), address);
    assert_eq!(&*found.unwrap().name, "ise");
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer key-1"));
    let found = clients.authenticate(&headers, Some(&certified), address);
    assert_eq!(&*found.unwrap().name, "script");
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer wrong"));
    let found = clients.authenticate(&headers, Some(&certified), address);
    assert_eq!(found.unwrap_err(), AuthenticationFailure::Wrong);
}

#[test]
fn certificates() {
    let clients = clients();
    for (names, expected) in [
        (&["ISE.example"][..], Some("ise")),
        (&["other.example", "ise.example"][..], Some("ise")),
        (&["uri:urn:asa"][..], Some("asa")),
        (&["ise.example.com"][..], None),
        (&["ise.example", "uri:urn:asa"][..], None),
        (&[][..], None),
    ] {
        let found = clients.of_certificate(&certificate(names));
        assert_eq!(
            found.as_ref().map(|client| &*client.name),
            expected,
            "{names:?}"
        );
    }
    assert!(clients.of_certificate(b"no certificate").is_none());
}

#[test]
fn a_fingerprint_names_one_certificate() {
    use sha2::{Digest as _, Sha256};
    let mine = certificate(&["ip:192.0.2.1"]);
    let fingerprint = Sha256::digest(&mine).into();
    let way = ClientAuthentication::CertificateFingerprint(fingerprint);
    let named = ClientAuthentication::CertificateName("192.0.2.1".to_owned());
    let clients = Clients::new(vec![client("one", way), client("two", named)], &[]).unwrap();
    assert_eq!(&*clients.of_certificate(&mine).unwrap().name, "one");
    let other = certificate(&["ip:192.0.2.1"]);
    assert_eq!(&*clients.of_certificate(&other).unwrap().name, "two");
}

#[test]
fn rights() {
    let clients = clients();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer key-1"));
    let address = "10.0.0.1".parse().unwrap();
    let client = clients.authenticate(&headers, None, address).unwrap();
    for (face, expected) in [
        (Face::Rest, true),
        (Face::Metrics, true),
        (Face::Radius, false),
        (Face::Admin, false),
    ] {
        assert_eq!(client.may_use(face), expected, "{face}");
    }
}

#[test]
fn clients_that_cannot_be_told_apart_are_refused() {
    let same = ClientAuthentication::CertificateName;
    for (one, other, expected) in [
        (
            client("a", bearer("k")),
            client("a", bearer("l")),
            "there are two clients called `a`",
        ),
        (
            client("a", bearer("k")),
            client("b", bearer("k")),
            "clients `a` and `b` have the same credential",
        ),
        (
            client("a", same("x.example".to_owned())),
            client("b", same("X.example".to_owned())),
            "clients `a` and `b` have the same credential",
        ),
        (
            client("a", basic("u", "")),
            client("b", bearer("k")),
            "client `a` has an empty credential",
        ),
        (
            client("a", basic("u:v", "p")),
            client("b", bearer("k")),
            "the user name of client `a` contains a colon",
        ),
    ] {
        let error = Clients::new(vec![one, other], &[]).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn nothing_shows_a_secret() {
    let settings = client("radius", basic("radius", "hunter2"));
    let shown = format!("{settings:?}");
    assert!(
        !shown.contains("hunter2") && shown.contains("[redacted]"),
        "{shown}"
    );
    let shown = format!("{:?}", Clients::new(vec![settings], &[]).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}
