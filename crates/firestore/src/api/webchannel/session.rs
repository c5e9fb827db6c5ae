//! A session as a state machine: it does no I/O and asks no clock. Times are milliseconds since the session began.
//!
//! - A map is applied once, in order; an array is kept until it is acknowledged and sent again to whoever lacks it.
//! - One response at a time carries arrays: the latest that was opened. It ends now and then, because only a new one
//!   acknowledges what the last one brought.

use wire::webchannel::Map;

use super::inbound::{Breach, Inbound};
use super::outbound::Outbound;

/// Something is sent at least so often; clients are told to wait half as long again.
pub const KEEP_ALIVE_MS: u64 = 30_000;
/// How long a response waits that ends with the first thing sent.
pub const POLL_MS_MAX: u64 = 25_000;
/// A response that stays open ends after this time.
pub const RESPONSE_MS_MAX: u64 = 240_000;
/// A response ends when it has carried so much.
pub const RESPONSE_BYTES_MAX: usize = 1 << 20;
/// When there has been nothing to send for a while, a response ends if more than this is not acknowledged.
const QUIET_BYTES_MAX: usize = 16 << 10;

/// How long clients are waited for, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the first response to be opened.
    pub unused_ms: u64,
    /// For another response, once there has been one. Browsers let timers of hidden pages run once a minute.
    pub abandoned_ms: u64,
    /// For the acknowledgement of the last array.
    pub linger_ms: u64,
    /// For another response while somebody else needs the place.
    pub evictable_ms: u64,
}

/// What production has.
pub const PATIENCE: Patience =
    Patience { unused_ms: 30_000, abandoned_ms: 90_000, linger_ms: 30_000, evictable_ms: 5_000 };

const NOOP: &str = r#"["noop"]"#;

/// What a response may do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write this.
    Write(String),
    /// Wait for something to send, at most until then.
    Wait(u64),
    /// End.
    End,
}

/// How a response carries arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It stays open.
    Streaming,
    /// It ends with the first thing sent, or with nothing after so many milliseconds.
    Poll(u64),
}

/// A response that carries arrays.
#[derive(Clone, Copy, Debug)]
struct Response {
    id: u64,
    kind: Kind,
    /// The number of the last array written to it, or known to be with the client.
    last: u64,
    opened_ms: u64,
    written_ms: u64,
    bytes: usize,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    patience: Patience,
    inbound: Inbound,
    outbound: Outbound,
    response: Option<Response>,
    responses: u64,
    /// Since when no response is open.
    left_ms: u64,
    /// Since when the stream behind it is over.
    finished_ms: Option<u64>,
    is_terminated: bool,
}

impl Session {
    /// A session that begins at 0.
    pub fn new(patience: Patience) -> Self {
        Self {
            patience,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            response: None,
            responses: 0,
            left_ms: 0,
            finished_ms: None,
            is_terminated: false,
        }
    }

    /// Takes in what a POST brings.
    ///
    /// Errors: a breach, with which the session is over.
    pub fn receive(&mut self, maps: Vec<Map>, received: u64) -> Result<(), Breach> {
        self.outbound.acknowledge(received)?;
        if self.is_over() { Ok(()) } else { self.inbound.accept(maps) }
    }

    /// What a POST is answered with: whether a response is open, the last array sent, bytes not acknowledged.
    pub fn receipt(&self) -> String {
        let is_open = u8::from(self.response.is_some());
        format!("[{is_open},{},{}]", self.outbound.sent(), self.outbound.bytes())
    }

    /// The next message for the stream.
    pub fn take(&mut self) -> Option<String> {
        self.inbound.take()
    }

    /// Adds an array, JSON, from the stream. Nothing comes after the last.
    pub fn push(&mut self, json: String) {
        if !self.is_over() {
            self.outbound.push(json);
        }
    }

    /// Adds the last array: the stream is over.
    pub fn finish(&mut self, json: String, now: u64) {
        if !self.is_over() {
            self.outbound.push(json);
            self.finished_ms = Some(now);
            self.inbound.clear();
        }
    }

    /// The client ended it.
    pub fn terminate(&mut self) {
        self.is_terminated = true;
    }

    /// Ends it and forgets what it holds.
    pub fn discard(&mut self) {
        *self = Self { left_ms: self.left_ms, is_terminated: true, ..Self::new(self.patience) };
    }

    /// Opens a response for a client that has the arrays up to `received`. It takes the place of the one before.
    /// `None` for a request that was overtaken by a later one.
    ///
    /// Errors: a breach.
    pub fn open(&mut self, received: u64, kind: Kind, now: u64) -> Result<Option<u64>, Breach> {
        if received < self.outbound.acknowledged() {
            return Ok(None);
        }
        self.outbound.acknowledge(received)?;
        self.responses += 1;
        let id = self.responses;
        self.response =
            Some(Response { id, kind, last: received, opened_ms: now, written_ms: now, bytes: 0 });
        Ok(Some(id))
    }

    /// What the response with this id does next; `rest_ms`: it ends when there has been nothing to send for so long. After
    /// an end it is closed.
    pub fn next(&mut self, id: u64, rest_ms: Option<u64>, now: u64) -> Next {
        let Some(mut response) = self.response.filter(|response| response.id == id && !self.is_terminated)
        else {
            return Next::End;
        };
        let next = self.step(&mut response, rest_ms.unwrap_or(u64::MAX), now);
        if next == Next::End {
            self.close(id, now);
        } else {
            self.response = Some(response);
        }
        next
    }

    fn step(&mut self, response: &mut Response, rest_ms: u64, now: u64) -> Next {
        let is_polled = response.kind != Kind::Streaming && response.bytes > 0;
        if response.bytes >= RESPONSE_BYTES_MAX {
            return Next::End;
        }
        if let Some((text, last)) = self.outbound.frame_after(response.last) {
            response.last = last;
            response.written_ms = now;
            response.bytes += text.len();
            return Next::Write(text);
        }
        if is_polled || self.is_over() {
            return Next::End;
        }
        let until = match response.kind {
            Kind::Poll(wait_ms) => response.opened_ms + wait_ms.min(POLL_MS_MAX).min(rest_ms),
            // The first byte tells the client that nothing on the way holds bytes back.
            Kind::Streaming if response.bytes == 0 => now,
            Kind::Streaming if now >= response.opened_ms + RESPONSE_MS_MAX => return Next::End,
            Kind::Streaming => response.written_ms + KEEP_ALIVE_MS.min(rest_ms),
        };
        if now < until {
            return Next::Wait(until);
        }
        if response.bytes > 0 && (self.outbound.bytes() > QUIET_BYTES_MAX || rest_ms < KEEP_ALIVE_MS) {
            return Next::End;
        }
        self.outbound.push(NOOP.to_owned());
        self.step(response, rest_ms, now)
    }

    /// The response with this id is gone, whatever of it has arrived.
    pub fn close(&mut self, id: u64, now: u64) {
        if self.response.is_some_and(|response| response.id == id) {
            self.response = None;
            self.left_ms = now;
        }
    }

    /// When it ends if nothing happens; `None` while a response is open.
    pub fn deadline_ms(&self) -> Option<u64> {
        let finished = self.finished_ms.map(|finished| {
            let is_delivered = !self.outbound.is_any_after(self.outbound.acknowledged());
            if is_delivered { 0 } else { finished + self.patience.linger_ms }
        });
        let left = match self.response {
            Some(_) => None,
            None if self.responses == 0 => Some(self.patience.unused_ms),
            None => Some(self.left_ms + self.patience.abandoned_ms),
        };
        if self.is_terminated { Some(0) } else { finished.into_iter().chain(left).min() }
    }

    /// Since when no response is open.
    pub fn left_ms(&self) -> Option<u64> {
        self.response.is_none().then_some(self.left_ms)
    }

    /// Whether the stream behind it is over, or the client has left.
    pub fn is_over(&self) -> bool {
        self.finished_ms.is_some() || self.is_terminated
    }

    /// Whether a POST may bring more.
    pub fn has_room_for_requests(&self) -> bool {
        self.is_over() || self.inbound.has_room()
    }

    /// Whether the stream may add more.
    pub fn has_room_for_responses(&self) -> bool {
        self.is_over() || self.outbound.has_room()
    }

    /// What it holds.
    pub fn bytes(&self) -> usize {
        self.inbound.bytes() + self.outbound.bytes()
    }
}
