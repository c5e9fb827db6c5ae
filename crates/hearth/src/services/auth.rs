//! Authentication: the identity service, which also makes the callers of all others.

use std::sync::Arc;

use access::{Gate, Mode};
use async_trait::async_trait;
use axum::Router;
use identity::Identity;

use super::{Addresses, Callers, Part, Row, Service, Socket, Variable, Work};
use crate::transfer;

pub static ROW: Row = Row {
    name: "auth",
    part: Part::Product,
    socket: Socket::Own(9099),
    callers: Callers::Own,
    feed: false,
    variables: &[Variable { name: "FIREBASE_AUTH_EMULATOR_HOST", before: "" }],
    rules: None,
    portable: Some(&transfer::Users),
    open: |ground| {
        ground.gate.events().register(Arc::new(identity::Events));
        Box::new(Auth { gate: ground.gate.clone(), identity: Arc::clone(&ground.identity) })
    },
};

struct Auth {
    gate: Gate,
    identity: Arc<Identity>,
}

#[async_trait]
impl Service for Auth {
    fn routes(&self, _: &Addresses) -> Router {
        let routes = identity::api::router(Arc::clone(&self.identity));
        match self.gate.mode() {
            // On its own port the emulator's readiness probe asks for `/`.
            Mode::Dev(_) => routes.merge(identity::api::welcome()),
            Mode::Serve => routes,
        }
    }

    fn work(&self) -> Option<Work> {
        Some(Box::pin(Arc::clone(&self.identity).run_rotation()))
    }
}
