//! What waits for one listening client: bounded, and a client that does not take it out in time is let go.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use access::Holder;
use kv::Version;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::delta::Delta;

/// Bytes that may wait for one client.
pub const OUTBOX_BYTES_MAX: usize = 16 << 20;
/// What an entry costs beside its data, in bytes.
const ENTRY_BYTES: usize = 64;
/// Bytes that may wait for all clients together; beyond them a client that has more waiting than its share is let go.
const ALL_BYTES_MAX: usize = 256 << 20;
/// Bytes that may always wait for one client.
const SHARE_BYTES: usize = 256 << 10;

/// What waits for all clients together, in bytes.
static ALL_BYTES: AtomicUsize = AtomicUsize::new(0);

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

impl State {
    fn empty(&mut self) {
        ALL_BYTES.fetch_sub(self.bytes, Ordering::Relaxed);
        (self.waiting, self.bytes) = (VecDeque::new(), 0);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.empty();
    }
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
        let bytes = push.delta.bytes() + ENTRY_BYTES;
        let all = ALL_BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes;
        state.bytes += bytes;
        let is_too_much = state.bytes > OUTBOX_BYTES_MAX || all > ALL_BYTES_MAX && state.bytes > SHARE_BYTES;
        // One delta always passes, whatever its size.
        if is_too_much && !state.waiting.is_empty() {
            state.empty();
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
        let bytes = push.delta.bytes() + ENTRY_BYTES;
        state.bytes = state.bytes.saturating_sub(bytes);
        ALL_BYTES.fetch_sub(bytes, Ordering::Relaxed);
        if state.waiting.is_empty() {
            // Idle clients hold no memory for what once waited.
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

#[cfg(test)]
mod tests {
    use super::super::delta::Changed;
    use super::*;
    use crate::model::{Leaf, Node, Path};

    #[test]
    fn who_does_not_take_out_what_waits_is_let_go() {
        let outbox = Outbox::default();
        let text = Node::leaf(Leaf::Text("x".repeat(1 << 20).into()), None);
        let delta = Delta::new(Path::ROOT, Changed::Set(Some(text)));
        let push = |version| Push { listen: 1, version: Version(version), delta: Arc::clone(&delta) };
        for version in 0..10 {
            outbox.push(push(version));
        }
        assert!(matches!(outbox.take(), Some(Taken::Push(Push { version: Version(0), .. }))));
        for version in 10..20 {
            outbox.push(push(version));
        }
        assert!(matches!(outbox.take(), Some(Taken::Overflown)));
        assert!(outbox.state.lock().waiting.is_empty() && outbox.state.lock().bytes == 0);
    }
}
