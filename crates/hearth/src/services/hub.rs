//! The hub of the suite: where tools ask what runs where.

use access::Gate;
use axum::routing::put;
use axum::{Json, Router};
use serde_json::json;

use super::{Addresses, Callers, Part, Row, Service, Socket, TABLE, Variable};

pub static ROW: Row = Row {
    name: "hub",
    part: Part::Suite,
    socket: Socket::Own(4400),
    callers: Callers::Own,
    feed: false,
    variables: &[Variable { name: "FIREBASE_EMULATOR_HUB", before: "" }],
    rules: None,
    portable: None,
    open: |ground| Box::new(Hub { project: ground.project.clone(), gate: ground.gate.clone() }),
};

struct Hub {
    project: String,
    gate: Gate,
}

impl Service for Hub {
    fn routes(&self, addresses: &Addresses) -> Router {
        let feeds: Vec<&str> = TABLE.into_iter().filter(|row| row.feed).map(|row| row.name).collect();
        let pause = |paused: bool| {
            let gate = self.gate.clone();
            put(async move || {
                gate.events().pause(paused);
                Json(json!({ "enabled": !paused }))
            })
        };
        server::hub::routes(&self.project, addresses.clone(), &feeds)
            .route("/functions/disableBackgroundTriggers", pause(true))
            .route("/functions/enableBackgroundTriggers", pause(false))
    }
}
