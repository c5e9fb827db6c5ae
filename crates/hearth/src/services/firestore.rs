//! Cloud Firestore.

use std::sync::Arc;

use axum::Router;
use firestore::Firestore;

use super::{Addresses, Callers, Part, Row, RulesOf, Service, Socket, Variable, Work};
use crate::project;

pub static ROW: Row = Row {
    name: "firestore",
    part: Part::Product,
    socket: Socket::Own(8080),
    callers: Callers::Found,
    variables: &[Variable { name: "FIRESTORE_EMULATOR_HOST", before: "" }],
    rules: Some(RulesOf {
        kind: &project::FIRESTORE,
        release: Some(deploy::FIRESTORE_RELEASE),
        at: |gate| &gate.rules().firestore,
    }),
    open: |ground| Box::new(Documents(Arc::clone(&ground.firestore))),
};

struct Documents(Arc<Firestore>);

impl Service for Documents {
    fn routes(&self, _: &Addresses) -> Router {
        firestore::api::router(Arc::clone(&self.0))
    }

    fn work(&self) -> Option<Work> {
        Some(Box::pin(Arc::clone(&self.0).run_upkeep()))
    }

    fn end_streams(&self) {
        self.0.end_streams();
    }
}
