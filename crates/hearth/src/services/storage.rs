//! Cloud Storage.

use std::sync::Arc;

use access::Signatures;
use async_trait::async_trait;
use axum::Router;
use storage::Storage;

use super::{Addresses, Callers, Part, Row, RulesOf, Service, Socket, Variable, Work};
use crate::{project, transfer};

pub static ROW: Row = Row {
    name: "storage",
    part: Part::Product,
    socket: Socket::Own(9199),
    callers: Callers::Found,
    feed: false,
    variables: &[
        Variable { name: "FIREBASE_STORAGE_EMULATOR_HOST", before: "" },
        Variable { name: "STORAGE_EMULATOR_HOST", before: "http://" },
    ],
    rules: Some(RulesOf { kind: &project::STORAGE, release: None, at: |gate| &gate.rules().storage }),
    portable: Some(&transfer::Objects),
    open: |ground| {
        let (gate, documents) = (ground.gate.clone(), ground.firestore.documents());
        let signatures: Arc<dyn Signatures> = Arc::new(ground.identity.authenticator());
        let files = Arc::clone(&ground.files);
        gate.events().register(Arc::new(storage::Events));
        Box::new(Objects(Storage::new(gate, &ground.project, documents, Some(signatures), files)))
    },
};

struct Objects(Arc<Storage>);

#[async_trait]
impl Service for Objects {
    fn routes(&self, _: &Addresses) -> Router {
        storage::api::router(Arc::clone(&self.0))
    }

    fn streams_bodies(&self) -> bool {
        true
    }

    fn work(&self) -> Option<Work> {
        Some(Box::pin(Arc::clone(&self.0).run_collection()))
    }
}
