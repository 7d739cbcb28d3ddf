use std::sync::LazyLock;

use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const CLIENT: &str = "0b5a2f0e-1111-4222-8333-444455556666";
const NOW: u64 = 1_795_243_651;

struct Signer {
    der: Vec<u8>,
    key: EncodingKey,
}

impl Signer {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        Self {
            der: certificate.der().to_vec(),
            key: EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).unwrap(),
        }
    }

    fn registered(&self) -> RegisteredCertificate {
        RegisteredCertificate::from_der(&self.der).unwrap()
    }

    /// Header and claims are changed by these, or without what is null there.
    fn sign(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        let mut all = json!({
            "aud": "https://gw.example/intune/t1/oauth2/v2.0/token",
            "iss": CLIENT, "sub": CLIENT, "jti": "1", "iat": NOW, "nbf": NOW, "exp": NOW + 600,
        });
        let map = all.as_object_mut().unwrap();
        map.extend(claims.as_object().unwrap().clone());
        map.retain(|_, value| !value.is_null());
        let mut jose = jsonwebtoken::Header::new(algorithm);
        let text = |name: &str| header[name].as_str().map(str::to_owned);
        jose.x5t = text("x5t");
        jose.x5t_s256 = text("x5t#S256");
        jsonwebtoken::encode(&jose, &all, &self.key).unwrap()
    }

    fn sha1(&self) -> Vec<u8> {
        Sha1::digest(&self.der).to_vec()
    }

    fn sha256(&self) -> Vec<u8> {
        Sha256::digest(&self.der).to_vec()
    }
}

static KNOWN: LazyLock<Signer> = LazyLock::new(Signer::new);
static STRANGER: LazyLock<Signer> = LazyLock::new(Signer::new);

fn verify_at(text: &str, now: u64) -> Result<i64, u32> {
    let origin = Origin("gw.example".to_owned());
    let expected = Expected {
        client_id: CLIENT,
        tenant: "t1",
        origin: &origin,
        now: Timestamp::from_millis(now * 1000),
    };
    let verified = Assertion::read(text)
        .and_then(|assertion| assertion.verify(&[KNOWN.registered()], expected));
    verified.map_err(|refusal| refusal.code())
}

fn verify(text: &str) -> Result<i64, u32> {
    verify_at(text, NOW)
}

#[test]
fn assertions_as_products_sign_them() {
    let (sha1, sha256) = (KNOWN.sha1(), KNOWN.sha256());
    #[expect(clippy::cast_precision_loss, reason = "exact for this number")]
    let now = NOW as f64;
    for (algorithm, header, claims) in [
        // msal for Python with PEM or PFX, with a thumbprint only.
        (
            Algorithm::PS256,
            json!({ "x5t#S256": URL_SAFE.encode(&sha256) }),
            json!({ "nbf": null, "iat": now + 0.25, "exp": now + 600.25 }),
        ),
        (
            Algorithm::RS256,
            json!({ "x5t": URL_SAFE.encode(&sha1) }),
            json!({ "nbf": null, "exp": now + 600.5 }),
        ),
        // msal for Node.js.
        (
            Algorithm::PS256,
            json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(&sha256) }),
            json!({ "nbf": NOW + 1, "exp": NOW + 601 }),
        ),
        // Cisco ISE: the first version's URL, the standard alphabet.
        (
            Algorithm::RS256,
            json!({ "x5t": STANDARD.encode(&sha1) }),
            json!({ "nbf": null, "exp": NOW + 300, "aud": "https://gw.example:443/intune/T1/oauth2/token" }),
        ),
        // Neither thumbprint, and a clock that is a little off.
        (
            Algorithm::PS256,
            json!({}),
            json!({ "nbf": NOW + 290, "exp": NOW + 590 }),
        ),
    ] {
        let assertion = KNOWN.sign(algorithm, &header, &claims);
        assert!(verify(&assertion).is_ok(), "{header} {claims}");
    }
}

#[test]
fn what_is_refused() {
    let thumbprint = json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(KNOWN.sha256()) });
    let none = json!({});
    let claims = |claims: Value| KNOWN.sign(Algorithm::PS256, &thumbprint, &claims);
    let foreign = "https://login.microsoftonline.com/t1/oauth2/v2.0/token";
    for (assertion, code) in [
        ("one.two".to_owned(), 50_027),
        ("e30.!!.AAAA".to_owned(), 50_027),
        ("e30.W10.AAAA".to_owned(), 50_027),
        // {"alg":"none"}, {"alg":"HS256"}
        ("eyJhbGciOiJub25lIn0.e30.".to_owned(), 5_002_738),
        ("eyJhbGciOiJIUzI1NiJ9.e30.AAAA".to_owned(), 5_002_738),
        (KNOWN.sign(Algorithm::RS512, &thumbprint, &none), 5_002_738),
        (STRANGER.sign(Algorithm::PS256, &none, &none), 700_027),
        (STRANGER.sign(Algorithm::PS256, &thumbprint, &none), 700_027),
        (
            KNOWN.sign(
                Algorithm::PS256,
                &json!({ "x5t": STANDARD.encode(STRANGER.sha1()) }),
                &none,
            ),
            700_027,
        ),
        (
            KNOWN.sign(Algorithm::PS256, &json!({ "x5t": "!" }), &none),
            50_027,
        ),
        (claims(json!({ "iss": "x" })), 700_021),
        (claims(json!({ "sub": "x" })), 50_048),
        (claims(json!({ "sub": null })), 50_048),
        (claims(json!({ "aud": foreign })), 700_023),
        (
            claims(json!({ "aud": "https://gw.example/intune/t1" })),
            700_023,
        ),
        (
            claims(json!({ "aud": "https://gw.example/intune/t2/oauth2/token" })),
            700_023,
        ),
        (claims(json!({ "aud": null })), 700_023),
        (claims(json!({ "exp": NOW - 301 })), 700_024),
        (claims(json!({ "nbf": NOW + 301 })), 700_024),
        (claims(json!({ "exp": NOW + 86_400 + 301 })), 700_024),
        (claims(json!({ "exp": null })), 50_027),
        (claims(json!({ "exp": "soon" })), 50_027),
    ] {
        assert_eq!(verify(&assertion), Err(code), "{assertion}");
    }
}

#[test]
fn an_announced_algorithm_is_not_believed() {
    let thumbprint = json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(KNOWN.sha256()) });
    let honest = KNOWN.sign(Algorithm::RS256, &thumbprint, &json!({}));
    let announced = KNOWN.sign(Algorithm::PS256, &thumbprint, &json!({}));
    let (_, rest) = honest.split_once('.').unwrap();
    let (header, _) = announced.split_once('.').unwrap();
    assert_eq!(verify(&format!("{header}.{rest}")), Err(700_027));
}

#[test]
fn certificates_that_cannot_be_registered() {
    let elliptic = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let refused = |der: &[u8]| RegisteredCertificate::from_der(der).unwrap_err();
    assert_eq!(refused(elliptic.cert.der()), CertificateError::NotRsa);
    assert_eq!(refused(b"x"), CertificateError::Malformed);
}

#[test]
fn a_certificate_that_has_ended_signs_nothing() {
    // rcgen's certificates end in 4096.
    let late = 70_000_000_000;
    let claims = json!({ "nbf": late, "exp": late + 600 });
    let assertion = KNOWN.sign(Algorithm::PS256, &json!({}), &claims);
    assert_eq!(verify_at(&assertion, late), Err(700_027));
}

proptest! {
    /// Nothing is accepted that no key has signed.
    #[test]
    fn foreign_texts_are_refused(text in "[A-Za-z0-9_.=-]{0,60}", claims in ".{0,60}") {
        let part = URL_SAFE_NO_PAD.encode(&claims);
        for text in [text, format!("{part}.{part}.AAAA")] {
            prop_assert!(verify(&text).is_err());
        }
    }
}
