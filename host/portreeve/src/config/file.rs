//! Files that the configuration names and that are read with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::problem::Problem;
use super::read::{FromNode, Reader};
use super::tree::Node;
use super::value::FilePath;

/// A file that must be there; something else reads it later.
#[derive(Clone, Debug)]
pub(crate) struct ExistingFile(FilePath);

impl ExistingFile {
    /// One that is named on the command line; reading it shows whether it is
    /// there.
    pub(super) fn at(path: &Path) -> Self {
        Self(FilePath(path.to_owned()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.0
    }
}

impl FromNode for ExistingFile {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let path = FilePath::from_node(node, reader)?;
        let problem = match fs::metadata(&path.0) {
            Ok(metadata) if metadata.is_file() => return Some(Self(path)),
            Ok(_) => cannot_read(node, &path.0, "not a file"),
            Err(error) => cannot_read(node, &path.0, &error.to_string()),
        };
        reader.report(problem);
        None
    }
}

impl Serialize for ExistingFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A file anyone may read, with its content.
#[derive(Clone, Debug)]
pub(crate) struct PublicFile {
    pub(crate) path: FilePath,
    pub(crate) content: Vec<u8>,
}

impl FromNode for PublicFile {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let path = FilePath::from_node(node, reader)?;
        match fs::read(&path.0) {
            Ok(content) => Some(Self { path, content }),
            Err(error) => {
                reader.report(cannot_read(node, &path.0, &error.to_string()));
                None
            }
        }
    }
}

impl Serialize for PublicFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.path.serialize(serializer)
    }
}

/// A file that only its owner, or a group the owner chose, may read.
#[derive(Clone)]
pub(crate) struct PrivateFile {
    pub(crate) path: FilePath,
    pub(crate) content: Zeroizing<Vec<u8>>,
}

impl FromNode for PrivateFile {
    fn from_node(node: &Node, reader: &Reader<'_>) -> Option<Self> {
        let path = FilePath::from_node(node, reader)?;
        let content = match fs::read(&path.0) {
            Ok(content) => Zeroizing::new(content),
            Err(error) => {
                reader.report(cannot_read(node, &path.0, &error.to_string()));
                return None;
            }
        };
        if let Some((message, hint)) = open_to_all(&path.0) {
            reader.report(Problem::new(&node.place, &node.key, message).hint(hint));
            return None;
        }
        Some(Self { path, content })
    }
}

impl std::fmt::Debug for PrivateFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PrivateFile({:?}, [redacted])", self.path.0)
    }
}

impl Serialize for PrivateFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.path.serialize(serializer)
    }
}

pub(super) fn cannot_read(node: &Node, path: &Path, why: &str) -> Problem {
    let message = format!("cannot read `{}`: {why}", path.display());
    Problem::new(&node.place, &node.key, message)
        .hint("a relative path is relative to the file that names it")
}

/// What is wrong with a configuration that every user of the machine may
/// write, and what to do about it.
pub(super) fn writable_by_all(path: &Path) -> Option<(String, String)> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let shown = path.display();
    (mode & 0o002 != 0).then(|| {
        let message = format!("everyone may write `{shown}` ({mode:04o})");
        (message, format!("run `chmod o-w {shown}`"))
    })
}

/// What is wrong with a file of secrets that every user of the machine may
/// read or write, and what to do about it.
pub(super) fn open_to_all(path: &Path) -> Option<(String, String)> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let shown = path.display();
    (mode & 0o007 != 0).then(|| {
        let message = format!("`{shown}` holds a secret, but is open to everyone ({mode:04o})");
        (message, format!("run `chmod o= {shown}`"))
    })
}
