//! `GET /.ws`: a connection over a WebSocket.
//!
//! Source: `WebSocketConnection.ts` of firebase-js-sdk.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::time::timeout;

use super::conversation::{Behind, CLOSE_SECONDS_MAX, Ended, WRITE_BYTES, converse};
use super::framing::FRAME_BYTES_MAX;
use super::parameters::Parameters;
use super::seats::Seat;
use super::shared::Api;
use super::{longpoll, opening};
use crate::ops::{Connection, Hello};

/// Bytes that are read at once. An idle connection keeps so many.
const READ_BYTES: usize = 2 << 10;

/// Answers `GET /.ws`.
pub async fn open(
    State(api): State<Arc<Api>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let (parts, _) = request.into_parts();
    let read = Parameters::read(parts.uri.query().unwrap_or_default()).map_err(|error| error.to_string());
    let read = read.and_then(|read| Ok((opening::hello(&api.realtime, &read, &parts)?, read)));
    let (hello, parameters) = match read {
        Ok(read) => read,
        Err(message) => return (StatusCode::BAD_REQUEST, message).into_response(),
    };
    let seat = match api.sockets.take(opening::network(&parts)) {
        Ok(seat) => seat,
        Err(full) => return (StatusCode::SERVICE_UNAVAILABLE, full.to_string()).into_response(),
    };
    let session = parameters.one("s").filter(|session| !session.is_empty()).map(str::to_owned);
    let upgrade = upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_message_size(FRAME_BYTES_MAX);
    upgrade.on_upgrade(async move |socket| match session {
        Some(session) => longpoll::upgrade::take_over(&api, socket, seat, &session, &hello).await,
        None => serve(&api, socket, seat, hello).await,
    })
}

async fn serve(api: &Arc<Api>, mut socket: WebSocket, seat: Seat, hello: Hello) {
    match Connection::open(&api.realtime, hello) {
        Ok((connection, outgoing)) => {
            converse(socket, Behind::Connection(Box::new(connection)), outgoing, seat, api.realtime.ending())
                .await;
        }
        Err(failure) => {
            let last = opening::refusal(&failure);
            let sent = async {
                if let Some(text) = last {
                    let _ = socket.send(Message::text(&*text)).await;
                }
                let _ = socket.send(Message::Close(Ended::Over.frame())).await;
            };
            let _ = timeout(Duration::from_secs(CLOSE_SECONDS_MAX), sent).await;
        }
    }
}
