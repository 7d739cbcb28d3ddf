//! Client assertions: what real clients send, and every way to be refused.

use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Map;

use super::*;

static STRANGER: LazyLock<ClientCertificate> =
    LazyLock::new(|| ClientCertificate::generate("stranger").unwrap());

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
    json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(bytes(&certificate.sha256)) })
}

#[test]
fn assertions_as_real_clients_send_them() {
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

proptest::proptest! {
    /// An assertion is taken apart or refused, and never verified without a key.
    #[test]
    fn foreign_assertions_are_refused(text in "[A-Za-z0-9_.=-]{0,60}", claims in ".{0,60}") {
        let application = Application::new(CLIENT);
        let wrapped = format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(&claims), URL_SAFE_NO_PAD.encode(&claims));
        for text in [text, wrapped] {
            if let Ok(assertion) = Assertion::parse(&text) {
                proptest::prop_assert!(assertion.verify(&application, &[], NOW).is_err());
            }
        }
    }
}
