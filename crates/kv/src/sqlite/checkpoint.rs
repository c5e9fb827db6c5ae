//! Copies the write-ahead log into the data file, beside the writer, so that commits do not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use super::SqliteOptions;
use super::file::PAGE_BYTES;
use super::read::Readers;
use crate::error::StoreError;

/// How far the log is copied.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogState {
    frames: u64,
    copied: u64,
}

impl LogState {
    pub(super) fn is_done(self) -> bool {
        self.copied >= self.frames
    }
}

/// Copies everything, trying until the deadline while older snapshots forbid it. Tells whether it did.
pub(super) fn copy_all(connection: &Connection, deadline: Instant) -> rusqlite::Result<bool> {
    loop {
        if copy_log(connection)?.is_done() {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Makes the next write start the log anew, waiting until the deadline for those who still read it.
pub(super) fn restart_log(connection: &Connection, deadline: Instant) -> rusqlite::Result<bool> {
    connection.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
    connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// Copies what can be copied without waiting for anyone.
fn copy_log(connection: &Connection) -> rusqlite::Result<LogState> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        // Minus one when another checkpoint is running.
        let frames = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(1);
        let copied = u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        Ok(LogState { frames, copied })
    })
}

/// The newest known [`LogState`], for the writer.
#[derive(Default)]
pub(super) struct Progress {
    frames: AtomicU64,
    copied: AtomicU64,
}

impl Progress {
    /// Bytes in the log, and how many of them are left to be copied.
    pub(super) fn wal_bytes(&self) -> (u64, u64) {
        let (frames, copied) = (self.frames.load(Ordering::Relaxed), self.copied.load(Ordering::Relaxed));
        (frames * PAGE_BYTES, frames.saturating_sub(copied) * PAGE_BYTES)
    }

    pub(super) fn set(&self, state: LogState) {
        self.frames.store(state.frames, Ordering::Relaxed);
        self.copied.store(state.copied, Ordering::Relaxed);
    }
}

/// The thread that copies. Sleeps while there is nothing to copy.
pub(super) struct Checkpointer {
    signal: Arc<Signal>,
    progress: Arc<Progress>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Signal {
    state: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Default)]
struct Wanted {
    written: bool,
    stop: bool,
}

impl Checkpointer {
    pub(super) fn start(
        connection: Connection,
        readers: Arc<Readers>,
        options: &SqliteOptions,
    ) -> Result<Self, StoreError> {
        let (signal, progress) = (Arc::new(Signal::default()), Arc::new(Progress::default()));
        let interval = Duration::from_millis(options.checkpoint_interval_ms);
        let thread = std::thread::Builder::new().name("kv-checkpoint".to_owned()).spawn({
            let (signal, progress) = (Arc::clone(&signal), Arc::clone(&progress));
            move || run(&connection, &readers, &signal, &progress, interval)
        });
        let thread = thread.map_err(|error| StoreError::engine(format_args!("no checkpointer: {error}")))?;
        Ok(Self { signal, progress, thread: Some(thread) })
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Something was written.
    pub(super) fn wake(&self) {
        let mut wanted = self.signal.state.lock();
        if !std::mem::replace(&mut wanted.written, true) {
            self.signal.changed.notify_one();
        }
    }

    /// Ends the thread and waits for it.
    pub(super) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.signal.state.lock().stop = true;
        self.signal.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell, and a panic in it was reported by its hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(connection: &Connection, readers: &Readers, signal: &Signal, progress: &Progress, interval: Duration) {
    let mut pending = false;
    loop {
        {
            let mut wanted = signal.state.lock();
            while !wanted.written && !pending && !wanted.stop {
                signal.changed.wait(&mut wanted);
            }
            // Let the log gather a little: copying a page once for many commits is the gain.
            let until = Instant::now() + interval;
            while !wanted.stop && !signal.changed.wait_until(&mut wanted, until).timed_out() {}
            if wanted.stop {
                return;
            }
            wanted.written = false;
        }
        match copy_log(connection) {
            Ok(state) => {
                progress.set(state);
                pending = !state.is_done();
                if !pending {
                    // Views opened from now on do not need the log, so it can start anew.
                    readers.release();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log could not be copied");
                pending = true;
            }
        }
    }
}
