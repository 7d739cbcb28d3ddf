//! Secrets that stand sealed in the configuration, and the key from outside
//! it that opens them.

use std::path::{Path, PathBuf};

use portreeve_egress::{SealingKeys, Secret};

use super::environment::Environment;
use super::file::open_to_all;
use super::load;
use super::problem::{Problem, Problems};
use super::read::Reader;
use super::tree::{Node, Table, Value};
use super::value::text;

/// Names a file with the key.
pub(crate) const KEY_FILE: &str = "PORTREEVE_KEY_FILE";
/// Set by systemd; a file of this name below it holds the key.
const DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
const CREDENTIAL: &str = "portreeve-key";
/// The key itself.
const KEY: &str = "PORTREEVE_KEY";

const HOW: &str = "name a file with the key in `PORTREEVE_KEY_FILE`, or give systemd's unit `LoadCredential=portreeve-key:/path`; `portreeve secret key FILE` makes a key";

/// The keys that are at hand, from the first place that has any.
pub(crate) fn sealing_keys(environment: &dyn Environment) -> Result<SealingKeys, Problem> {
    let file = environment.get(KEY_FILE).map(PathBuf::from);
    let credential = environment
        .get(DIRECTORY)
        .map(|directory| Path::new(&directory).join(CREDENTIAL));
    let credential = credential.filter(|path| path.is_file());
    if let Some(path) = file.or(credential) {
        return keys_in(&path);
    }
    match environment.text(KEY) {
        Some(text) => SealingKeys::read(&text)
            .map_err(|error| Problem::nowhere(format!("`{KEY}`: {error}")).hint(HOW)),
        None => Err(Problem::nowhere("there is no key for sealed secrets").hint(HOW)),
    }
}

/// The keys in a file that only its owner and its group may read.
pub(crate) fn keys_in(path: &Path) -> Result<SealingKeys, Problem> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| Problem::nowhere(format!("cannot read `{shown}`: {error}")).hint(HOW))?;
    if let Some((message, hint)) = open_to_all(path) {
        return Err(Problem::nowhere(message).hint(hint));
    }
    SealingKeys::read(&text)
        .map_err(|error| Problem::nowhere(format!("`{shown}`: {error}")).hint(HOW))
}

/// Opens the secret in `node`; beside it comes the name of the key.
pub(super) fn open(node: &Node, reader: &Reader<'_>) -> Option<(String, Secret)> {
    let sealed = text(node, reader)?;
    let problem = match sealing_keys(reader.environment) {
        Ok(keys) => match keys.open(sealed) {
            Ok((secret, key)) => return Some((key.to_owned(), secret)),
            Err(error) => Problem::new(&node.place, &node.key, error.to_string())
                .hint("seal it again with `portreeve secret seal`, or bring the key back"),
        },
        Err(error) => {
            let problem = Problem::new(&node.place, &node.key, error.to_string());
            problem.hint(error.advice().unwrap_or(HOW))
        }
    };
    reader.report(problem);
    None
}

/// All sealed texts of a configuration, each with the file where it stands.
pub(crate) fn sealed_texts(
    path: &Path,
    environment: &dyn Environment,
) -> Result<Vec<(PathBuf, String)>, Problems> {
    let reader = Reader::new(environment);
    let loaded = load::load(path, &reader);
    let (root, _) = reader.finish(loaded)?;
    let mut found = Vec::new();
    collect(&root, &mut found);
    Ok(found)
}

fn collect(table: &Table, found: &mut Vec<(PathBuf, String)>) {
    for entry in &table.0 {
        match &entry.node.value {
            Value::String(text) if entry.name == "sealed" => {
                found.push((entry.node.place.file().to_owned(), text.clone()));
            }
            other => collect_in(other, found),
        }
    }
}

fn collect_in(value: &Value, found: &mut Vec<(PathBuf, String)>) {
    match value {
        Value::Table(table) => collect(table, found),
        Value::Array(items) => items.iter().for_each(|item| collect_in(&item.value, found)),
        _ => {}
    }
}
