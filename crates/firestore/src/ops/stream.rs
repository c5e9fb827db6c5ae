//! Responses on their way to clients that may be slow to read them.
//!
//! A stream computes a page when its client has read the one before, and keeps nothing of the store meanwhile. What
//! it keeps in memory is counted; it ends with its lifetime, or when its client does not read and others need the room.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use access::Caller;
use async_trait::async_trait;
use base::{Clock, Status};
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use prost::Message;

use super::shares::{Counts, Owner, STREAM_MS_MAX, STREAM_UNREAD_MS_MAX, STREAMS_BYTES_MAX, STREAMS_MAX};
use crate::status;

/// The requests of a stream that stays open, as its protocol decodes them.
pub type Requests<T> = BoxStream<'static, Result<T, Status>>;

/// Bytes of responses after which a stream lets others in between.
const TURN_BYTES: usize = 32 << 10;

/// A stream of responses.
pub type Responses<T> = BoxStream<'static, Result<T, Status>>;

/// Where the responses of a stream come from, a page at a time.
#[async_trait]
pub trait Source<T>: Send {
    /// The next responses; empty when there are no more.
    async fn next(&mut self) -> Result<Vec<T>, Status>;
}

/// The open streams.
#[derive(Clone)]
pub struct Streams {
    open: Arc<Mutex<Open>>,
    kept_bytes: Arc<AtomicUsize>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct Open {
    streams: HashMap<u64, Arc<dyn Stream>>,
    counts: Counts,
    next: u64,
}

/// An open stream, whatever its responses are.
trait Stream: Send + Sync {
    fn about(&self) -> &About;
    /// Gives up what it keeps; its client finds out when it reads on.
    fn end(&self);
}

struct About {
    owner: Owner,
    begun_micros: i64,
    read_micros: AtomicI64,
    bytes: AtomicUsize,
    kept_bytes: Arc<AtomicUsize>,
}

impl About {
    fn keep(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.kept_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.kept_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn is_over(&self, now_micros: i64) -> bool {
        now_micros.saturating_sub(self.begun_micros) > STREAM_MS_MAX * 1000
    }

    fn is_unread(&self, now_micros: i64) -> bool {
        let unread = now_micros.saturating_sub(self.read_micros.load(Ordering::Relaxed));
        unread > STREAM_UNREAD_MS_MAX * 1000
    }
}

struct Slot<T: Message> {
    about: About,
    state: Mutex<State<T>>,
}

struct State<T> {
    ready: VecDeque<T>,
    /// Taken while it computes.
    source: Option<Box<dyn Source<T>>>,
    ended: bool,
}

impl<T: Message> Stream for Slot<T> {
    fn about(&self) -> &About {
        &self.about
    }

    fn end(&self) {
        let (ready, source) = {
            let mut state = self.state.lock();
            state.ended = true;
            (std::mem::take(&mut state.ready), state.source.take())
        };
        self.about.release(self.about.bytes.load(Ordering::Relaxed));
        drop((ready, source));
    }
}

impl<T: Message> Slot<T> {
    /// Takes the next response that is ready, or the source.
    fn take(&self, now_micros: i64) -> Result<Taken<T>, Status> {
        self.about.read_micros.store(now_micros, Ordering::Relaxed);
        let mut state = self.state.lock();
        if state.ended || self.about.is_over(now_micros) {
            return Err(status::stream_ended());
        }
        if let Some(response) = state.ready.pop_front() {
            self.about.release(response.encoded_len());
            return Ok(Taken::Response(response));
        }
        Ok(state.source.take().map_or(Taken::Nothing, Taken::Source))
    }

    /// Keeps a page that was computed.
    fn keep(&self, page: Vec<T>, source: Box<dyn Source<T>>) -> Result<(), Status> {
        let mut state = self.state.lock();
        if state.ended {
            return Err(status::stream_ended());
        }
        self.about.keep(page.iter().map(Message::encoded_len).sum());
        state.ready.extend(page);
        state.source = Some(source);
        Ok(())
    }
}

enum Taken<T> {
    Response(T),
    Source(Box<dyn Source<T>>),
    Nothing,
}

/// A stream's place among the open ones, for as long as its client has it.
struct Place<T: Message + 'static> {
    id: u64,
    slot: Arc<Slot<T>>,
    streams: Streams,
}

impl<T: Message + 'static> Drop for Place<T> {
    fn drop(&mut self) {
        self.streams.remove(self.id);
        self.slot.end();
    }
}

impl<T: Message + 'static> Place<T> {
    async fn next(&self) -> Result<Option<T>, Status> {
        loop {
            match self.slot.take(self.streams.clock.now_micros())? {
                Taken::Response(response) => return Ok(Some(response)),
                Taken::Nothing => return Ok(None),
                Taken::Source(mut source) => {
                    let page = source.next().await?;
                    if page.is_empty() {
                        return Ok(None);
                    }
                    self.slot.keep(page, source)?;
                    self.streams.make_room_for_bytes(self.id);
                }
            }
        }
    }
}

impl Streams {
    /// None open yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { open: Arc::default(), kept_bytes: Arc::default(), clock }
    }

    /// Sends what is there already and then what a source gives.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when the caller reads too many at once.
    pub fn send<T: Message + 'static>(
        &self,
        caller: &Caller,
        ready: Vec<T>,
        source: Option<Box<dyn Source<T>>>,
    ) -> Result<Responses<T>, Status> {
        let now = self.clock.now_micros();
        let about = About {
            owner: Owner::of(caller),
            begun_micros: now,
            read_micros: AtomicI64::new(now),
            bytes: AtomicUsize::new(0),
            kept_bytes: self.kept_bytes.clone(),
        };
        about.keep(ready.iter().map(Message::encoded_len).sum());
        let state = State { ready: ready.into(), source, ended: false };
        let slot = Arc::new(Slot { about, state: Mutex::new(state) });
        let id = match self.admit(slot.clone(), now) {
            Ok(id) => id,
            Err(status) => {
                slot.end();
                return Err(status);
            }
        };
        let place = Place { id, slot, streams: self.clone() };
        self.make_room_for_bytes(id);
        let responses = stream::unfold(Some((place, 0)), |state| async move {
            let (place, mut sent) = state?;
            if sent >= TURN_BYTES {
                tokio::task::yield_now().await;
                sent = 0;
            }
            match place.next().await {
                Ok(Some(response)) => {
                    sent += response.encoded_len();
                    Some((Ok(response), Some((place, sent))))
                }
                Ok(None) => None,
                Err(status) => Some((Err(status), None)),
            }
        });
        Ok(responses.boxed())
    }

    /// Takes a stream in, ending others that are not read where the caller or all together have too many.
    fn admit(&self, stream: Arc<dyn Stream>, now: i64) -> Result<u64, Status> {
        let mut ended = Vec::new();
        let mut open = self.open.lock();
        let owner = stream.about().owner.clone();
        if open.counts.of(&owner) >= owner.streams_max() {
            ended.extend(open.take_unread(now, |other| other.owner == owner));
            if ended.is_empty() {
                return Err(status::too_many_streams());
            }
        }
        if open.streams.len() >= STREAMS_MAX {
            ended.extend(open.take_unread(now, |other| other.owner == owner || !other.owner.is_admin()));
            if ended.is_empty() {
                return Err(status::too_many_streams());
            }
        }
        let id = open.next;
        open.next += 1;
        open.counts.add(&owner);
        open.streams.insert(id, stream);
        drop(open);
        // Outside of the lock: what they keep may be large.
        ended.iter().for_each(|stream| stream.end());
        Ok(id)
    }

    /// Ends streams that are not read while all together keep too much.
    fn make_room_for_bytes(&self, own: u64) {
        while self.kept_bytes.load(Ordering::Relaxed) > STREAMS_BYTES_MAX {
            let mut open = self.open.lock();
            let own = open.streams.get(&own).map(|stream| stream.about().owner.clone());
            let now = self.clock.now_micros();
            let mut ended = open.take_unread(now, |other| {
                other.bytes.load(Ordering::Relaxed) > 0
                    && (!other.owner.is_admin() || own.as_ref() == Some(&other.owner))
            });
            drop(open);
            match ended.take() {
                Some(stream) => stream.end(),
                None => return,
            }
        }
    }

    fn remove(&self, id: u64) {
        self.open.lock().remove(id);
    }
}

impl Open {
    fn remove(&mut self, id: u64) -> Option<Arc<dyn Stream>> {
        let stream = self.streams.remove(&id)?;
        self.counts.remove(&stream.about().owner);
        Some(stream)
    }

    /// Takes out, of the streams that are meant and that are not read (or over), the one that has been unread longest.
    fn take_unread(&mut self, now: i64, meant: impl Fn(&About) -> bool) -> Option<Arc<dyn Stream>> {
        let unread = self.streams.iter().filter(|(_, stream)| {
            let about = stream.about();
            meant(about) && (about.is_unread(now) || about.is_over(now))
        });
        let longest = unread.min_by_key(|(_, stream)| stream.about().read_micros.load(Ordering::Relaxed));
        let id = longest.map(|(id, _)| *id)?;
        self.remove(id)
    }
}
