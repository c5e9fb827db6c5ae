//! The ordered transactional store: rows of bytes in keyspaces, serializable commits over several of
//! them, snapshots that stand still, and a change feed. It knows bytes, versions and locks; it has
//! never heard of documents, rules or users.
//!
//! Invariants:
//! - Acknowledged means durable: [`Store::commit`] answers after the engine's batch is on disk.
//! - Commits are serializable: what a transaction says it read is checked against everything that was
//!   committed since its base, members of the same group included.
//! - Versions are microseconds, strictly increasing for ever; a clock that steps back changes nothing.
//! - State and change log change in one engine batch, so they cannot disagree.
//! - A [`Snapshot`] never sees a later commit.
//!
//! The shape follows the storage decision: everything but "atomic durable batch, still view, ordered
//! scan" is written once, above the [`Engine`]s.

mod chain;
mod change;
mod committer;
mod engine;
mod error;
mod history;
mod key;
mod mem;
mod meta;
mod options;
mod ring;
mod row;
mod scan;
mod snapshot;
mod sqlite;
mod store;
mod txn;
mod version;

#[cfg(feature = "testing")]
pub mod faulty;

pub use change::{Change, RowChange};
pub use engine::{Batch, Engine, Slice, View};
pub use error::{CommitError, StoreError};
pub use history::LookBack;
pub use key::{Key, KeyRange, Keyspace};
pub use mem::Mem;
pub use options::Options;
pub use row::Row;
pub use scan::Scan;
pub use snapshot::{Page, Snapshot};
pub use sqlite::{Finding, Reach, Report, Sqlite, SqliteOptions, reach, restore, verify, verify_with};
pub use store::Store;
pub use txn::{Chain, Txn};
pub use version::Version;
