//! A session among tasks: the requests that feed it, the response that drains it, the stream behind it. The lock is held
//! for steps of the state machine only, never while anything is awaited.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};
use wire::webchannel::Map;
use wire::weight::{Account, MESSAGE_BYTES_MAX};

use super::inbound::Breach;
use super::session::{Kind, Next, Patience, Session};
use super::usage::Usage;

/// How often a response over HTTP/1 looks whether others wait.
const LOOK_MS: u64 = 500;
/// A response is open: nobody has left.
const OPEN: u64 = u64::MAX;

/// A session that is in use.
pub struct Channel {
    session: Mutex<Session>,
    began: Instant,
    usage: Usage,
    /// What the session holds, as counted in `usage`.
    bytes: AtomicUsize,
    /// What the message holds that the stream works on.
    decoded: AtomicUsize,
    /// Since when no response is open, in milliseconds; [`OPEN`] while one is.
    left_ms: AtomicU64,
    /// There is something to send, or nothing more will be.
    sendable: Notify,
    /// There is a request to take.
    takeable: Notify,
    /// Somebody took something: there may be room.
    room: Notify,
    /// Its life may be shorter than it was.
    shortened: Notify,
}

/// The session is over: nobody takes what would be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over;

impl Channel {
    /// A session that begins, counted in this usage.
    pub fn new(usage: Usage, patience: Patience) -> Arc<Self> {
        usage.note_sent();
        Arc::new(Self {
            session: Mutex::new(Session::new(patience)),
            began: Instant::now(),
            usage,
            bytes: AtomicUsize::new(0),
            decoded: AtomicUsize::new(0),
            left_ms: AtomicU64::new(0),
            sendable: Notify::new(),
            takeable: Notify::new(),
            room: Notify::new(),
            shortened: Notify::new(),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A step of the state machine, and the books kept.
    fn step<T>(&self, step: impl FnOnce(&mut Session, u64) -> T) -> T {
        let mut session = self.session.lock();
        let outcome = step(&mut session, self.now_ms());
        let bytes = session.bytes();
        self.usage.recount(self.bytes.swap(bytes, Ordering::Relaxed), bytes);
        self.left_ms.store(session.left_ms().unwrap_or(OPEN), Ordering::Relaxed);
        outcome
    }

    /// Takes in what a POST brings; what it is answered with.
    ///
    /// Errors: a breach.
    pub fn receive(&self, maps: Vec<Map>, received: u64) -> Result<String, Breach> {
        let receive = |session: &mut Session, _| {
            session.receive(maps, received).map(|()| (session.receipt(), session.is_over()))
        };
        let (receipt, is_over) = self.step(receive)?;
        self.usage.note_sent();
        self.takeable.notify_one();
        self.room.notify_waiters();
        if is_over {
            // Perhaps its client has the last array now.
            self.shortened.notify_one();
        }
        Ok(receipt)
    }

    /// Waits until a POST may bring more.
    pub async fn room_for_requests(&self) {
        self.until(&self.room, |session| session.has_room_for_requests().then_some(())).await;
    }

    /// The next message from the client; `None` when none will come.
    pub async fn take(&self) -> Option<String> {
        // The stream is done with the one before.
        self.usage.forget(self.decoded.swap(0, Ordering::Relaxed));
        let taken = |session: &mut Session| match session.take() {
            Some(message) => Some(Some(message)),
            None => session.is_over().then_some(None),
        };
        let message = self.until(&self.takeable, taken).await;
        self.room.notify_waiters();
        message
    }

    /// Sends an array, JSON, once there is room.
    pub async fn send(&self, json: String) -> Result<(), Over> {
        let mut json = Some(json);
        let sent = |session: &mut Session| {
            if session.is_over() {
                return Some(Err(Over));
            }
            if !session.has_room_for_responses() {
                return None;
            }
            session.push(json.take().unwrap_or_default());
            Some(Ok(()))
        };
        let sent = self.until(&self.room, sent).await;
        self.sendable.notify_waiters();
        sent
    }

    /// Sends the last array.
    pub fn finish(&self, json: String) {
        self.step(|session, now| session.finish(json, now));
        self.wake();
    }

    /// The client ends it, or the house does.
    pub fn terminate(&self) {
        self.step(|session, _| session.terminate());
        self.wake();
    }

    /// Ends it at once and forgets what it holds.
    pub fn discard(&self) {
        self.step(|session, _| session.discard());
        self.wake();
    }

    fn wake(&self) {
        self.sendable.notify_waiters();
        self.takeable.notify_one();
        self.room.notify_waiters();
        self.shortened.notify_one();
    }

    /// Opens a response; `None` for a request that was overtaken.
    ///
    /// Errors: a breach.
    pub fn open(self: &Arc<Self>, received: u64, kind: Kind, is_http1: bool) -> Result<Option<Body>, Breach> {
        let id = self.step(|session, now| session.open(received, kind, now))?;
        // The response before ends, and what was acknowledged makes room.
        self.sendable.notify_waiters();
        self.room.notify_waiters();
        self.shortened.notify_one();
        Ok(id.map(|id| {
            self.usage.begin_response(is_http1);
            Body { channel: Arc::clone(self), id, is_http1 }
        }))
    }

    /// Waits for a condition of the session that comes true with this signal.
    async fn until<T>(&self, signal: &Notify, mut condition: impl FnMut(&mut Session) -> Option<T>) -> T {
        loop {
            let signalled = signal.notified();
            tokio::pin!(signalled);
            signalled.as_mut().enable();
            if let Some(outcome) = self.step(|session, _| condition(session)) {
                return outcome;
            }
            signalled.await;
        }
    }

    /// Waits until the session is over and its client has everything, or has left.
    pub async fn expired(&self) {
        loop {
            let shortened = self.shortened.notified();
            let deadline = self.step(|session, _| session.deadline_ms());
            // A response that is open has a time of its own; that the session is looked at meanwhile costs nothing.
            let until = self.began + Duration::from_millis(deadline.unwrap_or(self.now_ms() + 60_000));
            if deadline.is_some() && until <= Instant::now() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = shortened => {}
            }
        }
    }

    /// For how long its client has had no response open; `None` while it has one.
    pub fn left_for_ms(&self) -> Option<u64> {
        let left = self.left_ms.load(Ordering::Relaxed);
        (left != OPEN).then(|| self.now_ms().saturating_sub(left))
    }

    /// What it holds.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whose usage it counts in.
    pub fn usage(&self) -> &Usage {
        &self.usage
    }
}

/// What a stream decodes of its client's messages.
impl Account for Channel {
    fn charge(&self, bytes: usize) -> bool {
        let is_room = self.usage.decode(bytes);
        if is_room {
            self.decoded.fetch_add(bytes, Ordering::Relaxed);
        }
        is_room
    }

    fn release(&self, bytes: usize) {
        let held = self.decoded.load(Ordering::Relaxed).min(bytes);
        self.decoded.fetch_sub(held, Ordering::Relaxed);
        self.usage.forget(held);
    }

    fn message_bytes_max(&self) -> usize {
        MESSAGE_BYTES_MAX
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.usage.forget(self.decoded.load(Ordering::Relaxed));
        self.usage.recount(self.bytes(), 0);
    }
}

/// A response that carries arrays, until it is dropped.
pub struct Body {
    channel: Arc<Channel>,
    id: u64,
    is_http1: bool,
}

impl Body {
    /// The frames, each computed when its client has taken the one before.
    pub fn frames(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
        stream::unfold(self, |body| async move { Some((Ok(body.next().await?), body)) })
    }

    async fn next(&self) -> Option<Bytes> {
        let channel = &self.channel;
        loop {
            let signalled = channel.sendable.notified();
            tokio::pin!(signalled);
            signalled.as_mut().enable();
            let rest_ms = channel.usage.rest_ms().filter(|_| self.is_http1);
            let until = match channel.step(|session, now| session.next(self.id, rest_ms, now)) {
                Next::Write(text) => return Some(text.into()),
                Next::End => return None,
                // Whether others wait for the connection is seen in time.
                Next::Wait(until) if self.is_http1 => until.min(channel.now_ms() + LOOK_MS),
                Next::Wait(until) => until,
            };
            tokio::select! {
                () = signalled => {}
                () = tokio::time::sleep_until(channel.began + Duration::from_millis(until)) => {}
            }
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.channel.usage.end_response(self.is_http1);
        self.channel.step(|session, now| session.close(self.id, now));
        self.channel.shortened.notify_one();
    }
}
