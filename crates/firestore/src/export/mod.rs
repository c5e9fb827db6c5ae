//! Exports in the format of Google's emulator and of Cloud Firestore's managed exports: written and read.
//!
//! `NAME/NAME.overall_export_metadata` names `all_namespaces/all_kinds/all_namespaces_all_kinds.export_metadata`, which names
//! the `output-N` files beside it. These, and the first, are [`log`] files: a record of an output file is one document as an
//! [`entity`]. An empty database has no output files and its metadata is an empty record.
//!
//! Invariants:
//! - Memory is bounded by one record, whatever the files claim.
//! - Every error names the file and the byte where the record begins.
//! - Names in metadata lead to files within the export's folder only.
//!
//! Source: exports of the official Firestore emulator 1.19 and 1.20, byte by byte; the record format is LevelDB's log, the
//! records are Datastore's `EntityProto`.

mod entity;
mod log;
mod metadata;
mod reader;
mod writer;

use std::io;
use std::path::PathBuf;

use base::{Code, Status};

pub use entity::Imported;
pub use reader::Reader;
pub use writer::{Writer, Written};

/// Bytes of one record at most. A document of 1 MiB may be larger as a record: each element of an array repeats the name of
/// its field.
pub const RECORD_BYTES_MAX: usize = 64 << 20;
/// Documents of one output file, as the official emulator splits them.
pub const FILE_DOCUMENTS_MAX: u64 = 5000;

/// Why an export cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file system.
    #[error("`{}`: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// What a file holds.
    #[error("`{}`, record at byte {at}: {fault}", path.display())]
    Record { path: PathBuf, at: u64, fault: Fault },
    /// A file that has less or more than the export's metadata says.
    #[error("`{}` says that the export has {expected} documents, its files have {found}", path.display())]
    Count { path: PathBuf, expected: u64, found: u64 },
    /// A document that makes too large a record.
    #[error("the document `{name}` cannot be exported: its record has more than {} MiB", RECORD_BYTES_MAX >> 20)]
    TooLarge { name: String },
    /// Something else that is in the way of a new export.
    #[error("`{}` is there already and is no export: choose another name", path.display())]
    InTheWay { path: PathBuf },
    /// A folder that is not there.
    #[error("`{}` is no directory", path.display())]
    NoDirectory { path: PathBuf },
    /// A name that is more than one path segment.
    #[error("`{0}` is no name for an export: it is one file name")]
    BadName(String),
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the checksum is {found:08x} and not {expected:08x}: the file is damaged")]
    Checksum { expected: u32, found: u32 },
    #[error("the file ends within the record")]
    CutShort,
    #[error("a part of type {0} is not expected here")]
    Part(u8),
    #[error("it has more than {} MiB", RECORD_BYTES_MAX >> 20)]
    TooLong,
    #[error("it is no {0}")]
    Shape(&'static str),
    #[error("{0}")]
    Document(String),
    #[error("`{0}` does not lie within the export")]
    Outside(String),
}

impl From<ExportError> for Status {
    fn from(error: ExportError) -> Self {
        let code = match &error {
            ExportError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Code::NotFound,
            ExportError::File { .. } => Code::Unavailable,
            ExportError::InTheWay { .. } | ExportError::NoDirectory { .. } | ExportError::TooLarge { .. } => {
                Code::FailedPrecondition
            }
            ExportError::Record { .. } | ExportError::Count { .. } | ExportError::BadName(_) => {
                Code::InvalidArgument
            }
        };
        Status::new(code, error.to_string())
    }
}
