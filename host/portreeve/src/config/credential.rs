//! `[connectors.NAME.credentials.SLOT]`: what the host adds to requests.

use std::fmt;

use portreeve_egress::{ClientCertificate, UrlScope};
use serde::{Serialize, Serializer};
use url::Url;

use super::expires::Expires;
use super::file::{PrivateFile, PublicFile};
use super::place::Located;
use super::problem::Problem;
use super::read::Section;
use super::secret::SecretSetting;
use super::value::{FilePath, choice};

const SECRET_EXAMPLE: &str = "{ file = \"secret\" }";

/// One credential of a connector.
#[derive(Debug, Serialize)]
pub(crate) struct CredentialConfig {
    #[serde(skip)]
    pub(crate) name: Located<String>,
    /// Where it may be sent; empty for a key that only signs.
    #[serde(serialize_with = "as_texts", skip_serializing_if = "Vec::is_empty")]
    pub(crate) urls: Vec<UrlScope>,
    /// When its secret ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Expires>,
    #[serde(flatten)]
    pub(crate) kind: CredentialKind,
}

/// How it proves who asks.
#[derive(Debug, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub(crate) enum CredentialKind {
    /// OAuth 2 client credentials with a shared secret (RFC 6749, section 4.4).
    #[serde(rename = "oauth2-client-secret")]
    ClientSecret {
        #[serde(flatten)]
        token: TokenConfig,
        secret: SecretSetting,
    },
    /// The same with a signed assertion (RFC 7523).
    #[serde(rename = "oauth2-client-certificate")]
    ClientCertificate {
        #[serde(flatten)]
        token: TokenConfig,
        certificate: CertificateSetting,
        algorithm: Algorithm,
    },
    /// RFC 7617.
    Basic {
        username: String,
        password: SecretSetting,
    },
    /// RFC 6750.
    Bearer { secret: SecretSetting },
    /// A header of the vendor's own.
    Header {
        header: String,
        secret: SecretSetting,
    },
    /// A key for `portreeve:host/signing`.
    Hmac { secret: SecretSetting },
}

impl CredentialKind {
    /// What must not be shown, to tell whether it has changed.
    pub(crate) fn secrets(&self) -> Vec<&[u8]> {
        match self {
            Self::ClientCertificate { certificate, .. } => {
                // Another key has another certificate.
                vec![certificate.certificate.der()]
            }
            Self::ClientSecret { secret, .. }
            | Self::Bearer { secret }
            | Self::Header { secret, .. }
            | Self::Hmac { secret } => vec![secret.value.expose().as_bytes()],
            Self::Basic { password, .. } => vec![password.value.expose().as_bytes()],
        }
    }

    /// The word for it in the configuration and in plugin descriptors.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::ClientSecret { .. } => "oauth2-client-secret",
            Self::ClientCertificate { .. } => "oauth2-client-certificate",
            Self::Basic { .. } => "basic",
            Self::Bearer { .. } => "bearer",
            Self::Header { .. } => "header",
            Self::Hmac { .. } => "hmac",
        }
    }
}

/// Where tokens come from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TokenConfig {
    #[serde(serialize_with = "as_text")]
    pub(crate) token_url: Url,
    pub(crate) client_id: String,
    /// What the token is for; the resource for the first version of Entra's
    /// endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
}

/// Signature of an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Algorithm {
    #[serde(rename = "PS256")]
    Ps256,
    #[serde(rename = "RS256")]
    Rs256,
}

/// A certificate with its key, ready to sign.
#[derive(Debug)]
pub(crate) struct CertificateSetting {
    path: FilePath,
    pub(crate) certificate: ClientCertificate,
}

impl Serialize for CertificateSetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.path.serialize(serializer)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    ClientSecret,
    ClientCertificate,
    Basic,
    Bearer,
    Header,
    Hmac,
}

const KINDS: [(&str, Kind); 6] = [
    ("oauth2-client-secret", Kind::ClientSecret),
    ("oauth2-client-certificate", Kind::ClientCertificate),
    ("basic", Kind::Basic),
    ("bearer", Kind::Bearer),
    ("header", Kind::Header),
    ("hmac", Kind::Hmac),
];

pub(super) fn read(name: Located<String>, section: Section<'_>) -> Option<CredentialConfig> {
    let Some(node) = section.node("kind") else {
        section.report_missing("kind", "\"oauth2-client-secret\"");
        return None;
    };
    // Without a kind nobody knows which other keys make sense.
    let kind = choice(node, section.reader, &KINDS)?;
    let secret = || section.required("secret", SECRET_EXAMPLE);
    let urls = match kind {
        Kind::Hmac => Some(Vec::new()),
        _ => section.required::<Vec<UrlScope>>("urls", "[\"https://graph.microsoft.com/\"]"),
    };
    let kind = match kind {
        Kind::ClientSecret => {
            let (token, secret) = (token(&section), secret());
            token
                .zip(secret)
                .map(|(token, secret)| CredentialKind::ClientSecret { token, secret })
        }
        Kind::ClientCertificate => {
            let token = token(&section);
            let certificate = certificate(&section);
            let algorithm = algorithm(&section);
            token
                .zip(certificate)
                .zip(algorithm)
                .map(
                    |((token, certificate), algorithm)| CredentialKind::ClientCertificate {
                        token,
                        certificate,
                        algorithm,
                    },
                )
        }
        Kind::Basic => {
            let username = section.required("username", "\"portreeve\"");
            let password = section.required("password", SECRET_EXAMPLE);
            username
                .zip(password)
                .map(|(username, password)| CredentialKind::Basic { username, password })
        }
        Kind::Bearer => secret().map(|secret| CredentialKind::Bearer { secret }),
        Kind::Header => {
            let header = section.required("header", "\"X-Api-Key\"");
            let secret = secret();
            header
                .zip(secret)
                .map(|(header, secret)| CredentialKind::Header { header, secret })
        }
        Kind::Hmac => secret().map(|secret| CredentialKind::Hmac { secret }),
    };
    let expires = section.optional("expires");
    section.finish();
    Some(CredentialConfig {
        name,
        expires,
        urls: urls?,
        kind: kind?,
    })
}

fn token(section: &Section<'_>) -> Option<TokenConfig> {
    let token_url = section.required(
        "token-url",
        "\"https://login.microsoftonline.com/TENANT/oauth2/v2.0/token\"",
    );
    let client_id = section.required("client-id", "\"00000000-0000-0000-0000-000000000000\"");
    let scope = section.optional("scope");
    Some(TokenConfig {
        token_url: token_url?,
        client_id: client_id?,
        scope,
    })
}

fn algorithm(section: &Section<'_>) -> Option<Algorithm> {
    let choices = [("PS256", Algorithm::Ps256), ("RS256", Algorithm::Rs256)];
    match section.node("algorithm") {
        None => Some(Algorithm::Ps256),
        Some(node) => choice(node, section.reader, &choices),
    }
}

/// PFX with its password, or PEM with the key in the same file or in another.
fn certificate(section: &Section<'_>) -> Option<CertificateSetting> {
    let Some(node) = section.node("certificate") else {
        section.report_missing("certificate", "\"portreeve.pfx\"");
        section.node("key");
        section.node("password");
        return None;
    };
    let key_named = section.node("key").is_some();
    let password_named = section.node("password").is_some();
    let password: Option<SecretSetting> = section.optional("password");
    if password_named && password.is_none() {
        return None;
    }
    let password = password.map(|password| password.value);
    let (path, read) = if key_named {
        let certificate: PublicFile = section.required("certificate", "")?;
        let key: PrivateFile = section.required("key", "")?;
        let read =
            ClientCertificate::from_pem(&certificate.content, &key.content, password.as_ref());
        (certificate.path, read)
    } else {
        let both: PrivateFile = section.required("certificate", "")?;
        let content = &both.content;
        let read = if is_pem(content) {
            ClientCertificate::from_pem(content, content, password.as_ref())
        } else {
            ClientCertificate::from_pfx(content, password.as_ref())
        };
        (both.path, read)
    };
    match read {
        Ok(certificate) => Some(CertificateSetting { path, certificate }),
        Err(error) => {
            let message = format!("`{}`: {error}", path.0.display());
            section
                .reader
                .report(Problem::new(&node.place, &node.key, message).hint(
                    "use a PFX file with `password`, or PEM files as `certificate` and `key`; \
                     the key must be RSA",
                ));
            None
        }
    }
}

fn is_pem(content: &[u8]) -> bool {
    content.windows(11).any(|window| window == b"-----BEGIN ")
}

pub(super) fn as_text<T: fmt::Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn as_texts<T: fmt::Display, S: Serializer>(
    values: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}
