//! The thread that moves rows into the data file, a layer at a time, so that commits wait for nothing but the journal.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::checkpoint::Checkpointer;
use super::front::{Front, Stop};
use super::pages::Follower;
use super::read::Readers;
use super::write::Writer;
use crate::error::StoreError;
use crate::meta::Mark;

/// The running thread.
pub(super) struct Mover {
    front: Arc<Front>,
    thread: Option<JoinHandle<Ended>>,
}

/// What the thread leaves.
pub(super) struct Ended {
    pub(super) writer: Writer,
    pub(super) checkpointer: Checkpointer,
    pub(super) follower: Follower,
}

impl Mover {
    pub(super) fn start(
        front: &Arc<Front>,
        readers: &Arc<Readers>,
        mark: Mark,
        with: Ended,
    ) -> Result<Self, StoreError> {
        let (front, readers) = (Arc::clone(front), Arc::clone(readers));
        let thread = std::thread::Builder::new().name("kv-mover".to_owned()).spawn({
            let front = Arc::clone(&front);
            move || run(&front, &readers, mark, with)
        });
        let thread = thread.map_err(|error| StoreError::engine(format_args!("no mover: {error}")))?;
        Ok(Self { front, thread: Some(thread) })
    }

    /// Ends the thread when everything is moved, or cannot be.
    pub(super) fn stop(mut self) -> Result<Ended, StoreError> {
        self.front.stop(Stop::Empty);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.and_then(Result::ok).ok_or_else(|| StoreError::engine("the mover ended early"))
    }
}

/// What is not moved is in the journal.
impl Drop for Mover {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.front.stop(Stop::Now);
            // It has nothing to tell, and a panic in it was reported by its hook.
            let _ = thread.join();
        }
    }
}

fn run(front: &Front, readers: &Readers, mark: Mark, mut with: Ended) -> Ended {
    while let Some(sealed) = front.next_to_move() {
        let mark = Mark { sequence: sealed.sequence, ..mark };
        let writer = &mut with.writer;
        let moved = with.follower.follow(sealed.sequence, || {
            sealed.layer.with_newest(|rows| writer.apply(rows, sealed.version, mark))
        });
        if let Err(error) = &moved {
            tracing::error!(%error, "commits could not be moved from the journal into the data file");
        }
        front.report(moved);
        with.checkpointer.wake();
        if with.writer.wal_is_full() {
            with.writer.drain_wal(readers);
        }
    }
    with
}
