//! The files of the log: their names, which is written to, how long they stay.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use portreeve_domain::Timestamp;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::line::{LONGEST, parse_line};
use super::time::{date, day};
use crate::file::sync_directory;

/// A file is named by the time of its first entry.
const NAME: &[BorrowedFormatItem<'_>] = format_description!(
    "decisions-[year][month][day]T[hour][minute][second][subsecond digits:3]Z.jsonl"
);

/// One file of the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LogFile {
    /// When it was begun.
    pub(super) begun: Timestamp,
    pub(super) path: PathBuf,
}

/// The files in a directory, oldest first. Others are passed over.
pub(super) fn list(directory: &Path) -> io::Result<Vec<LogFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(begun) = name.to_str().and_then(begun) {
            files.push(LogFile {
                begun,
                path: entry.path(),
            });
        }
    }
    files.sort();
    Ok(files)
}

fn name(begun: Timestamp) -> String {
    // Cannot fail: the format asks for nothing that the time does not have.
    date(begun).format(NAME).unwrap_or_default()
}

fn begun(name: &str) -> Option<Timestamp> {
    let date = PrimitiveDateTime::parse(name, NAME).ok()?;
    let millis = date.assume_utc().unix_timestamp_nanos() / 1_000_000;
    let begun = Timestamp::from_millis(u64::try_from(millis).ok()?);
    // Not another spelling of the same time: it would sort elsewhere.
    (self::name(begun) == name).then_some(begun)
}

/// When a file ends and when it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) file_bytes: u64,
    pub(super) total_bytes: u64,
    pub(super) age: Duration,
}

/// Opens a file to add to it. Another one lets a test have a full disk.
pub(super) type Open = Box<dyn FnMut(&Path, bool) -> io::Result<File> + Send>;

/// Opens `path` to add to it; a `new` file must not be there yet.
pub(super) fn open(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(0o600);
    // After an error the file is opened again, also if it was deleted meanwhile.
    options.create(true).create_new(new);
    options.open(path)
}

/// Adds to the newest file, begins new ones and deletes old ones.
pub(super) struct Files {
    directory: PathBuf,
    limits: Limits,
    open: Open,
    /// The file that is written to.
    current: Option<Current>,
    /// When the newest file was begun; a newer one must sort behind it.
    newest: Option<Timestamp>,
}

struct Current {
    begun: Timestamp,
    path: PathBuf,
    /// `None` after an error: opened again for the next attempt.
    file: Option<File>,
    bytes: u64,
}

impl Files {
    /// Makes the directory, mends what a crash tore and deletes what is too
    /// old.
    pub(super) fn new(directory: &Path, limits: Limits, open: Open) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let newest = list(directory)?.pop();
        let mut files = Self {
            directory: directory.to_owned(),
            limits,
            open,
            current: None,
            newest: newest.as_ref().map(|newest| newest.begun),
        };
        if let Some(newest) = newest {
            let bytes = mend(&newest.path)?;
            files.current = Some(Current {
                begun: newest.begun,
                path: newest.path,
                file: None,
                bytes,
            });
        }
        files.delete_old()?;
        Ok(files)
    }

    /// Whether an entry of this time belongs into a new file, when `waiting`
    /// bytes are still to be written to the present one.
    pub(super) fn is_full(&self, at: Timestamp, waiting: usize) -> bool {
        self.current.as_ref().is_some_and(|current| {
            day(at) > day(current.begun) || current.bytes + waiting as u64 >= self.limits.file_bytes
        })
    }

    /// Writes all of `buffer`, or takes from it what was written.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, at: Timestamp) -> io::Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        self.begin_if_none(at)?;
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let done = write(current, buffer, &mut self.open);
        if done.is_err() {
            current.file = None;
        }
        done
    }

    /// Begins a file for an entry of this time unless there is one.
    pub(super) fn begin_if_none(&mut self, at: Timestamp) -> io::Result<()> {
        if self.current.is_none() {
            self.current = Some(self.begin(at)?);
        }
        Ok(())
    }

    /// Ends the present file; the next entry begins a new one.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        self.current = None;
        self.delete_old()
    }

    /// Opens the present file again for the next entry.
    #[cfg(test)]
    pub(super) fn forget_handle(&mut self) {
        if let Some(current) = &mut self.current {
            current.file = None;
        }
    }

    /// Makes what was written durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let file = self
            .current
            .as_ref()
            .and_then(|current| current.file.as_ref());
        file.map_or(Ok(()), File::sync_all)
    }

    /// What is due from time to time, whether or not something was decided:
    /// yesterday's file is ended, old ones go, a file that somebody moved away is
    /// not written to any more.
    pub(super) fn tidy(&mut self, now: Timestamp) -> io::Result<()> {
        if let Some(current) = &self.current {
            if !current.path.exists() {
                self.current = None;
            } else if day(now) > day(current.begun) {
                return self.rotate();
            }
        }
        self.delete_old()
    }

    fn begin(&mut self, at: Timestamp) -> io::Result<Current> {
        // A clock that went back must not make names that sort before others.
        let mut begun = match self.newest {
            Some(newest) if newest >= at => Timestamp::from_millis(newest.as_millis() + 1),
            _ => at,
        };
        let (path, file) = loop {
            let path = self.directory.join(name(begun));
            match (self.open)(&path, true) {
                Ok(file) => break (path, file),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    begun = Timestamp::from_millis(begun.as_millis() + 1);
                }
                Err(error) => return Err(error),
            }
        };
        sync_directory(&self.directory)?;
        self.newest = Some(begun);
        Ok(Current {
            begun,
            path,
            file: Some(file),
            bytes: 0,
        })
    }

    /// Deletes files that are too old, and the oldest ones while all together
    /// are too large. Never the one that is written to.
    fn delete_old(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        for file in list(&self.directory)? {
            let metadata = match fs::metadata(&file.path) {
                Ok(metadata) => metadata,
                // Somebody else tidies up as well.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let current = self.current.as_ref();
            let in_use = current.is_some_and(|current| current.path == file.path);
            let age = metadata
                .modified()
                .ok()
                .and_then(|modified| SystemTime::now().duration_since(modified).ok());
            if !in_use && age.is_some_and(|age| age > self.limits.age) {
                delete(&file.path)?;
            } else {
                kept.push((file.path, metadata.len(), in_use));
            }
        }
        let mut total: u64 = kept.iter().map(|(_, bytes, _)| bytes).sum();
        for (path, bytes, in_use) in kept {
            if total <= self.limits.total_bytes {
                break;
            }
            if !in_use {
                delete(&path)?;
                total -= bytes;
            }
        }
        Ok(())
    }
}

fn delete(path: &Path) -> io::Result<()> {
    tracing::info!(path = %path.display(), "an old decision log is deleted");
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write(current: &mut Current, buffer: &mut Vec<u8>, open: &mut Open) -> io::Result<()> {
    let file = match &mut current.file {
        Some(file) => file,
        None => current.file.insert(open(&current.path, false)?),
    };
    let mut written = 0;
    let done = loop {
        let rest = buffer.get(written..).unwrap_or_default();
        if rest.is_empty() {
            break Ok(());
        }
        match file.write(rest) {
            Ok(0) => break Err(ErrorKind::WriteZero.into()),
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    buffer.drain(..written);
    current.bytes += written as u64;
    done
}

/// Completes a last line without an end, or cuts it off when a crash tore it.
/// Returns the bytes of the file.
fn mend(path: &Path) -> io::Result<u64> {
    let mut file = File::options().read(true).append(true).open(path)?;
    let bytes = file.metadata()?.len();
    // No line is longer, so the last end of a line is in this part.
    let start = bytes.saturating_sub(LONGEST as u64);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(LONGEST as u64).read_to_end(&mut tail)?;
    let line = tail
        .rsplit(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    if line.is_empty() {
        return Ok(bytes);
    }
    let mut file = File::options().append(true).open(path)?;
    if str::from_utf8(line).is_ok_and(|line| parse_line(line).is_ok()) {
        file.write_all(b"\n")?;
        return Ok(bytes + 1);
    }
    tracing::warn!(path = %path.display(), "the last entry was torn by a crash and is cut off");
    let whole = bytes - line.len() as u64;
    file.set_len(whole)?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_are_read_back() {
        let times = [0, 1, 999, 1_000, 86_400_000, 1_772_352_000_500];
        let names: Vec<_> = times
            .iter()
            .map(|millis| name(Timestamp::from_millis(*millis)))
            .collect();
        assert!(names.is_sorted());
        for (name, millis) in names.iter().zip(times) {
            assert_eq!(begun(name), Some(Timestamp::from_millis(millis)), "{name}");
        }
        assert_eq!(names[5], "decisions-20260301T080000500Z.jsonl");
        for other in [
            "",
            "decisions.jsonl",
            "decisions-20260301T080000500Z.jsonl.gz",
            "x",
        ] {
            assert_eq!(begun(other), None, "{other}");
        }
    }

    #[test]
    fn a_torn_line_is_completed_or_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let gap = r#"{"gap":1,"from":"2026-03-01T08:00:00Z","to":"2026-03-01T08:00:00Z"}"#;
        let whole = format!("{gap}\n");
        for (content, mended) in [
            (String::new(), String::new()),
            (whole.clone(), whole.clone()),
            (gap.to_owned(), whole.clone()),
            (format!("{whole}{{\"gap\":1,\"fr"), whole.clone()),
            (format!("{whole}{gap}"), format!("{whole}{whole}")),
            ("{".to_owned(), String::new()),
            (format!("{whole}\0\0\0"), whole),
        ] {
            fs::write(&path, &content).unwrap();
            let bytes = mend(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), mended, "{content}");
            assert_eq!(bytes, mended.len() as u64);
        }
    }
}
