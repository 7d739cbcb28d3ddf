//! Every refusal of the token endpoint, and what real clients send.

use std::sync::LazyLock;

use http::{HeaderValue, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

use super::*;
use crate::authority::ClientCertificate;

const NOW: i64 = 1_800_000_000;
const ORIGIN: &str = "https://127.0.0.1:4433";
const TENANT: Uuid = Uuid::from_u128(0x11);
const CLIENT: Uuid = Uuid::from_u128(0x22);
const SECRET: &str = "s3cret/+&~";
const INTUNE: &str = "https://api.manage.microsoft.com//.default";

static KNOWN: LazyLock<ClientCertificate> =
    LazyLock::new(|| ClientCertificate::generate("known").unwrap());
static STRANGER: LazyLock<ClientCertificate> =
    LazyLock::new(|| ClientCertificate::generate("stranger").unwrap());

fn entra() -> Entra {
    let entra = Entra::new(
        TENANT,
        "contoso.example".to_owned(),
        Signer::generate().unwrap(),
    );
    let mut application = Application::new(CLIENT);
    let secret = |value: &str, expires| Secret {
        value: value.to_owned(),
        expires,
    };
    application.secrets.push(secret(SECRET, None));
    application.secrets.push(secret("old", Some(NOW)));
    let mut known = RegisteredCertificate::from_pem(&KNOWN.certificate_pem).unwrap();
    known.not_after = NOW + 86_400;
    application.certificates.push(known);
    entra.applications.write().insert(CLIENT, application);
    let mut disabled = Application::new(Uuid::from_u128(0x33));
    disabled.enabled = false;
    entra.applications.write().insert(disabled.id, disabled);
    entra
}

/// A request in the making; empty values are left out.
struct Ask<'a> {
    tenant: &'a str,
    version: Version,
    authorization: Option<String>,
    content_type: &'static str,
    form: Vec<(&'a str, String)>,
    now: i64,
}

fn ask<'a>() -> Ask<'a> {
    Ask {
        tenant: "contoso.example",
        version: Version::V2,
        authorization: None,
        content_type: "application/x-www-form-urlencoded",
        form: vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", CLIENT.to_string()),
            ("scope", INTUNE.to_owned()),
        ],
        now: NOW,
    }
}

impl<'a> Ask<'a> {
    /// Sets a parameter, or takes it away when the value is empty.
    fn with(mut self, name: &'a str, value: &str) -> Self {
        self.form.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            self.form.push((name, value.to_owned()));
        }
        self
    }

    fn assertion(self, assertion: &str) -> Self {
        self.with("client_assertion_type", JWT_BEARER)
            .with("client_assertion", assertion)
    }

    fn v1(mut self) -> Self {
        self.version = Version::V1;
        self.with("scope", "")
            .with("resource", "https://api.manage.microsoft.com/")
    }

    fn tenant(mut self, tenant: &'a str) -> Self {
        self.tenant = tenant;
        self
    }

    fn send(&self, entra: &Entra) -> Result<Value, Failure> {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(&self.form);
        let body = body.finish();
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        if let Some(value) = &self.authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        let request = TokenRequest {
            tenant: self.tenant,
            version: self.version,
            headers: &headers,
            body: body.as_bytes(),
        };
        entra.token(&request, &[ORIGIN.to_owned()], self.now, true)
    }

    fn refused(&self, entra: &Entra, status: u16, error: &str, code: u32) {
        let failure = self.send(entra).expect_err("it is refused");
        assert_eq!(
            (failure.status.as_u16(), failure.error, failure.code),
            (status, error, code),
            "{}",
            failure.text
        );
    }

    /// Says whether the service itself takes the token.
    fn granted(&self, entra: &Entra, resource: Resource) -> Value {
        let answer = self.send(entra).expect("a token");
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
        headers.insert(header::AUTHORIZATION, bearer.parse().unwrap());
        assert_eq!(entra.authorize(&headers, resource, self.now), Ok(()));
        answer
    }
}

#[test]
fn secrets() {
    let entra = entra();
    let answer = ask()
        .with("client_secret", SECRET)
        .granted(&entra, Resource::Intune);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3599);

    ask()
        .with("client_secret", "wrong")
        .refused(&entra, 401, "invalid_client", 7_000_215);
    ask()
        .with("client_secret", "old")
        .refused(&entra, 401, "invalid_client", 7_000_222);
    ask().refused(&entra, 401, "invalid_client", 7_000_216);

    let mut basic = ask().with("client_id", "");
    let encoded = format!("{CLIENT}:s3cret%2F%2B%26~");
    basic.authorization = Some(format!("Basic {}", STANDARD.encode(encoded)));
    basic.granted(&entra, Resource::Intune);
    basic.authorization = Some("Basic not-base64".to_owned());
    basic.refused(&entra, 400, "invalid_request", 9_002_313);
}

#[test]
fn requests() {
    let entra = entra();
    let good = || ask().with("client_secret", SECRET);
    good()
        .with("grant_type", "")
        .refused(&entra, 400, "invalid_request", 900_144);
    good()
        .with("grant_type", "password")
        .refused(&entra, 400, "unsupported_grant_type", 70_003);
    good()
        .with("client_id", "")
        .refused(&entra, 400, "invalid_request", 900_144);
    good()
        .with("client_id", "nobody")
        .refused(&entra, 400, "unauthorized_client", 700_016);
    let other = Uuid::from_u128(0x44).to_string();
    good()
        .with("client_id", &other)
        .refused(&entra, 400, "unauthorized_client", 700_016);
    let disabled = Uuid::from_u128(0x33).to_string();
    good()
        .with("client_id", &disabled)
        .refused(&entra, 400, "unauthorized_client", 7_000_112);
    good()
        .with("scope", "")
        .refused(&entra, 400, "invalid_request", 900_144);
    good()
        .with("scope", "https://example.com/.default")
        .refused(&entra, 400, "invalid_resource", 500_011);
    good()
        .with("resource", "https://graph.microsoft.com")
        .refused(&entra, 400, "invalid_request", 901_002);

    let mut json = good();
    json.content_type = "application/json";
    json.refused(&entra, 400, "invalid_request", 9_002_313);

    good()
        .tenant(&TENANT.to_string())
        .granted(&entra, Resource::Intune);
    good()
        .tenant("CONTOSO.example")
        .granted(&entra, Resource::Intune);
    good()
        .tenant("common")
        .refused(&entra, 400, "invalid_request", 9_001_023);
    good()
        .tenant("organizations")
        .refused(&entra, 400, "invalid_request", 50_194);
    good()
        .tenant("fabrikam.example")
        .refused(&entra, 400, "invalid_request", 90_002);
    good()
        .tenant(&other)
        .refused(&entra, 400, "invalid_request", 90_002);
    good()
        .tenant("fabrikam")
        .refused(&entra, 400, "invalid_request", 900_023);
}

#[test]
fn generation_one() {
    let entra = entra();
    let answer = ask()
        .v1()
        .with("client_secret", SECRET)
        .with("scope", "openid")
        .granted(&entra, Resource::Intune);
    assert_eq!(answer["expires_in"], "3599");
    assert_eq!(answer["not_before"], NOW.to_string());
    assert_eq!(answer["expires_on"], (NOW + 3599).to_string());
    assert_eq!(answer["resource"], "https://api.manage.microsoft.com/");
    let v1 = ask().v1().with("client_secret", SECRET);
    v1.with("resource", "")
        .refused(&entra, 400, "invalid_request", 900_144);
    let v1 = ask().v1().with("client_secret", SECRET);
    v1.with("resource", "https://example.com")
        .refused(&entra, 400, "invalid_resource", 500_011);
}

/// A signed assertion; `header` and `claims` are changed or, with null, taken away.
fn signed(
    certificate: &ClientCertificate,
    alg: Algorithm,
    header: &Value,
    claims: &Value,
) -> String {
    let mut all = json!({
        "aud": format!("{ORIGIN}/{TENANT}/oauth2/v2.0/token"),
        "iss": CLIENT, "sub": CLIENT, "jti": Uuid::new_v4(),
        "iat": NOW, "nbf": NOW, "exp": NOW + 600,
    });
    let map: &mut Map<String, Value> = all.as_object_mut().unwrap();
    for (name, value) in claims.as_object().unwrap() {
        map.insert(name.clone(), value.clone());
    }
    map.retain(|_, value| !value.is_null());
    let mut jose = Header::new(alg);
    let text = |name: &str| header[name].as_str().map(str::to_owned);
    jose.x5t = text("x5t");
    jose.x5t_s256 = text("x5t#S256");
    let key = EncodingKey::from_rsa_pem(certificate.key_pem.as_bytes()).unwrap();
    jsonwebtoken::encode(&jose, &all, &key).unwrap()
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    hex::decode(hexadecimal).unwrap()
}

fn s256(certificate: &ClientCertificate) -> Value {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(bytes(&certificate.sha256)) })
}

#[test]
fn assertions_as_real_clients_send_them() {
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    let entra = entra();
    let sha1 = bytes(&KNOWN.sha1);
    let sha256 = bytes(&KNOWN.sha256);
    let v1_audience = format!("{ORIGIN}/contoso.example/oauth2/token");
    #[expect(clippy::cast_precision_loss, reason = "exact for this number")]
    let now = NOW as f64;
    for (alg, header, claims) in [
        // msal-python with PEM or PFX.
        (
            Algorithm::PS256,
            json!({ "x5t#S256": URL_SAFE.encode(&sha256) }),
            json!({ "nbf": null, "iat": now + 0.25, "exp": now + 600.25 }),
        ),
        // msal-python with a thumbprint only, azure-identity.
        (
            Algorithm::RS256,
            json!({ "x5t": URL_SAFE.encode(&sha1) }),
            json!({ "nbf": null, "exp": now + 600.5 }),
        ),
        // msal-node.
        (
            Algorithm::PS256,
            json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(&sha256) }),
            json!({ "nbf": NOW + 1, "exp": NOW + 601 }),
        ),
        // Cisco ISE.
        (
            Algorithm::RS256,
            json!({ "x5t": STANDARD.encode(&sha1) }),
            json!({ "nbf": null, "exp": NOW + 300, "aud": v1_audience }),
        ),
        // Both thumbprints at once, and a clock that is a little off.
        (
            Algorithm::PS256,
            json!({ "x5t": URL_SAFE_NO_PAD.encode(&sha1), "x5t#S256": URL_SAFE_NO_PAD.encode(&sha256) }),
            json!({ "nbf": NOW + 290, "exp": NOW + 590 }),
        ),
    ] {
        let assertion = signed(&KNOWN, alg, &header, &claims);
        ask()
            .assertion(&assertion)
            .granted(&entra, Resource::Intune);
        // Cisco ISE names the client only inside, also at the old endpoint.
        let bare = ask().v1().with("client_id", "").assertion(&assertion);
        bare.granted(&entra, Resource::Intune);
    }
}

#[test]
fn assertions_refused() {
    let entra = entra();
    let alg = Algorithm::PS256;
    let refused = |assertion: &str, status, error, code| {
        ask()
            .assertion(assertion)
            .refused(&entra, status, error, code);
    };
    let claims = |claims: Value| signed(&KNOWN, alg, &s256(&KNOWN), &claims);
    let none = json!({});

    refused("one.two", 400, "invalid_request", 50_027);
    refused("e30.!!.AAAA", 400, "invalid_request", 50_027);
    refused("e30.W10.AAAA", 400, "invalid_request", 50_027);
    // {"alg":"none"} and {"alg":"HS256"}.
    refused(
        "eyJhbGciOiJub25lIn0.e30.",
        400,
        "invalid_request",
        5_002_738,
    );
    refused(
        "eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
        400,
        "invalid_request",
        5_002_738,
    );
    let other = signed(&KNOWN, Algorithm::RS512, &s256(&KNOWN), &none);
    refused(&other, 400, "invalid_request", 5_002_738);

    // No thumbprint; one that is not registered; a registered one with another key.
    refused(
        &signed(&KNOWN, alg, &none, &none),
        401,
        "invalid_client",
        700_027,
    );
    refused(
        &signed(&STRANGER, alg, &s256(&STRANGER), &none),
        401,
        "invalid_client",
        700_027,
    );
    refused(
        &signed(&STRANGER, alg, &s256(&KNOWN), &none),
        401,
        "invalid_client",
        700_027,
    );
    let wrong_sha1 = json!({ "x5t": STANDARD.encode(bytes(&STRANGER.sha1)), "x5t#S256": s256(&KNOWN)["x5t#S256"] });
    refused(
        &signed(&KNOWN, alg, &wrong_sha1, &none),
        401,
        "invalid_client",
        700_027,
    );
    let garbage = json!({ "x5t": "!" });
    refused(
        &signed(&KNOWN, alg, &garbage, &none),
        400,
        "invalid_request",
        50_027,
    );
    // Signed as RS256, announced as PS256.
    let honest = signed(&KNOWN, Algorithm::RS256, &s256(&KNOWN), &none);
    let announced = signed(&KNOWN, Algorithm::PS256, &s256(&KNOWN), &none);
    let (_, rest) = honest.split_once('.').unwrap();
    let (header, _) = announced.split_once('.').unwrap();
    refused(&format!("{header}.{rest}"), 401, "invalid_client", 700_027);

    refused(
        &claims(json!({ "iss": Uuid::nil() })),
        401,
        "invalid_client",
        700_021,
    );
    refused(
        &claims(json!({ "sub": Uuid::nil() })),
        401,
        "invalid_client",
        50_048,
    );
    refused(
        &claims(json!({ "sub": null })),
        401,
        "invalid_client",
        50_048,
    );
    let foreign = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    for audience in [
        json!(foreign),
        json!(ORIGIN),
        json!(null),
        json!([ORIGIN, ORIGIN]),
    ] {
        refused(
            &claims(json!({ "aud": audience })),
            401,
            "invalid_client",
            700_023,
        );
    }
    refused(
        &claims(json!({ "exp": NOW - 301 })),
        401,
        "invalid_client",
        700_024,
    );
    refused(
        &claims(json!({ "nbf": NOW + 301, "exp": NOW + 900 })),
        401,
        "invalid_client",
        700_024,
    );
    refused(
        &claims(json!({ "exp": null })),
        400,
        "invalid_request",
        50_027,
    );
    refused(
        &claims(json!({ "exp": "soon" })),
        400,
        "invalid_request",
        50_027,
    );

    // The certificate itself has expired.
    let later = NOW + 86_400;
    let mut late = ask().assertion(&claims(json!({ "nbf": later, "exp": later + 600 })));
    late.now = later;
    late.refused(&entra, 401, "invalid_client", 700_027);

    let good = claims(none);
    let typeless = ask().assertion(&good).with("client_assertion_type", "");
    typeless.refused(&entra, 400, "invalid_request", 900_144);
    let odd = ask().assertion(&good).with("client_assertion_type", "saml");
    odd.refused(&entra, 400, "invalid_request", 9_002_313);
}

#[test]
fn replay_is_refused_only_on_demand() {
    let entra = entra();
    let assertion = signed(&KNOWN, Algorithm::PS256, &s256(&KNOWN), &json!({}));
    let ask = || ask().assertion(&assertion);
    ask().granted(&entra, Resource::Intune);
    ask().granted(&entra, Resource::Intune);
    entra.refuse_replay.store(true, Ordering::Relaxed);
    ask().granted(&entra, Resource::Intune);
    ask().refused(&entra, 401, "invalid_client", 50_013);
    let nameless = signed(
        &KNOWN,
        Algorithm::PS256,
        &s256(&KNOWN),
        &json!({ "jti": null }),
    );
    ask()
        .assertion(&nameless)
        .refused(&entra, 400, "invalid_request", 50_027);
}

#[test]
fn services_check_tokens() {
    let entra = entra();
    let token = |entra: &Entra| {
        let answer = ask().with("client_secret", SECRET).send(entra).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let check = |authorization: Option<&str>, resource, now, expected| {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        let answer = entra.authorize(&headers, resource, now);
        match (answer, expected) {
            (Err(Denied::Invalid(text)), Some(Denied::Invalid(part))) => {
                assert!(text.contains(part), "{text}");
            }
            (answer, expected) => assert_eq!(answer.err(), expected),
        }
    };
    let good = format!("Bearer {}", token(&entra));
    let intune = Resource::Intune;
    check(Some(&good), intune, NOW, None);
    check(Some(&good), intune, NOW + 3598, None);
    check(
        Some(&good),
        intune,
        NOW + 3599,
        Some(Denied::Invalid("expired")),
    );
    check(
        Some(&good),
        intune,
        NOW - 1,
        Some(Denied::Invalid("expired")),
    );
    check(
        Some(&good),
        Resource::Graph,
        NOW,
        Some(Denied::Invalid("audience")),
    );
    check(None, intune, NOW, Some(Denied::Missing));
    check(Some("Basic Og=="), intune, NOW, Some(Denied::Missing));
    check(
        Some("Bearer x.y.z"),
        intune,
        NOW,
        Some(Denied::Invalid("signature")),
    );
    let foreign = Entra::new(
        TENANT,
        "contoso.example".to_owned(),
        Signer::generate().unwrap(),
    );
    *foreign.applications.write() = std::mem::take(&mut *self::entra().applications.write());
    let foreign = format!("Bearer {}", token(&foreign));
    check(
        Some(&foreign),
        intune,
        NOW,
        Some(Denied::Invalid("signature")),
    );

    entra
        .applications
        .write()
        .get_mut(&CLIENT)
        .unwrap()
        .granted
        .clear();
    let bare = format!("Bearer {}", token(&entra));
    check(Some(&bare), intune, NOW, Some(Denied::Role));
    check(Some(&good), intune, NOW, None);
}

#[test]
fn the_error_body_has_entras_shape() {
    let failure = Failure::wrong_secret(CLIENT);
    let body = failure.body("c0ffee", NOW, ORIGIN);
    let description = body["error_description"].as_str().unwrap();
    assert!(description.starts_with("AADSTS7000215: Invalid client secret provided."));
    assert!(description.ends_with("Correlation ID: c0ffee Timestamp: 2027-01-15 08:00:00Z"));
    assert_eq!(body["error"], "invalid_client");
    assert_eq!(body["error_codes"], json!([7_000_215]));
    assert_eq!(body["timestamp"], "2027-01-15 08:00:00Z");
    assert_eq!(body["correlation_id"], "c0ffee");
    assert_eq!(body["error_uri"], format!("{ORIGIN}/error?code=7000215"));
    assert!(body["trace_id"].is_string());
}

#[test]
fn only_rsa_certificates_are_registered() {
    assert!(matches!(
        RegisteredCertificate::from_pem("-----BEGIN NOTHING-----"),
        Err(RegistrationError::NotCertificate)
    ));
    let elliptic = crate::authority::Authority::generate().unwrap().pem();
    assert!(matches!(
        RegisteredCertificate::from_pem(&elliptic),
        Err(RegistrationError::NotRsa)
    ));
}
