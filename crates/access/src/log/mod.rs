//! The access log: one event per decision, written by this room and no other.
//!
//! JSON lines in `access.log` of the data folder, append-only, no tokens, no field values unless asked for. Allowed
//! writes are in the store's change log too, in the same transaction; what a crash kept from this file is completed
//! from there at the next start.

mod collapse;
pub mod event;
pub mod query;
mod recorded;
pub mod texts;
mod writer;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use event::COMMIT;
pub use event::{Basis, Cause, Event, TRACE, Verdict};
use policy::Source;
pub use query::{Filter, Reader};
pub(crate) use recorded::{Recorded, commits};
use tokio::sync::broadcast;
pub use writer::FILE_NAME;
use writer::Writer;

/// Where events go. Cheap to clone.
#[derive(Clone)]
pub struct AccessLog {
    sink: Arc<Sink>,
    /// Who watches events come. One that is slow misses some.
    watchers: broadcast::Sender<Event>,
    /// The data folder, where there is one.
    folder: Option<Arc<Path>>,
}

/// Events that a watcher may be behind.
const BEHIND_MAX: usize = 256;

enum Sink {
    File(Writer),
    Memory(parking_lot::Mutex<Vec<Event>>),
    Discard,
}

impl AccessLog {
    /// The log of a data folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self { folder: Some(folder.into()), ..Self::into(Sink::File(Writer::open(folder)?)) })
    }

    /// A log that is only kept in memory: for tests.
    pub fn in_memory() -> Self {
        Self::into(Sink::Memory(parking_lot::Mutex::default()))
    }

    /// A log that keeps nothing: for data that is not kept either.
    pub fn discarding() -> Self {
        Self::into(Sink::Discard)
    }

    fn into(sink: Sink) -> Self {
        Self { sink: Arc::new(sink), watchers: broadcast::Sender::new(BEHIND_MAX), folder: None }
    }

    /// The events from now on, those that repeat included. One who falls behind misses some.
    pub fn watch(&self) -> broadcast::Receiver<Event> {
        self.watchers.subscribe()
    }

    /// Keeps the text of rules that are about to be in force, for whoever reads their fingerprint in a line. A failure is
    /// reported to the operator and nothing else: rules are not refused because of it.
    pub(crate) fn keep_rules(&self, source: &Source, fingerprint: &str) {
        let Some(folder) = &self.folder else { return };
        if let Err(error) = texts::keep(folder, source, fingerprint) {
            tracing::warn!(%error, "the text of the rules cannot be kept: `hearth explain --request` will not know them");
        }
    }

    /// Adds an event. Never waits.
    pub fn push(&self, event: Event) {
        if self.watchers.receiver_count() > 0 {
            // The last watcher may just have left.
            let _ = self.watchers.send(event.clone());
        }
        match &*self.sink {
            Sink::File(writer) => writer.push(event),
            Sink::Memory(events) => events.lock().push(event),
            Sink::Discard => {}
        }
    }

    /// The events of a log in memory so far; empty for one on disk, whose [`Reader`] tells.
    pub fn events(&self) -> Vec<Event> {
        match &*self.sink {
            Sink::Memory(events) => events.lock().clone(),
            Sink::File(_) | Sink::Discard => Vec::new(),
        }
    }

    /// Waits until all events so far are in the file.
    pub fn flush(&self) {
        if let Sink::File(writer) = &*self.sink {
            writer.flush();
        }
    }

    /// Writes what is left and ends; later events are dropped.
    pub fn close(&self) {
        if let Sink::File(writer) = &*self.sink {
            writer.close();
        }
    }
}

/// The name of the file that was rolled over `age` times.
fn old_file(path: &Path, age: u32) -> PathBuf {
    path.with_extension(format!("{age}.log"))
}

fn ends_with_newline(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
