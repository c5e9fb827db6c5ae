//! The two directions of a WebSocket: between its frames and a connection.
//!
//! Invariants: what is sent waits in the connection's own bounded queue, never here; a client that takes nothing, or that
//! answers no ping, is let go; a message is read only when the one before has been taken in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, interval_at, timeout};

use super::framing::{Assembler, split};
use super::longpoll::script::Text;
use super::seats::Seat;
use crate::ops::{Connection, Outgoing};

/// Bytes that are gathered for one write.
pub const WRITE_BYTES: usize = 64 << 10;
/// How often a client is asked whether it is there: one that only listens says nothing by itself.
const PING_SECONDS: u64 = 30;
/// Pings without any sign of life after which it is not.
const PINGS_MISSED_MAX: u8 = 2;
/// A message that has begun is complete within this time.
const MESSAGE_SECONDS_MAX: u64 = 300;
/// A client takes a message within this time and a second more for each [`SEND_BYTES_PER_SECOND`].
const SEND_SECONDS: u64 = 30;
/// See [`SEND_SECONDS`].
const SEND_BYTES_PER_SECOND: u64 = 4 << 10;
/// How long the last word may take.
pub const CLOSE_SECONDS_MAX: u64 = 2;

/// Why a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client left.
    Left,
    /// The connection is over: it was told so, or took too little of what waited.
    Over,
    /// The client answers no ping, or takes nothing.
    Silent,
    /// It sent what is no text.
    NotText,
    /// Its message is too long, or takes too long.
    TooLong,
    /// More is being received than can be held.
    Full,
    /// The server stops.
    Stopping,
}

impl Ended {
    /// The last word.
    pub fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Ended::Left => return None,
            Ended::Over => (close_code::NORMAL, "the connection is over"),
            Ended::Silent => (close_code::POLICY, "no sign of life"),
            Ended::NotText => (close_code::UNSUPPORTED, "messages must be text"),
            Ended::TooLong => (close_code::SIZE, "the message is too long"),
            Ended::Full => (close_code::AGAIN, "too much is being received at once"),
            Ended::Stopping => (close_code::AWAY, "the server is stopping"),
        };
        Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) })
    }
}

/// What takes in a client's messages.
pub enum Behind {
    /// It is there.
    Connection(Box<Connection>),
    /// It is on its way from another transport; until it comes nothing is read.
    Coming(oneshot::Receiver<Connection>),
}

/// Carries messages both ways until one side ends it, and closes the connection then.
pub async fn converse(
    socket: WebSocket,
    mut behind: Behind,
    outgoing: Outgoing,
    mut seat: Seat,
    mut ending: watch::Receiver<bool>,
) -> Ended {
    let (mut sink, mut stream) = socket.split();
    let missed = AtomicU8::new(0);
    let ended = tokio::select! {
        ended = read(&mut stream, &mut behind, &mut seat, &missed) => ended,
        ended = write(&mut sink, outgoing, &missed) => ended,
        _ = ending.wait_for(|ending| *ending) => Ended::Stopping,
    };
    // The connection may have heard first that the server stops.
    let ended = if ended == Ended::Over && *ending.borrow() { Ended::Stopping } else { ended };
    let close = async {
        match behind {
            Behind::Connection(connection) => connection.close().await,
            Behind::Coming(mut coming) => {
                if let Ok(connection) = coming.try_recv() {
                    connection.close().await;
                }
            }
        }
    };
    let last_word = async {
        let Some(frame) = ended.frame() else { return };
        if sink.send(Message::Close(Some(frame))).await.is_ok() {
            // What the client is still sending is read, so that it gets to read why.
            while let Some(Ok(_)) = stream.next().await {}
        }
    };
    let last_word = timeout(Duration::from_secs(CLOSE_SECONDS_MAX), last_word);
    let ((), _) = tokio::join!(close, last_word);
    ended
}

/// The client's messages, one after the other.
async fn read(
    stream: &mut SplitStream<WebSocket>,
    behind: &mut Behind,
    seat: &mut Seat,
    missed: &AtomicU8,
) -> Ended {
    if let Behind::Coming(coming) = behind {
        match coming.await {
            Ok(connection) => *behind = Behind::Connection(Box::new(connection)),
            Err(_) => return Ended::Over,
        }
    }
    let Behind::Connection(connection) = behind else { return Ended::Over };
    let mut assembler = Assembler::default();
    let mut began = Instant::now();
    loop {
        let next = stream.next();
        let message = if assembler.is_waiting() {
            match tokio::time::timeout_at(began + Duration::from_secs(MESSAGE_SECONDS_MAX), next).await {
                Ok(message) => message,
                Err(_) => return Ended::TooLong,
            }
        } else {
            let message = next.await;
            began = Instant::now();
            message
        };
        missed.store(0, Ordering::Relaxed);
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_))) => return Ended::NotText,
            Some(Ok(Message::Close(_))) | None => return Ended::Left,
            Some(Err(error)) => return of_error(&error),
        };
        match assembler.take(&text) {
            Err(_) => return Ended::TooLong,
            Ok(None) => {}
            Ok(Some(message)) => {
                if connection.receive(&message).await.is_err() {
                    return Ended::Over;
                }
            }
        }
        if !seat.hold(assembler.held()) {
            return Ended::Full;
        }
    }
}

/// A frame beyond the limit is worth a word; with anything else the client is gone.
fn of_error(error: &axum::Error) -> Ended {
    if error.to_string().contains("too long") { Ended::TooLong } else { Ended::Left }
}

/// Sends what waits, and pings.
async fn write(sink: &mut SplitSink<WebSocket, Message>, mut outgoing: Outgoing, missed: &AtomicU8) -> Ended {
    let period = Duration::from_secs(PING_SECONDS);
    let mut pings = interval_at(Instant::now() + period, period);
    loop {
        tokio::select! {
            text = outgoing.next() => {
                let Some(text) = text else { return Ended::Over };
                match send(sink, text, &mut outgoing).await {
                    Ok(true) => {}
                    Ok(false) => return Ended::Over,
                    Err(ended) => return ended,
                }
            }
            _ = pings.tick() => {
                if missed.fetch_add(1, Ordering::Relaxed) >= PINGS_MISSED_MAX {
                    return Ended::Silent;
                }
                if let Err(ended) = within(0, sink.send(Message::Ping(Bytes::new()))).await {
                    return ended;
                }
            }
        }
    }
}

/// Sends a text and those that are ready behind it, in one go. `false`: there will be none any more.
async fn send(
    sink: &mut SplitSink<WebSocket, Message>,
    mut text: Arc<str>,
    outgoing: &mut Outgoing,
) -> Result<bool, Ended> {
    let mut bytes = 0;
    let goes_on = loop {
        bytes += text.len();
        within(text.len(), feed(sink, text)).await?;
        if bytes > WRITE_BYTES {
            break true;
        }
        match outgoing.next().now_or_never() {
            Some(Some(next)) => text = next,
            Some(None) => break false,
            None => break true,
        }
    };
    within(bytes, sink.flush()).await?;
    Ok(goes_on)
}

/// One message in as many frames as it needs. Its bytes are shared, not copied.
async fn feed(sink: &mut SplitSink<WebSocket, Message>, text: Arc<str>) -> Result<(), axum::Error> {
    let lengths = split(&text);
    if lengths.len() > 1 {
        sink.feed(Message::text(lengths.len().to_string())).await?;
    }
    let mut rest = Bytes::from_owner(Text(text));
    for length in lengths {
        let piece = Utf8Bytes::try_from(rest.split_to(length)).map_err(axum::Error::new)?;
        sink.feed(Message::Text(piece)).await?;
    }
    Ok(())
}

/// Waits for a client to take so many bytes, and no longer than that may need.
async fn within(bytes: usize, sending: impl Future<Output = Result<(), axum::Error>>) -> Result<(), Ended> {
    let seconds = SEND_SECONDS + bytes as u64 / SEND_BYTES_PER_SECOND;
    match timeout(Duration::from_secs(seconds), sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ended::Left),
        Err(_) => Err(Ended::Silent),
    }
}
