//! A WebSocket takes a long-polling session over.
//!
//! On the socket the client hears `a`, sends pings until it trusts the socket, and then `a` itself; on the old transport
//! it hears `n` as the last message and sends `n` as its own last one. From its `a` on everything to the client goes over
//! the socket; what the client sends there is read after its `n` has come on the old transport.
//!
//! Source: `Connection.ts` of firebase-js-sdk.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use tokio::time::timeout;

use crate::api::control::{self, Control};
use crate::api::conversation::{Behind, converse};
use crate::api::framing::Assembler;
use crate::api::seats::Seat;
use crate::api::shared::Api;
use crate::ops::Hello;

/// A client gives a socket up that has not taken over by then.
const SWITCH_SECONDS_MAX: u64 = 60;

/// Serves a socket that names a session.
pub async fn take_over(api: &Api, mut socket: WebSocket, seat: Seat, session: &str, hello: &Hello) {
    let session = api.polls.with_connection(session).filter(|session| session.namespace == hello.namespace);
    let switching = session.and_then(|session| session.begin_switch().map(|coming| (session, coming)));
    let Some((session, coming)) = switching else {
        let _ = socket.send(Message::text(&*control::reset(&hello.host))).await;
        let _ = socket.send(Message::Close(None)).await;
        return;
    };
    let trusted = timeout(Duration::from_secs(SWITCH_SECONDS_MAX), is_trusted(&mut socket)).await;
    if !trusted.unwrap_or(false) {
        // The session goes on as it was.
        return;
    }
    let Some(outgoing) = session.switch_output().await else { return session.end() };
    converse(socket, Behind::Coming(coming), outgoing, seat, api.realtime.ending()).await;
    session.end();
}

/// Answers pings until the client takes the socket; `false` when it does not.
async fn is_trusted(socket: &mut WebSocket) -> bool {
    if socket.send(Message::text(control::SWITCH)).await.is_err() {
        return false;
    }
    let mut assembler = Assembler::default();
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let Ok(whole) = assembler.take(&text) else { return false };
        let answered = match whole.as_deref().map(control::read) {
            None => continue,
            Some(Some(Control::Ping)) => socket.send(Message::text(control::PONG)).await,
            Some(Some(Control::Switch)) => return true,
            // Nothing else is said before the socket is taken.
            Some(_) => return false,
        };
        if answered.is_err() {
            return false;
        }
    }
    false
}
