//! What waits for one stream: for each document its newest state and what it means to the stream's targets.
//!
//! Writers never wait here, and what they leave is bounded: beyond [`STREAM_BYTES_MAX`] or [`ALL_BYTES_MAX`] it is dropped,
//! and the stream resumes from what it has sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use access::Holder;
use futures_util::task::AtomicWaker;
use kv::Key;
use parking_lot::Mutex;

use super::image::Image;

/// Bytes of documents that wait for one stream. A single document always fits.
pub const STREAM_BYTES_MAX: usize = 1 << 20;
/// Bytes of documents that wait for all streams together.
pub const ALL_BYTES_MAX: usize = 128 << 20;

/// What waits for one stream.
pub struct Outbox {
    waiting: Mutex<Waiting>,
    /// The stream is to look here, and has not since.
    is_changed: AtomicBool,
    stream: AtomicWaker,
    all_bytes: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Waiting {
    documents: BTreeMap<Key, Change>,
    windows: BTreeSet<i32>,
    bytes: usize,
    overflowed: bool,
}

/// A document that has changed.
pub struct Change {
    /// Its newest state.
    pub image: Arc<Image>,
    /// The targets it is about, and whether it is in them.
    pub targets: BTreeMap<i32, bool>,
}

/// All that waited.
#[derive(Default)]
pub struct Taken {
    /// The documents, in the order of their keys.
    pub documents: BTreeMap<Key, Change>,
    /// Targets whose window has changed.
    pub windows: BTreeSet<i32>,
    /// There was too much: what was dropped must be found again.
    pub overflowed: bool,
}

impl Taken {
    /// Whether nothing waited.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.windows.is_empty() && !self.overflowed
    }
}

impl Outbox {
    /// Empty, counted with others.
    pub fn new(all_bytes: Arc<AtomicUsize>) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            is_changed: AtomicBool::new(false),
            stream: AtomicWaker::new(),
            all_bytes,
        })
    }

    /// Leaves a document's newest state for a target that it is (or is not) in. Returns whether the stream is to be
    /// woken: nothing was waiting for it before.
    pub(super) fn push(&self, key: &Key, image: &Arc<Image>, target: i32, is_in: bool) -> bool {
        let mut waiting = self.waiting.lock();
        let was_empty = waiting.is_empty();
        if !waiting.overflowed {
            let change = waiting
                .documents
                .entry(key.clone())
                .or_insert_with(|| Change { image: Arc::clone(image), targets: BTreeMap::new() });
            let is_new = change.targets.is_empty();
            let (old, new) = (if is_new { 0 } else { change.image.bytes() }, image.bytes());
            change.image = Arc::clone(image);
            change.targets.insert(target, is_in);
            waiting.bytes = (waiting.bytes + new).saturating_sub(old);
            self.all_bytes.fetch_add(new, Ordering::Relaxed);
            self.all_bytes.fetch_sub(old, Ordering::Relaxed);
            let is_too_much = waiting.bytes > STREAM_BYTES_MAX && waiting.documents.len() > 1;
            if is_too_much || self.all_bytes.load(Ordering::Relaxed) > ALL_BYTES_MAX {
                waiting.overflow(&self.all_bytes);
            }
        }
        was_empty
    }

    /// A target's window has changed. Returns as [`Outbox::push`].
    pub(super) fn window(&self, target: i32) -> bool {
        let mut waiting = self.waiting.lock();
        let was_empty = waiting.is_empty();
        waiting.windows.insert(target);
        was_empty
    }

    /// A target's window must be looked at again.
    pub fn retry(&self, target: i32) {
        self.waiting.lock().windows.insert(target);
    }

    /// Everything must be found again. Returns as [`Outbox::push`].
    pub(super) fn overflow(&self) -> bool {
        let mut waiting = self.waiting.lock();
        let was_empty = waiting.is_empty();
        waiting.overflow(&self.all_bytes);
        was_empty
    }

    /// Takes everything.
    pub(super) fn take(&self) -> Taken {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        self.all_bytes.fetch_sub(waiting.bytes, Ordering::Relaxed);
        let Waiting { documents, windows, overflowed, .. } = waiting;
        Taken { documents, windows, overflowed }
    }

    /// Forgets what waits for a target that has ended.
    pub fn forget(&self, target: i32) {
        let mut waiting = self.waiting.lock();
        waiting.windows.remove(&target);
        let mut freed = 0;
        waiting.documents.retain(|_, change| {
            change.targets.remove(&target);
            let is_kept = !change.targets.is_empty();
            freed += if is_kept { 0 } else { change.image.bytes() };
            is_kept
        });
        waiting.bytes = waiting.bytes.saturating_sub(freed);
        self.all_bytes.fetch_sub(freed, Ordering::Relaxed);
    }

    /// Whether something waits.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.lock().is_empty()
    }

    /// Waits until there is something, or a grant must be looked at.
    pub fn poll_changed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_changed.swap(false, Ordering::AcqRel) {
            return Poll::Ready(());
        }
        self.stream.register(cx.waker());
        // It may have changed before the stream was known to be waiting.
        if self.is_changed.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.windows.is_empty() && !self.overflowed
    }

    fn overflow(&mut self, all_bytes: &AtomicUsize) {
        all_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.documents.clear();
        self.bytes = 0;
        self.overflowed = true;
    }
}

impl Holder for Outbox {
    fn wake(&self) {
        self.is_changed.store(true, Ordering::Release);
        self.stream.wake();
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.all_bytes.fetch_sub(self.waiting.get_mut().bytes, Ordering::Relaxed);
    }
}
