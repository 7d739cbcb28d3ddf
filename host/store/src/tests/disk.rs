//! Disks that misbehave, between the database and its file.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use parking_lot::Mutex;
use redb::backends::FileBackend;
use redb::{BackendError, Database, DatabaseError, StorageBackend};

use crate::file::Disk;

/// A disk with room for the first `room` bytes of the file, and one that fails
/// altogether while `broken`.
#[derive(Debug)]
pub(super) struct Failing {
    pub(super) room: AtomicU64,
    pub(super) broken: AtomicBool,
}

impl Default for Failing {
    fn default() -> Self {
        Self {
            room: AtomicU64::new(u64::MAX),
            broken: AtomicBool::new(false),
        }
    }
}

impl Failing {
    fn check(&self, end: u64) -> io::Result<()> {
        if self.broken.load(SeqCst) {
            return Err(io::Error::from_raw_os_error(5)); // EIO
        }
        if end > self.room.load(SeqCst) {
            return Err(io::Error::from_raw_os_error(28)); // ENOSPC
        }
        Ok(())
    }
}

/// A [`Failing`] disk in the place of the file system.
#[derive(Debug)]
pub(super) struct FailingDisk(pub(super) Arc<Failing>);

impl Disk for FailingDisk {
    fn database(&self, file: File, cache_bytes: usize) -> Result<Database, DatabaseError> {
        let backend = FailingBackend {
            file: FileBackend::new(file)?,
            failing: Arc::clone(&self.0),
        };
        Database::builder()
            .set_cache_size(cache_bytes)
            .create_with_backend(backend)
    }
}

#[derive(Debug)]
struct FailingBackend {
    file: FileBackend,
    failing: Arc<Failing>,
}

impl StorageBackend for FailingBackend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    // A file may be made longer on a full disk; its pages are taken later.
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.failing.check(0)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.failing.check(0)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.failing.check(offset + data.len() as u64)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

/// One thing the disk was told since the last sync.
#[derive(Clone, Debug)]
enum Told {
    Length(u64),
    Bytes(u64, Vec<u8>),
}

/// A disk whose power is cut after a number of operations. What was told since
/// the last sync may or may not have arrived, sector by sector.
#[derive(Debug)]
pub(super) struct PowerCut {
    state: Mutex<Power>,
}

#[derive(Debug)]
struct Power {
    content: Vec<u8>,
    synced: Vec<u8>,
    told: Vec<Told>,
    left: u64,
}

impl PowerCut {
    /// A disk with `content`, cut after `operations`.
    pub(super) fn new(content: Vec<u8>, operations: u64) -> Arc<Self> {
        let state = Power {
            synced: content.clone(),
            content,
            told: Vec::new(),
            left: operations,
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    /// Whether the power is gone.
    pub(super) fn is_cut(&self) -> bool {
        self.state.lock().left == 0
    }

    /// What is on the disk after the cut; `arrives` says of each sector.
    pub(super) fn image(&self, mut arrives: impl FnMut() -> bool) -> Vec<u8> {
        const SECTOR: usize = 512;
        let state = self.state.lock();
        let mut image = state.synced.clone();
        for told in &state.told {
            match told {
                Told::Length(length) => {
                    if arrives() {
                        image.resize(usize::try_from(*length).unwrap(), 0);
                    }
                }
                Told::Bytes(offset, bytes) => {
                    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                        let start = usize::try_from(*offset).unwrap() + number * SECTOR;
                        if arrives() && start + sector.len() <= image.len() {
                            image[start..start + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
            }
        }
        image
    }

    fn tell(&self, told: Told) -> io::Result<()> {
        let mut state = self.state.lock();
        state.spend()?;
        match &told {
            Told::Length(length) => state.content.resize(usize::try_from(*length).unwrap(), 0),
            Told::Bytes(offset, bytes) => {
                let start = usize::try_from(*offset).unwrap();
                state.content[start..start + bytes.len()].copy_from_slice(bytes);
            }
        }
        state.told.push(told);
        Ok(())
    }
}

impl Power {
    fn spend(&mut self) -> io::Result<()> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(io::Error::other("the power is cut"));
        }
        Ok(())
    }
}

/// A [`PowerCut`] disk in the place of the file system.
#[derive(Debug)]
pub(super) struct PowerCutDisk(pub(super) Arc<PowerCut>);

impl Disk for PowerCutDisk {
    fn database(&self, _: File, cache_bytes: usize) -> Result<Database, DatabaseError> {
        Database::builder()
            .set_cache_size(cache_bytes)
            .create_with_backend(PowerCutBackend(Arc::clone(&self.0)))
    }
}

#[derive(Debug)]
struct PowerCutBackend(Arc<PowerCut>);

impl StorageBackend for PowerCutBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.state.lock().content.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.state.lock();
        let start = usize::try_from(offset).unwrap();
        let bytes = state.content.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.tell(Told::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.spend()?;
        state.synced = state.content.clone();
        state.told.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.tell(Told::Bytes(offset, data.to_vec()))
    }
}
