//! Every refusal of the token endpoint, and what real clients send.

mod assertions;

use std::sync::LazyLock;

use http::{HeaderValue, header};
use serde_json::{Value, json};

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
        assert_eq!(entra.authorize(&headers, right(resource), self.now), Ok(()));
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
        let answer = entra.authorize(&headers, right(resource), now);
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

proptest::proptest! {
    /// Whatever is sent, the answer is a refusal and not a panic.
    #[test]
    fn foreign_input_is_refused(
        tenant in ".{0,40}",
        body in "(grant_type=client_credentials&client_id=00000000-0000-0000-0000-000000000022&)?(scope|resource|client_secret|client_assertion)=.{0,80}",
        authorization in "(Basic|Bearer) [A-Za-z0-9+/=._-]{0,40}",
    ) {
        let entra = entra();
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        for (tenant, version) in [(tenant.as_str(), Version::V1), ("contoso.example", Version::V2)] {
            let request = TokenRequest { tenant, version, headers: &headers, body: body.as_bytes() };
            proptest::prop_assert!(entra.token(&request, &[ORIGIN.to_owned()], NOW, true).is_err());
            asked_resource(version, body.as_bytes());
        }
        proptest::prop_assert!(entra.authorize(&headers, Right::Discover, NOW).is_err());
    }
}

fn right(resource: Resource) -> Right {
    match resource {
        Resource::Graph => Right::Discover,
        Resource::Intune => Right::AskCompliance,
    }
}
