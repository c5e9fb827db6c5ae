//! How a store is run: its clock and its named limits.

use std::sync::Arc;

use base::{Clock, SystemClock};

/// What a [`crate::Store`] is opened with. Every limit has a sound default.
#[derive(Clone)]
pub struct Options {
    /// Where versions come from.
    pub clock: Arc<dyn Clock>,
    /// How long the change log answers for: old snapshots, resumed feeds, old transaction bases.
    pub change_retention_ms: u64,
    /// How long the change log may be, in bytes of its entries, which hold what was overwritten. Beyond it the oldest go,
    /// whatever their age.
    pub change_bytes_max: u64,
    /// Log entries removed in one go, so that removal never stalls commits for long.
    pub prune_rows_max: usize,
    /// Commits that may wait for the committer.
    pub queue_len_max: usize,
    /// Memory the waiting commits may take.
    pub queue_bytes_max: usize,
    /// Commits made durable together.
    pub group_len_max: usize,
    /// Bytes made durable together; a single larger commit still passes.
    pub group_bytes_max: usize,
    /// Writes of one transaction.
    pub txn_writes_max: usize,
    /// Keys and ranges one transaction may rely on.
    pub txn_reads_max: usize,
    /// Keys, values and note of one transaction.
    pub txn_bytes_max: usize,
    /// Rows overwritten or deleted by one transaction, which its log entry keeps.
    pub before_bytes_max: usize,
    /// One stored key.
    pub key_bytes_max: usize,
    /// One stored value.
    pub value_bytes_max: usize,
    /// Recent writes remembered in memory for validation. Older bases are checked against the log.
    pub recent_rows_max: usize,
    /// Rows of the change log walked to check one old base, or to look back to one old version.
    pub look_back_rows_max: usize,
    /// Bytes of change-log entries handed out by one call for changes; one entry always passes.
    pub changes_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            clock: Arc::new(SystemClock),
            change_retention_ms: 60 * 60 * 1000,
            change_bytes_max: 1 << 30,
            prune_rows_max: 512,
            queue_len_max: 4096,
            queue_bytes_max: 256 * MIB,
            group_len_max: 256,
            group_bytes_max: 16 * MIB,
            txn_writes_max: 200_000,
            txn_reads_max: 200_000,
            txn_bytes_max: 64 * MIB,
            before_bytes_max: 256 * MIB,
            key_bytes_max: 16 * KIB,
            value_bytes_max: 32 * MIB,
            recent_rows_max: 100_000,
            look_back_rows_max: 200_000,
            changes_bytes_max: 8 * MIB,
        }
    }
}
