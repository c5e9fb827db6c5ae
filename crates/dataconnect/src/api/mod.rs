//! The protocols of clients and administrators.

mod control;
mod rest;

use std::sync::Arc;

use axum::Router;

use crate::DataConnect;

/// The routes. Paths that are not among them are somebody else's.
pub fn router(dataconnect: Arc<DataConnect>) -> Router {
    let routes = rest::router(Arc::clone(&dataconnect));
    // What tools ask of the emulator exists for development only.
    if dataconnect.is_dev() { routes.merge(control::router(dataconnect)) } else { routes }
}
