//! One long-polling session among tasks: the polls that feed and drain it, and the task that lives as long as it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::script;
use super::segments::{Breach, Segment, Segments};
use crate::api::control::{self, Control};
use crate::api::seats::Seat;
use crate::ops::{Connection, Outgoing};

/// How long a poll waits for something to send. Browsers give up after 30 s.
const HOLD_SECONDS_MAX: u64 = 25;
/// How long a session lives without an open poll.
const IDLE_SECONDS_MAX: u64 = 60;
/// How long the first transport may take to say that it is done, and to hear that all is over.
const SWITCH_SECONDS_MAX: u64 = 60;
/// Bytes of messages in one answer. It is exceeded by the last one.
const ANSWER_BYTES: usize = 256 << 10;
/// Segments that may wait for the connection before a poll that brings more has to wait, too.
const BACKLOG_MAX: usize = 64;

/// How far a session is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Phase {
    /// A WebSocket sends what there is to send.
    output_switched: bool,
    /// A WebSocket brings what there is to receive.
    input_switched: bool,
    /// It is over.
    over: bool,
}

/// What goes to the client.
struct Outbox {
    /// `None` once a WebSocket has it.
    outgoing: Option<Outgoing>,
    /// The number of the next answer.
    number: u64,
    /// The client knows that nothing more comes here.
    said_end: bool,
}

/// What came from the client.
struct Inbox {
    segments: Segments,
    /// Segments that came and were not taken. Those that wait for an earlier one among them.
    backlog: usize,
    seat: Seat,
}

/// A session.
pub struct Session {
    /// Which database it is about.
    pub namespace: String,
    password: String,
    inbox: Mutex<Inbox>,
    /// There is something in the inbox.
    arrived: Notify,
    /// There is room in the inbox.
    room: Notify,
    outbox: tokio::sync::Mutex<Outbox>,
    phase: watch::Sender<Phase>,
    /// The newest poll's number: all older ones end.
    turn: watch::Sender<u64>,
    polls: AtomicUsize,
    /// When the last poll ended.
    left: Mutex<Instant>,
    /// Where the connection goes when a WebSocket has taken over.
    handover: Mutex<Option<oneshot::Sender<Connection>>>,
}

/// A poll that is open.
struct Poll<'s>(&'s Session);

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        *self.0.left.lock() = Instant::now();
        self.0.polls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Session {
    /// A session whose first answer has been given.
    pub fn new(namespace: String, password: String, outgoing: Outgoing, seat: Seat) -> Arc<Self> {
        let outbox = Outbox { outgoing: Some(outgoing), number: 1, said_end: false };
        Arc::new(Self {
            namespace,
            password,
            inbox: Mutex::new(Inbox { segments: Segments::default(), backlog: 0, seat }),
            arrived: Notify::new(),
            room: Notify::new(),
            outbox: tokio::sync::Mutex::new(outbox),
            phase: watch::Sender::default(),
            turn: watch::Sender::default(),
            polls: AtomicUsize::new(0),
            left: Mutex::new(Instant::now()),
            handover: Mutex::default(),
        })
    }

    /// Whether this is its password. How long that takes says nothing about it.
    pub fn is_password(&self, text: &str) -> bool {
        let differing = self.password.bytes().zip(text.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        differing == 0 && self.password.len() == text.len()
    }

    /// Ends it, whatever it is doing.
    pub fn end(&self) {
        self.phase.send_modify(|phase| phase.over = true);
    }

    async fn over(&self) {
        let _ = self.phase.subscribe().wait_for(|phase| phase.over).await;
    }

    /// Answers a poll: takes in what it brings and waits for something to send.
    pub async fn poll(&self, segments: Vec<Segment>) -> Vec<Bytes> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        let _poll = Poll(self);
        let deadline = Instant::now() + Duration::from_secs(HOLD_SECONDS_MAX);
        let mut turns = self.turn.subscribe();
        let mut turn = 0;
        self.turn.send_modify(|newest| {
            *newest += 1;
            turn = *newest;
        });
        if !segments.is_empty() && !self.accept(segments, deadline).await {
            self.end();
            return script::close(None);
        }
        let mut phases = self.phase.subscribe();
        let mut outbox = self.outbox.lock().await;
        loop {
            let phase = *phases.borrow_and_update();
            if let Some(answer) = outbox.answer_at_end(phase) {
                return answer;
            }
            tokio::select! {
                biased;
                messages = outbox.messages(), if !phase.output_switched => match messages {
                    Some(messages) => return outbox.answer(&messages),
                    None => {
                        self.end();
                        return script::close(None);
                    }
                },
                _ = phases.changed() => {}
                _ = turns.wait_for(|newest| *newest != turn) => return outbox.answer(&[]),
                () = sleep_until(deadline) => return outbox.answer(&[]),
            }
        }
    }

    /// Takes segments in, once there is room; `false` when the client has to leave.
    async fn accept(&self, segments: Vec<Segment>, deadline: Instant) -> bool {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if self.inbox.lock().backlog < BACKLOG_MAX {
                break;
            }
            tokio::select! {
                () = room => {}
                () = self.over() => return false,
                // Then some of them are missing, and the bound on those ahead decides.
                () = sleep_until(deadline) => break,
            }
        }
        let accepted = self.inbox.lock().accept(segments);
        if let Err(breach) = accepted {
            tracing::debug!(%breach, "a long-polling session ends");
            return false;
        }
        self.arrived.notify_one();
        accepted.is_ok_and(|is_room| is_room)
    }

    async fn next_message(&self) -> Result<String, Breach> {
        loop {
            let message = self.inbox.lock().next_message()?;
            self.room.notify_waiters();
            if let Some(message) = message {
                return Ok(message);
            }
            self.arrived.notified().await;
        }
    }

    /// Waits until its client has had no poll open for too long.
    async fn abandoned(&self) {
        let patience = Duration::from_secs(IDLE_SECONDS_MAX);
        loop {
            let is_open = self.polls.load(Ordering::Relaxed) > 0;
            let until = if is_open { Instant::now() + patience } else { *self.left.lock() + patience };
            if !is_open && until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Its life: brings what arrives to the connection until one side ends it or a WebSocket takes over.
    pub async fn live(&self, mut connection: Connection, mut ending: watch::Receiver<bool>) {
        let takes_over = tokio::select! {
            takes_over = self.receive(&mut connection) => takes_over,
            () = self.over() => None,
            () = self.abandoned() => None,
            _ = ending.wait_for(|ending| *ending) => None,
        };
        let Some(socket) = takes_over else { return self.close(connection).await };
        if let Err(connection) = socket.send(connection) {
            return self.close(connection).await;
        }
        self.phase.send_modify(|phase| phase.input_switched = true);
        // The client's polls hear that all is over; then nobody asks any more.
        let _ = tokio::time::timeout(Duration::from_secs(SWITCH_SECONDS_MAX), self.over()).await;
        self.end();
    }

    /// Ends it together with the connection, which may be waiting for its messages to be taken.
    async fn close(&self, connection: Connection) {
        self.end();
        self.outbox.lock().await.outgoing = None;
        connection.close().await;
    }

    /// Until the client says that nothing more comes here: the socket that takes over. `None`: the connection is over.
    async fn receive(&self, connection: &mut Connection) -> Option<oneshot::Sender<Connection>> {
        loop {
            let message = match self.next_message().await {
                Ok(message) => message,
                Err(breach) => {
                    tracing::debug!(%breach, "a long-polling session ends");
                    return None;
                }
            };
            if control::read(&message) == Some(Control::End) {
                return self.handover.lock().take();
            }
            connection.receive(&message).await.ok()?;
        }
    }

    /// A WebSocket wants to take over; `None` when another does.
    pub fn begin_switch(&self) -> Option<oneshot::Receiver<Connection>> {
        let mut handover = self.handover.lock();
        let is_taken = handover.as_ref().is_some_and(|other| !other.is_closed());
        let phase = *self.phase.borrow();
        if is_taken || phase != Phase::default() {
            return None;
        }
        let (socket, coming) = oneshot::channel();
        *handover = Some(socket);
        Some(coming)
    }

    /// What the connection sends, for the WebSocket that took over: the client's polls are answered the last of it.
    pub async fn switch_output(&self) -> Option<Outgoing> {
        self.phase.send_modify(|phase| phase.output_switched = true);
        tokio::select! {
            mut outbox = self.outbox.lock() => outbox.outgoing.take(),
            () = self.over() => None,
        }
    }
}

impl Inbox {
    fn accept(&mut self, segments: Vec<Segment>) -> Result<bool, Breach> {
        for segment in segments {
            self.backlog += 1;
            self.segments.accept(segment)?;
        }
        Ok(self.seat.hold(self.segments.held()))
    }

    fn next_message(&mut self) -> Result<Option<String>, Breach> {
        let message = self.segments.next_message()?;
        self.backlog = self.segments.waiting();
        // Less than before.
        let _ = self.seat.hold(self.segments.held());
        Ok(message)
    }
}

impl Outbox {
    /// What waits for the client, at least one message; `None` at the end of the connection.
    async fn messages(&mut self) -> Option<Vec<Arc<str>>> {
        let outgoing = self.outgoing.as_mut()?;
        let first = outgoing.next().await?;
        let mut bytes = first.len();
        let mut messages = vec![first];
        while bytes < ANSWER_BYTES {
            let Some(Some(next)) = futures_util::FutureExt::now_or_never(outgoing.next()) else { break };
            bytes += next.len();
            messages.push(next);
        }
        Some(messages)
    }

    fn answer(&mut self, messages: &[Arc<str>]) -> Vec<Bytes> {
        let number = self.number;
        self.number += 1;
        script::messages(number, messages)
    }

    /// The answer when there is nothing more to come here.
    fn answer_at_end(&mut self, phase: Phase) -> Option<Vec<Bytes>> {
        if phase.over && !phase.output_switched {
            return Some(script::close(None));
        }
        if phase.output_switched && !self.said_end {
            self.said_end = true;
            return Some(self.answer(&[control::END.into()]));
        }
        (phase.over || phase.output_switched && phase.input_switched)
            .then(|| script::close(Some(self.number.saturating_sub(1))))
    }
}
