//! `[clients.NAME]`: who may ask, and how they prove it.

use ipnet::IpNet;
use portreeve_domain::{ActionKind, ShownFact, SourceSet};
use portreeve_faces::{Face, PasswordHash};
use serde::{Serialize, Serializer};

use super::action;
use super::certificate::CertificateFile;
use super::intune::IntuneConfig;
use super::place::Located;
use super::problem::Problem;
use super::proof::{HashConfig, OneOrMore, TokenConfig};
use super::rate::Rate;
use super::read::{FromNode, Reader, Section, listed, nearest};
use super::secret::SecretSetting;
use super::tree::Node;
use super::value::{Span, choice, parsed, text};

/// `[clients.NAME]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ClientConfig {
    #[serde(skip)]
    pub(crate) name: Located<String>,
    #[serde(serialize_with = "super::credential::as_texts")]
    pub(crate) faces: Vec<Face>,
    pub(crate) basic: Option<BasicConfig>,
    pub(crate) bearer: Option<SecretSetting>,
    pub(crate) bearer_hash: Option<OneOrMore<HashConfig>>,
    pub(crate) jwt: Option<TokenConfig>,
    pub(crate) certificate: Option<CertificateConfig>,
    pub(crate) intune: Option<IntuneConfig>,
    pub(crate) networks: Vec<IpNet>,
    pub(crate) patience: Span,
    #[serde(serialize_with = "located_names")]
    pub(crate) sources: Option<Vec<Located<String>>>,
    #[serde(serialize_with = "optional_texts")]
    pub(crate) attributes: Option<Vec<ShownFact>>,
    #[serde(serialize_with = "super::credential::as_texts")]
    pub(crate) actions: Vec<ActionKind>,
    #[serde(serialize_with = "super::credential::as_texts")]
    pub(crate) unconfirmed_actions: Vec<ActionKind>,
    pub(crate) rate_limit: Option<Rate>,
    pub(crate) burst: Option<u32>,
}

impl FromNode for ShownFact {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        parsed(
            node,
            reader,
            "fact about a device",
            "write e.g. `[\"os\", \"attribute:intune.partner-threat-state\"]`, or `[]` for none",
        )
    }
}

impl FromNode for Face {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        choice(node, reader, &Face::ALL.map(|face| (face.as_str(), face)))
    }
}

/// `basic = { username = "…", password = { … } }`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct BasicConfig {
    pub(crate) username: String,
    pub(crate) password: Option<SecretSetting>,
    pub(crate) password_hash: Option<OneOrMore<HashConfig>>,
}

impl FromNode for BasicConfig {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let section = Section::of_node(node, reader)?;
        let username = section.required("username", "\"radius\"");
        let password = section.optional("password");
        let password_hash = section.optional("password-hash");
        if section.node("password-hash").is_none() && section.node("password").is_none() {
            section.report_missing("password", "{ env = \"RADIUS_PASSWORD\" }");
        }
        if let Some(node) = section.node("username")
            && username
                .as_ref()
                .is_some_and(|name: &String| name.contains(':'))
        {
            let message = "a user name of Basic authentication has no colon";
            reader.report(
                Problem::new(&node.place, &node.key, message)
                    .hint("choose another name (RFC 7617, section 2)"),
            );
        }
        section.finish();
        Some(Self {
            username: username?,
            password,
            password_hash,
        })
    }
}

/// `certificate = { … }`, which certificate of those that `ca`, or else the
/// server's `client-ca`, signed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CertificateConfig {
    #[serde(flatten)]
    pub(crate) wanted: CertificateMatch,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<CertificateFile>,
}

/// How a certificate is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CertificateMatch {
    /// A DNS name, URI or mail address in the subject alternative name.
    San(String),
    /// SHA-256 of the certificate.
    Sha256(#[serde(serialize_with = "as_hexadecimal")] [u8; 32]),
}

impl FromNode for CertificateConfig {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let section = Section::of_node(node, reader)?;
        let san = section.node("san");
        let sha256 = section.node("sha256");
        let ca = section.optional("ca");
        section.finish();
        let wanted = match (san, sha256) {
            (Some(san), None) => text(san, reader)
                .map(str::to_owned)
                .map(CertificateMatch::San),
            (None, Some(sha256)) => fingerprint(sha256, reader).map(CertificateMatch::Sha256),
            _ => {
                let message = "exactly one of `san` and `sha256` is needed";
                reader.report(
                    Problem::new(&node.place, &node.key, message)
                        .hint("write e.g. `{ san = \"ise.example.com\" }`"),
                );
                None
            }
        }?;
        Some(Self { wanted, ca })
    }
}

/// A credential says which client asks, so no two clients may have the same.
pub(super) fn report_same(clients: &[ClientConfig], reader: &Reader<'_>) {
    for (position, client) in clients.iter().enumerate() {
        let earlier = clients.iter().take(position);
        for other in earlier.filter(|other| client.is_like(other)) {
            let message = format!("has the same credential as client `{}`", other.name.value);
            reader.report(
                Problem::with(&client.name, message)
                    .hint("give each client a credential of its own"),
            );
        }
    }
}

/// Whom a client may see has to be there.
pub(super) fn check_sources(clients: &[ClientConfig], connectors: &[&str], reader: &Reader<'_>) {
    for client in clients {
        for source in client.sources.iter().flatten() {
            let Some(place) = connectors.iter().position(|name| *name == source.value) else {
                let hint = match nearest(&source.value, connectors) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if connectors.is_empty() => "add `[connectors.NAME]`".to_owned(),
                    None => format!("there are {}", listed(connectors)),
                };
                let message = format!("there is no connector `{}`", source.value);
                reader.report(Problem::with(source, message).hint(hint));
                continue;
            };
            if place >= SourceSet::MOST {
                let message = format!("only the first {} connectors can be named", SourceSet::MOST);
                reader.report(
                    Problem::with(source, message).hint("move it up in `order` of `[sources]`"),
                );
            }
        }
    }
}

#[expect(clippy::ref_option, reason = "serde gives fields so")]
fn located_names<S: Serializer>(
    names: &Option<Vec<Located<String>>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let names = names.as_ref();
    names
        .map(|names| names.iter().map(|name| &name.value).collect::<Vec<_>>())
        .serialize(serializer)
}

#[expect(clippy::ref_option, reason = "serde gives fields so")]
fn optional_texts<T: ToString, S: Serializer>(
    texts: &Option<Vec<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let texts = texts.as_ref();
    texts
        .map(|texts| texts.iter().map(ToString::to_string).collect::<Vec<_>>())
        .serialize(serializer)
}

impl ClientConfig {
    /// Whether a request could come from either.
    fn is_like(&self, other: &Self) -> bool {
        let same_basic = match (&self.basic, &other.basic) {
            (Some(one), Some(other)) if one.username == other.username => {
                let password = |basic: &BasicConfig| {
                    let password = basic.password.as_ref();
                    password.map(|password| password.value.clone())
                };
                // Whose password it is cannot be told from hashes.
                one.password_hash.is_some()
                    || other.password_hash.is_some()
                    || password(one) == password(other)
            }
            _ => false,
        };
        let same_bearer = match (&self.bearer, &other.bearer) {
            (Some(one), Some(other)) => one.value == other.value,
            _ => false,
        };
        let hashes = |client: &Self| {
            let hashes = client.bearer_hash.clone();
            hashes.map_or_else(Vec::new, |hashes| hashes.0)
        };
        let theirs = hashes(other);
        let same_hash = hashes(self)
            .iter()
            .any(|one| theirs.iter().any(|other| one.hash == other.hash));
        let same_certificate = match (&self.certificate, &other.certificate) {
            (Some(one), Some(other)) => {
                let issuers = |config: &CertificateConfig| {
                    config.ca.as_ref().map(|ca| ca.certificates.clone())
                };
                one.wanted == other.wanted && issuers(one) == issuers(other)
            }
            _ => false,
        };
        let same_intune = match (&self.intune, &other.intune) {
            (Some(one), Some(other)) => one.is_like(other),
            _ => false,
        };
        same_basic || same_bearer || same_hash || same_certificate || same_intune
    }
}

/// Hexadecimal, as OpenSSL prints it with colons or without.
fn fingerprint(node: &Node, reader: &Reader<'_>) -> Option<[u8; 32]> {
    let written = text(node, reader)?;
    let mut fingerprint = [0; 32];
    if hex::decode_to_slice(written.replace(':', ""), &mut fingerprint).is_ok() {
        return Some(fingerprint);
    }
    let message = format!("`{written}` is no SHA-256 fingerprint");
    reader.report(
        Problem::new(&node.place, &node.key, message)
            .hint("`openssl x509 -in FILE -noout -fingerprint -sha256` prints it"),
    );
    None
}

fn as_hexadecimal<S: Serializer>(fingerprint: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(fingerprint))
}

/// A key is verified with every request, so its hash is a quick one.
fn expect_digests(section: &Section<'_>, hashes: Option<&OneOrMore<HashConfig>>) {
    let is_slow = |hash: &HashConfig| matches!(hash.hash, PasswordHash::Argon2(_));
    if let Some(node) = section.node("bearer-hash")
        && hashes.is_some_and(|hashes| hashes.0.iter().any(is_slow))
    {
        section.reader.report(
            Problem::new(
                &node.place,
                &node.key,
                "a key has `sha256`, only passwords have `argon2`",
            )
            .hint("make a key of at least 32 random characters, e.g. by `portreeve client add`"),
        );
    }
}

pub(super) fn read(name: Located<String>, section: Section<'_>) -> Option<ClientConfig> {
    let faces = section.required::<Vec<Face>>("faces", "[\"rest\"]");
    let basic = section.optional("basic");
    let bearer = section.optional("bearer");
    let bearer_hash = section.optional("bearer-hash");
    expect_digests(&section, bearer_hash.as_ref());
    let jwt = section.optional("jwt");
    let certificate = section.optional("certificate");
    let intune = section.optional("intune");
    let networks = section.or("networks", Vec::new());
    let patience = section.or("patience", Span::seconds(2));
    let sources = section.optional::<Vec<Located<String>>>("sources");
    let attributes = section.optional("attributes");
    let actions = section.or("actions", Vec::new());
    let unconfirmed_actions = action::unconfirmed(&section, &actions);
    let rate_limit = section.optional("rate-limit");
    let burst = section.optional("burst");
    let authenticated = [
        "basic",
        "bearer",
        "bearer-hash",
        "jwt",
        "certificate",
        "intune",
    ]
    .iter()
    .any(|key| section.node(key).is_some());
    if !authenticated {
        section.reader.report(
            section
                .problem("nothing says how this client proves who it is")
                .hint("add `basic`, `bearer`, `bearer-hash`, `jwt`, `certificate` or `intune`"),
        );
    }
    if let Some(node) = section.node("faces")
        && faces.as_ref().is_some_and(Vec::is_empty)
    {
        section.reader.report(
            Problem::new(
                &node.place,
                &node.key,
                "a client without faces may not ask anything",
            )
            .hint("write e.g. `[\"rest\"]`"),
        );
    }
    if let Some(node) = section.node("sources")
        && sources.as_ref().is_some_and(Vec::is_empty)
    {
        section.reader.report(
            Problem::new(
                &node.place,
                &node.key,
                "a client without sources knows no device",
            )
            .hint("leave the key out for all sources"),
        );
    }
    if let Some(node) = section.node("burst")
        && section.node("rate-limit").is_none()
    {
        section.reader.report(
            Problem::new(&node.place, &node.key, "there is no `rate-limit`")
                .hint("add e.g. `rate-limit = \"100/s\"`, or remove it"),
        );
    }
    section.finish();
    Some(ClientConfig {
        name,
        faces: faces?,
        basic,
        bearer,
        bearer_hash,
        jwt,
        certificate,
        intune,
        networks,
        patience,
        sources,
        attributes,
        actions,
        unconfirmed_actions,
        rate_limit,
        burst,
    })
}
