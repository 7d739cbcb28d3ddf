use super::*;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/certificates/", $name)).as_slice()
    };
}

const THUMBPRINT: &str = "B2D3433E8E518972C7F6385D81B0188C6BFA4809";

fn secret() -> Secret {
    Secret::new("secret")
}

fn check_pfx(file: &[u8], password: Option<&Secret>) {
    let certificate = ClientCertificate::from_pfx(file, password).unwrap();
    assert_eq!(certificate.sha1_thumbprint(), THUMBPRINT);
    assert_signs(&certificate);
}

/// A key that was read wrongly would still look like one until it is used.
fn assert_signs(certificate: &ClientCertificate) {
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::PS256);
    let claims = serde_json::json!({ "iss": "test", "exp": 4_000_000_000_u64 });
    let token = jsonwebtoken::encode(&header, &claims, certificate.signing_key()).unwrap();
    let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
    let public = &parsed.public_key().subject_public_key.data;
    let key = jsonwebtoken::DecodingKey::from_rsa_der(public);
    let validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::PS256);
    jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation).unwrap();
}

#[test]
fn pfx_of_every_age() {
    check_pfx(file!("modern.pfx"), Some(&secret()));
    check_pfx(file!("legacy.pfx"), Some(&secret()));
    check_pfx(file!("triple-des.pfx"), Some(&secret()));
    check_pfx(file!("no-mac.pfx"), Some(&secret()));
    check_pfx(file!("no-encryption.pfx"), None);
}

#[test]
fn an_empty_password_is_no_password() {
    check_pfx(file!("empty-password.pfx"), None);
    check_pfx(file!("empty-password.pfx"), Some(&Secret::new("")));
}

#[test]
fn the_certificate_of_the_key_is_chosen() {
    check_pfx(file!("several.pfx"), Some(&secret()));
    let both = [file!("throwaway-other.pem"), file!("throwaway.pem")].concat();
    let certificate = ClientCertificate::from_pem(&both, file!("throwaway-key.pem"), None).unwrap();
    assert_eq!(certificate.sha1_thumbprint(), THUMBPRINT);
}

#[test]
fn pfx_that_cannot_be_used() {
    let refused = |file: &[u8], password: Option<&str>| {
        ClientCertificate::from_pfx(file, password.map(Secret::new).as_ref()).unwrap_err()
    };
    assert_eq!(
        refused(file!("modern.pfx"), None),
        CertificateFileError::PasswordMissing
    );
    assert_eq!(
        refused(file!("legacy.pfx"), Some("x")),
        CertificateFileError::WrongPassword
    );
    assert_eq!(
        refused(file!("no-mac.pfx"), Some("x")),
        CertificateFileError::WrongPassword
    );
    assert_eq!(
        refused(file!("no-key.pfx"), Some("secret")),
        CertificateFileError::NoKey
    );
    assert_eq!(
        refused(file!("no-certificate.pfx"), Some("secret")),
        CertificateFileError::NoCertificate
    );
    assert!(matches!(
        refused(b"nonsense", None),
        CertificateFileError::Unreadable(_)
    ));
}

fn check_pem(key: &[u8], password: Option<&Secret>) {
    let certificate = ClientCertificate::from_pem(file!("throwaway.pem"), key, password).unwrap();
    assert_eq!(certificate.sha1_thumbprint(), THUMBPRINT);
    assert_signs(&certificate);
}

#[test]
fn pem_keys_of_every_kind() {
    check_pem(file!("throwaway-key.pem"), None);
    check_pem(file!("throwaway-key-pkcs1.pem"), None);
    check_pem(file!("throwaway-key-encrypted.pem"), Some(&secret()));
    check_pem(file!("throwaway-key-encrypted-des3.pem"), Some(&secret()));
    let windows = [b"\xef\xbb\xbf", file!("throwaway-key.pem")].concat();
    check_pem(&windows, None);
}

#[test]
fn pem_that_cannot_be_used() {
    let refused = |certificate: &[u8], key: &[u8], password: Option<&str>| {
        let password = password.map(Secret::new);
        ClientCertificate::from_pem(certificate, key, password.as_ref()).unwrap_err()
    };
    let certificate = file!("throwaway.pem");
    let encrypted = file!("throwaway-key-encrypted.pem");
    assert_eq!(
        refused(certificate, encrypted, None),
        CertificateFileError::PasswordMissing
    );
    assert_eq!(
        refused(certificate, encrypted, Some("x")),
        CertificateFileError::WrongPassword
    );
    assert_eq!(
        refused(
            certificate,
            file!("throwaway-key-old-encryption.pem"),
            Some("secret")
        )
        .to_string(),
        "the encryption of the file is not supported: convert the key with `openssl pkcs8 -topk8 -in OLD -out NEW`"
    );
    assert_eq!(
        refused(certificate, file!("throwaway-key-ec.pem"), None),
        CertificateFileError::KeyKind
    );
    assert_eq!(
        refused(
            file!("throwaway-other.pem"),
            file!("throwaway-key.pem"),
            None
        ),
        CertificateFileError::NoMatch
    );
    assert_eq!(
        refused(certificate, certificate, None),
        CertificateFileError::NoKey
    );
    assert_eq!(
        refused(b"", file!("throwaway-key.pem"), None),
        CertificateFileError::NoCertificate
    );
}

#[test]
fn shows_what_an_administrator_compares() {
    let certificate =
        ClientCertificate::from_pem(file!("throwaway.pem"), file!("throwaway-key.pem"), None)
            .unwrap();
    assert_eq!(
        certificate.subject(),
        "CN=portreeve throw-away test, O=Portreeve"
    );
    assert_eq!(certificate.common_name(), Some("portreeve throw-away test"));
    assert_eq!(certificate.key_bits(), 2048);
    assert_eq!(
        certificate.sha256_thumbprint(),
        "54DF37DEFD6048659C2779D2E9BD764A9CD755AEE3995091408AB7E659A21270"
    );
    assert_eq!(certificate.not_after().year(), 2126);
    assert!(certificate.not_before() < certificate.not_after());
    assert_eq!(
        format!("{certificate:?}"),
        format!(
            "ClientCertificate {{ subject: \"CN=portreeve throw-away test, O=Portreeve\", sha1: \"{THUMBPRINT}\", key: \"[redacted]\", .. }}"
        )
    );
}

/// The example of Microsoft's documentation of certificate credentials.
#[test]
fn x5t_is_unpadded_base64url() {
    let sha1 = hex::decode("84E05C1D98BCE3A5421D225B140B36E86A3D5534").unwrap();
    assert_eq!(base64url(&sha1), "hOBcHZi846VCHSJbFAs26Go9VTQ");
    for (standard, digits) in [
        (
            "wteOPVePuM0wUeFNB9s22fkDYZE=",
            "c2d78e3d578fb8cd3051e14d07db36d9f9036191",
        ),
        (
            "B5Zz60fZKHGN6qAMvt43swIZQko=",
            "079673eb47d928718deaa00cbede37b30219424a",
        ),
        (
            "GM1Dp/1DYiNknFIJkgjnTbjo9nk=",
            "18cd43a7fd436223649c52099208e74db8e8f679",
        ),
    ] {
        let expected = standard
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_");
        assert_eq!(base64url(&hex::decode(digits).unwrap()), expected);
    }
}
