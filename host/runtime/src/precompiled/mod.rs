//! Compiled code on disk, so that a component is compiled once.
//!
//! One file for each component and engine: an HMAC-SHA-256 tag, then what
//! wasmtime serialised. The tag covers the file's name too, so code of one
//! component cannot stand in for another's. The key lies beside the files and
//! is readable by their owner only. Whatever does not verify is compiled anew.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::RuntimeError;

const KEY_FILE: &str = "key";
/// One block of SHA-256, which HMAC takes as it is.
const KEY_BYTES: usize = 64;
const TAG_BYTES: usize = 32;
const EXTENSION: &str = "compiled";
/// Files kept. Old versions of plugins go first.
const MOST_FILES: usize = 64;

/// A folder of compiled components that only its owner may write.
pub(crate) struct CompiledCache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    engine: u64,
}

impl std::fmt::Debug for CompiledCache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CompiledCache")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl CompiledCache {
    /// Opens the folder, or makes it with a new key.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Result<Self, RuntimeError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| RuntimeError::CompiledCache { path, source }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed(folder))?;
        refuse_others(folder, 0o022).map_err(failed(folder))?;
        let key_file = folder.join(KEY_FILE);
        let key = match read_key(&key_file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => new_key(&key_file),
            other => other,
        };
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            folder: folder.to_owned(),
            key: key.map_err(failed(&key_file))?,
            engine: hasher.finish(),
        })
    }

    /// The component with this digest, if its compiled code is here and sound.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "compiled code cannot be read");
                }
                return None;
            }
        };
        let Some(code) = self.verified(&path, &content) else {
            tracing::warn!(
                path = %path.display(),
                "compiled code is damaged or not ours, compiling again"
            );
            return None;
        };
        match deserialize(engine, code) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(
                    path = %path.display(),
                    %error,
                    "compiled code does not fit this engine, compiling again"
                );
                None
            }
        }
    }

    /// Keeps compiled code for the next start. Failing costs only time then.
    pub(crate) fn store(&self, digest: &str, component: &Component) {
        let path = self.path(digest);
        let written = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|code| self.write(&path, &code));
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "compiled code cannot be kept");
        }
        self.remove_oldest();
    }

    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let beside = path.with_extension(format!("{}.part", std::process::id()));
        let written = create_private(&beside).and_then(|mut file| {
            file.write_all(&self.mac(path, code).finalize().into_bytes())?;
            file.write_all(code)?;
            file.sync_all()
        });
        let moved = written.and_then(|()| fs::rename(&beside, path));
        if moved.is_err() {
            let _ = fs::remove_file(&beside);
        }
        moved
    }

    fn verified<'a>(&self, path: &Path, content: &'a [u8]) -> Option<&'a [u8]> {
        let (tag, code) = content.split_at_checked(TAG_BYTES)?;
        self.mac(path, code).verify_slice(tag).ok()?;
        Some(code)
    }

    fn mac(&self, path: &Path, code: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new(&self.key.into());
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name);
        mac.update(code);
        mac
    }

    fn path(&self, digest: &str) -> PathBuf {
        let engine = self.engine;
        self.folder
            .join(format!("{digest}-{engine:016x}.{EXTENSION}"))
    }

    fn remove_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let path = entry.path();
                let ours = path.extension().is_some_and(|known| known == EXTENSION);
                let written = entry.metadata().ok()?.modified().ok()?;
                ours.then_some((written, path))
            })
            .collect();
        files.sort();
        let surplus = files.len().saturating_sub(MOST_FILES);
        for (_, path) in files.into_iter().take(surplus) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes a component from code whose tag was verified.
#[expect(
    unsafe_code,
    reason = "wasmtime cannot know where compiled code comes from; this module does"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` must be what `Component::serialize` gave, unchanged. The
    // caller has verified an HMAC over it, under a key that only the owner of
    // this process can read, and made only in `CompiledCache::write` from that
    // very call. It is read into memory first, so nobody can change it between
    // the check and the use. Version and settings of the engine are checked by
    // wasmtime itself.
    unsafe { Component::deserialize(engine, code) }
}

fn read_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut file = File::open(path)?;
    refuse_others(path, 0o077)?;
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key)?;
    Ok(key)
}

fn new_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let beside = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = create_private(&beside)?;
    file.write_all(&key)?;
    file.sync_all()?;
    // Unlike renaming, linking never takes the place of a key that another
    // process has just made.
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_key(path),
        Err(error) => Err(error),
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Refuses a file or folder with any of these rights for group or others.
fn refuse_others(path: &Path, rights: u32) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & rights == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "mode {:o} lets others in, expected at most {:o}",
            mode & 0o777,
            0o777 & !rights
        ),
    ))
}

#[cfg(test)]
mod tests;
