//! What can be seen of a configuration without its secrets, certificates and
//! plugins: for commands that may run as somebody else than the gateway.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::load;
use super::problem::Problems;
use super::read::Reader;
use super::tree::{Table, Value};

/// A configuration as far as it is written.
#[derive(Debug)]
pub(crate) struct Outline {
    /// Where the store is.
    pub(crate) store: Option<PathBuf>,
    pub(crate) clients: Vec<ClientOutline>,
}

/// A client as far as it is written.
#[derive(Debug)]
pub(crate) struct ClientOutline {
    pub(crate) name: String,
    /// The file that begins it.
    pub(crate) file: PathBuf,
    pub(crate) faces: Vec<String>,
    /// The keys of the ways in which it proves itself.
    pub(crate) ways: Vec<&'static str>,
    pub(crate) networks: Vec<String>,
    pub(crate) sources: Option<Vec<String>>,
}

/// The ways in which a client can prove itself.
const WAYS: [&str; 6] = [
    "basic",
    "bearer",
    "bearer-hash",
    "jwt",
    "certificate",
    "intune",
];

impl Outline {
    /// Reads the file at `path` and what it includes.
    pub(crate) fn read(path: &Path, environment: &dyn Environment) -> Result<Self, Problems> {
        let reader = Reader::new(environment);
        let loaded = load::load(path, &reader);
        let (root, _) = reader.finish(loaded)?;
        let store = table(&root, "store")
            .and_then(|store| store.get("directory"))
            .and_then(|entry| match &entry.node.value {
                Value::String(text) => Some(entry.node.place.directory().join(text)),
                _ => None,
            });
        let clients = table(&root, "clients")
            .into_iter()
            .flat_map(|clients| &clients.0);
        let clients = clients.filter_map(|entry| {
            let Value::Table(client) = &entry.node.value else {
                return None;
            };
            let has = |way: &&&str| client.get(way).is_some();
            Some(ClientOutline {
                name: entry.name.clone(),
                file: entry.place.file().to_owned(),
                faces: texts(client, "faces").unwrap_or_default(),
                ways: WAYS.iter().filter(has).copied().collect(),
                networks: texts(client, "networks").unwrap_or_default(),
                sources: texts(client, "sources"),
            })
        });
        Ok(Self {
            store,
            clients: clients.collect(),
        })
    }
}

fn table<'a>(root: &'a Table, name: &str) -> Option<&'a Table> {
    match &root.get(name)?.node.value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

fn texts(table: &Table, name: &str) -> Option<Vec<String>> {
    let Value::Array(items) = &table.get(name)?.node.value else {
        return None;
    };
    let texts = items.iter().filter_map(|item| match &item.value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    });
    Some(texts.collect())
}
