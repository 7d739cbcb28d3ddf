//! When a guest has to be built again: when anything it is made from changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::Guest;
use super::toolchain::Toolchain;

/// Changes when this module builds differently from the same files.
const RECIPE_VERSION: &str = "1";

/// Digest of sources, WIT, lock file, toolchain and recipe, as hex.
pub(super) fn of(root: &Path, guest: &Guest, toolchain: &Toolchain) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    field(&mut hash, RECIPE_VERSION.as_bytes());
    field(&mut hash, toolchain.version().as_bytes());
    field(&mut hash, format!("{:?}", guest.recipe).as_bytes());
    let plugins = root.join("plugins");
    let mut files = vec![plugins.join("Cargo.toml"), plugins.join("Cargo.lock")];
    for folder in guest.folders.iter().chain([&root.join("wit")]) {
        collect(folder, &mut files)?;
    }
    files.sort();
    for file in files {
        let relative = file.strip_prefix(root).unwrap_or(&file);
        field(&mut hash, relative.as_os_str().as_encoded_bytes());
        match fs::read(&file) {
            Ok(content) => field(&mut hash, &content),
            // A lock file that is not there yet is written by the build.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => field(&mut hash, b""),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read `{}`", file.display()));
            }
        }
    }
    Ok(hex::encode(hash.finalize()))
}

/// With its length first, so that two fields never read like one.
fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read the folder `{}`", folder.display());
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let kind = entry.file_type().with_context(unreadable)?;
        if kind.is_file() {
            files.push(entry.path());
        } else if kind.is_dir() && entry.file_name() != "target" {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}
