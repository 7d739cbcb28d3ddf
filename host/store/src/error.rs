//! What can go wrong, by what the operator or the caller can do about it.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Why the store could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another handle of this one, has it open.
    #[error(
        "the store `{}` is in use\n\
         hint: another Portreeve runs with this `directory` of `[store]`; stop it, or give this one its own", .path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer Portreeve wrote it.
    #[error(
        "the store `{}` has schema version {found}, this Portreeve knows up to {known}\n\
         hint: run the newer Portreeve, or restore a backup made by this one", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u64,
        /// The newest version that is understood.
        known: u64,
    },
    /// What was acknowledged cannot all be read any more.
    #[error(
        "the store `{}` is damaged: {detail}\n\
         hint: restore a backup with `portreeve store restore`", .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The file is something else.
    #[error(
        "`{}` is no store of Portreeve: {detail}\n\
         hint: move it away, or name another `directory` in `[store]`", .path.display()
    )]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The disk, or the quota on it, is full.
    #[error(
        "no room for the store `{}`: {detail}\n\
         hint: make room on that file system", .path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// The system refused: rights, a missing directory, a broken disk.
    #[error("cannot open the store `{}`: {detail}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
}

/// Why something could not be read from or written to an open store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the quota on it, is full. Works again once there is room.
    #[error("no room left for the store: {0}")]
    Full(String),
    /// The disk refused. May work again.
    #[error("the store cannot be read or written: {0}")]
    Io(String),
    /// The file does not hold what it must. A backup has to be restored.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The words of a batch do not continue those that are stored.
    #[error("the words do not fit those that are stored: {0}")]
    Words(String),
    /// The writer was shut down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the database underneath refuses everything until it is opened
    /// again, as it does after any error of the disk.
    pub(crate) const fn needs_reopening(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Io(_) | Self::Damaged(_))
    }
}

impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Full { detail, .. } => Self::Full(detail),
            OpenError::Damaged { detail, .. } | OpenError::NotAStore { detail, .. } => {
                Self::Damaged(detail)
            }
            other => Self::Io(other.to_string()),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) {
            Self::Full(error.to_string())
        } else {
            Self::Io(error.to_string())
        }
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => error.into(),
            redb::Error::PreviousIo
            | redb::Error::DatabaseClosed
            | redb::Error::LockPoisoned(_)
            | redb::Error::Unsupported
            | redb::Error::ValueTooLarge(_) => Self::Io(error.to_string()),
            // Everything else cannot happen with a sound file and correct tables.
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// The library has one error type per operation; all of them are one here.
macro_rules! through_redb_error {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}

through_redb_error!(
    redb::CommitError,
    redb::CompactionError,
    redb::DatabaseError,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError
);

/// Whether there is no room: on the disk, in a quota or under a size limit.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
