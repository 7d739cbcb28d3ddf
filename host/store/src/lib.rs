//! The gateway's durable memory.
//!
//! [`Store`] keeps what must outlive the process in one file under its directory:
//! device records as opaque bytes, the words those bytes refer to, how far each
//! inventory read has come, and small documents (the state of plugins).
//! [`Writer`] batches changes and makes them durable on a thread of its own, so
//! that no question ever waits for a disk. [`decisions`] is the log of what was
//! decided, in files that any log shipper can read.
//!
//! The file is an embedded [redb](https://www.redb.org) database. What speaks
//! for it here:
//!
//! * Copy on write with checksums on every page: a commit is there as a whole or
//!   not at all, and a damaged page is found. With the allocator's state saved in
//!   each commit, opening after a crash takes as long as after a clean stop.
//! * One file, which is what an operator backs up and restores.
//! * Readers never wait for the writer and see one consistent moment: that makes
//!   a backup of a running gateway a plain read.
//! * Pure Rust, MIT or Apache-2.0, a stable file format, one well-kept crate
//!   without dependencies.
//!
//! `SQLite` would do the job, but brings a C compiler into every cross build, a
//! log file beside the database that must not be separated from it, and checks
//! no checksums by default. fjall and sled are log-structured: better at random
//! writes, which are off the path here, worse at the one big scan at the start,
//! and many files; sled's format is not declared stable.
//!
//! The store does not know how a device is encoded, asks no source and knows no
//! HTTP. It has no clock but for naming files of the decision log.

pub mod decisions;

mod batch;
mod device;
mod document;
mod error;
mod file;
mod inventory;
mod offline;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod urgency;
mod word;
mod writer;

pub use batch::Batch;
pub use device::DeviceRow;
pub use document::{Document, DocumentError, DocumentKeys, Quota, SetDocument, Usage};
pub use error::{OpenError, StoreError};
pub use inventory::{InventoryState, Phase};
pub use offline::{CheckDevice, Compacted, OfflineError, Report, backup, compact, restore, verify};
pub use schema::SCHEMA_VERSION;
pub use store::{Store, StoreSettings};
pub use urgency::{come_first, give_way};
pub use word::Dictionary;
pub use writer::{Figures, Status, Writer, WriterHandle, WriterSettings};

/// The name of the store's file under its directory.
pub const FILE_NAME: &str = "portreeve.redb";
