//! Approved requests that wait until it is told what became of them.
//!
//! Each is one file, named by its transaction. Beside them are marks of the
//! certificates that were told, so that one that is renewed with the same key is
//! not taken for the new one.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;

use super::request::Request;

const REQUEST: &str = "csr";
const MARK: &str = "notified";

/// The folder.
#[derive(Debug)]
pub(super) struct Spool(PathBuf);

/// A request in it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: Request,
    pub(super) since: SystemTime,
    path: PathBuf,
}

impl Spool {
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        Ok(Self(folder.to_owned()))
    }

    /// Keeps a request; it is whole or not there.
    pub(super) fn keep(&self, request: &Request) -> anyhow::Result<()> {
        let name = request.transaction_id();
        let written = || {
            let mut file = tempfile_in(&self.0, &name)?;
            file.0.write_all(request.der())?;
            file.0.sync_all()?;
            fs::rename(&file.1, self.0.join(format!("{name}.{REQUEST}")))
        };
        written().with_context(|| format!("cannot write into `{}`", self.0.display()))
    }

    /// All requests that wait, oldest first.
    pub(super) fn waiting(&self) -> anyhow::Result<Vec<Waiting>> {
        let mut waiting = Vec::new();
        for path in files(&self.0, REQUEST)? {
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                // Somebody else has told it meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(error).context(format!("cannot read `{}`", path.display()));
                }
            };
            let request = Request::read(&bytes).with_context(|| {
                format!("`{}` is no approved request; remove it", path.display())
            })?;
            let since = fs::metadata(&path)?.modified()?;
            waiting.push(Waiting {
                request,
                since,
                path,
            });
        }
        waiting.sort_by_key(|waiting| waiting.since);
        Ok(waiting)
    }

    /// Whether this certificate was told before.
    pub(super) fn is_marked(&self, thumbprint: &str) -> bool {
        self.mark(thumbprint).exists()
    }

    /// It is told what became of a request: by which certificate, if by any.
    pub(super) fn done(&self, waiting: &Waiting, thumbprint: Option<&str>) -> anyhow::Result<()> {
        if let Some(thumbprint) = thumbprint {
            fs::write(self.mark(thumbprint), [])?;
        }
        fs::remove_file(&waiting.path)?;
        Ok(())
    }

    fn mark(&self, thumbprint: &str) -> PathBuf {
        self.0.join(format!("{thumbprint}.{MARK}"))
    }
}

/// The files in a folder with this ending.
pub(super) fn files(folder: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// A new file for its owner only.
fn tempfile_in(folder: &Path, name: &str) -> std::io::Result<(fs::File, PathBuf)> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let path = folder.join(format!("{name}.{}.part", std::process::id()));
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)?;
    Ok((file, path))
}
