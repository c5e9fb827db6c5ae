//! Writes events to the log file, off the request's path.
//!
//! A bounded queue and one thread. Denials that repeat are collapsed before they are queued. Overflow policy: allowed
//! reads are dropped first, at [`QUEUED_READS_MAX`]; what must be kept only at [`QUEUED_EVENTS_MAX`]. Every gap is written
//! down as an event that says how many are missing. Files roll over at [`FILE_BYTES_MAX`].

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use base::Timestamp;
use parking_lot::{Condvar, Mutex};

use super::collapse::Collapse;
use super::event::{Cause, Event, Verdict};

/// Allowed reads are dropped beyond this many queued events.
pub const QUEUED_READS_MAX: usize = 16_384;
/// Nothing is queued beyond this many events.
pub const QUEUED_EVENTS_MAX: usize = 131_072;
/// A file's size when the next one is begun.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How many rolled-over files stay beside the current one.
pub const OLD_FILES_MAX: u32 = 4;

/// The thread lets events gather for this long, so that it is woken for many of them and not for each.
const GATHER: Duration = Duration::from_millis(10);

/// After the last event counts are written this late.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// The current file's name in the data folder.
pub const FILE_NAME: &str = "access.log";

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    collapse: Collapse,
    dropped: u64,
    closed: bool,
    /// How many wait in [`Writer::flush`].
    flushing: usize,
    written: u64,
    queued: u64,
}

impl Queue {
    fn add(&mut self, event: Event) {
        let limit = if event.must_be_kept() { QUEUED_EVENTS_MAX } else { QUEUED_READS_MAX };
        if self.events.len() >= limit || self.closed {
            self.dropped += 1;
            return;
        }
        self.queued += 1;
        self.events.push_back(event);
    }

    /// Adds the counts of the second that runs.
    fn end_second(&mut self) {
        for event in self.collapse.end("") {
            self.queued += 1;
            self.events.push_back(event);
        }
    }
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    drained: Condvar,
}

/// The running writer. Dropping it without [`Writer::close`] loses what is still queued.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Opens (or begins) the log in a folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE_NAME);
        let mut output = Output::open(path)?;
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::default()),
            changed: Condvar::new(),
            drained: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_until_closed(&theirs, &mut output))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues an event; see the module's overflow policy.
    pub fn push(&self, event: Event) {
        let mut queue = self.shared.queue.lock();
        let was_idle = queue.events.is_empty() && queue.collapse.is_empty();
        for event in queue.collapse.take(event) {
            queue.add(event);
        }
        if was_idle {
            self.shared.changed.notify_one();
        }
    }

    /// Waits until everything queued so far is in the file.
    pub fn flush(&self) {
        let mut queue = self.shared.queue.lock();
        queue.end_second();
        let until = queue.queued;
        queue.flushing += 1;
        self.shared.changed.notify_one();
        while queue.written < until {
            self.shared.drained.wait(&mut queue);
        }
        queue.flushing -= 1;
    }

    /// Writes what is queued and ends the thread.
    pub fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the access log's thread ended early");
        }
    }
}

fn write_until_closed(shared: &Shared, output: &mut Output) {
    loop {
        let (batch, dropped) = {
            let mut queue = shared.queue.lock();
            while queue.events.is_empty() && queue.dropped == 0 && !queue.closed {
                if queue.collapse.is_empty() {
                    shared.changed.wait(&mut queue);
                } else if shared.changed.wait_for(&mut queue, COUNTED_FOR).timed_out() {
                    queue.end_second();
                }
            }
            if queue.closed {
                queue.end_second();
            }
            if queue.events.is_empty() && queue.dropped == 0 {
                return;
            }
            if !queue.closed && queue.flushing == 0 {
                shared.changed.wait_for(&mut queue, GATHER);
            }
            (std::mem::take(&mut queue.events), std::mem::take(&mut queue.dropped))
        };
        let count = batch.len() as u64;
        let gap = (dropped > 0).then(|| gap_event(dropped, batch.back()));
        for event in batch.iter().chain(gap.as_ref()) {
            if let Err(error) = output.write(event) {
                tracing::error!(%error, "the access log cannot be written");
            }
        }
        if let Err(error) = output.flush() {
            tracing::error!(%error, "the access log cannot be written");
        }
        shared.queue.lock().written += count;
        shared.drained.notify_all();
    }
}

fn gap_event(dropped: u64, near: Option<&Event>) -> Event {
    Event {
        time: near.map_or_else(|| Timestamp::EPOCH.to_string(), |event| event.time.clone()),
        request: 0,
        project: String::new(),
        service: "access".into(),
        verb: "log".into(),
        method: String::new(),
        path: String::new(),
        caller: "admin".into(),
        who: None,
        app: None,
        app_check: None,
        verdict: Verdict::Error,
        rule: None,
        causes: vec![Cause {
            at: String::new(),
            expression: String::new(),
            observed: String::new(),
            text: format!("{dropped} events are missing here: they came faster than they could be written"),
        }],
        read: Vec::new(),
        basis: None,
        expressions: 0,
        version: None,
        count: None,
        details: serde_json::Map::new(),
    }
}

struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

/// Opens a file for its owner's eyes only, also one that was left with other rights.
fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

impl Output {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = open_private(&path)?;
        let bytes = file.metadata()?.len();
        let mut output = Self { path, file: BufWriter::with_capacity(64 * 1024, file), bytes };
        if output.bytes > 0 && !super::ends_with_newline(&output.path)? {
            // A line cut short by a crash: end it, so that the next event starts on a line of its own.
            output.file.write_all(b"\n")?;
            output.bytes += 1;
        }
        Ok(output)
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.bytes += line.len() as u64;
        if self.bytes >= FILE_BYTES_MAX {
            self.roll()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn roll(&mut self) -> io::Result<()> {
        self.file.flush()?;
        for age in (1..OLD_FILES_MAX).rev() {
            let (from, to) = (super::old_file(&self.path, age), super::old_file(&self.path, age + 1));
            if from.exists() {
                std::fs::rename(from, to)?;
            }
        }
        std::fs::rename(&self.path, super::old_file(&self.path, 1))?;
        let fresh = open_private(&self.path)?;
        self.file = BufWriter::with_capacity(64 * 1024, fresh);
        self.bytes = 0;
        Ok(())
    }
}
