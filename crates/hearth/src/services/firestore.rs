//! Cloud Firestore.

use std::sync::Arc;

use axum::Router;
use firestore::Firestore;

use super::{Addresses, Callers, Part, Row, RulesOf, Service, Socket, Variable, Work};
use crate::{project, transfer};

pub static ROW: Row = Row {
    name: "firestore",
    part: Part::Product,
    socket: Socket::Own(8080),
    callers: Callers::Found,
    feed: true,
    variables: &[Variable { name: "FIRESTORE_EMULATOR_HOST", before: "" }],
    rules: Some(RulesOf {
        kind: &project::FIRESTORE,
        release: Some(deploy::FIRESTORE_RELEASE),
        at: |gate| &gate.rules().firestore,
    }),
    portable: Some(&transfer::Documents),
    open: |ground| {
        let firestore = Arc::clone(&ground.firestore);
        let (authenticate, attest) = (&ground.authenticate, ground.attest());
        let channels = firestore::api::streams::router(&firestore, authenticate, &attest, &ground.project);
        Box::new(Documents { firestore, channels })
    },
};

struct Documents {
    firestore: Arc<Firestore>,
    /// The streams for browsers, where the token comes in a body.
    channels: Router,
}

impl Service for Documents {
    fn routes(&self, _: &Addresses) -> Router {
        firestore::api::router(Arc::clone(&self.firestore)).merge(self.channels.clone())
    }

    fn end_streams(&self) {
        self.firestore.end_streams();
    }

    fn work(&self) -> Option<Work> {
        let (upkeep, expiry) = (Arc::clone(&self.firestore), Arc::clone(&self.firestore));
        Some(Box::pin(async move {
            tokio::join!(upkeep.run_upkeep(), expiry.run_expiry());
        }))
    }
}
