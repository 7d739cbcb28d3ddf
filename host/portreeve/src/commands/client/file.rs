//! The file of one client.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portreeve_domain::Timestamp;
use portreeve_faces::Argon2Hash;
use sha2::{Digest as _, Sha256};
use toml::{Table, Value};
use zeroize::Zeroizing;

use super::problem;
use crate::cli::ClientAdd;
use crate::moment::rfc3339;

const HEADING: &str = "# Made by `portreeve client add`, changed by `portreeve client rotate`.\n";

/// 256 random bits.
pub(super) struct Key(Zeroizing<String>);

impl Key {
    pub(super) fn random() -> anyhow::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).context("the system gives no random bytes")?;
        Ok(Self(Zeroizing::new(
            URL_SAFE_NO_PAD.encode(bytes.as_slice()),
        )))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> Value {
        let hash = hex::encode(Sha256::digest(self.0.as_bytes()));
        Value::Table(Table::from_iter([(
            "sha256".to_owned(),
            Value::String(hash),
        )]))
    }
}

/// `clients.d/NAME.toml`
#[derive(Debug)]
pub(super) struct ClientFile(Table);

impl ClientFile {
    pub(super) fn new(
        command: &ClientAdd,
        key: Option<&Key>,
        password: Option<&str>,
    ) -> anyhow::Result<Self> {
        let texts =
            |texts: &[String]| Value::Array(texts.iter().cloned().map(Value::String).collect());
        let mut client = Table::new();
        client.insert("faces".to_owned(), texts(&command.faces));
        if !command.networks.is_empty() {
            let networks: Vec<String> = command.networks.iter().map(ToString::to_string).collect();
            client.insert("networks".to_owned(), texts(&networks));
        }
        if !command.sources.is_empty() {
            client.insert("sources".to_owned(), texts(&command.sources));
        }
        if let Some(rate) = &command.rate_limit {
            client.insert("rate-limit".to_owned(), Value::String(rate.clone()));
        }
        let certificate = [("san", &command.san), ("sha256", &command.fingerprint)];
        for (name, wanted) in certificate {
            if let Some(wanted) = wanted {
                let wanted = [(name.to_owned(), Value::String(wanted.clone()))];
                client.insert(
                    "certificate".to_owned(),
                    Value::Table(Table::from_iter(wanted)),
                );
            }
        }
        let hash = match (key, password) {
            (Some(key), _) => Some(key.hash()),
            (None, Some(password)) => {
                Some(Value::String(Argon2Hash::of(password)?.as_str().to_owned()))
            }
            (None, None) => None,
        };
        if let Some(hash) = hash {
            match &command.basic {
                Some(username) => {
                    let basic = [
                        ("username".to_owned(), Value::String(username.clone())),
                        ("password-hash".to_owned(), Value::Array(vec![hash])),
                    ];
                    client.insert("basic".to_owned(), Value::Table(Table::from_iter(basic)));
                }
                None => {
                    client.insert("bearer-hash".to_owned(), Value::Array(vec![hash]));
                }
            }
        }
        let clients = Table::from_iter([(command.name.clone(), Value::Table(client))]);
        Ok(Self(Table::from_iter([(
            "clients".to_owned(),
            Value::Table(clients),
        )])))
    }

    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{shown}`"))?;
        let table = text
            .parse()
            .with_context(|| format!("`{shown}` is no TOML"))?;
        Ok(Self(table))
    }

    /// Puts a new key before the others, which end after `overlap`.
    pub(super) fn rotate(
        &mut self,
        name: &str,
        key: &Key,
        now: Timestamp,
        overlap: Duration,
    ) -> anyhow::Result<()> {
        let client = self
            .0
            .get_mut("clients")
            .and_then(|clients| clients.get_mut(name));
        let client = client.and_then(Value::as_table_mut);
        let hashes = client.and_then(|client| {
            if client.contains_key("bearer-hash") {
                client.get_mut("bearer-hash")
            } else {
                client.get_mut("basic")?.get_mut("password-hash")
            }
        });
        let Some(hashes) = hashes else {
            return Err(problem(
                format!("client `{name}` has no key"),
                "what proves it, a certificate or a token, is changed where it is made",
            ));
        };
        let before = match std::mem::replace(hashes, Value::Array(Vec::new())) {
            Value::Array(before) => before,
            one => vec![one],
        };
        let end = rfc3339(now.plus(overlap));
        let others = before.into_iter().filter(|_| !overlap.is_zero());
        let others = others.filter_map(|hash| ending(hash, &end, &rfc3339(now)));
        *hashes = Value::Array(std::iter::once(key.hash()).chain(others).collect());
        Ok(())
    }

    pub(super) fn to_text(&self) -> anyhow::Result<String> {
        Ok(format!("{HEADING}{}", toml::to_string_pretty(&self.0)?))
    }
}

/// A hash with its end, unless that is earlier already or over. All ends are
/// written alike, in UTC, so that they are in the order of their texts.
fn ending(hash: Value, end: &str, now: &str) -> Option<Value> {
    let mut hash = match hash {
        Value::Table(hash) => hash,
        argon2 => Table::from_iter([("argon2".to_owned(), argon2)]),
    };
    let earlier = hash
        .get("until")
        .and_then(Value::as_str)
        .filter(|until| *until < end);
    let until = earlier.unwrap_or(end).to_owned();
    if *until <= *now {
        return None;
    }
    hash.insert("until".to_owned(), Value::String(until));
    Some(Value::Table(hash))
}

pub(super) fn content(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Puts a file in the place of another one at once. Only its owner may read it,
/// and the group that may read the configuration `beside`; both are the same as
/// there, so that the gateway can read it when root made it.
pub(super) fn put(path: &Path, text: &str, beside: &Path) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let model =
        fs::metadata(beside).with_context(|| format!("cannot read `{}`", beside.display()))?;
    let for_group = model.mode() & 0o040;
    let mut builder = fs::DirBuilder::new();
    let is_new = !folder.exists();
    builder
        .recursive(true)
        .mode(0o700 | for_group | for_group >> 2 & 0o010);
    builder
        .create(folder)
        .with_context(|| format!("cannot make `{}`", folder.display()))?;
    let same_owner = |path: &Path| {
        let own = fs::metadata(path)?;
        if (own.uid(), own.gid()) == (model.uid(), model.gid()) {
            return Ok(());
        }
        chown(path, Some(model.uid()), Some(model.gid()))
    };
    let write = || -> io::Result<()> {
        if is_new {
            same_owner(folder)?;
        }
        let temporary = path.with_extension("toml.new");
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600 | for_group);
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        same_owner(&temporary)?;
        fs::rename(&temporary, path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_before_the_others_which_end() {
        let text = "[clients.a]\nfaces = ['rest']\nbearer-hash = [{ sha256 = '1' }, \
                    { sha256 = '2', until = '2026-11-28T08:30:00Z' }, \
                    { sha256 = '3', until = '2026-11-28T07:00:00Z' }]\n\
                    [clients.b.basic]\nusername = 'b'\npassword-hash = '$argon2id$x'\n\
                    [clients.c]\ncertificate = { san = 'c' }\n";
        let mut file = ClientFile(text.parse().unwrap());
        // 2026-11-28T08:00:00Z
        let now = Timestamp::from_millis(1_795_852_800_000);
        let key = Key::random().unwrap();
        let hour = Duration::from_hours(1);
        file.rotate("a", &key, now, hour).unwrap();
        file.rotate("b", &key, now, hour).unwrap();
        assert!(file.rotate("c", &key, now, hour).is_err());
        let hash = hex::encode(Sha256::digest(key.text()));
        let expected = format!(
            "[clients.a]\nfaces = ['rest']\nbearer-hash = [{{ sha256 = '{hash}' }}, \
             {{ sha256 = '1', until = '2026-11-28T09:00:00Z' }}, \
             {{ sha256 = '2', until = '2026-11-28T08:30:00Z' }}]\n\
             [clients.b.basic]\nusername = 'b'\npassword-hash = [{{ sha256 = '{hash}' }}, \
             {{ argon2 = '$argon2id$x', until = '2026-11-28T09:00:00Z' }}]\n\
             [clients.c]\ncertificate = {{ san = 'c' }}\n"
        );
        assert_eq!(file.0, expected.parse().unwrap());
        file.rotate("a", &key, now, Duration::ZERO).unwrap();
        let hashes = file.0["clients"]["a"]["bearer-hash"].as_array().unwrap();
        assert_eq!(hashes.len(), 1);
        assert_eq!(key.text().len(), 43);
    }
}
