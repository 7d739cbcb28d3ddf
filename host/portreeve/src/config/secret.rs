//! Secrets: the configuration says where they are, never what they are.

use std::path::{Path, PathBuf};

use portreeve_egress::Secret;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::file::{PrivateFile, open_to_all};
use super::problem::{Problem, Problems};
use super::read::{FromNode, Reader, Section, wrong_kind};
use super::sealed;
use super::tree::{Node, Value};
use super::value::text;

const HOW: &str = "write `{ env = \"NAME\" }`, `{ file = \"PATH\" }`, `{ credential = \"NAME\" }` or `{ sealed = \"…\" }`";

/// Set by systemd for a unit with `LoadCredential=`.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// A secret and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct SecretSetting {
    origin: SecretOrigin,
    pub(crate) value: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SecretOrigin {
    Environment(String),
    File(PathBuf),
    Credential(String),
    /// With the name of the key.
    Sealed {
        text: String,
        key: String,
    },
}

impl SecretSetting {
    /// Where it came from, in words.
    pub(crate) fn origin(&self) -> String {
        match &self.origin {
            SecretOrigin::Environment(name) => format!("environment variable {name}"),
            SecretOrigin::File(path) => format!("file {}", path.display()),
            SecretOrigin::Credential(name) => format!("credential {name} of systemd"),
            SecretOrigin::Sealed { key, .. } => format!("sealed with the key {key}"),
        }
    }
}

impl FromNode for SecretSetting {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        // The text itself must not get into the message.
        if let Value::String(_) = node.value {
            let message = "a secret must not stand in the configuration itself";
            reader.report(Problem::new(&node.place, &node.key, message).hint(HOW));
            return None;
        }
        if !matches!(node.value, Value::Table(_)) {
            reader.report(wrong_kind(node, "where the secret is").hint(HOW));
            return None;
        }
        let section = Section::of_node(node, reader)?;
        let sources = [
            ("env", section.node("env")),
            ("file", section.node("file")),
            ("credential", section.node("credential")),
            ("sealed", section.node("sealed")),
        ];
        section.finish();
        let mut named = sources
            .into_iter()
            .filter_map(|(kind, found)| found.map(|found| (kind, found)));
        let (Some((kind, source)), None) = (named.next(), named.next()) else {
            let message = "exactly one of `env`, `file`, `credential` and `sealed` is needed";
            reader.report(Problem::new(&node.place, &node.key, message).hint(HOW));
            return None;
        };
        let (origin, value) = match kind {
            "env" => from_environment(source, reader)?,
            "file" => from_file(source, reader)?,
            "sealed" => {
                let (key, secret) = sealed::open(source, reader)?;
                let text = text(source, reader)?.to_owned();
                (SecretOrigin::Sealed { text, key }, secret)
            }
            _ => from_credential(source, reader)?,
        };
        if value.is_empty() {
            let problem = Problem::new(&source.place, &source.key, "the secret is empty");
            reader.report(problem.hint("a secret has at least one character"));
            return None;
        }
        reader.note_secret(&value);
        Some(Self { origin, value })
    }
}

/// A secret in a file that the command line names.
pub(crate) fn read_secret(path: &Path) -> Result<Secret, Problems> {
    let shown = path.display();
    let content = std::fs::read(path)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| {
            Problem::nowhere(format!("cannot read `{shown}`: {error}"))
                .hint("name a file with nothing but the secret in it")
        })?;
    if let Some(problem) = open_to_all(path) {
        let (message, hint) = problem;
        return Err(Problem::nowhere(message).hint(hint).into());
    }
    match text_in(&content) {
        Some(secret) if !secret.is_empty() => Ok(secret),
        _ => Err(Problem::nowhere(format!("`{shown}` holds no secret"))
            .hint("a secret is text, at least one character")
            .into()),
    }
}

fn from_environment(node: &Node, reader: &Reader<'_>) -> Option<(SecretOrigin, Secret)> {
    let name = text(node, reader)?;
    let found = reader.environment.get(name);
    let value = found.map(std::ffi::OsString::into_string);
    let message = match value {
        Some(Ok(value)) => {
            let origin = SecretOrigin::Environment(name.to_owned());
            return Some((origin, Secret::new(value)));
        }
        Some(Err(_)) => format!("environment variable `{name}` is no UTF-8 text"),
        None => format!("environment variable `{name}` is not set"),
    };
    let problem = Problem::new(&node.place, &node.key, message);
    reader.report(problem.hint(format!("set `{name}` for the process that runs portreeve")));
    None
}

fn from_file(node: &Node, reader: &Reader<'_>) -> Option<(SecretOrigin, Secret)> {
    let file = PrivateFile::from_node(node, reader)?;
    let value = as_text(node, reader, &file.content)?;
    Some((SecretOrigin::File(file.path.0), value))
}

fn from_credential(node: &Node, reader: &Reader<'_>) -> Option<(SecretOrigin, Secret)> {
    let name = text(node, reader)?;
    let problem = |message: String, hint: String| {
        reader.report(Problem::new(&node.place, &node.key, message).hint(hint));
    };
    // A credential is named, not pointed to: no way out of the directory.
    if name.contains('/') || name.starts_with('.') {
        let hint = "write the name before the colon of `LoadCredential=NAME:PATH`";
        let message = format!("`{name}` is no name of a credential");
        problem(message, hint.to_owned());
        return None;
    }
    let hint = format!("add `LoadCredential={name}:/path/to/it` to the systemd unit");
    let Some(directory) = reader.environment.get(CREDENTIALS_DIRECTORY) else {
        let message = format!("no systemd credentials: `{CREDENTIALS_DIRECTORY}` is not set");
        problem(message, hint);
        return None;
    };
    let path = Path::new(&directory).join(name);
    match std::fs::read(&path) {
        Ok(content) => {
            let value = as_text(node, reader, &zeroize::Zeroizing::new(content))?;
            Some((SecretOrigin::Credential(name.to_owned()), value))
        }
        Err(error) => {
            problem(format!("cannot read `{}`: {error}", path.display()), hint);
            None
        }
    }
}

/// Editors end a file with a newline that nobody meant to be in the secret.
fn text_in(content: &[u8]) -> Option<Secret> {
    let text = std::str::from_utf8(content).ok()?;
    Some(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

fn as_text(node: &Node, reader: &Reader<'_>, content: &[u8]) -> Option<Secret> {
    if let Some(secret) = text_in(content) {
        return Some(secret);
    }
    let problem = Problem::new(&node.place, &node.key, "the secret is no UTF-8 text");
    reader.report(problem.hint("a secret is text, one line without an end"));
    None
}

impl Serialize for SecretSetting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        match &self.origin {
            SecretOrigin::Environment(name) => map.serialize_entry("env", name)?,
            SecretOrigin::File(path) => map.serialize_entry("file", path)?,
            SecretOrigin::Credential(name) => map.serialize_entry("credential", name)?,
            SecretOrigin::Sealed { text, .. } => map.serialize_entry("sealed", text)?,
        }
        map.serialize_entry("value", "[redacted]")?;
        map.end()
    }
}
