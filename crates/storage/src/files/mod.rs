//! Where bytes are: files named by what they have, and drafts that are being written.
//!
//! Two implementations, one test suite (`tests/files.rs`): a folder, and memory for `--ephemeral`.

mod copy;
mod disk;
mod incoming;
mod keep;
mod memory;
mod turns;

use std::io;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::BlobName;

pub use copy::{Copied, copy, digest_of};
pub use disk::Disk;
pub use incoming::{Incoming, ReceiveError};
pub use keep::{Keep, Kept, Removal};
pub use memory::Memory;
pub use turns::{Turn, Turns};

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The disk is full, or the user's share of it.
    #[error("there is no room left for the files of Cloud Storage: {0}")]
    Full(io::Error),
    /// There is no such file.
    #[error("the file `{0}` is missing")]
    Missing(String),
    /// Anything else.
    #[error("a file of Cloud Storage failed: {0}")]
    Io(io::Error),
}

impl From<io::Error> for FilesError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full(error)
            }
            _ => Self::Io(error),
        }
    }
}

/// A place for files. A draft has an id, a blob is named by its bytes; ids are `[A-Za-z0-9_-]`.
#[async_trait]
pub trait Files: Send + Sync {
    /// Opens a draft to append to it at this place; it is made if need be, and what it has behind the place is cut off.
    async fn draft(&self, id: &str, at: u64) -> Result<Box<dyn Draft>, FilesError>;

    /// Opens a draft for reading; `None` when nothing was written.
    async fn read_draft(&self, id: &str) -> Result<Option<Box<dyn Blob>>, FilesError>;

    /// Gives a draft that is synced its name. Durable when it returns. The draft stays until it is discarded, and what is
    /// appended to it does not reach the blob.
    async fn publish(&self, id: &str, blob: &BlobName) -> Result<(), FilesError>;

    /// Removes a draft, if there is one.
    async fn discard(&self, id: &str) -> Result<(), FilesError>;

    /// Opens a blob.
    async fn open(&self, blob: &BlobName) -> Result<Box<dyn Blob>, FilesError>;

    /// Whether blobs may be removed: not while they are copied.
    fn keep(&self) -> &Keep;

    /// Removes a blob, if there is one. Who has it open reads on.
    async fn remove(&self, blob: &BlobName) -> Result<(), FilesError>;

    /// The ids of all drafts.
    async fn drafts(&self) -> Result<Vec<String>, FilesError>;

    /// The blobs whose names begin with this byte.
    async fn blobs(&self, first: u8) -> Result<Vec<BlobName>, FilesError>;
}

/// A file that is being written.
#[async_trait]
pub trait Draft: Send {
    /// Appends bytes.
    async fn append(&mut self, bytes: Bytes) -> Result<(), FilesError>;

    /// Returns when all of it is durable.
    async fn sync(&mut self) -> Result<(), FilesError>;
}

/// A file that can be read, in any order.
#[async_trait]
pub trait Blob: Send + Sync {
    /// How many bytes it has.
    fn size(&self) -> u64;

    /// At most so many bytes from a place on; none at the end.
    async fn read(&self, at: u64, bytes_max: usize) -> Result<Bytes, FilesError>;
}
