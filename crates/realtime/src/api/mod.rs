//! The protocols: they decode, call a verb and encode, nothing else.
//!
//! [`websocket`] and [`longpoll`] carry connections, [`rest`] single requests, [`events`] listeners over REST; [`settings`]
//! and [`inspect`] are for administrators and tools.

mod control;
mod conversation;
mod events;
pub mod framing;
mod inspect;
pub mod longpoll;
mod opening;
pub mod parameters;
pub mod rest;
mod seats;
mod settings;
mod shared;
mod strict;
mod websocket;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};

use crate::ops::Realtime;

/// All routes of the service. It finds out by itself who asks.
pub fn router(realtime: Arc<Realtime>) -> Router {
    Router::new()
        .route("/.ws", get(websocket::open))
        .route("/.lp", any(longpoll::routes::answer))
        .route("/", any(rest::answer))
        .route("/{*path}", any(rest::answer))
        .with_state(shared::Api::new(realtime))
}
