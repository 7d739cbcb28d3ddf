//! How clients prove themselves where no secret is in the configuration:
//! hashes of passwords and keys, tokens of an issuer.

use portreeve_domain::Timestamp;
use portreeve_faces::{Argon2Hash, PasswordHash, TokenKeys};
use serde::{Serialize, Serializer};

use super::file::PublicFile;
use super::problem::Problem;
use super::read::{FromNode, Reader, Section, wrong_kind};
use super::tree::{Node, Value};
use super::value::{FilePath, text};
use crate::moment::Moment;

const KEY_HINT: &str = "`portreeve client add` makes a key and its hash";
const PASSWORD_HINT: &str = "write what `portreeve client add --password-file` or the tool `argon2` makes, e.g. `\"$argon2id$v=19$…\"`";

/// The hash of a password or key, and when that stops being valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HashConfig {
    pub(crate) hash: PasswordHash,
    pub(crate) until: Option<Timestamp>,
}

/// `{ sha256 = "…", until = "…" }`, `{ argon2 = "…" }` or the text of the latter.
impl FromNode for HashConfig {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        if let Value::String(_) = &node.value {
            return Some(Self {
                hash: argon2(node, reader)?,
                until: None,
            });
        }
        let section = Section::of_node(node, reader)?;
        let (sha256, slow) = (section.node("sha256"), section.node("argon2"));
        let until = section.optional::<Until>("until").map(|until| until.0);
        let until_is_wrong = until.is_none() && section.node("until").is_some();
        section.finish();
        let hash = match (sha256, slow) {
            (Some(node), None) => digest(node, reader),
            (None, Some(node)) => argon2(node, reader),
            _ => {
                let message = "exactly one of `sha256` and `argon2` is needed";
                reader.report(Problem::new(&node.place, &node.key, message).hint(KEY_HINT));
                None
            }
        }?;
        (!until_is_wrong).then_some(Self { hash, until })
    }
}

/// What a message must not repeat is the hash.
fn digest(node: &Node, reader: &Reader<'_>) -> Option<PasswordHash> {
    let mut hash = [0; 32];
    if hex::decode_to_slice(text(node, reader)?, &mut hash).is_ok() {
        return Some(PasswordHash::Sha256(hash));
    }
    let message = "no SHA-256, which is 64 hexadecimal digits";
    reader.report(Problem::new(&node.place, &node.key, message).hint(KEY_HINT));
    None
}

fn argon2(node: &Node, reader: &Reader<'_>) -> Option<PasswordHash> {
    match Argon2Hash::parse(text(node, reader)?) {
        Ok(hash) => Some(PasswordHash::Argon2(hash)),
        Err(error) => {
            let problem = Problem::new(&node.place, &node.key, format!("no Argon2 hash: {error}"));
            reader.report(problem.hint(PASSWORD_HINT));
            None
        }
    }
}

impl Serialize for HashConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            kind: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            until: Option<String>,
        }
        let kind = match self.hash {
            PasswordHash::Sha256(_) => "sha256",
            PasswordHash::Argon2(_) => "argon2",
        };
        let until = self.until.map(crate::moment::rfc3339);
        Shown { kind, until }.serialize(serializer)
    }
}

/// A point in time in quotes, as in RFC 3339.
struct Until(Timestamp);

impl FromNode for Until {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let written = text(node, reader)?;
        if let Ok(Moment::At(moment)) = written.parse() {
            return Some(Self(moment));
        }
        let message = format!("`{written}` is no point in time");
        reader.report(
            Problem::new(&node.place, &node.key, message)
                .hint("write it as in RFC 3339, e.g. `\"2026-12-31T23:59:59Z\"`"),
        );
        None
    }
}

/// One or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OneOrMore<T>(pub(crate) Vec<T>);

impl<T: FromNode> FromNode for OneOrMore<T> {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        if let Value::Array(items) = &node.value
            && !items.is_empty()
        {
            return Vec::from_node(node, reader).map(Self);
        }
        T::from_node(node, reader).map(|one| Self(vec![one]))
    }
}

impl<T: Serialize> Serialize for OneOrMore<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// `jwt = { issuer, audience, jwks | key, claims }`
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TokenConfig {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    #[serde(flatten)]
    pub(crate) keys: KeysFile,
    #[serde(serialize_with = "as_map")]
    pub(crate) claims: Vec<(String, String)>,
}

/// A file with an issuer's public keys.
#[derive(Clone, Debug)]
pub(crate) struct KeysFile {
    name: &'static str,
    path: FilePath,
    pub(crate) keys: TokenKeys,
}

impl Serialize for KeysFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.name, &self.path)])
    }
}

impl FromNode for TokenConfig {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let section = Section::of_node(node, reader)?;
        let issuer = section.required("issuer", "\"https://login.example.com/\"");
        let audience = section.required("audience", "\"portreeve\"");
        let (jwks, key) = (section.node("jwks"), section.node("key"));
        let claims = section.node("claims");
        section.finish();
        let keys = match (jwks, key) {
            (Some(node), None) => keys(node, "jwks", TokenKeys::of_jwks, reader),
            (None, Some(node)) => keys(node, "key", TokenKeys::of_pem, reader),
            _ => {
                let message = "exactly one of `jwks` and `key` is needed";
                reader.report(Problem::new(&node.place, &node.key, message).hint(
                    "name a file with the issuer's public keys, e.g. `jwks = \"keys.json\"`",
                ));
                None
            }
        };
        let claims = read_claims(node, claims, reader);
        Some(Self {
            issuer: issuer?,
            audience: audience?,
            keys: keys?,
            claims: claims?,
        })
    }
}

fn keys<E: std::fmt::Display>(
    node: &Node,
    name: &'static str,
    read: impl FnOnce(&[u8]) -> Result<TokenKeys, E>,
    reader: &Reader<'_>,
) -> Option<KeysFile> {
    let file = PublicFile::from_node(node, reader)?;
    match read(&file.content) {
        Ok(keys) => Some(KeysFile {
            name,
            path: file.path,
            keys,
        }),
        Err(error) => {
            let message = format!("`{}`: {error}", file.path.0.display());
            let problem = Problem::new(&node.place, &node.key, message);
            reader.report(
                problem.hint(
                    "`jwks` is a JSON Web Key Set (RFC 7517), `key` a public key in a PEM file",
                ),
            );
            None
        }
    }
}

fn read_claims(
    whole: &Node,
    claims: Option<&Node>,
    reader: &Reader<'_>,
) -> Option<Vec<(String, String)>> {
    const HINT: &str = "say whose tokens they are, e.g. `claims = { sub = \"helpdesk\" }`";
    let Some(node) = claims else {
        let message = "without `claims` every token of the issuer would do";
        reader.report(Problem::new(&whole.place, &whole.key, message).hint(HINT));
        return None;
    };
    let Value::Table(table) = &node.value else {
        reader.report(wrong_kind(node, "a table").hint(HINT));
        return None;
    };
    if table.0.is_empty() {
        let message = "without `claims` every token of the issuer would do";
        reader.report(Problem::new(&node.place, &node.key, message).hint(HINT));
        return None;
    }
    let read = table.0.iter().map(|entry| {
        let value = text(&entry.node, reader)?;
        Some((entry.name.clone(), value.to_owned()))
    });
    read.collect::<Vec<_>>().into_iter().collect()
}

fn as_map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}
