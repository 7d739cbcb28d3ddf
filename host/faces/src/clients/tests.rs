use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portreeve_domain::Timestamp;
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};

use super::certificate::Presented;
use super::password::sha256;
use super::*;

const LONG: &str = "0123456789abcdef0123456789abcdef";

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

/// Who issues certificates.
struct Issuer {
    key: KeyPair,
    parameters: CertificateParams,
    certificate: CertificateDer<'static>,
}

impl Issuer {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().der().clone();
        Self {
            key,
            parameters,
            certificate,
        }
    }

    fn issue(&self, names: &[&str]) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::default();
        for name in names {
            let name = match name.split_once(':') {
                Some(("uri", rest)) => SanType::URI(rest.try_into().unwrap()),
                Some(("ip", rest)) => SanType::IpAddress(rest.parse().unwrap()),
                _ => SanType::DnsName((*name).try_into().unwrap()),
            };
            parameters.subject_alt_names.push(name);
        }
        let issuer = rcgen::Issuer::from_params(&self.parameters, &self.key);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        certificate.der().clone()
    }
}

fn roster_of(
    clients: Vec<ClientSettings>,
    issuer: Option<&Issuer>,
) -> Result<Roster, ClientsError> {
    roster_after(clients, issuer, None)
}

fn roster_after(
    clients: Vec<ClientSettings>,
    issuer: Option<&Issuer>,
    before: Option<&Roster>,
) -> Result<Roster, ClientsError> {
    let issuers: Vec<_> = issuer
        .iter()
        .map(|issuer| issuer.certificate.clone())
        .collect();
    let settings = RosterSettings {
        clients,
        sources: &["contoso".into(), "fabrikam".into()],
        issuers: &issuers,
    };
    Roster::new(settings, before)
}

/// The name of the client that a certificate belongs to.
fn name_of(roster: &Roster, certificate: &CertificateDer<'_>) -> Option<String> {
    let presented = Presented::read(std::slice::from_ref(certificate)).unwrap();
    let client = roster.of_certificate(&presented);
    client.map(|client| client.name.to_string())
}

fn clients() -> Vec<ClientSettings> {
    vec![
        client("radius", basic("radius", "s3cret:with:colons")),
        client("script", bearer("key-1")),
        client("ise", named("ise.example")),
        client("asa", named("URN:asa")),
    ]
}

fn named(name: &str) -> ClientAuthentication {
    ClientAuthentication::CertificateName(name.to_owned())
}

#[track_caller]
fn check(header: &str, address: &str, expected: Result<&str, AuthenticationFailure>) {
    let roster = roster_of(clients(), None).unwrap();
    let found = ask(&roster, header, address);
    let expected = expected.map(str::to_owned).map_err(Unknown::Failed);
    assert!(found == expected, "{header:.40}: {found:?}");
}

fn ask(roster: &Roster, header: &str, address: &str) -> Result<String, Unknown> {
    let mut headers = HeaderMap::new();
    if !header.is_empty() {
        headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
    }
    let found = roster.authenticate(&headers, None, &Peer::unproven(address.parse().unwrap()));
    found.map(|client| client.name.to_string())
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
        &format!("Bearer {}", "x".repeat(9000)),
        "10.1.2.3",
        Err(Malformed),
    );
    check("", "10.1.2.3", Err(Missing));
}

#[test]
fn a_header_counts_more_than_a_certificate() {
    let issuer = Issuer::new();
    let roster = roster_of(clients(), Some(&issuer)).unwrap();
    let address = "10.0.0.1".parse().unwrap();
    let chain = [issuer.issue(&["ise.example"])];
    let peer = Peer::certified(address, Some(&chain), &roster);
    let certified = peer.client(&roster);
    let mut headers = HeaderMap::new();
    let found = |headers: &HeaderMap| {
        let found = roster.authenticate(headers, certified.client(), &peer);
        found.map(|client| client.name.to_string())
    };
    assert_eq!(found(&headers).unwrap(), "ise");
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer key-1"));
    assert_eq!(found(&headers).unwrap(), "script");
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer wrong"));
    let wrong = Unknown::Failed(AuthenticationFailure::Wrong);
    assert_eq!(found(&headers).unwrap_err(), wrong);
}

#[test]
fn certificates() {
    let issuer = Issuer::new();
    let roster = roster_of(clients(), Some(&issuer)).unwrap();
    for (names, expected) in [
        (&["ISE.example"][..], Some("ise")),
        (&["other.example", "ise.example"][..], Some("ise")),
        (&["uri:urn:asa"][..], Some("asa")),
        (&["ise.example.com"][..], None),
        (&["ise.example", "uri:urn:asa"][..], None),
        (&[][..], None),
    ] {
        let found = name_of(&roster, &issuer.issue(names));
        assert_eq!(found.as_deref(), expected, "{names:?}");
    }
    let garbage = CertificateDer::from(&b"no certificate"[..]);
    assert_eq!(name_of(&roster, &garbage), None);
    // The right name, of somebody else's issuer.
    let forged = Issuer::new().issue(&["ise.example"]);
    assert_eq!(name_of(&roster, &forged), None);
}

#[test]
fn a_fingerprint_names_one_certificate() {
    let issuer = Issuer::new();
    let mine = issuer.issue(&["ip:192.0.2.1"]);
    let way = ClientAuthentication::CertificateFingerprint(sha256(&mine));
    let clients = vec![client("one", way), client("two", named("192.0.2.1"))];
    let roster = roster_of(clients, Some(&issuer)).unwrap();
    assert_eq!(name_of(&roster, &mine).unwrap(), "one");
    let other = issuer.issue(&["ip:192.0.2.1"]);
    assert_eq!(name_of(&roster, &other).unwrap(), "two");
}

#[test]
fn an_issuer_of_one_client_speaks_for_no_other() {
    let (common, own) = (Issuer::new(), Issuer::new());
    let mut two = client("two", named("nac.example"));
    two.issuers = vec![own.certificate.clone()];
    let clients = vec![client("one", named("nac.example")), two];
    let roster = roster_of(clients, Some(&common)).unwrap();
    let names = ["nac.example"];
    assert_eq!(name_of(&roster, &common.issue(&names)).unwrap(), "one");
    assert_eq!(name_of(&roster, &own.issue(&names)).unwrap(), "two");
    assert_eq!(name_of(&roster, &Issuer::new().issue(&names)), None);
}

#[test]
fn who_is_taken_out_is_refused_on_the_connection_he_has() {
    let issuer = Issuer::new();
    let before = roster_of(clients(), Some(&issuer)).unwrap();
    let chain = [issuer.issue(&["ise.example"])];
    let peer = Peer::certified("10.0.0.1".parse().unwrap(), Some(&chain), &before);
    let name = |roster: &Roster| {
        let certified = peer.client(roster);
        certified.client().map(|client| client.name.to_string())
    };
    assert_eq!(name(&before).unwrap(), "ise");
    let without = clients()
        .into_iter()
        .filter(|client| &*client.name != "ise");
    let after = roster_after(without.collect(), Some(&issuer), Some(&before)).unwrap();
    assert_eq!(name(&after), None);
    // Nor is he taken for trusted when the issuer is another one.
    let again = roster_after(clients(), Some(&Issuer::new()), Some(&after)).unwrap();
    assert_eq!(name(&again), None);
    let again = roster_after(clients(), Some(&issuer), Some(&again)).unwrap();
    assert_eq!(name(&again).unwrap(), "ise");
}

#[test]
fn rights() {
    let roster = roster_of(clients(), None).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer key-1"));
    let peer = Peer::unproven("10.0.0.1".parse().unwrap());
    let client = roster.authenticate(&headers, None, &peer).unwrap();
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
    let hash = |text: &str| ClientAuthentication::BearerHash {
        sha256: sha256(text.as_bytes()),
        until: None,
    };
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
            client("a", bearer(LONG)),
            client("b", hash(LONG)),
            "clients `a` and `b` have the same credential",
        ),
        (
            client("a", hash(LONG)),
            client("b", bearer(LONG)),
            "clients `a` and `b` have the same credential",
        ),
        (
            client("a", basic("u", "p")),
            client("b", argon2("u", "q")),
            "clients `a` and `b` have the same credential",
        ),
        (
            client("a", token(&[])),
            client("b", bearer("k")),
            "client `a` has an empty credential",
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
        let error = roster_of(vec![one, other], None).unwrap_err();
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
    let shown = format!("{:?}", roster_of(vec![settings], None).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

fn argon2(username: &str, password: &str) -> ClientAuthentication {
    // As cheap as it gets, for tests run side by side.
    let hasher = argon2::Argon2::new(
        argon2::Algorithm::Argon2id,
        argon2::Version::V0x13,
        argon2::Params::new(8, 1, 1, None).unwrap(),
    );
    let hash = argon2::PasswordHasher::hash_password(&hasher, password.as_bytes()).unwrap();
    ClientAuthentication::BasicHash {
        username: username.to_owned(),
        hash: PasswordHash::Argon2(Argon2Hash::parse(&hash.to_string()).unwrap()),
        until: None,
    }
}

/// `radius:hunter2`
const HUNTER: &str = "Basic cmFkaXVzOmh1bnRlcjI=";

#[test]
fn hashed_keys_are_recognised_at_once() {
    let soon = Some(Timestamp::now().plus(Duration::from_mins(1)));
    let past = Some(Timestamp::from_millis(1));
    for (until, expected) in [
        (None, Ok("hashed")),
        (soon, Ok("hashed")),
        (past, Err(Unknown::Failed(AuthenticationFailure::Wrong))),
    ] {
        let key = ClientAuthentication::BearerHash {
            sha256: sha256(LONG.as_bytes()),
            until,
        };
        let password = ClientAuthentication::BasicHash {
            username: "radius".to_owned(),
            hash: PasswordHash::of_key(LONG),
            until,
        };
        let mut settings = client("hashed", key);
        settings.authentication.push(password);
        let roster = roster_of(vec![settings], None).unwrap();
        // `radius:` and the key
        let basic = "Basic cmFkaXVzOjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm";
        for header in [&format!("Bearer {LONG}"), basic] {
            for _ in 0..2 {
                let found = ask(&roster, header, "10.0.0.1");
                assert_eq!(found, expected.map(str::to_owned), "{header}");
            }
        }
        let short = ask(&roster, &format!("Bearer {}", &LONG[1..]), "10.0.0.1");
        assert!(short.is_err());
    }
}

#[test]
fn a_slow_password_is_verified_once() {
    let roster = roster_of(vec![client("radius", argon2("radius", "hunter2"))], None).unwrap();
    assert_eq!(ask(&roster, HUNTER, "10.0.0.1"), Err(Unknown::NotYet));
    let wrong = roster.verify(b"Basic cmFkaXVzOmh1bnRlcjM=");
    assert_eq!(wrong.unwrap_err(), AuthenticationFailure::Wrong);
    assert_eq!(&*roster.verify(HUNTER.as_bytes()).unwrap().name, "radius");
    assert_eq!(ask(&roster, HUNTER, "10.0.0.1").as_deref(), Ok("radius"));
    // Another user's is not even looked at.
    let other = ask(&roster, "Basic b3RoZXI6aHVudGVyMg==", "10.0.0.1");
    assert_eq!(other, Err(Unknown::Failed(AuthenticationFailure::Wrong)));
}

#[test]
fn what_was_verified_is_forgotten_with_its_client() {
    let settings = client("radius", argon2("radius", "hunter2"));
    let first = roster_of(vec![settings.clone()], None).unwrap();
    first.verify(HUNTER.as_bytes()).unwrap();
    let others = vec![client("new", bearer("key-9")), settings.clone()];
    let second = roster_after(others, None, Some(&first)).unwrap();
    assert_eq!(ask(&second, HUNTER, "10.0.0.1").as_deref(), Ok("radius"));
    let mut changed = settings;
    changed.patience = Duration::from_secs(9);
    let third = roster_after(vec![changed], None, Some(&second)).unwrap();
    assert_eq!(ask(&third, HUNTER, "10.0.0.1"), Err(Unknown::NotYet));
    let fourth = roster_after(vec![client("new", bearer("key-9"))], None, Some(&second)).unwrap();
    let gone = Unknown::Failed(AuthenticationFailure::Wrong);
    assert_eq!(ask(&fourth, HUNTER, "10.0.0.1"), Err(gone));
}

#[test]
fn who_stays_the_same_gets_no_new_tokens_by_a_reload() {
    let mut settings = client("script", bearer("key-1"));
    settings.rate_limit = Some(RateLimit {
        requests: 1,
        per: Duration::from_hours(1),
        burst: 1,
    });
    let first = roster_of(vec![settings.clone()], None).unwrap();
    let take = |roster: &Roster| {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer key-1"));
        let peer = Peer::unproven("10.0.0.1".parse().unwrap());
        let found = roster.authenticate(&headers, None, &peer);
        found.unwrap().admit(Instant::now())
    };
    assert!(take(&first).is_ok());
    let second = roster_after(vec![settings], None, Some(&first)).unwrap();
    assert!(take(&second).is_err());
}

/// A connection that has asked with one header, and what becomes of it.
#[test]
fn a_connection_is_asked_again_under_other_clients() {
    let peer = |address: &str| Peer::unproven(address.parse().unwrap());
    let (here, outside) = (peer("10.0.0.1"), peer("192.0.2.1"));
    let found = |roster: &Roster, peer: &Peer, header: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        let found = roster.authenticate(&headers, None, peer);
        found.map(|client| client.name.to_string())
    };
    let refused = |reason| Err(Unknown::Failed(reason));
    let wrong = || refused(AuthenticationFailure::Wrong);
    let script = "Bearer key-1";
    let first = roster_of(clients(), None).unwrap();
    for _ in 0..3 {
        assert_eq!(found(&first, &here, script).unwrap(), "script");
        assert_eq!(found(&first, &here, "Bearer key-2"), wrong());
        assert_eq!(found(&first, &here, "bearer  key-1").unwrap(), "script");
        let network = refused(AuthenticationFailure::Network);
        assert_eq!(found(&first, &outside, script), network);
    }
    // Another client's header on the same connection is his.
    let radius = "Basic cmFkaXVzOnMzY3JldDp3aXRoOmNvbG9ucw==";
    assert_eq!(found(&first, &here, radius).unwrap(), "radius");

    let mut others = clients();
    others.remove(1);
    let without = roster_after(others.clone(), None, Some(&first)).unwrap();
    let renamed = client("renamed", bearer("key-1"));
    others.insert(0, renamed);
    // Two that follow the same one, as if the first had been given up.
    let with = roster_after(others, None, Some(&first)).unwrap();
    for _ in 0..2 {
        assert_eq!(found(&without, &here, script), wrong());
        assert_eq!(found(&with, &here, script).unwrap(), "renamed");
        assert_eq!(found(&first, &here, script).unwrap(), "script");
    }
}

#[test]
fn what_a_client_may_see() {
    let mut settings = client("script", bearer("key-1"));
    settings.sources = Some(vec!["fabrikam".into()]);
    let roster = roster_of(vec![settings.clone()], None).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer key-1"));
    let peer = Peer::unproven("10.0.0.1".parse().unwrap());
    let client = roster.authenticate(&headers, None, &peer).unwrap();
    let sources = client.connection.view.sources;
    assert!(sources.contains(1) && !sources.contains(0));
    settings.sources = Some(vec!["nobody".into()]);
    assert_eq!(
        roster_of(vec![settings], None).unwrap_err().to_string(),
        "there is no source `nobody`, which client `script` may see"
    );
}

/// A signer and the public half as a JSON Web Key Set.
fn signer(id: &str) -> (EncodingKey, TokenKeys) {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let encoding = EncodingKey::from_ec_der(&key.serialize_der());
    let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&encoding, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some(id.to_owned());
    let set = json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0", "kid": id }, jwk] });
    (
        encoding,
        TokenKeys::of_jwks(set.to_string().as_bytes()).unwrap(),
    )
}

fn token_of(keys: TokenKeys, claims: &[(&str, &str)]) -> ClientAuthentication {
    let claims = claims
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ClientAuthentication::Token(TokenSettings {
        issuer: "https://login.example".to_owned(),
        audience: "portreeve".to_owned(),
        keys,
        claims: claims.collect(),
    })
}

fn token(claims: &[(&str, &str)]) -> ClientAuthentication {
    token_of(signer("1").1, claims)
}

fn signed(key: &EncodingKey, id: Option<&str>, change: impl FnOnce(&mut Value)) -> String {
    let now = Timestamp::now().as_millis() / 1000;
    let mut claims = json!({
        "iss": "https://login.example",
        "aud": ["other", "portreeve"],
        "sub": "helpdesk",
        "roles": ["ask", "look"],
        "exp": now + 300,
    });
    change(&mut claims);
    let mut header = Header::new(Algorithm::ES256);
    header.kid = id.map(str::to_owned);
    let token = jsonwebtoken::encode(&header, &claims, key).unwrap();
    format!("Bearer {token}")
}

#[test]
fn tokens() {
    let (key, keys) = signer("1");
    let (strange, _) = signer("1");
    let claims = [("sub", "helpdesk"), ("roles", "ask")];
    let roster = roster_of(vec![client("helpdesk", token_of(keys, &claims))], None).unwrap();
    let now = Timestamp::now().as_millis() / 1000;
    let claim =
        |name: &'static str, value: Value| move |claims: &mut Value| claims[name] = value.clone();
    for (what, header, expected) in [
        ("right", signed(&key, Some("1"), |_| {}), true),
        ("without a key's name", signed(&key, None, |_| {}), true),
        ("another key's name", signed(&key, Some("2"), |_| {}), false),
        ("another key", signed(&strange, Some("1"), |_| {}), false),
        (
            "late, but clocks differ",
            signed(&key, None, claim("exp", (now - 5).into())),
            true,
        ),
        (
            "too late",
            signed(&key, None, claim("exp", (now - 60).into())),
            false,
        ),
        (
            "for ever",
            signed(&key, None, claim("exp", Value::Null)),
            false,
        ),
        (
            "too early",
            signed(&key, None, claim("nbf", (now + 300).into())),
            false,
        ),
        (
            "another audience",
            signed(&key, None, claim("aud", "other".into())),
            false,
        ),
        (
            "no audience",
            signed(&key, None, claim("aud", Value::Null)),
            false,
        ),
        (
            "another issuer",
            signed(&key, None, claim("iss", "x".into())),
            false,
        ),
        (
            "another subject",
            signed(&key, None, claim("sub", "x".into())),
            false,
        ),
        (
            "another role",
            signed(&key, None, claim("roles", json!(["look"]))),
            false,
        ),
    ] {
        assert_eq!(
            ask(&roster, &header, "10.0.0.1"),
            Err(Unknown::NotYet),
            "{what}"
        );
        let verified = roster.verify(header.as_bytes());
        assert_eq!(verified.is_ok(), expected, "{what}: {verified:?}");
        let again = ask(&roster, &header, "10.0.0.1");
        // What has expired already is not remembered.
        let remembered = expected && what != "late, but clocks differ";
        assert_eq!(again.is_ok(), remembered, "{what}");
    }
}

#[test]
fn signatures_that_anybody_can_make() {
    let (key, keys) = signer("1");
    let settings = client("helpdesk", token_of(keys, &[("sub", "helpdesk")]));
    let roster = roster_of(vec![settings], None).unwrap();
    let right = signed(&key, Some("1"), |_| {});
    let parts: Vec<&str> = right.strip_prefix("Bearer ").unwrap().split('.').collect();
    let encode = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256","kid":"1"}"#,
        r#"{"alg":"ES256"}"#,
    ] {
        let token = format!("Bearer {}.{}.", encode(header), parts[1]);
        assert!(roster.verify(token.as_bytes()).is_err(), "{header}");
    }
    let shared = EncodingKey::from_secret(b"secret");
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("1".to_owned());
    let claims = json!({ "iss": "https://login.example", "aud": "portreeve", "sub": "helpdesk", "exp": 4_000_000_000_u64 });
    let token = jsonwebtoken::encode(&header, &claims, &shared).unwrap();
    assert!(roster.verify(format!("Bearer {token}").as_bytes()).is_err());
}

#[test]
fn a_token_of_several_clients_is_of_none() {
    let (key, keys) = signer("1");
    let one = client("one", token_of(keys.clone(), &[("sub", "helpdesk")]));
    let two = client("two", token_of(keys, &[("roles", "ask")]));
    let roster = roster_of(vec![one, two], None).unwrap();
    assert!(
        roster
            .verify(signed(&key, None, |_| {}).as_bytes())
            .is_err()
    );
    let other = signed(&key, None, |claims| claims["sub"] = "x".into());
    assert_eq!(&*roster.verify(other.as_bytes()).unwrap().name, "two");
}

#[test]
fn keys_that_are_none() {
    for wrong in [
        "",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#,
    ] {
        assert!(TokenKeys::of_jwks(wrong.as_bytes()).is_err(), "{wrong}");
        assert!(TokenKeys::of_pem(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn guesses_are_kept_waiting_and_right_ones_elsewhere_are_not() {
    let settings = RosterSettings {
        clients: vec![client("radius", argon2("radius", "hunter2"))],
        sources: &[],
        issuers: &[],
    };
    let clients = Clients::new(settings).unwrap();
    let (here, there) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        let wrong = clients.verify(b"Basic cmFkaXVzOmh1bnRlcjM=", here).await;
        assert_eq!(wrong.unwrap_err(), AuthenticationFailure::Wrong);
        clients.slow_down(here).await.unwrap();
    }
    // 50, then before and after each next one: 50 and 100, 100 and 200.
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(500), "{waited:?}");
    let begun = tokio::time::Instant::now();
    assert!(clients.verify(HUNTER.as_bytes(), there).await.is_ok());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    // Once it is known, it is not kept waiting where others guess either.
    let roster = clients.now();
    assert_eq!(ask(&roster, HUNTER, "10.0.0.1").as_deref(), Ok("radius"));
}
