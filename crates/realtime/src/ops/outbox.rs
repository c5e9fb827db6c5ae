//! What waits for one listening client: bounded, and a client that does not take it out in time is let go.

use std::collections::VecDeque;
use std::sync::Arc;

use access::Holder;
use kv::Version;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::delta::Delta;

/// Bytes that may wait for one client.
pub const OUTBOX_BYTES_MAX: usize = 16 << 20;
/// What an entry costs beside its data, in bytes.
const ENTRY_BYTES: usize = 64;

/// Something that changed, for one of a client's listeners.
pub struct Push {
    /// Which.
    pub listen: u64,
    /// The commit.
    pub version: Version,
    /// What changed.
    pub delta: Arc<Delta>,
}

/// What waits for a client.
#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Push>,
    bytes: usize,
    /// More came than fits: the client has to begin anew.
    overflown: bool,
    /// A grant may be stale.
    stale: bool,
}

/// What a client finds when it looks.
pub enum Taken {
    /// Something changed.
    Push(Push),
    /// A grant may be stale.
    Stale,
    /// Too much waited.
    Overflown,
}

impl Outbox {
    /// Adds something.
    pub fn push(&self, push: Push) {
        let mut state = self.state.lock();
        if state.overflown {
            return;
        }
        state.bytes += push.delta.bytes() + ENTRY_BYTES;
        // One delta always passes, whatever its size.
        if state.bytes > OUTBOX_BYTES_MAX && !state.waiting.is_empty() {
            state.waiting = VecDeque::new();
            state.overflown = true;
        } else {
            state.waiting.push_back(push);
        }
        drop(state);
        self.woken.notify_one();
    }

    /// What is next; `None` when there is nothing.
    pub fn take(&self) -> Option<Taken> {
        let mut state = self.state.lock();
        if state.overflown {
            return Some(Taken::Overflown);
        }
        if std::mem::take(&mut state.stale) {
            return Some(Taken::Stale);
        }
        let push = state.waiting.pop_front()?;
        state.bytes = state.bytes.saturating_sub(push.delta.bytes() + ENTRY_BYTES);
        if state.waiting.is_empty() {
            state.waiting = VecDeque::new();
        }
        Some(Taken::Push(push))
    }

    /// Waits until there may be something.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }
}

impl Holder for Outbox {
    fn wake(&self) {
        self.state.lock().stale = true;
        self.woken.notify_one();
    }
}
