//! The signed statement that stands in for a client secret.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, Header};
use serde::Serialize;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::ClientCertificate;

/// Seconds an assertion is valid. Entra's documentation asks for 5 to 10 minutes.
const LIFETIME: u64 = 480;

/// How a client assertion is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AssertionAlgorithm {
    /// RSA-PSS with `x5t#S256`, as Entra's documentation asks for today.
    #[default]
    Ps256,
    /// RSA PKCS#1 v1.5 with `x5t` as well, for old national clouds, AD FS and other servers.
    Rs256,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: u64,
    iat: u64,
    exp: u64,
}

pub(super) fn sign(
    token_url: &Url,
    client_id: &str,
    certificate: &ClientCertificate,
    algorithm: AssertionAlgorithm,
) -> Result<Zeroizing<String>, jsonwebtoken::errors::Error> {
    let mut header = Header::new(match algorithm {
        AssertionAlgorithm::Ps256 => Algorithm::PS256,
        AssertionAlgorithm::Rs256 => Algorithm::RS256,
    });
    header.x5t_s256 = Some(certificate.x5t_s256());
    if algorithm == AssertionAlgorithm::Rs256 {
        header.x5t = Some(certificate.x5t());
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let claims = Claims {
        aud: token_url.as_str(),
        iss: client_id,
        sub: client_id,
        jti: Uuid::new_v4().to_string(),
        nbf: now,
        iat: now,
        exp: now + LIFETIME,
    };
    jsonwebtoken::encode(&header, &claims, certificate.signing_key()).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    const TOKEN_URL: &str = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token";

    fn certificate() -> ClientCertificate {
        ClientCertificate::from_pem(
            include_bytes!("../../tests/certificates/throwaway.pem"),
            include_bytes!("../../tests/certificates/throwaway-key.pem"),
            None,
        )
        .unwrap()
    }

    /// Header and claims, after the signature was verified with the certificate's public key.
    fn signed(algorithm: AssertionAlgorithm, expected: Algorithm) -> (Value, Value) {
        let certificate = certificate();
        let url: Url = TOKEN_URL.parse().unwrap();
        let token = sign(&url, "client", &certificate, algorithm).unwrap();
        let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
        let key = DecodingKey::from_rsa_der(&parsed.public_key().subject_public_key.data);
        let mut validation = Validation::new(expected);
        validation.set_audience(&[TOKEN_URL]);
        validation.validate_nbf = true;
        let decoded = jsonwebtoken::decode::<Value>(token.as_bytes(), &key, &validation).unwrap();
        let header = BASE64_URL_SAFE_NO_PAD
            .decode(token.split('.').next().unwrap())
            .unwrap();
        (serde_json::from_slice(&header).unwrap(), decoded.claims)
    }

    #[test]
    fn ps256_names_the_certificate_by_sha256() {
        let (header, claims) = signed(AssertionAlgorithm::Ps256, Algorithm::PS256);
        assert_eq!(header["typ"], "JWT");
        assert_eq!(header["alg"], "PS256");
        assert_eq!(header["x5t#S256"], certificate().x5t_s256());
        assert_eq!(header["x5t#S256"].as_str().unwrap().len(), 43);
        assert_eq!(header.get("x5t"), None);
        assert_eq!(claims["iss"], "client");
        assert_eq!(claims["sub"], "client");
        assert_eq!(claims["aud"], TOKEN_URL);
        let (from, to) = (
            claims["nbf"].as_u64().unwrap(),
            claims["exp"].as_u64().unwrap(),
        );
        assert!((300..=600).contains(&(to - from)));
        assert_eq!(claims["iat"].as_u64(), Some(from));
    }

    #[test]
    fn rs256_names_it_by_sha1_too() {
        let (header, _) = signed(AssertionAlgorithm::Rs256, Algorithm::RS256);
        assert_eq!(header["alg"], "RS256");
        assert_eq!(header["x5t"], certificate().x5t());
        assert_eq!(header["x5t"].as_str().unwrap().len(), 27);
        assert_eq!(header["x5t#S256"], certificate().x5t_s256());
    }

    #[test]
    fn every_assertion_is_fresh() {
        let (_, first) = signed(AssertionAlgorithm::Ps256, Algorithm::PS256);
        let (_, second) = signed(AssertionAlgorithm::Ps256, Algorithm::PS256);
        assert_ne!(first["jti"], second["jti"]);
    }
}
