//! The Realtime Database.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use base::Status;
use deploy::Restored;
use realtime::Realtime;

use super::{Addresses, Callers, Part, Row, RulesOf, Service, Socket, Variable, Work};
use crate::{project, transfer};

pub static ROW: Row = Row {
    name: "database",
    part: Part::Product,
    socket: Socket::Own(9000),
    callers: Callers::Own,
    feed: false,
    variables: &[Variable { name: "FIREBASE_DATABASE_EMULATOR_HOST", before: "" }],
    rules: Some(RulesOf {
        kind: &project::DATABASE,
        release: Some(RELEASE),
        at: |gate| &gate.rules().database,
    }),
    portable: Some(&transfer::Trees),
    open: |ground| {
        Box::new(Database(Realtime::new(
            ground.gate.clone(),
            &ground.project,
            Arc::clone(&ground.authenticate),
            ground.attest(),
        )))
    },
};

/// How rules that were put through `/.settings/rules.json` are called beside releases of the Rules API.
const RELEASE: &str = "database";

struct Database(Arc<Realtime>);

#[async_trait]
impl Service for Database {
    fn routes(&self, _: &Addresses) -> Router {
        realtime::api::router(Arc::clone(&self.0))
    }

    async fn restore(&self) -> Result<Option<Restored>, Status> {
        let source = self.0.restore().await?;
        Ok(source.map(|source| Restored {
            release: RELEASE,
            ruleset: "/.settings/rules.json".to_owned(),
            source,
        }))
    }

    fn end_streams(&self) {
        self.0.end_streams();
    }

    fn work(&self) -> Option<Work> {
        Some(Box::pin(Arc::clone(&self.0).run()))
    }
}
