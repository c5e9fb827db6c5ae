//! What can go wrong in the store, told so that an operator knows what to do.

use std::path::PathBuf;
use std::sync::Arc;

use crate::key::Key;
use crate::version::Version;

/// The store could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The change log no longer reaches back that far.
    #[error("version {asked} is too old: the store keeps changes after version {oldest}")]
    TooOld {
        /// The version that was asked for.
        asked: Version,
        /// The oldest version the log can still answer for.
        oldest: Version,
    },
    /// The version has not happened yet.
    #[error("version {asked} is in the future: the newest is {newest}")]
    Future {
        /// The version that was asked for.
        asked: Version,
        /// The newest version there is.
        newest: Version,
    },
    /// Too much has changed since the version to look back to it.
    #[error("more than {rows_max} rows changed since version {asked}: too many to look back that far")]
    TooManyChanges {
        /// The version that was asked for.
        asked: Version,
        /// The limit.
        rows_max: usize,
    },
    /// The key belongs to the store itself.
    #[error("key `{key}` lies in a keyspace that belongs to the store")]
    ReservedKeyspace {
        /// The key.
        key: Key,
    },
    /// Another process (or another store in this one) has the folder open.
    #[error("the data folder `{}` is in use by another process", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The file is not a store.
    #[error("`{}` is not a data file of this program: {reason}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How that was seen.
        reason: Arc<str>,
    },
    /// What was acknowledged is not all there, or not as it was written. Only a backup brings it back.
    #[error("`{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, what was expected and what was found.
        reason: Arc<str>,
    },
    /// The data was written by a newer program.
    #[error("the data has format {found}, this program knows formats up to {known}: use a newer program")]
    NewerFormat {
        /// The format of the data.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// A stored row does not decode.
    #[error("stored data is corrupt: {what}")]
    Corrupt {
        /// What does not decode.
        what: Arc<str>,
    },
    /// Every read connection is held by a snapshot and none came back in time.
    #[error("too many snapshots are open at once")]
    Busy,
    /// A backup never overwrites.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} `{}`: {reason}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        reason: Arc<str>,
    },
    /// The engine failed otherwise. After a failed commit the outcome is unknown until the next one.
    #[error("the storage engine failed: {reason}")]
    Engine {
        /// What the engine said.
        reason: Arc<str>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// A stored row does not decode.
    pub(crate) fn corrupt(what: &str) -> Self {
        Self::Corrupt { what: what.into() }
    }

    /// A stored version is not 8 bytes.
    pub(crate) fn corrupt_version() -> Self {
        Self::corrupt("a version is not 8 bytes")
    }

    /// An engine failure with these words. For engines.
    pub fn engine(reason: impl std::fmt::Display) -> Self {
        Self::Engine { reason: reason.to_string().into() }
    }

    /// A file that is not as it was written.
    pub(crate) fn damaged(path: &std::path::Path, reason: impl AsRef<str>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.as_ref().into() }
    }

    /// A refusal of the file system.
    pub(crate) fn io(action: &'static str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), reason: error.to_string().into() }
    }
}

/// The transaction was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Something the transaction read was changed after its base. Nothing was applied; try again.
    #[error("key `{key}` was changed at version {version}, after the transaction's base {base}")]
    Conflict {
        /// The key that was changed.
        key: Key,
        /// When.
        version: Version,
        /// What the transaction had seen.
        base: Version,
    },
    /// The base is so old that nobody knows what has changed since.
    #[error("the transaction's base {base} is too old: changes are known after version {oldest}")]
    TooOld {
        /// What the transaction had seen.
        base: Version,
        /// The oldest base that can be checked.
        oldest: Version,
    },
    /// A transaction before it in its chain failed. Nothing was applied.
    #[error("a transaction that this one builds on failed")]
    Broken,
    /// The transaction exceeds a limit of the store.
    #[error("the transaction is too large: {what} is {actual}, the limit is {max}")]
    TooLarge {
        /// Which measure.
        what: &'static str,
        /// Its value.
        actual: usize,
        /// Its limit.
        max: usize,
    },
    /// The queue of the committer is full. Nothing was applied; try again later.
    #[error("too many commits are waiting")]
    Overloaded,
    /// The store failed. Whether the transaction was applied is unknown if it is an engine failure.
    #[error(transparent)]
    Store(#[from] StoreError),
}
