//! The feed of decisions, over a WebSocket: a first message with an array of the recent ones, then one for each.

use std::sync::Arc;

use access::{Evaluation, Evaluations};
use axum::body::Body;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::IntoResponse;
use http::Response;
use serde_json::Value as Json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{not_found, refuse};
use crate::Firestore;
use crate::ops::lifetime::ended;

/// Bytes of what a watcher may say: nothing is expected.
const MESSAGE_BYTES_MAX: usize = 1 << 10;

/// `GET /requests`.
pub(super) async fn watch(
    State(firestore): State<Arc<Firestore>>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response<Body> {
    if firestore.dev().is_none() {
        return refuse(&not_found());
    }
    match upgrade {
        Err(rejection) => rejection.into_response(),
        Ok(upgrade) => {
            let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
            upgrade.on_upgrade(move |socket| async move { show(&firestore, socket).await })
        }
    }
}

async fn show(firestore: &Firestore, mut socket: WebSocket) {
    let watched = firestore.dev().and_then(|permit| firestore.evaluations(permit)).map(Evaluations::watch);
    let Some((recent, mut feed)) = watched else { return };
    let recent: Vec<Json> = recent.iter().map(|evaluation| evaluation.json()).collect();
    let mut text = Some(Json::Array(recent).to_string());
    let mut ending = firestore.ending();
    loop {
        if let Some(text) = text.take() {
            tokio::select! {
                sent = socket.send(Message::text(text)) => if sent.is_err() { return },
                () = ended(&mut ending) => return,
            }
        }
        tokio::select! {
            next = next(&mut feed) => match next {
                Some(evaluation) => text = Some(evaluation.json().to_string()),
                None => return,
            },
            // Whatever the watcher says, other than that it goes, is passed over.
            said = socket.recv() => if !matches!(said, Some(Ok(message)) if !matches!(message, Message::Close(_))) {
                return;
            },
            () = ended(&mut ending) => return,
        }
    }
}

/// The next evaluation. A watcher that was too slow misses those between.
async fn next(feed: &mut Receiver<Arc<Evaluation>>) -> Option<Arc<Evaluation>> {
    loop {
        match feed.recv().await {
            Ok(evaluation) => return Some(evaluation),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}
